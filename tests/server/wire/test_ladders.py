"""Every ladder of protocol.md §4 over WebSocket, from the wire: the order, and every field.

Transcription (§4.12) and the idle timeout (§4.11) are told with the ears, MCP (§4.13) and images
(§4.14) beside this.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.server.model.model_rig import silence, speech
from tests.server.wire.wire_rig import AT_ONCE, Turn, Wire, climbed, sound, wire, written

from bargein import events
from bargein.server.engines.base import EngineError
from bargein.server.model import score

VAD = {"type": "server_vad", "silence_duration_ms": 200}
ADDED = ("conversation.item.added", "conversation.item.done")
COMMITTED = ("input_audio_buffer.committed", *ADDED)
OPENED = ("response.output_item.added", "conversation.item.added")
CLOSED = ("conversation.item.done", "response.output_item.done")
DONE = ("response.done", "rate_limits.updated")
PART = "response.content_part.added"
TEXT_CLOSED = ("response.output_text.done", "response.content_part.done", *CLOSED)
AUDIO_CLOSED = (
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    *CLOSED,
)
SPOKEN = "response.output_audio.delta"
SAID = "response.output_audio_transcript.delta"
WROTE = "response.output_text.delta"
ARGUED = "response.function_call_arguments.delta"
CALL_CLOSED = ("response.function_call_arguments.done", *CLOSED)


def user(text: str, **fields: Any) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content, **fields}


async def typed(client: Wire, text: str = "Hello") -> dict[str, Any]:
    await client.send("conversation.item.create", item=user(text))
    added, done = await climbed(client, *ADDED)
    assert added["item"] == done["item"]
    item: dict[str, Any] = added["item"]
    return item


async def asked(client: Wire, **response: Any) -> tuple[dict[str, Any], Turn]:
    """A response that has been created and nothing more."""
    await client.send("response.create", response=response)
    (created,) = await climbed(client, "response.created")
    return created["response"], await client.puppet.asked()


async def test_4_1_a_session_begins_and_shows_what_an_update_made_of_it() -> None:
    async with wire(model="gpt-realtime") as client:
        created = client.seen[0]["session"]
        await client.send("session.update", session={"type": "realtime", "instructions": "Be kind"})
        (updated,) = await climbed(client, "session.updated")
        assert updated["session"] == {**created, "instructions": "Be kind"}


async def test_4_2_a_written_turn() -> None:
    async with wire(AT_ONCE) as client:
        item = await typed(client)
        assert list(item) == ["type", "id", "status", "role", "content"]
        assert item["content"] == [{"type": "input_text", "text": "Hello"}]
        response, turn = await asked(client, output_modalities=["text"], metadata={"k": "v"})
        assert response["status"] == "in_progress" and response["output"] == []
        assert response["status_details"] is response["usage"] is None
        assert response["metadata"] == {"k": "v"} and response["conversation_id"][:5] == "conv_"
        turn.end(*written("Hi ", "there, how are you all?"))
        told = await climbed(client, *OPENED, PART, WROTE, WROTE, *TEXT_CLOSED, *DONE)
        opened, added, part, *_ = told
        made = {"id": opened["item"]["id"], "type": "message", "role": "assistant"}
        assert opened["item"] == {**made, "status": "in_progress", "content": []} | phase(opened)
        assert added["previous_item_id"] == item["id"]
        assert part["part"] == {"type": "text", "text": ""}
        text = "Hi there, how are you all?"
        assert told[5]["text"] == text and told[6]["part"] == {"type": "text", "text": text}
        whole = {"status": "completed", "content": [{"type": "output_text", "text": text}]}
        # The service's own quirk: behind the very first item, `done` names no predecessor.
        assert told[7]["previous_item_id"] is None
        assert told[7]["item"] == told[8]["item"] == {**made, **whole} | phase(opened)
        done = told[9]["response"]
        assert done["status"] == "completed" and done["status_details"] is None
        assert done["output"] == [told[8]["item"]] and done["metadata"] == {"k": "v"}
        usage = done["usage"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0
        (limit,) = told[10]["rate_limits"]
        assert list(limit) == ["name", "limit", "remaining", "reset_seconds"]


def phase(event: dict[str, Any]) -> dict[str, Any]:
    """The item's phase, which the models of the 2.x line have."""
    return {name: value for name, value in event["item"].items() if name == "phase"}


