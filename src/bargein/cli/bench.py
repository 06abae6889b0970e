"""Measure speed and memory against their targets.

Each figure is a ratio to a named peer in the same run, or is told beside a stated limit.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from bargein.errors import DeviceError
from bargein.lab.bench import evidence
from bargein.lab.bench.figures import QUICK, Effort, Figure

_NAMES = (
    *("decode", "handle", "live", "crowd", "memory"),
    *("day", "drops", "load", "calls", "simulation"),
)


@click.command("bench")
@click.option(
    "--only", type=click.Choice(_NAMES), multiple=True, help="One bench; may be given often."
)
@click.option("--quick", is_flag=True, help="A minute or two; too short for a claim.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the evidence into this folder, as bench-YYYY-MM-DD-COMMIT.json.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(only: tuple[str, ...], quick: bool, out: Path | None, as_json: bool) -> None:
    """Measure speed and memory, and compare with the targets.

    decode: frames to events, against the official SDK. handle: the client's machine alone. live:
    client CPU of one session, against a bare loop. crowd: of fifty. memory: over a simulated hour.
    day: what a served server keeps after 24 simulated hours of visits. drops: of 1,000 dropped.
    load: sessions that one core of the local server bears, and what a hostile one does to others.
    calls: how many over WebRTC one core bears, and how late a frame is heard. simulation:
    conversations per CPU second.

    Exits with 1 if a target is missed. Needs bargein[local,webrtc] and openai[realtime].
    """
    try:
        from bargein.lab.bench.runs import run
    except ImportError as error:
        raise DeviceError(
            f"a package is missing ({error.name}); install with: "
            'pip install "bargein[local,webrtc]"'
        ) from error
    effort = QUICK if quick else Effort()
    names = only or _NAMES
    console = Console(stderr=True)
    with console.status("") as status:
        figures = list(run(names, effort, lambda words: status.update(f"bench: {words}")))
    told = {
        "quick": quick,
        "parameters": effort,
        "missed": [figure.name for figure in figures if not figure.met],
        "figures": [as_told(figure) for figure in figures],
    }
    if as_json:
        click.echo(msgspec.json.encode(told))
    else:
        Console().print(table(figures))
    if out is not None:
        click.echo(f"written: {evidence.write(out, 'bench', told)}", err=True)
    if told["missed"]:
        sys.exit(1)


def as_told(figure: Figure) -> dict[str, object]:
    """The figure with its verdict, for JSON."""
    told: dict[str, object] = msgspec.to_builtins(figure)
    return {**told, "measured": figure.measured, "met": figure.met}


def table(figures: list[Figure]) -> Table:
    """A row for each figure."""
    rows = Table(box=None, pad_edge=False)
    for title in ("figure", "target", "measured", "least … most", "met"):
        rows.add_column(title, overflow="fold")
    for figure in figures:
        rows.add_row(
            figure.says,
            f"{figure.wanted} {figure.target:g} {figure.unit}",
            f"{figure.measured:.4g}",
            f"{min(figure.rounds):.4g} … {max(figure.rounds):.4g}",
            "yes" if figure.met else "NO",
        )
    return rows
