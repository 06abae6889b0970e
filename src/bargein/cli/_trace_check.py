"""`bargein trace check` and `bargein trace shorten`: judge a recorded session by the simulator's
invariants, and cut one that breaks them to what it takes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bargein import __version__
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.errors import LocalValueError
from bargein.sim.traces.recorded import Finding, Verdict, judge
from bargein.trace import record
from bargein.trace.format import Entry, Reader, TraceError
from bargein.trace.retell import Step, Story, Telling, recorded
from bargein.trace.shorten import Shortened, groups_of, shorten
from bargein.trace.show import Row, rows

_AROUND: Final = 3
"""Rows shown before and after the line of a finding."""
_WIDTH: Final = 160
_AT_MOST_RUNS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Session:
    """A trace, read whole. `ended`: it has its end; what follows missing inputs is left out."""

    file: str
    entries: tuple[Entry, ...]
    settings: Settings
    started: str
    shortened_from: int
    ended: bool
    lost_at_line: int | None


def read(file: str) -> Session:
    """Raises LocalValueError for what is no trace, or a damaged or newer one."""
    try:
        with open(file, "rb") as lines:
            reader = Reader(lines)
            settings = reader.settings()
            entries: list[Entry] = []
            lost_at_line = None
            for entry in reader:
                if entry.line.lost:
                    lost_at_line = entry.number
                    break
                entries.append(entry)
    except OSError as error:
        raise LocalValueError(f"{file}: {error.strerror}") from error
    except LocalValueError as error:
        raise LocalValueError(f"{file}: {error}") from error
    header = reader.header
    ended = not reader.cut and lost_at_line is None
    return Session(
        file, tuple(entries), settings, header.started, header.shortened_from, ended, lost_at_line
    )


def recorded_steps(session: Session) -> tuple[Step, ...]:
    """What was done then. Raises LocalValueError."""
    try:
        return tuple(recorded(session.entries))
    except TraceError as error:
        raise LocalValueError(f"{session.file}: {error}") from error


def story_of(session: Session) -> Story:
    """The inputs, for this version's machine. Raises LocalValueError."""
    try:
        return Story(session.entries, session.settings, Machine)
    except TraceError as error:
        raise LocalValueError(f"{session.file}: {error}") from error


def judged(session: Session, telling: Telling) -> Verdict:
    """What this version's machine has just done, judged."""
    return judge(telling.steps, session.settings, ended=session.ended, mirror=telling.mirror)


# -- check ---------------------------------------------------------------------------------------


@click.command("check")
@click.argument("file", type=click.Path())
@click.option("--replay", is_flag=True, help="Judge what this version would do, not what was done.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def check_command(ctx: click.Context, file: str, replay: bool, as_json: bool) -> None:
    """Judge the session in FILE by the promises that the simulator checks.

    Exit code 0: they were kept. 1: one was broken. 2: the file cannot be read.
    """
    session = read(file)
    left_out = 0
    if replay:
        telling = story_of(session).tell()
        left_out = telling.left_out
        verdict = judged(session, telling)
        entries = entries_of(telling.steps)
    else:
        verdict = judge(recorded_steps(session), session.settings, ended=session.ended)
        entries = session.entries
    if as_json:
        told = {
            "file": file,
            "judged_by": "replay" if replay else "record",
            "lost_at_line": session.lost_at_line,
            "shortened_from": session.shortened_from,
            "answered_nothing": left_out,
            **msgspec.to_builtins(verdict),
        }
        click.echo(msgspec.json.encode(told))
    else:
        _tell(session, verdict, entries, left_out)
    ctx.exit(1 if verdict.findings else 0)


def entries_of(steps: Sequence[Step]) -> tuple[Entry, ...]:
    """The lines that a recorder would write, under the numbers that the inputs had."""
    head = record.header(Settings(), "", __version__)
    read_back = Reader([head, *map(line_of, steps)])
    return tuple(Entry(step.line, entry.line) for step, entry in zip(steps, read_back, strict=True))


def line_of(step: Step) -> bytes:
    """The step as a line of a trace."""
    done = None if step.raised is not None else step.commands
    return record.entry(step.at_us, step.input, done, step.raised, step.audio_format)


def _tell(session: Session, verdict: Verdict, entries: Sequence[Entry], left_out: int) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    if session.shortened_from:
        console.print(f"shortened from {session.shortened_from} inputs")
    for name, count in verdict.met.items():
        console.print(f"{count:>9}  {name}")
    whole = [name for name, only in verdict.judged.items() if not only]
    console.print(f"judged: {', '.join(whole)}")
    for name, only in verdict.judged.items():
        if only:
            console.print(f"judged: {name}, by {only}")
    for name, why in verdict.not_judged.items():
        console.print(f"not judged: {name}: {why}")
    log = list(rows(entries)) if verdict.findings else []
    for line in dict.fromkeys(finding.line for finding in verdict.findings):
        of_line = [finding for finding in verdict.findings if finding.line == line]
        _tell_findings(console, session.file, of_line, log)
    if session.lost_at_line is not None:
        click.echo(
            f"{session.file}:{session.lost_at_line}: inputs are missing; what follows is not "
            "judged",
            err=True,
        )
    if left_out:
        click.echo(
            f"{left_out} inputs answered something that this version did not do; "
            "they were left out",
            err=True,
        )
    count = len(verdict.findings)
    console.print(f"\n{count} broken" if count else "\nEvery promise that can be judged was kept.")


def _tell_findings(
    console: Console, file: str, findings: Sequence[Finding], log: Sequence[Row]
) -> None:
    """What broke at one line, and the rows around it."""
    line = findings[0].line
    console.print(f"\n{file}:{line}" if line else f"\n{file}, at its end", style="bold")
    for finding in findings:
        console.print(f"  {finding.invariant}: {finding.sentence}", style="bold red")
        console.print(f"    {finding.detail}")
    at = next((i for i, row in enumerate(log) if row.line >= line > 0), len(log) - 1)
    for index in range(max(at - _AROUND, 0), min(at + _AROUND + 1, len(log))):
        mark = ">" if index == at else " "
        row = f"  {mark} {log[index].line:>6} {log[index].text()}"
        console.print(row if len(row) <= _WIDTH else f"{row[: _WIDTH - 1]}…", style="dim")


# -- shorten -------------------------------------------------------------------------------------


@click.command("shorten")
@click.argument("file", type=click.Path())
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the short trace goes. [default: FILE.short]",
)
@click.option("--sentence", help="The invariant that is to stay broken, as `check` names it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def shorten_command(
    ctx: click.Context, file: str, out: Path | None, sentence: str | None, as_json: bool
) -> None:
    """Cut the session in FILE to the least list of inputs that still breaks the same sentence.

    The inputs are replayed through this version's machine. Exit code 0: there is nothing to
    shorten, or it was shortened. 2: the file cannot be read, or the short one not be written.
    """
    session = read(file)
    story = story_of(session)
    began_s = time.perf_counter()
    whole = story.tell()
    found = judged(session, whole).findings
    if not found:
        _tell_whole(session, as_json)
        ctx.exit(0)
    wanted = next((each for each in found if sentence in (None, each.invariant)), None)
    if wanted is None:
        names = ", ".join(dict.fromkeys(each.invariant for each in found))
        raise LocalValueError(f"--sentence: {sentence} is not broken here; these are: {names}")
    with _progress() as progress:
        task = progress.add_task("", total=None)

        def tell(kept: int, runs: int) -> None:
            progress.update(task, description=f"run {runs}: {kept} of {len(whole.used)} inputs")

        short = shorten(
            whole.used,
            lambda places: _still(session, story, wanted, whole.unanswered, places),
            groups=groups_of(story.steps),
            at_most_runs=_AT_MOST_RUNS,
            progress=tell,
        )
    telling = story.tell(short.kept)
    target = out or Path(f"{file}.short")
    _write(session, telling, target)
    took_s = time.perf_counter() - began_s
    _tell_short(session, wanted, short, telling, target, took_s, as_json)


