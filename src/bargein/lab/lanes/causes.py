"""What comes before what, though it stands in different lanes: the causes of protocol.md §4.

A cause binds two events only where the reference has them in this order; so a law that holds in
some situations only needs no description of the situation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bargein.lab.lanes.moments import RATE_LIMITS, Key, Moment

_ENDS = ("done", "completed", "failed")


@dataclass(frozen=True, slots=True)
class Cause:
    """`law`, with its section; `binds` says whether the first event is the cause of the second."""

    law: str
    binds: Callable[[Moment, Moment], bool]


def _opens(first: Moment, second: Moment) -> bool:
    return first.type == "session.created"


def _updates(first: Moment, second: Moment) -> bool:
    return first.type == "session.updated" and second.type in (
        "conversation.item.added",
        "response.created",
    )


def _is_before(first: Moment, second: Moment) -> bool:
    return (
        first.type == second.type == "conversation.item.added"
        and second.event.get("previous_item_id") == first.item_name
    )


def _is_answered(first: Moment, second: Moment) -> bool:
    return first.type == "conversation.item.done" and second.type == "response.created"


def _makes_room(first: Moment, second: Moment) -> bool:
    return (
        first.type == "response.done"
        and second.type == "response.created"
        and None not in (_conversation(first), _conversation(second))
    )


def _conversation(moment: Moment) -> object:
    return moment.response.get("conversation_id")


def _is_called(first: Moment, second: Moment) -> bool:
    return (
        first.type == "response.function_call_arguments.done"
        and second.type == "conversation.item.added"
        and second.item.get("type") == "function_call_output"
        and second.item.get("call_id") == first.event.get("call_id")
    )


def _is_heard(first: Moment, second: Moment) -> bool:
    family, _, ending = second.type.rpartition(".")
    # A live model's deltas may come while the user still speaks (§4.12); its last word may not.
    cause = "speech_started" if ending == "delta" else "committed"
    return (
        family.endswith(".input_audio_transcription")
        and first.type == f"input_audio_buffer.{cause}"
        and first.item_name == second.item_name
    )


def _is_cut(first: Moment, second: Moment) -> bool:
    details = second.response.get("status_details")
    return (
        first.type == "input_audio_buffer.speech_started"
        and second.type == "response.done"
        and isinstance(details, Mapping)
        and details.get("reason") == "turn_detected"
    )


def _is_counted(first: Moment, second: Moment) -> bool:
    return first.type == "response.done" and second.type == RATE_LIMITS


def _ends(first: Moment, second: Moment) -> bool:
    family, _, delta = first.type.rpartition(".")
    return (
        delta == "delta"
        and first.place == second.place
        and second.type
        in (
            f"{family}.done",
            f"{family}.completed",
            f"{family}.failed",
            "response.content_part.done",
        )
    )


CAUSES = (
    Cause("the session is there before anything else (§4.1)", _opens),
    Cause("an update holds for what is asked for after it (§4.1)", _updates),
    Cause("an item is added after the item before it (§4.2)", _is_before),
    Cause("a response begins after the items that it answers (§4.2, §4.3)", _is_answered),
    Cause("a conversation has one response at a time (§4.10)", _makes_room),
    Cause("a function's output follows its call (§4.5)", _is_called),
    Cause("words are heard in what was said (§4.12)", _is_heard),
    Cause("a turn cuts the response after it has begun (§4.6)", _is_cut),
    Cause("the limits follow the response (§4.2)", _is_counted),
    Cause("a part is done after its last delta (§4.2)", _ends),
)


def broken(reference: Sequence[Moment], answered: Mapping[Key, Moment]) -> Iterator[str]:
    """Where the answered exchange has an effect before its cause."""
    for place, second in enumerate(reference):
        for first in reference[:place]:
            if first.last >= second.first:
                continue
            cause, effect = answered.get(first.key), answered.get(second.key)
            if cause is None or effect is None or cause.last < effect.first:
                continue
            for rule in CAUSES:
                if rule.binds(first, second):
                    yield f"{effect} came before {cause}, but {rule.law}"
                    break
