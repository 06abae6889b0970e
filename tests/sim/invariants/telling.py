"""What is common to the tales of cuts: stops, answers, records, and the names of what broke."""

from __future__ import annotations

from collections.abc import Sequence

from tests.sim.tale import ITEM, MS, PART, RESPONSE, Tale, begun, speaking

from bargein.core import asks, commands, inputs, notices
from bargein.core.inputs import Heard
from bargein.core.notices import Asker, PartRecord
from bargein.sim.invariants.judge import Violation
from bargein.sim.options import Options

CUT = "cut_1"


def details(violations: Sequence[Violation], about: str) -> list[str]:
    """How that invariant does not hold."""
    return [one.detail for one in violations if one.invariant == about]


def playing(ms: int = 1_000, options: Options | None = None) -> Tale:
    """A reply of which so much came and was given to the player."""
    tale = begun(options)
    speaking(tale, ms)
    tale.played(ms)
    return tale


def interrupted(tale: Tale) -> None:
    """The application asks, and the stop is commanded."""
    tale.write("input", inputs.Asked(1, asks.Interrupt()))
    tale.write("command", commands.StopPlayback(CUT))


def answered(tale: Tale, ms: int) -> None:
    """The player has stopped."""
    tale.write("input", inputs.PlaybackStopped(CUT, (Heard(PART, ms * MS),)))


def part_record(
    heard_ms: int, *, received_ms: int = 1_000, kept_ms: int | None = None, answer: str = ""
) -> PartRecord:
    """Of the part, as it was cut."""
    return PartRecord(
        response_id=RESPONSE,
        item_id=ITEM,
        content_index=0,
        rate=1_000 * MS,
        received_samples=received_ms * MS,
        heard_samples=heard_ms * MS,
        heard_ms=heard_ms,
        action="pending" if kept_ms is None else "truncate",
        sent_ms=kept_ms,
        kept_ms=kept_ms,
        answer=answer,
    )


def told(
    tale: Tale, *parts: PartRecord, askers: tuple[Asker, ...] = ("interrupt",), late_us: int = 0
) -> None:
    """The record of the stop."""
    stop_us = _stopped_us(tale)
    record = notices.Interruption(
        cut_id=CUT,
        askers=askers,
        response_ids=(RESPONSE,),
        heard_ms=sum(part.heard_ms for part in parts),
        parts=parts,
        stop_latency_us=len(tale.entries) - stop_us + late_us,
        speech_to_silence_us=None,
    )
    tale.write("command", commands.Notify(record))


def settled(tale: Tale, *parts: PartRecord, sent: tuple[str, ...]) -> None:
    """The record of what the service keeps."""
    heard_ms = sum(part.heard_ms for part in parts)
    kept_ms = sum(part.kept_ms or 0 for part in parts)
    record = notices.InterruptionSettled(
        cut_id=CUT,
        askers=("interrupt",),
        response_ids=(RESPONSE,),
        heard_ms=heard_ms,
        kept_ms=kept_ms,
        drift_ms=kept_ms - heard_ms,
        exactness="exact",
        parts=parts,
        commands=sent,
        settle_latency_us=len(tale.entries) - _stopped_us(tale),
    )
    tale.write("command", commands.Notify(record))


def _stopped_us(tale: Tale) -> int:
    return next(
        entry.time_us for entry in tale.entries if isinstance(entry.what, commands.StopPlayback)
    )
