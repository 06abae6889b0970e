"""The result as a page: one HTML file with its style and pictures in it. Pure."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from bargein.lab.conformance.picture import picture
from bargein.lab.conformance.question import Outcome, shown
from bargein.lab.conformance.result import Result
from bargein.lab.conformance.table import verdict

_PICTURED = ("turn detection", "no interruption", "cancel", "spoken turn", "truncation")
"""Talks in which it matters what came when."""

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; background: #fff;
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .25rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0;
         border-bottom: 1px solid #e4e8ec }
td:first-child { width: 13rem } td:nth-child(2) { width: 6rem; white-space: nowrap }
.about, .asks, .source { color: #59636e } .asks { font-size: .9em }
.same { color: #00795c } .differs { color: #c8500a; font-weight: 600 }
.no-answer { color: #7a5900; font-weight: 600 }
code { font-size: .9em; overflow-wrap: anywhere } svg { max-width: 100%; height: auto }
dl { margin: 0; display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: 0 1rem }
dt { color: #59636e } dd { margin: 0; overflow-wrap: anywhere }
"""


def page(result: Result, about: Mapping[str, Any]) -> str:
    """The whole file. Everything that came from the server is escaped."""
    title = f"Conformance of {about['server']}"
    kind = "same" if result.conforms else "differs"
    parts = [
        f"<h1>{_text(title)}</h1>",
        f"<p class=about>{_text(_about(about))}</p>",
        f"<p><strong class={kind}>{_text(verdict(result).plain)}</strong></p>",
        _learned(result),
        *(_section(result, section) for section in result.sections),
        _pictures(result),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _about(about: Mapping[str, Any]) -> str:
    return f"Model {about['model']}, asked {about['asked']} by bargein {about['bargein']}."


def _text(value: object) -> str:
    return html.escape(str(value))


def _learned(result: Result) -> str:
    rows = "".join(
        f"<tr><td><code>{_text(each.name)}={_text(repr(each.value))}</code></td>"
        f"<td colspan=2>{_text(each.why or 'assumed: not answered')}</td></tr>"
        for each in result.learned
    )
    return f"<h2>For a client</h2><table>{rows}</table>"


def _section(result: Result, section: str) -> str:
    rows = result.of(section)
    same = sum(row.standing == "same" for row in rows)
    return (
        f"<h2>{_text(section)}: {same} of {len(rows)} as the reference</h2>"
        f"<table>{''.join(_row(row) for row in rows)}</table>"
    )


def _row(row: Outcome) -> str:
    question = row.question
    name = question.name.partition(": ")[2]
    return (
        f"<tr><td>{_text(name)}<br><span class=source>{_text(question.source)}</span></td>"
        f"<td class={row.standing.replace(' ', '-')}>{_text(row.standing)}</td>"
        f"<td><span class=asks>{_text(question.asks)}</span>{_answer(row)}</td></tr>"
    )


def _answer(row: Outcome) -> str:
    if row.facts is None:
        return ""
    differing = {each.fact: each for each in row.differences}
    entries = []
    for fact in dict.fromkeys([*row.facts, *differing]):
        value = f"<code>{_text(shown(row.facts.get(fact)))}</code>"
        if fact in differing:
            expected = _text(differing[fact].expected)
            value = f"<span class=differs>{value}</span><br>reference: <code>{expected}</code>"
        entries.append(f"<dt>{_text(fact)}</dt><dd>{value}</dd>")
    return f"<dl>{''.join(entries)}</dl>"


def _pictures(result: Result) -> str:
    drawn = [
        picture(name, result.seen[name]).partition("?>\n")[2]
        for name in _PICTURED
        if name in result.seen and result.seen[name].frames
    ]
    return f"<h2>What came when</h2>{''.join(drawn)}" if drawn else ""
