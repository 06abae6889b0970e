"""The stories for people: for each a table of figures, and what passed on the wire side by side."""

from __future__ import annotations

from itertools import zip_longest

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bargein.lab.ab.measure import Figures, Line
from bargein.lab.ab.report import NAMES, Report, faults_of_ours, in_order, naive_sentence, sentence
from bargein.lab.ab.scenario import Story

_MOST_LINES = 16
_ROUTINE = (
    ".delta",
    "conversation.item.added",
    "conversation.item.done",
    "content_part.added",
    "content_part.done",
    "output_item.added",
    "output_item.done",
    "audio_transcript.done",
    "output_audio.done",
)


def show_story(console: Console, story: Story, figures: tuple[Figures, ...]) -> None:
    """One story, when it is over."""
    runs = in_order(figures)
    console.print(Text(f"\n{story.name}: {story.about or story.ask}", style="bold"))
    console.print(_figures(runs))
    console.print(_wire([each for each in runs if each.who == "bargein"], "bargein"))
    console.print(_wire([each for each in runs if each.who == "naive"], "naive"))


def show_verdict(console: Console, report: Report) -> None:
    """The end."""
    console.print(Text(sentence(report), style="bold green" if report.ok else "bold red"))
    if told := naive_sentence(report):
        console.print(Text(told))


def _figures(runs: list[Figures]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("client")
    table.add_column("transport")
    for name in ("stop → silence", "sound after", "heard", "left", "kept"):
        table.add_column(name, justify="right")
    table.add_column("refusals")
    for each in runs:
        if each.unmet is not None:
            table.add_row(each.who, NAMES[each.transport], Text(plain(each.unmet), style="yellow"))
            continue
        table.add_row(
            each.who,
            NAMES[each.transport],
            Text(ms(each.stop_to_silence_ms), style="green" if each.stops else "red"),
            ms(each.sound_after_ms),
            ms(each.heard_ms),
            ms(each.left_ms),
            ms(each.kept_ms),
            plain(refusals(each)),
        )
    return table


def refusals(figures: Figures) -> str:
    """What the service refused, and whether that is the client's doing."""
    ours = faults_of_ours(figures)
    told = [f"{code} (ours)" if code in ours else code for code in figures.refusals]
    return ", ".join(told) or "none"


def _wire(runs: list[Figures], who: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for each in runs:
        table.add_column(f"{who}, {NAMES[each.transport]}, from the stop on")
    columns = [shown(each) for each in runs]
    for row in zip_longest(*columns, fillvalue=""):
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table


def shown(figures: Figures) -> list[str]:
    """The lines that tell something, from the stop on."""
    lines = [line for line in figures.events if line.at_ms >= 0 and not is_routine(line)]
    told = [told_line(line) for line in lines[:_MOST_LINES]]
    return [*told, f"… {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else told


def is_routine(line: Line) -> bool:
    """What belongs to each reply and says nothing about the stop."""
    return line.text.endswith(_ROUTINE)


def told_line(line: Line) -> str:
    """An event in a line: when, which way, what."""
    arrow = "→" if line.direction == "sent" else "←"
    short = line.text.replace("conversation.", "").replace("input_audio_buffer.", "input.")
    many = f" ×{line.count}" if line.count > 1 else ""
    return f"{line.at_ms:+6d} {arrow} {short.replace('output_audio_buffer.', 'output.')}{many}"


def ms(value: float | None) -> str:
    """Milliseconds, in seconds where there are many."""
    if value is None:
        return "not told"
    return f"{value / 1_000:.2f} s" if value >= 10_000 else f"{value:.0f} ms"


def plain(text: str) -> str:
    """The words may be a service's: nothing in them may command the terminal."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)