async def test_4_2_later_items_are_named_by_done_too() -> None:
    async with wire(AT_ONCE) as client:
        await typed(client, "One")
        second = await typed(client, "Two")
        _, turn = await asked(client, output_modalities=["text"])
        turn.end(*written("Hi"))
        told = await climbed(client, *OPENED, PART, WROTE, *TEXT_CLOSED, *DONE)
        assert told[1]["previous_item_id"] == told[6]["previous_item_id"] == second["id"]


async def test_4_3_a_spoken_turn_under_turn_detection() -> None:
    async with wire(AT_ONCE) as client:
        await client.configure(VAD)
        await client.append(silence(1_000) + speech(500) + silence(500))
        told = await climbed(
            client,
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            *COMMITTED,
            "response.created",
        )
        item_id = told[0]["item_id"]
        assert told[1]["item_id"] == told[2]["item_id"] == told[3]["item"]["id"] == item_id
        assert (told[0]["audio_start_ms"] + 300) % 32 == 0 == told[1]["audio_end_ms"] % 32
        assert told[2]["previous_item_id"] is told[3]["previous_item_id"] is None
        assert told[3]["item"] == told[4]["item"]
        assert told[3]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
        turn = await client.puppet.asked()
        turn.play(score.OpenMessage(), score.OpenPart("audio"), score.SayText("Hi "))
        turn.end(sound(250), score.SayText("there"), sound(100))
        rungs = (*OPENED, PART, SAID, SPOKEN, SAID, SPOKEN, *AUDIO_CLOSED, *DONE)
        told = await climbed(client, *rungs)
        assert told[1]["previous_item_id"] == item_id
        assert told[2]["part"] == {"type": "audio", "transcript": ""}
        assert base64.b64decode(told[4]["delta"]) == b"\1\0" * 6_000
        assert told[8]["transcript"] == "Hi there"
        assert told[9]["part"] == {"type": "audio", "transcript": "Hi there"}
        content = [{"type": "output_audio", "transcript": "Hi there"}]
        assert told[11]["item"]["content"] == content
        # The next turn stands behind what the model said.
        await client.append(speech(500) + silence(500))
        again = [await client.next() for _ in range(3)]
        assert again[2]["previous_item_id"] == told[11]["item"]["id"]


async def test_4_3_without_create_response_a_turn_ends_with_its_item() -> None:
    async with wire() as client:
        await client.configure({**VAD, "create_response": False})
        await client.append(speech(500) + silence(500))
        speaking = ("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped")
        await climbed(client, *speaking, *COMMITTED)


async def test_4_4_a_turn_by_hand() -> None:
    async with wire(AT_ONCE) as client:
        await client.configure(None)
        await client.append(silence(100))
        await client.send("input_audio_buffer.commit")
        committed, added, done = await climbed(client, *COMMITTED)
        assert committed["item_id"] == added["item"]["id"] == done["item"]["id"]
        await asked(client)


async def test_4_5_a_call_alone_and_its_output_before_the_response_is_done() -> None:
    async with wire(AT_ONCE) as client:
        item = await typed(client)
        _, turn = await asked(client)
        turn.play(
            score.OpenCall("weather"), score.Arguments('{"city":'), score.Arguments('"Rome"}')
        )
        opened, added, *_ = await climbed(client, *OPENED, ARGUED, ARGUED)
        call_id = opened["item"]["call_id"]
        made = {"id": opened["item"]["id"], "type": "function_call", "name": "weather"}
        assert opened["item"] == {
            **made,
            "status": "in_progress",
            "call_id": call_id,
            "arguments": "",
        }
        assert added["previous_item_id"] == item["id"] and added["item"] == opened["item"]
        output = {"type": "function_call_output", "call_id": call_id, "output": "Rain"}
        await client.send("conversation.item.create", item=output)
        told = await climbed(client, *ADDED)
        assert told[0]["item"] == {"id": told[0]["item"]["id"], **output}
        turn.end()
        told = await climbed(client, *CALL_CLOSED, *DONE)
        arguments = '{"city":"Rome"}'
        assert (told[0]["name"], told[0]["arguments"]) == ("weather", arguments)
        assert told[0]["call_id"] == call_id
        whole = {**made, "status": "completed", "call_id": call_id, "arguments": arguments}
        assert told[1]["item"] == told[2]["item"] == whole
        assert told[3]["response"]["output"] == [whole]


