"""An episode that once failed, kept as a tape that replays for ever.

The tape is what counts. The rest is for whoever opens the file: what went wrong, in which world,
and the story of it as it was told then.
"""

from __future__ import annotations

import re

import msgspec

from bargein.errors import LocalValueError
from bargein.sim.choices import Tape
from bargein.sim.episode import Episode
from bargein.sim.shrink import trimmed
from bargein.sim.telling.rows import rows
from bargein.sim.telling.story import unusual

FORMAT = 2
"""1 had no world and no story."""

_NUMBERS = re.compile(rb"\[\s*(-?\d+(?:,\s*-?\d+)*)\s*\]")


class Regression(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the file. `about` says in a sentence what the client once did."""

    format: int = 1
    about: str
    invariant: str
    detail: str
    world: dict[str, str] = {}
    """What was not plain in it."""
    story: tuple[str, ...] = ()
    """The rows, as lines."""
    tape: Tape


def written(episode: Episode, *, about: str = "") -> bytes:
    """The file of an episode that fails: JSON. Raises `LocalValueError` for one that does not."""
    if not episode.violations:
        raise LocalValueError("episode: it breaks no invariant; keep one that does")
    violation = episode.violations[0]
    told = rows(episode.history, episode.violations)
    kept = Regression(
        format=FORMAT,
        about=about or violation.sentence,
        invariant=violation.invariant,
        detail=violation.detail,
        world=unusual(episode.options),
        story=tuple(line for row in told for line in row.lines),
        tape=trimmed(episode.tape),
    )
    content = msgspec.json.format(msgspec.json.encode(kept), indent=1)
    return _NUMBERS.sub(_on_one_line, content) + b"\n"


def read(content: bytes) -> Regression:
    """The file again, of this format or an older one. Raises `LocalValueError` naming what is wrong
    in it."""
    try:
        kept = msgspec.json.decode(content, type=Regression)
    except msgspec.MsgspecError as error:
        raise LocalValueError(f"regression: {error}; write it with `bargein sim --keep`") from None
    if kept.format > FORMAT:
        raise LocalValueError(
            f"format: {kept.format} is newer than {FORMAT}, the newest that this version reads; "
            "replay it with the version that wrote it"
        )
    return kept


def _on_one_line(numbers: re.Match[bytes]) -> bytes:
    return b"[" + b", ".join(numbers[1].replace(b",", b" ").split()) + b"]"
