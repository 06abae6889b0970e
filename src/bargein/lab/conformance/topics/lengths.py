"""Truncation: does it happen, is it told, and in what steps are lengths counted (protocol.md §4.8)?

1. The first talk truncates a reply and looks at what is left of it; the second asks for more than
   there is, and the refusal tells the length. They are apart because a refusal ends the session at
   some servers.
2. Whether a truncate was obeyed is known from an acknowledgement, from what a retrieved item still
   holds, or from a refusal that knows the item's length. A server that does none of these ignores
   it.
"""

from __future__ import annotations

import re
from typing import Any

from bargein.lab.conformance.question import (
    ANSWER,
    Facts,
    Question,
    Reference,
    refusal,
    refusal_seen,
)
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
)
from bargein.lab.conformance.seen import Frame, Seen, sound_in

_BEYOND_MS = 60_000
_ODD_MS = 13
_STEPS_MS = (1, 50, 2, 5, 10, 20, 25, 30, 32, 40, 60, 64, 80, 100, 120, 125, 200, 250, 500, 1_000)
"""In the order in which they are believed, as the client believes them."""
_NUMBERS = re.compile(r"content of (\d+)(?:\.\d+)?ms is already shorter than (\d+)")


def _reply(seen: Seen) -> Script:
    yield configure(modality="audio")
    yield CONFIGURED
    yield typed(SHORT)
    yield create()
    yield over()


