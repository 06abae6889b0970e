"""What a run shows, in figures. Pure.

1. Everything is counted at the ear or on the wire. The stop is the moment at which it was asked
   for; by voice, the one at which `speech_started` arrived.
2. Sound of the reply that was stopped is whatever was heard before the next reply began (its first
   sound over WebSocket, its `output_audio_buffer.started` over WebRTC), whosever the client
   believed it to be, and later what it plays as that reply's. A packet may come before its event:
   of the `EARLY_US` before that one the client's word is taken, too.
3. *Heard* is that reply's sound up to its last sample that was not silent. *Left* is what came of
   it here: the sound in its deltas; over WebRTC, 20 ms for each packet until the service said that
   its buffer is empty. *Kept* is what `conversation.item.retrieve` gave back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec
import numpy as np

from bargein.lab.ab.clients import RATE
from bargein.lab.ab.stage import QUIET, Run, Transport, Who
from bargein.lab.ab.witness import Passed
from bargein.lab.observed import Envelope
from bargein.units import US_PER_MS, US_PER_S

FRAME_MS = 20
MOST_AFTER_MS = 2 * FRAME_MS
"""From the stop to silence, at most."""
BEFORE_US = 3 * US_PER_S
STEP_US = 20 * US_PER_MS
Sound: TypeAlias = np.ndarray[Any, np.dtype[np.int16]]
EARLY_US = 400 * US_PER_MS
_STEP = RATE * FRAME_MS // 1_000
_EMPTY = (
    "output_audio_buffer.stopped",
    "output_audio_buffer.audio_stopped",
    "output_audio_buffer.cleared",
)
_BYTES_A_MS = 2 * RATE // 1_000


class Line(msgspec.Struct, frozen=True):
    """An event on the wire, by its time from the stop; `count` of the same kind in a row."""

    at_ms: int
    direction: str
    text: str
    count: int = 1


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Times and lengths are milliseconds; None: not known, or not there."""

    story: str
    transport: Transport
    who: Who
    unmet: str | None
    stop_to_silence_ms: float | None = None
    sound_after_ms: int = 0
    """How much sound there was after the stop: frames of 20 ms that are not silent."""
    voice_to_silence_ms: float | None = None
    heard_ms: float | None = None
    left_ms: float | None = None
    kept_ms: float | None = None
    kept_words: str | None = None
    commands: tuple[str, ...] = ()
    """What was sent for the stop, in order."""
    refusals: tuple[str, ...] = ()
    events: tuple[Line, ...] = ()
    before: Envelope = Envelope(STEP_US, ())
    """The sound of the reply up to the stop, on an axis that begins `BEFORE_US` before it."""
    after: Envelope = Envelope(STEP_US, ())
    """Its sound after the stop."""
    other: Envelope = Envelope(STEP_US, ())
    """The sound of the next reply."""
    user: Envelope = Envelope(STEP_US, ())
    record: dict[str, Any] | None = None

    @property
    def stops(self) -> bool:
        """Whether it falls silent as it must."""
        silence_ms = self.stop_to_silence_ms
        return self.unmet is None and silence_ms is not None and silence_ms <= MOST_AFTER_MS


def figures_of(run: Run) -> Figures:
    """All of it."""
    base = Figures(story=run.story.name, transport=run.transport, who=run.who, unmet=run.unmet)
    if run.stop_us is None:
        return base
    stopped_id = _stopped_id(run)
    stop_frame = run.stop_us * RATE // US_PER_S
    mine = _sound_of(run, stopped_id)
    loud = np.flatnonzero(np.abs(mine.astype(np.int32)) > QUIET)
    last = int(loud[-1]) + 1 if loud.size else 0
    first = _first_frame(run)
    silence_ms = max(0, last - stop_frame) * 1_000 / RATE
    voice_ms = None
    if run.voice_us is not None and run.story.stop == "voice":
        voice_ms = max(0.0, last * 1_000 / RATE - run.voice_us / 1_000)
    return msgspec.structs.replace(
        base,
        stop_to_silence_ms=round(silence_ms, 2),
        sound_after_ms=_loud_ms(mine[stop_frame:]),
        voice_to_silence_ms=None if voice_ms is None else round(voice_ms, 1),
        heard_ms=round(_heard_samples(run, stopped_id, last, first) * 1_000 / RATE, 2),
        left_ms=_left_ms(run, stopped_id),
        kept_ms=_kept_ms(run),
        kept_words=next((e.brief.get("words") for e in _retrieved(run)), None),
        commands=_commands(run),
        refusals=tuple(str(e.brief.get("code") or e.brief.get("message")) for e in _errors(run)),
        events=_lines(run),
        record=run.record,
        before=_envelope(mine, stop_frame, until=stop_frame),
        after=_envelope(mine, stop_frame, since=stop_frame),
        other=_envelope(_padded(run.sound[:, 1], len(mine)) - mine, stop_frame),
        user=_envelope(run.sound[:, 0], stop_frame),
    )


def _stopped_id(run: Run) -> str:
    """The response that was stopped: the first one."""
    made = (each for each in run.wire if each.type == "response.created")
    return next((str(each.brief.get("response_id")) for each in made), "")


def _next_begins_us(run: Run, stopped_id: str) -> int | None:
    """Rule 2."""
    kind = "output_audio_buffer.started" if run.transport == "webrtc" else "audio.delta"
    for each in run.wire:
        if each.type.endswith(kind) and each.direction == "received":
            if each.brief.get("response_id") != stopped_id:
                return each.at_us
    return None