def _still(
    session: Session, story: Story, wanted: Finding, owed: int, places: Sequence[int]
) -> Sequence[int] | None:
    """The places that were used, if the same sentence still breaks in the same way.

    A player that leaves more than `owed` stops unanswered is another story: of one that broke its
    word.
    """
    telling = story.tell(places)
    if telling.unanswered > owed:
        return None
    findings = judged(session, telling).findings
    same = any(
        found.invariant == wanted.invariant and _kind(found.detail) == _kind(wanted.detail)
        for found in findings
    )
    return telling.used if same else None


def _kind(detail: str) -> str:
    """The detail without ids and numbers: two that differ only in these are of one kind."""
    return re.sub(r"\w*\d[\w.]*", "#", detail)


def _write(session: Session, telling: Telling, target: Path) -> None:
    before = session.shortened_from or len(session.entries)
    head = record.header(session.settings, session.started, __version__, shortened_from=before)
    lines = [head, *map(line_of, telling.steps), *([record.end()] if session.ended else [])]
    try:
        target.touch(mode=0o600)
        target.write_bytes(b"".join(lines))
    except OSError as error:
        raise LocalValueError(f"--out: {target}: {error.strerror}; name another file") from error


def _tell_whole(session: Session, as_json: bool) -> None:
    """This version keeps every promise; perhaps the one that wrote the trace did not."""
    then = judge(recorded_steps(session), session.settings, ended=session.ended).findings
    if as_json:
        told = {"file": session.file, "broken": None, "broken_as_recorded": then}
        click.echo(msgspec.json.encode(told))
        return
    click.echo("This version's machine breaks nothing with these inputs: nothing to shorten.")
    for finding in then:
        where = f"line {finding.line}" if finding.line else "the end"
        click.echo(
            f"As recorded, {finding.invariant} was broken at {where} ({finding.detail}); "
            "it is fixed since."
        )


def _tell_short(
    session: Session,
    wanted: Finding,
    short: Shortened,
    telling: Telling,
    target: Path,
    took_s: float,
    as_json: bool,
) -> None:
    if as_json:
        told = {
            "file": session.file,
            "out": str(target),
            "broken": wanted,
            "inputs_before": len(session.entries),
            "inputs": len(telling.steps),
            "minimal": short.minimal,
            "runs": short.runs,
            "took_s": round(took_s, 1),
        }
        click.echo(msgspec.json.encode(told))
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"{wanted.invariant}: {wanted.sentence}", style="bold red")
    console.print(f"  {wanted.detail}\n")
    for row in rows(entries_of(telling.steps), unfolded=True):
        console.print(row.text())
    least = "none of them can be left out" if short.minimal else "the runs are used up"
    console.print(
        f"\n{len(session.entries)} inputs shortened to {len(telling.steps)}: {least}. "
        f"{short.runs} runs in {took_s:.1f} s. Written to {target}"
    )


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