async def test_4_5_a_message_before_a_call_closes_after_the_call_has_opened() -> None:
    async with wire(AT_ONCE) as client:
        _, turn = await asked(client, output_modalities=["text"])
        commentary = score.OpenMessage("commentary")
        turn.play(commentary, score.OpenPart("text"), score.SayText("Let me look."))
        turn.play(score.OpenCall("weather"), score.Arguments("{}"))
        turn.end(score.OpenCall("news"), score.Arguments("{}"))
        told = await climbed(
            client,
            *OPENED,
            *(PART, WROTE),
            *(*OPENED, ARGUED),
            *(*OPENED, ARGUED),
            *TEXT_CLOSED,
            *CALL_CLOSED,
            *CALL_CLOSED,
            *DONE,
        )
        assert told[0]["item"]["phase"] == "commentary"
        assert [told[i]["output_index"] for i in (0, 4, 7, 10, 14, 17)] == [0, 1, 2, 0, 1, 2]
        calls = [item for item in told[-2]["response"]["output"] if "call_id" in item]
        assert [call["name"] for call in calls] == ["weather", "news"]
        assert calls[0]["call_id"] != calls[1]["call_id"]


async def speaking(client: Wire) -> tuple[str, str]:
    """A response that has said three words and sent 700 ms; its id and its item's."""
    response, turn = await asked(client)
    turn.play(score.OpenMessage(), score.OpenPart("audio"), score.SayText("Once upon a time"))
    turn.play(sound(700))
    told = await climbed(client, *OPENED, PART, SAID, SPOKEN)
    return str(response["id"]), str(told[0]["item"]["id"])


def cut(told: list[dict[str, Any]], reason: str) -> dict[str, Any]:
    """What a cut response ends with, whoever cut it: all that was made, as incomplete."""
    assert told[1]["transcript"] == "Once upon a time"
    assert told[3]["item"] == told[4]["item"]
    assert told[4]["item"]["status"] == "incomplete"
    response: dict[str, Any] = told[5]["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": reason}
    assert response["output"] == [told[4]["item"]]
    assert response["usage"]["output_token_details"]["audio_tokens"] == 14
    return response


async def test_4_6_a_speech_cuts_a_response_and_truncates_nothing() -> None:
    async with wire(AT_ONCE) as client:
        await client.configure(VAD)
        response_id, item_id = await speaking(client)
        await client.append(speech(300))
        started, *told = await climbed(
            client, "input_audio_buffer.speech_started", *AUDIO_CLOSED, *DONE
        )
        assert cut(told, "turn_detected")["id"] == response_id
        await client.truncate(item_id, 0, 312)
        (truncated,) = await climbed(client, "conversation.item.truncated")
        assert (truncated["item_id"], truncated["audio_end_ms"]) == (item_id, 312)
        await client.append(silence(500))
        told = await climbed(
            client, "input_audio_buffer.speech_stopped", *COMMITTED, "response.created"
        )
        assert told[0]["item_id"] == started["item_id"]


async def test_4_6_b_speech_after_the_end_is_told_alone_and_a_cancel_finds_nothing() -> None:
    async with wire(AT_ONCE) as client:
        await client.configure(VAD)
        _, turn = await asked(client)
        turn.end(score.OpenMessage(), score.OpenPart("audio"), sound(5_000))
        await climbed(client, *OPENED, PART, SPOKEN, *AUDIO_CLOSED, *DONE)
        await client.append(speech(300))
        await climbed(client, "input_audio_buffer.speech_started")
        await client.send("response.cancel")
        (error,) = await climbed(client, "error")
        assert error["error"]["code"] == "response_cancel_not_active"


async def test_4_6_c_speech_before_the_first_item_leaves_no_item_and_no_cost() -> None:
    async with wire(AT_ONCE) as client:
        await client.configure(VAD)
        await asked(client)
        await client.append(speech(300))
        _, done, _ = await climbed(client, "input_audio_buffer.speech_started", *DONE)
        assert done["response"]["status"] == "cancelled" and done["response"]["output"] == []
        assert numbers(done["response"]["usage"]) == {0}


