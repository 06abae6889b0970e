"""The result for people at a terminal: a line a section, a row for each difference, the end."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bargein.lab.conformance.question import Outcome, Standing, shown
from bargein.lab.conformance.result import Result

_MARKS: dict[Standing, tuple[str, str]] = {
    "same": ("same", "green"),
    "differs": ("differs", "bold red"),
    "no answer": ("no answer", "bold yellow"),
}


def show(console: Console, result: Result, *, every_row: bool = False) -> None:
    """Print it all. Without `every_row`, a section's rows that are the same share its line."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for section in result.sections:
        rows = result.of(section)
        same = [row for row in rows if row.standing == "same"]
        table.add_row(Text(section, style="bold"), "", _count(len(same), len(rows)))
        for row in rows:
            if every_row or row.standing != "same":
                _add(table, row)
    console.print(table)
    console.print()
    if any(each.why for each in result.learned):
        console.print(_learned(result))
        console.print()
    console.print(verdict(result))


def _count(same: int, asked: int) -> Text:
    style = "green" if same == asked else "default"
    return Text(f"{same} of {asked} as the reference", style=style)


def _add(table: Table, row: Outcome) -> None:
    word, style = _MARKS[row.standing]
    name = Text(f"  {row.question.name.partition(': ')[2]}")
    mark = Text(word, style=style)
    if row.facts is None:
        table.add_row(name, mark, Text(row.question.asks))
        return
    if not row.differences:
        told = "; ".join(f"{fact}: {shown(value)}" for fact, value in row.facts.items())
        table.add_row(name, mark, Text(told, style="dim"))
    for number, difference in enumerate(row.differences):
        words = Text(f"{difference.fact}: ", style="bold") + Text(difference.text, style="default")
        table.add_row(name if number == 0 else "", mark if number == 0 else "", words)


def _learned(result: Result) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_row(Text("for a client", style="bold"), "", "")
    for each in result.learned:
        value = Text(f"{each.name}={each.value!r}", style="default" if each.why else "dim")
        table.add_row("", value, Text(each.why or "assumed: not answered", style="dim"))
    return table


def verdict(result: Result) -> Text:
    """The end, in a line."""
    counts = result.counts
    if result.conforms:
        return Text(f"It conforms: {counts['same']} questions, no difference.", style="bold green")
    parts = [f"{counts['same']} as the reference", f"{counts['differs']} different"]
    if counts["no answer"]:
        parts.append(f"{counts['no answer']} without an answer")
    return Text(f"{', '.join(parts)}, of {len(result.outcomes)} questions.", style="bold red")
