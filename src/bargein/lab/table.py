"""The report for people: a row for each interruption, a line for each promise, the verdict."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bargein.lab.figures import ms_of
from bargein.lab.report import Report, Row


def show(console: Console, report: Report) -> None:
    """Print the whole report."""
    console.print(_interruptions(report))
    console.print(_promises(report))
    style = "bold green" if report.ok else "bold red"
    console.print(Text(verdict_of(report), style=style))


def verdict_of(report: Report) -> str:
    """The verdict in a line."""
    match report.verdict:
        case "kept":
            if report.kept_from_memory:
                return "Every promise kept: what the server remembers is what the ear heard."
            return (
                "Every promise kept, as far as the service's acknowledgements tell; its memory "
                "cannot be read from here."
            )
        case "broken":
            broken = ", ".join(each.name for each in report.promises if not each.kept)
            also = f" Also, {report.unmet}." if report.unmet else ""
            return f"Broken: {broken}.{also}"
        case "not shown":
            return f"Nothing is shown by this: {report.unmet}."


def _interruptions(report: Report) -> Table:
    kept = "kept (server's memory)" if report.kept_from_memory else "kept (acknowledged)"
    table = Table(box=box.SIMPLE_HEAD, title=None, pad_edge=False)
    for name in ("#", "heard", "sent", kept, "drift", "speech → silence", "at the ear"):
        table.add_column(name, justify="right")
    table.add_column("commands")
    table.add_column("exactness")
    for row in report.interruptions:
        table.add_row(*_cells(row))
    return table


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row.number),
        f"{row.heard_ms:.2f} ms",
        ", ".join(_short(sent) for sent in row.sent) or "nothing",
        _ms(row.kept_ms, 2),
        _ms(row.drift_ms, 2),
        _ms(row.speech_to_silence_ms, 0),
        _ms(row.voice_to_ear_ms, 0),
        ", ".join(_short(name) for name in row.commands) or "none",
        row.exactness,
    )


def _short(command: str) -> str:
    return command.replace("conversation.item.", "").replace("response.", "")


def _ms(value: float | None, digits: int) -> str:
    return "unknown" if value is None else f"{value:.{digits}f} ms"


def _promises(report: Report) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for promise in report.promises:
        mark = Text("kept", style="green") if promise.kept else Text("BROKEN", style="bold red")
        if promise.kept and report.verdict == "not shown":
            mark = Text("not shown", style="yellow")
        table.add_row(promise.name, promise.title, mark, promise.figure)
        for fault in promise.faults:
            table.add_row("", "", "", Text(fault, style="red"))
    whole = sum(part.heard_samples for part in report.parts)
    received = sum(part.received_samples for part in report.parts)
    table.add_row(
        "", "", "", f"{ms_of(received) / 1_000:.2f} s received, {ms_of(whole) / 1_000:.2f} s heard"
    )
    return table
