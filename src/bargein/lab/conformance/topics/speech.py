"""Spoken turns: turn detection, who interrupts, and turns by hand (protocol.md §4.3 to §4.6)."""

from __future__ import annotations

from typing import Any

from bargein.lab.conformance.question import ANSWER, Facts, OneOf, Question, Reference
from bargein.lab.conformance.script import (
    CONFIGURED,
    LONG,
    Cost,
    Script,
    Send,
    Speak,
    Talk,
    Until,
    answered,
    configure,
    create,
    typed,
    wait_for,
)
from bargein.lab.conformance.seen import Frame, Seen, ladder
from bargein.lab.conformance.topics.cancelling import CLOSING, closing, sounding
from bargein.lab.conformance.topics.lengths import spoken_item, truncate, truncated
from bargein.lab.conformance.voice import SILENCE, SPEECH, WORDS_END_MS, WORDS_START_MS

_PREFIX_MS = 300
_FRAME_MS = 32
_EARLY_MS = 100
_SLACK_MS = 500
"""How far from the sound's own beginning and end a detector may say that they were, beyond the
silence that it waits for."""
_SILENCE_MS = 500
_SERVER_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": _PREFIX_MS,
    "silence_duration_ms": _SILENCE_MS,
}
_SPEECH_MS = len(SPEECH) // 48


def _vad(seen: Seen) -> Script:
    """A turn that is answered, and a second one over its answer."""
    yield configure(turn_detection=_SERVER_VAD, modality="audio", instructions=LONG)
    yield CONFIGURED
    yield Speak(SPEECH)
    yield wait_for("input_audio_buffer.speech_stopped", "reply")
    yield Until(sounding, "reply")
    yield Send({"type": "input_audio_buffer.append", "event_id": "q_over_it", "audio": SILENCE})
    yield Speak(SPEECH)
    yield wait_for("input_audio_buffer.speech_started", "reply", count=2)
    yield wait_for("response.done", fence="update")
    item_id = spoken_item(seen)
    if item_id is None:
        return
    yield truncate("q_cut", item_id, _EARLY_MS)
    yield answered("q_cut", "conversation.item.truncated", fence="update")


def _told_not_to(seen: Seen) -> Script:
    """Speech over a reply, where neither an interruption nor an answer is wanted."""
    detection = {**_SERVER_VAD, "interrupt_response": False, "create_response": False}
    yield configure(turn_detection=detection, modality="audio")
    yield CONFIGURED
    yield typed(LONG)
    yield create()
    yield Until(sounding, "reply")
    yield Send({"type": "input_audio_buffer.append", "event_id": "q_over_it", "audio": SILENCE})
    yield Speak(SPEECH)
    yield wait_for("input_audio_buffer.speech_started", "reply")
    yield wait_for("input_audio_buffer.committed", "reply")
    yield Send({"type": "response.cancel", "event_id": "q_end"})
    yield wait_for("response.done", fence="update")


def _by_hand(seen: Seen) -> Script:
    yield configure(modality="audio")
    yield CONFIGURED
    yield Speak(SPEECH)
    yield Send({"type": "input_audio_buffer.commit", "event_id": "q_commit"})
    yield answered("q_commit", "conversation.item.added", fence="update")


VAD = Talk("turn detection", _vad, cost=Cost(2, heard_ms=12_000, spoken_ms=2 * _SPEECH_MS))
TOLD_NOT_TO = Talk("no interruption", _told_not_to, cost=Cost(1, 8_000, _SPEECH_MS))
BY_HAND = Talk("turn by hand", _by_hand, cost=Cost(0, 0, _SPEECH_MS))


def _turn(seen: Seen) -> Facts | None:
    started = seen.first("input_audio_buffer.speech_started")
    if started is None:
        return None if seen.sent("q_configure") is None else {ANSWER: "no turn is heard"}
    created = seen.first("response.created", after=started)
    kinds = [
        frame
        for frame in seen.until(created)
        if frame.kind.startswith(("input_audio_buffer.", "conversation.item.added", "response."))
    ]
    about = [f.about_item for f in kinds if f.about_item is not None]
    return {
        ANSWER: "a turn is heard",
        "order": ladder(kinds),
        "one item": len(set(about)) == 1,
        "its content": _content(seen, started),
    }


def _content(seen: Seen, started: Frame) -> str | None:
    added = seen.first("conversation.item.added", after=started)
    found = None if added is None else added.at("item", "content", 0, "type")
    return found if isinstance(found, str) else None