def _obedience(seen: Seen) -> Script:
    yield from _reply(seen)
    item_id = spoken_item(seen)
    if item_id is None:
        return
    yield _retrieve("q_whole", item_id)
    yield answered("q_whole", "conversation.item.retrieved")
    yield truncate("q_half", item_id, seen.audio_ms() // 2)
    yield answered("q_half", "conversation.item.truncated")
    yield _retrieve("q_rest", item_id)
    yield answered("q_rest", "conversation.item.retrieved")
    yield truncate("q_zero", item_id, 0)
    yield answered("q_zero", "conversation.item.truncated")


def _measure(seen: Seen) -> Script:
    yield from _reply(seen)
    item_id = spoken_item(seen)
    if item_id is None:
        return
    ms = seen.audio_ms()
    yield truncate("q_length", item_id, ms)
    yield answered("q_length", "conversation.item.truncated")
    yield truncate("q_beyond", item_id, ms + _BEYOND_MS)
    yield answered("q_beyond", "conversation.item.truncated")
    # A second length, so that one that happens to be a round number does not mislead.
    yield truncate("q_odd", item_id, max(1, ms - ms // 3 - _ODD_MS))
    yield answered("q_odd", "conversation.item.truncated")
    yield truncate("q_beyond_odd", item_id, ms + _BEYOND_MS)
    yield answered("q_beyond_odd", "conversation.item.truncated")


OBEDIENCE = Talk("truncation", _obedience, cost=Cost(replies=1, heard_ms=4_000))
MEASURE = Talk("lengths", _measure, cost=Cost(replies=1, heard_ms=4_000))


def spoken_item(seen: Seen) -> str | None:
    """The item of which sound came first."""
    delta = seen.first("response.output_audio.delta")
    return None if delta is None else delta.about_item


def truncate(event_id: str, item_id: str, audio_end_ms: int) -> Send:
    """Truncate the first part of the item."""
    return Send(
        {
            "type": "conversation.item.truncate",
            "event_id": event_id,
            "item_id": item_id,
            "content_index": 0,
            "audio_end_ms": audio_end_ms,
        }
    )


def _retrieve(event_id: str, item_id: str) -> Send:
    return Send({"type": "conversation.item.retrieve", "event_id": event_id, "item_id": item_id})


def truncated(seen: Seen, event_id: str) -> Facts | None:
    """How our truncate with that id was answered."""
    ours = seen.sent(event_id)
    if ours is None:
        return None
    told = seen.first("conversation.item.truncated", after=ours)
    facts = refusal_seen(seen, event_id)
    if facts is not None and facts[ANSWER] == "refused":
        return {ANSWER: f"refused: {facts['code'] or facts['message']}"}
    if told is None:
        return {ANSWER: "nothing"}
    same = all(
        told.at(name) == ours.at(name) for name in ("item_id", "content_index", "audio_end_ms")
    )
    return {ANSWER: "acknowledged", "with our three values": same}


def _rest(seen: Seen, event_id: str) -> Frame | None:
    ours = seen.sent(event_id)
    return None if ours is None else seen.first("conversation.item.retrieved", after=ours)


def _left(seen: Seen) -> Facts | None:
    if seen.sent("q_rest") is None:
        return None
    whole, rest = _rest(seen, "q_whole"), _rest(seen, "q_rest")
    if rest is None or whole is rest:
        return {"the sound that is left": "cannot be looked up", "the words that are left": None}
    asked_ms = seen.sent("q_half")
    wanted = None if asked_ms is None else asked_ms.at("audio_end_ms")
    kept_ms = _sound_ms(rest)
    left = "as it was asked for" if kept_ms == wanted else f"{kept_ms} ms, of {wanted} asked for"
    if kept_ms == seen.audio_ms():
        left = "all of it"
    words = rest.at("item", "content", 0, "transcript")
    return {"the sound that is left": left, "the words that are left": words or "none"}


def _sound_ms(retrieved: Frame) -> int:
    return len(sound_in(retrieved.at("item", "content", 0, "audio"))) // 48


def _whole(seen: Seen) -> Facts | None:
    if seen.sent("q_whole") is None:
        return None
    found = _rest(seen, "q_whole")
    if found is None:
        return {ANSWER: "nothing"}
    return {
        ANSWER: "retrieved",
        "all of the sound": abs(_sound_ms(found) - seen.audio_ms()) <= 1,
        "its words": bool(found.at("item", "content", 0, "transcript")),
    }


def _counted(seen: Seen) -> Facts | None:
    lengths = _lengths(seen)
    if not lengths:
        return None
    exact = truncated(seen, "q_length")
    accepted = exact is not None and not str(exact[ANSWER]).startswith("refused")
    return {
        "counts in steps of": f"{grid_ms(lengths)} ms",
        "takes the length that came": accepted,
        "of what came": ", ".join(f"{has} of {is_at_least} ms" for has, is_at_least in lengths),
    }


def _lengths(seen: Seen) -> list[tuple[int, int]]:
    """What the refusals say that it has, and what it must have at least."""
    found = []
    must_ms = seen.audio_ms()
    for event_id, shortened in (("q_beyond", None), ("q_beyond_odd", "q_odd")):
        if shortened is not None:
            cut = truncated(seen, shortened)
            ours = seen.sent(shortened)
            if cut is None or ours is None or cut[ANSWER] != "acknowledged":
                break
            must_ms = ours.at("audio_end_ms")
        facts = refusal_seen(seen, event_id)
        numbers = None if facts is None else _NUMBERS.search(str(facts.get("message")))
        if numbers is not None:
            found.append((int(numbers[1]), must_ms))
    return found


def grid_ms(lengths: list[tuple[int, int]]) -> int:
    """The step that explains why it says that it has less than it must have."""
    for step in _STEPS_MS:
        if all(has_ms == must_ms // step * step for has_ms, must_ms in lengths):
            return step
    return max(1, *(must_ms - has_ms + 1 for has_ms, must_ms in lengths))


def _too_long(seen: Seen) -> Facts | None:
    facts = refusal_seen(seen, "q_beyond")
    if facts is not None and "truncated" in str(facts[ANSWER]):
        return {ANSWER: "acknowledged"}
    return facts


def _question(
    name: str, asks: str, source: str, talk: Talk, judge: Any, reference: Reference
) -> Question:
    return Question(f"truncate: {name}", "truncate", asks, source, talk, judge, reference)


_ACKNOWLEDGED: Reference = {ANSWER: "acknowledged", "with our three values": True}

QUESTIONS = (
    _question(
        "retrieve",
        "Can the sound of a reply be looked up?",
        "§2.2",
        OBEDIENCE,
        _whole,
        {ANSWER: "retrieved", "all of the sound": True, "its words": True},
    ),
    _question(
        "half",
        "Is a truncate acknowledged?",
        "§4.8",
        OBEDIENCE,
        lambda seen: truncated(seen, "q_half"),
        _ACKNOWLEDGED,
    ),
    _question(
        "memory",
        "What is left of a reply that was truncated?",
        "§4.8",
        OBEDIENCE,
        _left,
        {"the sound that is left": "as it was asked for", "the words that are left": "none"},
    ),
    _question(
        "zero",
        "Is a truncate to 0 acknowledged?",
        "§4.8",
        OBEDIENCE,
        lambda seen: truncated(seen, "q_zero"),
        _ACKNOWLEDGED,
    ),
    _question(
        "lengths",
        "In what steps does it count the length of its own sound?",
        "§4.8",
        MEASURE,
        _counted,
        {"counts in steps of": "1 ms", "takes the length that came": True},
    ),
    _question(
        "too long",
        "How is a truncate beyond the end refused?",
        "§6.1, §6.2",
        MEASURE,
        _too_long,
        refusal("truncate_too_long", names_event=False),
    ),
)
