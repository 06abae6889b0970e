"""An episode that once failed, kept as a tape that replays for ever."""

from __future__ import annotations

import msgspec

from bargein.errors import LocalValueError
from bargein.sim.choices import Tape
from bargein.sim.episode import Episode
from bargein.sim.shrink import trimmed


class Regression(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the file. `about` says in a sentence what the client once did."""

    about: str
    invariant: str
    detail: str
    tape: Tape


def written(episode: Episode, *, about: str = "") -> bytes:
    """The file of an episode that fails: JSON. Raises `LocalValueError` for one that does not."""
    if not episode.violations:
        raise LocalValueError("episode: it breaks no invariant; keep one that does")
    violation = episode.violations[0]
    kept = Regression(
        about=about or violation.sentence,
        invariant=violation.invariant,
        detail=violation.detail,
        tape=trimmed(episode.tape),
    )
    return msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n"


def read(content: bytes) -> Regression:
    """The file again. Raises `LocalValueError` naming what is wrong in it."""
    try:
        return msgspec.json.decode(content, type=Regression)
    except msgspec.MsgspecError as error:
        raise LocalValueError(f"regression: {error}; write it with `bargein sim --keep`") from None