def _sound_of(run: Run, stopped_id: str) -> Sound:
    """The axis with the sound of the reply that was stopped, and silence elsewhere."""
    next_us = _next_begins_us(run, stopped_id)
    until = None if next_us is None else (next_us - EARLY_US) * RATE // US_PER_S
    sound = np.zeros(max(1, len(run.sound)), np.int16)
    for piece in run.heard:
        end = piece.frame + len(piece.pcm)
        if end > len(sound):
            sound = np.concatenate([sound, np.zeros(end - len(sound), np.int16)])
        if until is None or piece.frame < until or piece.response_id == stopped_id:
            sound[piece.frame : end] = piece.pcm
    return sound


def _first_frame(run: Run) -> int:
    return run.heard[0].frame if run.heard else 0


def _heard_samples(run: Run, stopped_id: str, last: int, first: int) -> int:
    """Of what lies before its last sound: what was played, without the gaps between."""
    return sum(
        min(len(piece.pcm), last - piece.frame)
        for piece in run.heard
        if first <= piece.frame < last and piece.response_id in (stopped_id, "")
    )


def _loud_ms(sound: Sound) -> int:
    steps = -(-len(sound) // _STEP)
    padded = np.zeros(steps * _STEP, np.int32)
    padded[: len(sound)] = np.abs(sound.astype(np.int32))
    return int((padded.reshape(steps, _STEP).max(axis=1, initial=0) > QUIET).sum()) * FRAME_MS


def _padded(sound: Sound, samples: int) -> Sound:
    return np.concatenate([sound, np.zeros(max(0, samples - len(sound)), np.int16)])[:samples]


def _envelope(
    sound: Sound, stop_frame: int, *, since: int = 0, until: int | None = None
) -> Envelope:
    """The peaks of a stretch of the axis, about the stop; silence elsewhere."""
    start = stop_frame - BEFORE_US * RATE // US_PER_S
    step = STEP_US * RATE // US_PER_S
    whole = np.abs(sound.astype(np.int32))
    whole[:since] = 0
    if until is not None:
        whole[until:] = 0
    whole = whole[start:] if start >= 0 else np.concatenate([np.zeros(-start, np.int32), whole])
    padded = np.zeros(-(-len(whole) // step) * step, np.int32)
    padded[: len(whole)] = np.where(whole > QUIET, whole, 0)
    peaks = padded.reshape(-1, step).max(axis=1, initial=0) / 32_768
    return Envelope(STEP_US, tuple(float(peak) for peak in np.round(peaks, 3)))


def _left_ms(run: Run, stopped_id: str) -> float | None:
    if run.transport == "websocket":
        size = sum(
            each.sound_bytes
            for each in run.wire
            if each.type.endswith("audio.delta") and each.brief.get("response_id") == stopped_id
        )
        return size / _BYTES_A_MS
    empty = next(
        (
            each.at_us
            for each in run.wire
            if each.type in _EMPTY and each.brief.get("response_id") == stopped_id
        ),
        None,
    )
    if empty is None:
        return None
    return float(FRAME_MS * sum(at_us <= empty for at_us in run.packets_us))


def _retrieved(run: Run) -> Iterable[Passed]:
    return (each for each in run.wire if each.type == "conversation.item.retrieved")


def _kept_ms(run: Run) -> float | None:
    """What was read back; nothing, where the service says that the item is gone."""
    for each in _retrieved(run):
        if "kept_bytes" in each.brief:
            return round(int(each.brief["kept_bytes"]) / _BYTES_A_MS, 2)
    asked = any(each.type == "conversation.item.retrieve" for each in run.wire)
    deleted = any(each.type == "conversation.item.deleted" for each in run.wire)
    return 0.0 if asked and deleted else None


_OWN = ("conversation.item.retrieve", "session.update", "input_audio_buffer.append")


def _after(run: Run) -> Iterable[Passed]:
    return (each for each in run.wire if run.stop_us is not None and each.at_us >= run.stop_us)


def _commands(run: Run) -> tuple[str, ...]:
    return tuple(
        _named(each) for each in _after(run) if each.direction == "sent" and each.type not in _OWN
    )


def _errors(run: Run) -> Iterable[Passed]:
    """Refusals; that of an item read back which is gone is an answer."""
    asked_us = next((e.at_us for e in run.wire if e.type == _OWN[0]), None)
    for each in run.wire:
        if each.type == "error" and (asked_us is None or each.at_us < asked_us):
            yield each


def _named(each: Passed) -> str:
    if "audio_end_ms" in each.brief:
        return f"{each.type} {each.brief['audio_end_ms']}"
    if each.type == "response.done":
        return f"{each.type} {each.brief.get('status')}"
    if each.type == "error":
        return f"error {each.brief.get('code')}"
    return each.type


_LEFT_OUT = ("rate_limits.updated", "session.created", "session.updated", *_OWN)


def _lines(run: Run) -> tuple[Line, ...]:
    """The events in order, until we read back; the same kind in a row is one line."""
    lines: list[Line] = []
    for each in run.wire:
        if each.type == _OWN[0]:
            break
        if each.type in _LEFT_OUT:
            continue
        at_ms = round((each.at_us - (run.stop_us or 0)) / US_PER_MS)
        line = Line(at_ms, each.direction, _named(each))
        if lines and (lines[-1].direction, lines[-1].text) == (line.direction, line.text):
            lines[-1] = msgspec.structs.replace(lines[-1], count=lines[-1].count + 1)
        else:
            lines.append(line)
    return tuple(lines)