def _clock(seen: Seen) -> Facts | None:
    """Where in the sound the service says that the words began and ended."""
    started = seen.first("input_audio_buffer.speech_started")
    stopped = seen.first("input_audio_buffer.speech_stopped")
    if started is None or stopped is None:
        return None
    start_ms, end_ms = started.at("audio_start_ms"), stopped.at("audio_end_ms")
    began = abs(start_ms - (WORDS_START_MS - _PREFIX_MS)) <= _SLACK_MS
    ended = abs(end_ms - (WORDS_END_MS + _SILENCE_MS)) <= _SLACK_MS
    return {
        "counts": "the sound that was sent" if began and ended else "something else",
        "grid": f"{_FRAME_MS} ms"
        if (start_ms + _PREFIX_MS) % _FRAME_MS == 0 and end_ms % _FRAME_MS == 0
        else "another",
        "said": f"{start_ms} to {end_ms} ms",
    }


def _over(seen: Seen) -> Frame | None:
    """The second speech, if the response was open when it began."""
    ours = seen.sent("q_over_it")
    if ours is None or not seen.audio_ms():
        return None
    started = seen.first("input_audio_buffer.speech_started", after=ours)
    done = seen.first("response.done")
    if started is None:
        return None
    if done is not None and seen.frames.index(done) < seen.frames.index(started):
        return None
    return started


def _interrupts(seen: Seen) -> Facts | None:
    started = _over(seen)
    if started is None:
        return None
    done = seen.first("response.done", after=started)
    if done is None:
        return {"at speech_started": "the response goes on"}
    if done.at("response", "status") != "cancelled":
        return {"at speech_started": "the response goes on"}
    return {"at speech_started": "the server cancels", **closing(seen, started, done)}


def _keeps(seen: Seen) -> Facts | None:
    """Over WebSocket the server does not know what was heard, so it truncates nothing itself."""
    started = _over(seen)
    ours = seen.sent("q_cut")
    if started is None or ours is None:
        return None
    window = seen.frames[seen.frames.index(started) : seen.frames.index(ours)]
    own = [frame for frame in window if frame.kind == "conversation.item.truncated"]
    facts = truncated(seen, "q_cut") or {}
    return {"truncates by itself": bool(own), "when asked to": facts.get(ANSWER)}


def _lets_be(seen: Seen) -> Facts | None:
    started = _over(seen)
    end = seen.sent("q_end")
    if started is None or end is None:
        return None
    window = seen.frames[seen.frames.index(started) : seen.frames.index(end)]
    done = [frame for frame in window if frame.kind == "response.done"]
    cancelled = any(frame.at("response", "status") == "cancelled" for frame in done)
    created = [frame for frame in window if frame.kind == "response.created"]
    return {
        "interrupt_response: false": "the server cancels" if cancelled else "the response goes on",
        "create_response: false": "is answered" if created else "is not answered",
    }


def _committed(seen: Seen) -> Facts | None:
    ours = seen.sent("q_commit")
    if ours is None:
        return None
    frames = seen.received(after=ours)
    if not any(f.kind == "input_audio_buffer.committed" for f in frames):
        return {ANSWER: "nothing"}
    return {
        ANSWER: "committed",
        "order": ladder(frames),
        "content": _content(seen, ours),
    }


def _question(
    name: str, asks: str, source: str, talk: Talk, judge: Any, reference: Reference
) -> Question:
    return Question(f"speech: {name}", "speech", asks, source, talk, judge, reference)


QUESTIONS = (
    _question(
        "turn",
        "In which order is a spoken turn told?",
        "§4.3",
        VAD,
        _turn,
        {
            ANSWER: "a turn is heard",
            "order": (
                "input_audio_buffer.speech_started",
                "input_audio_buffer.speech_stopped",
                "input_audio_buffer.committed",
                "conversation.item.added",
                "response.created",
            ),
            "one item": True,
            "its content": "input_audio",
        },
    ),
    _question(
        "clock",
        "By what clock, and on what grid, does speech begin and end?",
        "§5",
        VAD,
        _clock,
        {"counts": "the sound that was sent", "grid": f"{_FRAME_MS} ms"},
    ),
    _question(
        "interruption",
        "Who ends a response when the user speaks over it, and how?",
        "§4.6",
        VAD,
        _interrupts,
        {"at speech_started": "the server cancels", **CLOSING, "reason": "turn_detected"},
    ),
    _question(
        "who truncates",
        "Who truncates what was not heard?",
        "§4.6",
        VAD,
        _keeps,
        {"truncates by itself": False, "when asked to": "acknowledged"},
    ),
    _question(
        "no interruption",
        "Are interrupt_response and create_response obeyed when they are false?",
        "§4.6",
        TOLD_NOT_TO,
        _lets_be,
        {
            "interrupt_response: false": "the response goes on",
            "create_response: false": OneOf(("is not answered",)),
        },
    ),
    _question(
        "by hand",
        "How is a turn told that is committed by hand?",
        "§4.4",
        BY_HAND,
        _committed,
        {
            ANSWER: "committed",
            "order": ("input_audio_buffer.committed", "conversation.item.added"),
            "content": "input_audio",
        },
    ),
)