def numbers(usage: dict[str, Any]) -> set[int]:
    found: set[int] = set()
    for value in usage.values():
        found |= numbers(value) if isinstance(value, dict) else {value}
    return found


async def test_4_6_f_without_interrupt_response_the_next_turn_fails_to_create() -> None:
    async with wire(AT_ONCE) as client:
        await client.configure({**VAD, "interrupt_response": False})
        response_id, _ = await speaking(client)
        await client.append(speech(500) + silence(500), event_id="mine")
        told = await climbed(
            client,
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            *COMMITTED,
            "error",
        )
        body = told[-1]["error"]
        assert body["code"] == "conversation_already_has_active_response"
        assert response_id in body["message"] and body["event_id"] is None


async def test_4_6_g_speech_spares_what_is_out_of_band() -> None:
    async with wire(AT_ONCE) as client:
        await client.configure(VAD)
        _, aside = await asked(client, conversation="none", output_modalities=["text"])
        await speaking(client)
        await client.append(speech(300))
        rungs = ("input_audio_buffer.speech_started", *AUDIO_CLOSED, *DONE)
        await climbed(client, *rungs)
        aside.end(*written("Still here"))
        told = await climbed(
            client,
            *("response.output_item.added", PART, WROTE),
            *("response.output_text.done", "response.content_part.done"),
            *("response.output_item.done", *DONE),
        )
        assert told[-2]["response"]["status"] == "completed"


async def test_4_7_a_truncate_in_progress_then_a_cancel_by_the_client() -> None:
    async with wire(AT_ONCE) as client:
        response_id, item_id = await speaking(client)
        await client.truncate(item_id, 0, 449)
        await climbed(client, "conversation.item.truncated")
        await client.send("response.cancel", response_id=response_id)
        told = await climbed(client, *AUDIO_CLOSED, *DONE)
        cut(told, "client_cancelled")


async def test_4_8_a_truncation_takes_the_transcript_and_the_sound_behind_it() -> None:
    async with wire(AT_ONCE) as client:
        _, item_id = await speaking(client)
        for ms in (700, 500, 0):
            await client.truncate(item_id, 0, ms)
            (truncated,) = await climbed(client, "conversation.item.truncated")
            assert [truncated[name] for name in ("item_id", "content_index", "audio_end_ms")] == [
                item_id,
                0,
                ms,
            ]
            await client.send("conversation.item.retrieve", item_id=item_id)
            (retrieved,) = await climbed(client, "conversation.item.retrieved")
            (part,) = retrieved["item"]["content"]
            assert len(base64.b64decode(part["audio"])) == 48 * ms
            assert "transcript" not in part
        await client.truncate(item_id, 0, 1)
        (error,) = await climbed(client, "error")
        assert error["error"]["message"] == "Audio content of 0ms is already shorter than 1ms"


async def test_4_8_what_is_no_spoken_message_cannot_be_truncated() -> None:
    async with wire(AT_ONCE) as client:
        item = await typed(client)
        _, turn = await asked(client)
        turn.play(score.OpenCall("weather"), score.CloseCall(), score.OpenMessage())
        told = await climbed(client, *OPENED, *CALL_CLOSED, *OPENED)
        for item_id in (item["id"], told[0]["item"]["id"], told[5]["item"]["id"]):
            await client.truncate(item_id, 0, 0)
            (error,) = await climbed(client, "error")
            assert error["error"]["code"] == "unsupported_content_type"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("audio_end_ms", 12.5, "invalid_type"),
        ("audio_end_ms", -1, "integer_below_min_value"),
        ("content_index", -1, "integer_below_min_value"),
        ("content_index", "0", "invalid_type"),
    ],
)
async def test_4_8_numbers_that_are_none_are_refused(field: str, value: Any, code: str) -> None:
    async with wire() as client:
        fields = {"item_id": "x", "content_index": 0, "audio_end_ms": 0, field: value}
        await client.send("conversation.item.truncate", **fields)
        (error,) = await climbed(client, "error")
        assert (error["error"]["code"], error["error"]["param"]) == (code, field)


