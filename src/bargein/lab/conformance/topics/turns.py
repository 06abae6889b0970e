"""A written and a spoken turn, typed by the user (protocol.md §2.3 to §2.5, §4.2, §4.3, §5)."""

from __future__ import annotations

from typing import Any

from bargein.lab.conformance.question import Facts, OneOf, Question, refusal, refusal_seen
from bargein.lab.conformance.script import (
    CONFIGURED,
    SHORT,
    Cost,
    Script,
    Send,
    Talk,
    answered,
    configure,
    create,
    over,
    typed,
    wait_for,
)
from bargein.lab.conformance.seen import Frame, Seen, ladder

_PADDED = 16
_BYTES_PER_S = 48_000


def _written(seen: Seen) -> Script:
    yield configure()
    yield CONFIGURED
    yield typed(SHORT)
    yield create()
    yield over()
    yield wait_for("rate_limits.updated", "aside")


def _spoken(seen: Seen) -> Script:
    yield configure(modality="audio")
    yield CONFIGURED
    yield typed(SHORT)
    yield create()
    yield over()
    # A voice that was heard is kept (protocol.md §3.2); any other than the one in effect will do.
    created = seen.first("session.created")
    voice = None if created is None else created.at("session", "audio", "output", "voice")
    other = "ash" if voice != "ash" else "alloy"
    yield Send(
        {
            "type": "session.update",
            "event_id": "q_voice",
            "session": {"type": "realtime", "audio": {"output": {"voice": other}}},
        }
    )
    yield answered("q_voice", "session.updated")


WRITTEN = Talk("written turn", _written, cost=Cost(replies=1))
SPOKEN = Talk("spoken turn", _spoken, cost=Cost(replies=1, heard_ms=4_000))


def done_of(seen: Seen) -> Frame | None:
    """The end of the first response."""
    return seen.first("response.done")


def turn(seen: Seen) -> list[Frame]:
    """From our item to the end of the response."""
    asked = seen.sent("q_typed")
    done = done_of(seen)
    if asked is None or done is None:
        return []
    frames = seen.received(after=asked)
    return frames[: frames.index(done) + 1]


def _ladder(seen: Seen) -> Facts | None:
    frames = turn(seen)
    done = done_of(seen)
    if not frames or done is None:
        return None
    # A model may sound before it has words, or the other way round; which is asked elsewhere.
    return {"order": ladder(frames), "status": done.at("response", "status")}


_BEGIN = (
    "conversation.item.added",
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
)
_TEXT = ("response.output_text.delta", "response.output_text.done")
_SOUND = (
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
)
_END = ("response.content_part.done", "response.output_item.done", "response.done")


def _announced(seen: Seen) -> Facts | None:
    """How an item is told when it begins and when it is whole."""
    frames = turn(seen)
    if not frames:
        return None
    adds = [frame.name for frame in frames if frame.kind == "conversation.item.added"]
    dones = [frame for frame in frames if frame.name == "conversation.item.done"]
    return {"begins": ", ".join(dict.fromkeys(adds)) or "nothing", "is whole": len(dones)}


def _places(seen: Seen) -> Facts | None:
    """`previous_item_id`: null for the first item; for a reply the item before it. In the `done` of
    a reply behind the very first item it is null (the quirk of §4.2)."""
    frames = [frame for frame in turn(seen) if frame.kind == "conversation.item.added"]
    if len(frames) < 2:
        return None
    user, reply = frames[:2]
    dones = {f.about_item: f for f in turn(seen) if f.kind == "conversation.item.done"}
    done = dones.get(reply.about_item)
    quirk: str | None = "not said"
    if done is not None:
        quirk = done.at("previous_item_id") or "none"
        quirk = "the item before" if quirk == user.about_item else quirk
    return {
        "of the first item": user.at("previous_item_id"),
        "of the reply": "the item before"
        if reply.at("previous_item_id") == user.about_item
        else reply.at("previous_item_id"),
        "of the reply when it is whole": quirk,
    }


def _padding(seen: Seen) -> Facts | None:
    deltas = [f for f in turn(seen) if f.kind == "response.output_text.delta"]
    if not deltas:
        return None
    short = [f for f in deltas if len(str(f.at("delta"))) <= _PADDED]
    padded = [
        f for f in short if len(str(f.at("delta"))) + len(f.at("obfuscation") or "") == _PADDED
    ]
    return {"padded to 16 characters": len(padded) == len(short)}


_RESPONSE = (
    "audio",
    "conversation_id",
    "id",
    "max_output_tokens",
    "metadata",
    "object",
    "output",
    "output_modalities",
    "status",
    "status_details",
    "usage",
)


def _response(seen: Seen) -> Facts | None:
    done = done_of(seen)
    if done is None:
        return None
    response = done.at("response")
    usage = done.at("response", "usage")
    return {
        "missing": tuple(name for name in _RESPONSE if name not in response),
        "object": response.get("object"),
        "output": len(response.get("output") or ()) > 0,
        "usage": isinstance(usage, dict) and isinstance(usage.get("total_tokens"), int),
    }


