"""All stories as a page: one HTML file with its style and pictures, beside the WAV files. Pure.

It loads nothing but those, and says so to the browser; it has no script.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping
from typing import Any

from bargein.lab.ab.measure import Figures
from bargein.lab.ab.picture import picture
from bargein.lab.ab.report import NAMES, Report, file_of, in_order, naive_sentence, sentence
from bargein.lab.ab.scenario import Story
from bargein.lab.ab.table import ms, refusals, told_line

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; background: #fff;
       max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .25rem } h2 { font-size: 1.15rem; margin-top: 2.5rem }
.about { color: #59636e } .wide { overflow-x: auto }
table { border-collapse: collapse } svg { max-width: 100%; height: auto }
td, th { text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0;
         border-bottom: 1px solid #e4e8ec }
.stops { color: #00795c; font-weight: 600 } .goes-on { color: #b34700; font-weight: 600 }
.unmet { color: #7a5900; font-weight: 600 } audio { height: 2rem; vertical-align: middle }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem }
pre { font-size: .8rem; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }
"""


def page(report: Report, about: Mapping[str, Any]) -> str:
    """The whole file. Everything that came from a server or the scenario is escaped."""
    title = "The same stops over WebSocket and WebRTC"
    hashed = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{hashed}'; media-src 'self' file:"
    kind = "stops" if report.ok else "goes-on"
    parts = [
        f"<h1>{_text(title)}</h1>",
        f"<p class=about>{_text(_about(about))} {_text(report.scenario.about)}</p>",
        f"<p class={kind}>{_text(sentence(report))}</p>",
        f"<p>{_text(naive_sentence(report))}</p>",
        *(_story(story, report.of(story)) for story in report.scenario.stories),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _about(about: Mapping[str, Any]) -> str:
    return f"{about['service']}, {about['started']}, bargein {about['versions']['bargein']}."


def _story(story: Story, figures: tuple[Figures, ...]) -> str:
    runs = in_order(figures)
    if not runs:
        return ""
    drawn = picture(story, figures).partition("\n")[2]
    rows = "".join(_row(each) for each in runs)
    heads = ("client", "transport", "stop → silence", "sound after", "heard", "left", "kept")
    head = "".join(f"<th scope=col>{name}</th>" for name in (*heads, "refusals", "listen"))
    return (
        f"<section>\n<h2>{_text(story.name)}</h2>\n<p class=about>{_text(story.about)}</p>\n"
        f"<div class=wide>{drawn}</div>\n"
        f"<div class=wide><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>\n"
        f"<details><summary>Events and commands, in order, by their time from the stop</summary>"
        f"<div class=columns>{''.join(_events(each) for each in runs)}</div></details>\n</section>"
    )


def _row(each: Figures) -> str:
    name = f"{each.who} over {NAMES[each.transport]}"
    kind = "unmet" if each.unmet else "stops" if each.stops else "goes-on"
    cells = [
        each.who,
        NAMES[each.transport],
        each.unmet or ms(each.stop_to_silence_ms),
        ms(each.sound_after_ms),
        ms(each.heard_ms),
        ms(each.left_ms),
        ms(each.kept_ms),
        refusals(each),
    ]
    told = "".join(
        f"<td class={kind}>{_text(cell)}</td>" if number == 2 else f"<td>{_text(cell)}</td>"
        for number, cell in enumerate(cells)
    )
    source = html.escape(file_of(each))
    player = f'<audio controls preload="none" src="{source}" aria-label="{_text(name)}"></audio>'
    return f"<tr>{told}<td>{player}</td></tr>"


def _events(each: Figures) -> str:
    lines = "\n".join(told_line(line) for line in each.events)
    return (
        f"<div><strong>{_text(each.who)}, {_text(NAMES[each.transport])}</strong>"
        f"<pre>{_text(lines)}</pre></div>"
    )


def _text(value: object) -> str:
    return html.escape(str(value))