async def test_4_9_delete_retrieve_and_clear() -> None:
    async with wire() as client:
        first, second = await typed(client, "One"), await typed(client, "Two")
        await client.send("conversation.item.retrieve", item_id=second["id"])
        (retrieved,) = await climbed(client, "conversation.item.retrieved")
        assert retrieved["item"] == second
        await client.send("conversation.item.delete", item_id=second["id"])
        (deleted,) = await climbed(client, "conversation.item.deleted")
        assert deleted["item_id"] == second["id"]
        # The new tail is the predecessor; the root and an id put an item elsewhere.
        for place, expected in ((None, first["id"]), ("root", None), (first["id"], first["id"])):
            item = user("Three")
            await client.send("conversation.item.create", item=item, previous_item_id=place)
            added, done = await climbed(client, *ADDED)
            assert added["previous_item_id"] == done["previous_item_id"] == expected


async def test_4_9_a_clear_during_speech_drops_the_turn() -> None:
    async with wire() as client:
        await client.configure(VAD)
        await client.append(speech(500))
        await climbed(client, "input_audio_buffer.speech_started")
        await client.send("input_audio_buffer.clear")
        await climbed(client, "input_audio_buffer.cleared")
        await client.append(silence(500))
        await client.lives()


def texts(turn: Turn) -> list[str]:
    """What the engine was told was written."""
    items = [each for each in turn.request.context if isinstance(each, events.MessageItem)]
    parts = [part for item in items for part in item.content]
    return [part.text for part in parts if isinstance(part, events.InputText)]


async def test_4_10_responses_out_of_band_run_at_once_and_are_told_apart_by_metadata() -> None:
    async with wire(AT_ONCE) as client:
        item = await typed(client, "In the conversation")
        await speaking(client)
        turns = []
        for name in ("one", "two", "three"):
            given = [{"type": "item_reference", "id": item["id"]}, user(name)]
            response, turn = await asked(
                client,
                conversation="none",
                metadata={"name": name},
                input=given,
                output_modalities=["text"],
            )
            assert response["conversation_id"] is None
            assert response["metadata"] == {"name": name}
            assert texts(turn) == ["In the conversation", name]
            turns.append(turn)
        for turn, name in reversed(list(zip(turns, ("one", "two", "three"), strict=True))):
            turn.end(*written(name))
            told = await climbed(
                client,
                *("response.output_item.added", PART, WROTE),
                *("response.output_text.done", "response.content_part.done"),
                *("response.output_item.done", *DONE),
            )
            assert told[-2]["response"]["metadata"] == {"name": name}
        # What was said aside is in no conversation.
        await client.send("conversation.item.retrieve", item_id=told[0]["item"]["id"])
        (error,) = await climbed(client, "error")
        assert error["error"]["code"] == "item_retrieve_invalid_item_id"


@pytest.mark.parametrize("given", [[], None])
async def test_4_10_an_empty_input_is_an_empty_context(given: list[Any] | None) -> None:
    async with wire() as client:
        await typed(client)
        _, turn = await asked(client, **({} if given is None else {"input": given}))
        assert len(turn.request.context) == (1 if given is None else 0)


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
async def test_4_15_an_incomplete_response_has_what_was_made(reason: Any) -> None:
    async with wire(AT_ONCE) as client:
        _, turn = await asked(client, output_modalities=["text"])
        turn.end(*written("Half a sent"), score.EndIncomplete(reason))
        told = await climbed(client, *OPENED, PART, WROTE, *TEXT_CLOSED, *DONE)
        response = told[-2]["response"]
        assert response["status"] == response["output"][0]["status"] == "incomplete"
        assert response["status_details"] == {"type": "incomplete", "reason": reason}


@pytest.mark.parametrize(
    "code", ["insufficient_quota", "rate_limit_exceeded", "inference_rate_limit_exceeded", None]
)
async def test_4_15_a_failed_response_tells_its_error_in_done_only(code: str | None) -> None:
    async with wire(AT_ONCE) as client:
        _, turn = await asked(client)
        turn.fail(EngineError("No more.", type="invalid_request_error", code=code))
        done, _ = await climbed(client, *DONE)
        assert done["response"]["status"] == "failed" and done["response"]["output"] == []
        assert done["response"]["status_details"] == {
            "type": "failed",
            "error": {"type": "invalid_request_error", "code": code, "message": "No more."},
        }
        assert numbers(done["response"]["usage"]) == {0}
