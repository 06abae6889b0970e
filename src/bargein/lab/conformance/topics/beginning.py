"""How a session begins, and how its settings change (protocol.md §2.0 and §3)."""

from __future__ import annotations

from typing import Any

from bargein.lab.conformance.question import Facts, Like, OneOf, Question
from bargein.lab.conformance.script import Script, Send, Talk, wait_for
from bargein.lab.conformance.seen import Frame, Seen, is_flat

_LIFE_S = 3_600


def _update(event_id: str, **session: Any) -> Send:
    whole = {"type": "realtime", **session}
    return Send({"type": "session.update", "event_id": event_id, "session": whole})


def _script(seen: Seen) -> Script:
    yield _update("q_first", instructions="Answer shortly.")
    yield wait_for("session.updated")
    yield Send({"type": "input_audio_buffer.clear", "event_id": "q_clear"})
    yield wait_for("input_audio_buffer.cleared", fence="update")
    yield _update("q_detect", audio={"input": {"turn_detection": {"type": "server_vad"}}})
    yield wait_for("session.updated", count=2)
    yield _update("q_null", audio={"input": {"turn_detection": None}})
    yield wait_for("session.updated", count=3)
    # The last one may end the session at a server that ends it at any refusal.
    yield _update("q_atomic", instructions="Not this.", bogus_field=1)
    yield wait_for("error")
    yield _update("q_after")
    yield wait_for("session.updated", count=4)


TALK = Talk("session", _script)


def _updated(seen: Seen, event_id: str) -> Frame | None:
    ours = seen.sent(event_id)
    return None if ours is None else seen.first("session.updated", after=ours)


def _first(seen: Seen) -> Facts | None:
    frames = seen.received()
    if not frames:
        return None
    return {
        "first event": frames[0].name,
        "then, unasked": tuple(frame.name for frame in seen.until(_update_answer(seen)))[1:-1],
        "begins with": seen.key_order[:2],
        "frame": frames[0].odd or "text",
    }


def _update_answer(seen: Seen) -> Frame | None:
    return _updated(seen, "q_first")


def _session(seen: Seen) -> dict[str, Any] | None:
    """As it stood in the frame."""
    created = seen.first("session.created")
    session = None if created is None else created.at("session", raw=True)
    return session if isinstance(session, dict) else None


_FIELDS = (
    "type",
    "object",
    "id",
    "model",
    "output_modalities",
    "instructions",
    "tools",
    "tool_choice",
    "max_output_tokens",
    "tracing",
    "truncation",
    "prompt",
    "expires_at",
    "audio",
    "include",
)
"""Of the session as it is told (protocol.md §3.1)."""


def _shape(seen: Seen) -> Facts | None:
    session = _session(seen)
    if session is None:
        return None
    missing = tuple(name for name in _FIELDS if name not in session)
    return {
        "shape": "beta, flat" if is_flat(session) else "GA, by audio.input/output",
        "missing": missing,
        "object": session.get("object"),
    }


def _ids(seen: Seen) -> Facts | None:
    created = seen.first("session.created")
    if created is None:
        return None
    return {"of the session": created.at("session", "id"), "of an event": created.at("event_id")}


def _life(seen: Seen) -> Facts | None:
    """An id tells its second (protocol.md §2.0); without that, an hour cannot be told."""
    session = _session(seen)
    if session is None:
        return None
    expires = session.get("expires_at")
    made = _second_of(session.get("id"))
    if not isinstance(expires, int):
        return {"expires": "is not told"}
    if made is None:
        return {"expires": "is told"}
    return {"expires": f"{expires - made} s after the id was made"}


_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_EPOCH_S = 1_576_800_000


def _second_of(session_id: object) -> int | None:
    tail = session_id.removeprefix("sess_")[:5] if isinstance(session_id, str) else ""
    if len(tail) < 5 or any(letter not in _ALPHABET for letter in tail):
        return None
    value = 0
    for letter in tail:
        value = value * 62 + _ALPHABET.index(letter)
    return value + _EPOCH_S


def _echo(seen: Seen) -> Facts | None:
    ours = seen.sent("q_first")
    if ours is None:
        return None
    updated = _updated(seen, "q_first")
    return {
        "answered by": None if updated is None else updated.name,
        "with the new instructions": updated is not None
        and updated.at("session", "instructions") == "Answer shortly.",
        "and all else": updated is not None and updated.at("session", "id") is not None,
    }