def _limits(seen: Seen) -> Facts | None:
    done = done_of(seen)
    if done is None:
        return None
    limits = seen.first("rate_limits.updated")
    if limits is None:
        return {"rate_limits.updated": "is not sent", "of": None}
    when = (
        "after response.done"
        if seen.frames.index(limits) > seen.frames.index(done)
        else ("before response.done")
    )
    names = [each.get("name") for each in limits.at("rate_limits")]
    return {"rate_limits.updated": when, "of": tuple(str(name) for name in names)}


def _names(seen: Seen) -> Facts | None:
    frames = turn(seen)
    if not frames:
        return None
    by_kind = {frame.kind: frame.name for frame in frames}
    part = next((f for f in frames if f.kind == "response.content_part.added"), None)
    done = done_of(seen)
    content = (
        None if done is None else done.at("response", "output", 0, "content", 0, "type", raw=True)
    )
    return {
        "sound": by_kind.get("response.output_audio.delta"),
        "words": by_kind.get("response.output_audio_transcript.delta"),
        "part of an item": content,
        "part of an event": None if part is None else part.at("part", "type"),
    }


def _pace(seen: Seen) -> Facts | None:
    deltas = [f for f in turn(seen) if f.audio_bytes]
    if len(deltas) < 3:
        return None
    sounds_s = sum(f.audio_bytes for f in deltas[1:]) / _BYTES_PER_S
    took_s = (deltas[-1].at_us - deltas[0].at_us) / 1e6
    middle = sorted(f.audio_bytes for f in deltas)[len(deltas) // 2]
    times = sounds_s / took_s if took_s else float("inf")
    return {
        "sound comes": "faster than it is heard" if times > 1.05 else "as it is heard, or slower",
        "times": f"{times:.1f}",
        "a delta": f"{middle / 48:.0f} ms",
        "words": _words_lead(turn(seen)),
    }


def _words_lead(frames: list[Frame]) -> str:
    kinds = [frame.kind for frame in frames]
    words, sound = "response.output_audio_transcript.delta", "response.output_audio.delta"
    if words not in kinds or sound not in kinds:
        return "none"
    return "before sound" if kinds.index(words) < kinds.index(sound) else "after sound"


def _locked(seen: Seen) -> Facts | None:
    return None if not seen.audio_ms() else refusal_seen(seen, "q_voice")


def _question(
    name: str, asks: str, source: str, talk: Talk, judge: Any, reference: Any
) -> Question:
    return Question(f"turns: {name}", "turns", asks, source, talk, judge, reference)


QUESTIONS = (
    _question(
        "written",
        "In which order is a written turn told?",
        "§4.2",
        WRITTEN,
        _ladder,
        {"order": (*_BEGIN, *_TEXT, *_END), "status": "completed"},
    ),
    _question(
        "items",
        "How is an item told when it begins, and when it is whole?",
        "§4.2",
        WRITTEN,
        _announced,
        {"begins": "conversation.item.added", "is whole": 2},
    ),
    _question(
        "places",
        "Which previous_item_id have the items of the first turn?",
        "§4.2",
        WRITTEN,
        _places,
        {
            "of the first item": None,
            "of the reply": "the item before",
            "of the reply when it is whole": "none",
        },
    ),
    _question(
        "padding",
        "Are deltas of text padded?",
        "§2.3",
        WRITTEN,
        _padding,
        {"padded to 16 characters": True},
    ),
    _question(
        "response",
        "What is in a response that is done?",
        "§2.4",
        WRITTEN,
        _response,
        {"missing": (), "object": "realtime.response", "output": True, "usage": True},
    ),
    _question(
        "rate limits",
        "When are rate limits told?",
        "§4.2",
        WRITTEN,
        _limits,
        {"rate_limits.updated": "after response.done", "of": ("tokens",)},
    ),
    _question(
        "spoken",
        "In which order is a spoken reply told?",
        "§4.3",
        SPOKEN,
        _ladder,
        {"order": (*_BEGIN, *_SOUND, *_END), "status": "completed"},
    ),
    _question(
        "names",
        "What are the sound and the words of a reply called?",
        "§2.3, §2.5",
        SPOKEN,
        _names,
        {
            "sound": "response.output_audio.delta",
            "words": "response.output_audio_transcript.delta",
            "part of an item": "output_audio",
            "part of an event": "audio",
        },
    ),
    _question(
        "pace",
        "How fast does sound come, and in what pieces?",
        "§5",
        SPOKEN,
        _pace,
        {"sound comes": "faster than it is heard", "words": OneOf(("before sound",))},
    ),
    _question(
        "voice",
        "May the voice change once it was heard?",
        "§3.2, §6.2",
        SPOKEN,
        _locked,
        refusal("voice_locked"),
    ),
)
