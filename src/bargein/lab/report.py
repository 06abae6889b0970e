"""The demo's report: a row for each interruption, the promises, and the verdict. Pure."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from bargein.core.inputs import Part
from bargein.core.notices import Interruption, InterruptionSettled
from bargein.lab.figures import PartFigures, ms_of, parts_of
from bargein.lab.observed import Observed, Spoken
from bargein.lab.plan import Plan
from bargein.lab.promises import Promise, promises

FORMAT = "bargein-demo/1"

Verdict = Literal["kept", "broken", "not shown"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One interruption. Sums are over its parts; times are of the session's axis."""

    number: int
    cut_id: str
    askers: tuple[str, ...]
    at_ms: float
    heard_ms: float
    sent: tuple[str, ...]
    kept_ms: float | None
    drift_ms: float | None
    exactness: str
    commands: tuple[str, ...]
    speech_to_silence_ms: float | None
    """From the sound that decided to the player's answer, as the record tells it."""
    voice_to_ear_ms: float | None
    """From the user's first sound to the assistant's last one at the ear, as the ear tells it."""
    stop_ms: float
    """From the news of the speech to the player's answer."""
    heard_text: str
    parts: tuple[PartFigures, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo found. `unmet` says what of the plan did not happen."""

    verdict: Verdict
    unmet: str | None
    interruptions: tuple[Row, ...]
    promises: tuple[Promise, ...]
    parts: tuple[PartFigures, ...]
    kept_from_memory: bool
    lasted_ms: float

    @property
    def ok(self) -> bool:
        return self.verdict == "kept"


def report_of(observed: Observed, plan: Plan) -> Report:
    """Judge a session. A promise that is broken weighs more than a plan that was not met."""
    parts = parts_of(observed)
    rows = _rows(observed, parts)
    judged = promises(observed, parts)
    unmet = observed.unmet or _missing(rows, plan)
    verdict: Verdict = "kept" if unmet is None else "not shown"
    if not all(promise.kept for promise in judged):
        verdict = "broken"
    return Report(
        verdict=verdict,
        unmet=unmet,
        interruptions=rows,
        promises=judged,
        parts=parts,
        kept_from_memory=observed.memory is not None,
        lasted_ms=observed.end_us / 1_000,
    )


def as_json(
    report: Report, observed: Observed, plan: Plan, about: dict[str, Any]
) -> dict[str, Any]:
    """The whole as plain JSON values; `about` (versions, service) comes first."""
    card = plan.card
    return {
        "format": FORMAT,
        **about,
        "ok": report.ok,
        "verdict": report.verdict,
        "unmet": report.unmet,
        "seed": plan.seed,
        "parameters": {
            "block_samples": card.block,
            "rate": card.rate,
            "latency_ms": card.latency_us / 1_000,
            "on_stop": card.on_stop,
            "listen_ms": [turn.listen_ms for turn in plan.turns],
        },
        "promises": [
            {**msgspec.to_builtins(promise), "kept": promise.kept} for promise in report.promises
        ],
        "interruptions": [msgspec.to_builtins(row) for row in report.interruptions],
        "records": [
            msgspec.to_builtins(each.notice)
            for each in observed.told
            if isinstance(each.notice, Interruption | InterruptionSettled)
        ],
        "parts": [
            {**msgspec.to_builtins(part), "drift_samples": part.drift_samples}
            for part in report.parts
        ],
        "spoken": [
            {"text": line.text, "start_ms": line.start_us / 1_000, "end_ms": line.end_us / 1_000}
            for line in observed.spoken
        ],
        "kept_from": "the server's memory" if report.kept_from_memory else "acknowledgements",
        "lasted_ms": report.lasted_ms,
    }


def _rows(observed: Observed, parts: tuple[PartFigures, ...]) -> tuple[Row, ...]:
    by_part = {part.part: part for part in parts}
    ends = {
        each.notice.cut_id: each.notice
        for each in observed.told
        if isinstance(each.notice, InterruptionSettled)
    }
    stops = [
        (each.at_us, each.notice) for each in observed.told if isinstance(each.notice, Interruption)
    ]
    return tuple(
        _row(number, at_us, stop, ends.get(stop.cut_id), by_part, observed)
        for number, (at_us, stop) in enumerate(stops, 1)
    )


def _row(
    number: int,
    at_us: int,
    stop: Interruption,
    end: InterruptionSettled | None,
    by_part: dict[Part, PartFigures],
    observed: Observed,
) -> Row:
    named = [Part(p.response_id, p.item_id, p.content_index) for p in (end or stop).parts]
    parts = tuple(by_part[part] for part in named if part in by_part)
    kept = [part.kept_samples for part in parts]
    drifts = [part.drift_samples for part in parts]
    asked_us = next((s.asked_us for s in observed.stops if s.cut_id == stop.cut_id), at_us)
    return Row(
        number=number,
        cut_id=stop.cut_id,
        askers=stop.askers,
        at_ms=asked_us / 1_000,
        heard_ms=ms_of(sum(part.heard_samples for part in parts)),
        sent=tuple(_sent(part) for part in parts if part.sent),
        kept_ms=ms_of(sum(n or 0 for n in kept)) if None not in kept else None,
        drift_ms=ms_of(sum(n or 0 for n in drifts)) if None not in drifts else None,
        exactness=end.exactness if end is not None else "unconfirmed",
        commands=end.commands if end is not None else (),
        speech_to_silence_ms=_ms(stop.speech_to_silence_us),
        voice_to_ear_ms=_ms(_voice_to_ear_us(observed, asked_us, set(named))),
        stop_ms=stop.stop_latency_us / 1_000,
        heard_text=" ".join(part.heard_text for part in parts),
        parts=parts,
    )


def voice_before(observed: Observed, at_us: int) -> Spoken | None:
    """The line of the user that was begun last before that moment."""
    before = [line for line in observed.spoken if line.start_us <= at_us]
    return before[-1] if before else None


def _voice_to_ear_us(observed: Observed, asked_us: int, parts: set[Part]) -> int | None:
    line = voice_before(observed, asked_us)
    last_us = max((span.end_us for span in observed.spans if span.part in parts), default=None)
    return None if line is None or last_us is None else last_us - line.start_us


def _sent(part: PartFigures) -> str:
    return part.sent if part.sent_ms is None else f"{part.sent} {part.sent_ms}"


def _ms(us: int | None) -> float | None:
    return None if us is None else us / 1_000


def _missing(rows: tuple[Row, ...], plan: Plan) -> str | None:
    """Why this session does not show what it was to show."""
    heard = sum("speech" in row.askers and row.heard_ms > 0 for row in rows)
    if heard < plan.interruptions:
        return f"{heard} of the {plan.interruptions} planned interruptions happened"
    return None
