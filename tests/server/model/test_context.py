"""What is left out when a conversation outgrows what the model may be told."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.model.model_rig import Rig, error, silence, types

from bargein import events
from bargein.server.model.context import window_tokens
from bargein.server.model.options import Options

INSTRUCTIONS = "Be kind."  # 2 tokens
LONG = "a" * 40  # 10 tokens


def rig(tokens: int, **session: Any) -> Rig:
    made = Rig(options=Options(context_tokens=tokens))
    made.configure(None, instructions=INSTRUCTIONS, **session)
    return made


def told(rig: Rig, **response: Any) -> list[str]:
    """The ids of what the engine is told for a response, which is then done."""
    response_id = rig.respond(**response)
    rig.produce(response_id)
    return [str(item.id) for item in rig.started[-1].context]


def test_what_fits_exactly_is_told_and_a_token_less_leaves_out_the_oldest() -> None:
    for tokens, kept in ((32, slice(None)), (31, slice(1, None)), (12, slice(2, None))):
        made = rig(tokens)
        ids = [made.user_says(LONG) for _ in range(3)]
        assert told(made) == ids[kept]


def test_what_was_left_out_stays_so_and_can_be_retrieved() -> None:
    made = rig(31)
    ids = [made.user_says(LONG) for _ in range(3)]
    assert told(made) == ids[1:]
    made.say("conversation.item.delete", item_id=ids[2])
    assert told(made) == ids[1:2]
    assert types(made.say("conversation.item.retrieve", item_id=ids[0])) == [
        "conversation.item.retrieved"
    ]
    # Named by the client it is told again, for one response.
    reference = [{"type": "item_reference", "id": ids[0]}]
    assert told(made, conversation="none", input=reference) == ids[:1]


def test_a_response_out_of_band_leaves_out_for_itself_only() -> None:
    made = rig(31)
    ids = [made.user_says(LONG) for _ in range(3)]
    assert told(made, conversation="none") == ids[1:]
    made.say("conversation.item.delete", item_id=ids[2])
    assert told(made) == ids[:2]


def test_a_ratio_leaves_out_more_at_once_and_so_seldom() -> None:
    made = rig(42, truncation={"type": "retention_ratio", "retention_ratio": 0.5})
    ids = [made.user_says(LONG) for _ in range(5)]
    assert told(made) == ids[3:]
    ids += [made.user_says(LONG) for _ in range(2)]
    assert told(made) == ids[3:]


def test_a_limit_behind_the_instructions_is_the_smaller_room() -> None:
    limits = {"post_instructions": 20}
    ratio = {"type": "retention_ratio", "retention_ratio": 1.0, "token_limits": limits}
    made = rig(1_000, truncation=ratio)
    ids = [made.user_says(LONG) for _ in range(3)]
    assert told(made) == ids[1:]


def test_an_output_goes_with_its_call() -> None:
    made = rig(31)
    call = {"type": "function_call", "name": "f", "call_id": "c", "arguments": LONG}
    made.say("conversation.item.create", item=call)
    output = {"type": "function_call_output", "call_id": "c", "output": "aaaa"}
    made.say("conversation.item.create", item=output)
    ids = [made.user_says(LONG) for _ in range(2)]
    assert told(made) == ids


def test_sound_and_instructions_and_tools_take_room_too() -> None:
    made = rig(22)
    first = made.user_says(LONG)
    made.append(silence(1_000))
    second = made.say("input_audio_buffer.commit")[0]["item_id"]
    assert told(made) == [first, second]
    assert told(made, instructions=INSTRUCTIONS + LONG[:1], conversation="none") == [second]
    tool = {"type": "function", "name": "f", "description": LONG}
    body = error(made.say("response.create", response={"tools": [tool]}))
    assert body["code"] == "conversation_too_long"


def test_disabled_refuses_and_so_does_a_last_item_that_cannot_fit() -> None:
    made = rig(31, truncation="disabled")
    ids = [made.user_says(LONG) for _ in range(3)]
    body = error(made.say("response.create", event_id="mine"))
    assert body["code"] == "conversation_too_long" and body["event_id"] == "mine"
    assert made.machine.running_response_ids == () and made.started == []
    made.say("conversation.item.delete", item_id=ids[0])
    assert told(made) == ids[1:]
    made = rig(11)
    made.user_says(LONG)
    assert error(made.say("response.create"))["code"] == "conversation_too_long"


def test_a_turn_of_the_user_that_finds_no_room_is_told_without_an_event_of_its() -> None:
    made = Rig(options=Options(context_tokens=5))
    made.configure({"type": "server_vad", "idle_timeout_ms": 5_000}, instructions=INSTRUCTIONS)
    made.append(silence(6_000))
    response_id = made.respond(input=[])
    made.produce(response_id)
    sent = made.wait(6_000)
    assert types(sent)[-1] == "error"
    assert sent[-1]["error"]["code"] == "conversation_too_long"
    assert sent[-1]["error"]["event_id"] is None


def test_a_server_may_forget_what_it_leaves_out() -> None:
    made = Rig(options=Options(context_tokens=31, forgets_left_out=True))
    made.configure(None, instructions=INSTRUCTIONS)
    ids = [made.user_says(LONG) for _ in range(3)]
    response_id = made.respond()
    assert made.produce(response_id)[-1]["type"] == "response.done"
    assert [item.id for item in made.machine.memory] == ids[1:]


def test_the_window_is_the_models() -> None:
    assert window_tokens("gpt-realtime") == window_tokens("gpt-realtime-1.5") == 28_224
    assert window_tokens("gpt-realtime-2.1-mini") == 123_904
    made = Rig("gpt-realtime")
    for _ in range(3):
        made.user_says("a" * 40_000)
    made.respond()
    assert len(made.started[-1].context) == 2
    assert isinstance(made.started[-1].context[0], events.MessageItem)


@pytest.mark.parametrize("tokens", [1, 100])
def test_nothing_to_tell_is_never_too_much(tokens: int) -> None:
    assert told(Rig(options=Options(context_tokens=tokens))) == []