def _cleared(seen: Seen) -> Facts | None:
    ours = seen.sent("q_clear")
    if ours is None:
        return None
    cleared = seen.first("input_audio_buffer.cleared", after=ours)
    return {"answered by": None if cleared is None else cleared.name}


_VAD_FIELDS = (
    "create_response",
    "idle_timeout_ms",
    "interrupt_response",
    "prefix_padding_ms",
    "silence_duration_ms",
    "threshold",
    "type",
)


def _filled(seen: Seen) -> Facts | None:
    updated = _updated(seen, "q_detect")
    if updated is None:
        return None
    detection = updated.at("session", "audio", "input", "turn_detection")
    kept = updated.at("session", "instructions") == "Answer shortly."
    return {
        "told back": tuple(sorted(detection)) if isinstance(detection, dict) else None,
        "keeps what was not named": kept,
    }


def _null(seen: Seen) -> Facts | None:
    updated = _updated(seen, "q_null")
    if updated is None:
        return None
    config = updated.at("session", "audio", "input")
    return {"null turns it off": isinstance(config, dict) and config.get("turn_detection") is None}


def _atomic(seen: Seen) -> Facts | None:
    ours = seen.sent("q_atomic")
    if ours is None:
        return None
    refused = seen.first("error", after=ours) is not None
    after = _updated(seen, "q_after")
    if after is None:
        return {"refused": refused, "applied in part": None}
    return {
        "refused": refused,
        "applied in part": after.at("session", "instructions") == "Not this.",
    }


def _goes_on(seen: Seen) -> Facts | None:
    ours = seen.sent("q_atomic")
    if ours is None or seen.first("error", after=ours) is None:
        return None
    if seen.end is not None:
        return {"after a refusal": f"closed with {seen.end.code}"}
    return {"after a refusal": "the session goes on" if _updated(seen, "q_after") else "silence"}


def _question(name: str, asks: str, source: str, judge: Any, reference: Any) -> Question:
    return Question(f"session: {name}", "session", asks, source, TALK, judge, reference)


QUESTIONS = (
    _question(
        "first event",
        "What comes first, and in what form?",
        "§1.1.5, §3.1",
        _first,
        {
            "first event": "session.created",
            "then, unasked": (),
            "begins with": ("type", "event_id"),
            "frame": "text",
        },
    ),
    _question(
        "shape",
        "Which shape has the session, and is all of it told?",
        "§3.1",
        _shape,
        {"shape": "GA, by audio.input/output", "missing": (), "object": "realtime.session"},
    ),
    _question(
        "ids",
        "What do ids look like?",
        "§2.0",
        _ids,
        {
            "of the session": Like("sess_[0-9A-Za-z]{21}", "sess_ and 21 letters and digits"),
            "of an event": Like("event_[0-9A-Za-z]{21}", "event_ and 21 letters and digits"),
        },
    ),
    _question(
        "life",
        "How long does a session live?",
        "§1.1.4, §3.1",
        _life,
        {"expires": OneOf((f"{_LIFE_S} s after the id was made",))},
    ),
    _question(
        "update",
        "How is session.update answered?",
        "§3.1, §3.2",
        _echo,
        {
            "answered by": "session.updated",
            "with the new instructions": True,
            "and all else": True,
        },
    ),
    _question(
        "clear",
        "How is input_audio_buffer.clear answered?",
        "§2.2",
        _cleared,
        {"answered by": "input_audio_buffer.cleared"},
    ),
    _question(
        "defaults",
        "Are left-out fields of turn detection filled in, and other settings kept?",
        "§3.1, §3.2",
        _filled,
        {"told back": _VAD_FIELDS, "keeps what was not named": True},
    ),
    _question("null", "Does null turn detection off?", "§3.2", _null, {"null turns it off": True}),
    _question(
        "atomic",
        "Is an update with one bad field applied in part?",
        "§3.2",
        _atomic,
        {"refused": True, "applied in part": OneOf((False, None))},
    ),
    _question(
        "after a refusal",
        "Does a refusal end the session?",
        "§6.1",
        _goes_on,
        {"after a refusal": "the session goes on"},
    ),
)
