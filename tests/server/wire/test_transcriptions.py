"""What the user says in words, from the wire: protocol.md §4.3, §4.4, §4.12, by model."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec.structs import replace
from tests.server.model.model_rig import silence, speech
from tests.server.wire.wire_rig import AT_ONCE, Ear, Wire, climbed, sound, wire

from bargein import events
from bargein.server.engines.base import EngineError
from bargein.server.model import score
from bargein.server.model.heard import Languages, Segment, Token, Words

VAD = {"type": "server_vad", "silence_duration_ms": 200}
STARTED, STOPPED = "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"
COMMITTED = (
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
)
DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"
FAILED = "conversation.item.input_audio_transcription.failed"
SEGMENT = "conversation.item.input_audio_transcription.segment"


async def configure(
    client: Wire, model: str | None, turn_detection: Any = None, **session: Any
) -> dict[str, Any]:
    transcription = None if model is None else {"model": model}
    audio_input = {"turn_detection": turn_detection, "transcription": transcription}
    settings = {"type": "realtime", "audio": {"input": audio_input}, **session}
    await client.send("session.update", session=settings)
    shown: dict[str, Any] = (await client.until("session.updated"))["session"]
    return shown


async def committed(client: Wire, ms: int = 500) -> str:
    """A turn by hand: its item's id."""
    await client.append(speech(ms))
    await client.send("input_audio_buffer.commit")
    item_id: str = (await climbed(client, *COMMITTED))[0]["item_id"]
    return item_id


async def test_the_session_shows_what_it_writes_down_with() -> None:
    async with wire() as client:
        shown = await configure(client, "gpt-4o-transcribe")
        transcription = shown["audio"]["input"]["transcription"]
        assert transcription == {"model": "gpt-4o-transcribe", "language": None, "prompt": None}


async def test_4_3_the_words_come_between_the_events_of_the_response() -> None:
    async with wire(AT_ONCE) as client:
        await configure(client, "gpt-realtime-whisper", VAD)
        await client.append(silence(1_000) + speech(500) + silence(500))
        told = await climbed(client, STARTED, STOPPED, *COMMITTED, "response.created")
        item_id = told[0]["item_id"]
        ear, turn = await client.puppet.listens(), await client.puppet.asked()
        ear.hears(" Hello")
        first = (await climbed(client, DELTA))[0]
        assert (first["item_id"], first["content_index"]) == (item_id, 0)
        turn.play(score.OpenMessage(), score.OpenPart("audio"), score.SayText("Hi"), sound(100))
        opened = ("response.output_item.added", "conversation.item.added")
        spoken = ("response.output_audio_transcript.delta", "response.output_audio.delta")
        await climbed(client, *opened, "response.content_part.added", *spoken)
        ear.end(", my name is Marcelo.")
        _, completed = await climbed(client, DELTA, COMPLETED)
        assert completed["transcript"] == "Hello, my name is Marcelo."
        length_ms = told[1]["audio_end_ms"] - told[0]["audio_start_ms"]
        seconds = -(-length_ms // 1_000)
        assert completed["usage"] == {"type": "duration", "seconds": seconds}
        turn.end()
        await client.until("response.done")


async def test_4_3_the_words_may_come_when_the_response_is_long_done() -> None:
    async with wire(AT_ONCE) as client:
        await configure(client, "gpt-4o-transcribe", VAD)
        await client.append(speech(500) + silence(500))
        ear, turn = await client.puppet.listens(), await client.puppet.asked()
        turn.end()
        await client.until("rate_limits.updated")
        ear.end("Hello.")
        await climbed(client, DELTA, COMPLETED)


async def test_4_4_silence_by_hand_has_an_empty_transcript() -> None:
    async with wire() as client:
        await configure(client, "whisper-1")
        await client.append(silence(100))
        await client.send("input_audio_buffer.commit")
        await climbed(client, *COMMITTED)
        (await client.puppet.listens()).end()
        (completed,) = await climbed(client, COMPLETED)
        assert completed["transcript"] == ""
        assert completed["usage"] == {"type": "duration", "seconds": 1}


async def test_4_12_whisper_writes_once_and_gpt_4o_as_it_goes() -> None:
    async with wire() as client:
        for model, rungs in (
            ("whisper-1", (COMPLETED,)),
            ("gpt-4o-transcribe", (DELTA, DELTA, COMPLETED)),
        ):
            await configure(client, model)
            await committed(client)
            (await client.puppet.listens()).end("Hello", " you")
            told = await climbed(client, *rungs)
            assert told[-1]["transcript"] == "Hello you"
            usage = "duration" if model == "whisper-1" else "tokens"
            assert told[-1]["usage"]["type"] == usage


async def live_turn(client: Wire) -> tuple[str, Ear]:
    await client.append(silence(500) + speech(500))
    (started,) = await climbed(client, STARTED)
    return str(started["item_id"]), await client.puppet.listens()


async def test_4_12_a_live_model_writes_before_the_user_has_finished() -> None:
    async with wire(overhears=True) as client:
        await configure(client, "gpt-realtime-whisper", {**VAD, "create_response": False})
        item_id, ear = await live_turn(client)
        ear.hears(" Hello")
        (delta,) = await climbed(client, DELTA)
        assert delta["item_id"] == item_id
        ear.end(" you")
        await climbed(client, DELTA)
        await client.append(silence(500))
        told = await climbed(client, STOPPED, *COMMITTED, COMPLETED)
        assert {event.get("item_id", item_id) for event in told} == {item_id}
        assert told[-1]["transcript"] == "Hello you"


async def test_4_12_a_live_model_by_hand_names_the_item_before_the_commit() -> None:
    async with wire(overhears=True) as client:
        await configure(client, "gpt-live-transcribe")
        await client.append(speech(500))
        ear = await client.puppet.listens()
        ear.end("Hello")
        (delta,) = await climbed(client, DELTA)
        await client.send("input_audio_buffer.commit")
        told = await climbed(client, *COMMITTED, COMPLETED)
        assert told[0]["item_id"] == delta["item_id"] == told[-1]["item_id"]


async def test_4_12_a_failure_is_told_in_its_own_event_and_spares_the_response() -> None:
    async with wire(AT_ONCE) as client:
        await configure(client, "gpt-4o-transcribe", VAD)
        await client.append(speech(500) + silence(500))
        ear, turn = await client.puppet.listens(), await client.puppet.asked()
        created = await client.until("response.created")
        item_id = ear.request.item_id
        message = f"Input transcription failed for item '{item_id}'."
        ear.fail(EngineError(message, code="DeploymentNotFound"))
        (failed,) = await climbed(client, FAILED)
        assert list(failed["error"]) == ["type", "code", "message", "param"]
        assert failed["error"]["code"] == "DeploymentNotFound"
        turn.end()
        done = await client.until("response.done")
        assert done["response"]["id"] == created["response"]["id"]
        assert done["response"]["status"] == "completed"


async def test_logprobs_are_shown_to_who_includes_them() -> None:
    async with wire() as client:
        include = ["item.input_audio_transcription.logprobs"]
        shown = await configure(client, "gpt-4o-transcribe", include=include)
        assert shown["include"] == include
        await committed(client)
        (await client.puppet.listens()).end(Words("Hi", (Token("Hi", -0.25),)))
        expected = [{"token": "Hi", "logprob": -0.25, "bytes": [72, 105]}]
        for type in (DELTA, COMPLETED):
            event = await client.until(type)
            assert event["logprobs"] == expected


async def test_speakers_and_languages_are_told_where_an_engine_knows_them() -> None:
    async with wire() as client:
        await configure(client, "gpt-4o-transcribe-diarize")
        await committed(client)
        (await client.puppet.listens()).end(Segment("Hi", "A", 0.0, 0.5), Languages(("en",)))
        segment = await client.until(SEGMENT)
        assert (segment["speaker"], segment["start"], segment["end"]) == ("A", 0.0, 0.5)
        assert (await client.until(COMPLETED))["languages"] == [{"code": "en"}]


async def test_who_deletes_the_item_hears_no_more_of_it() -> None:
    async with wire() as client:
        await configure(client, "gpt-4o-transcribe")
        item_id = await committed(client)
        ear = await client.puppet.listens()
        ear.hears("Hel")
        await climbed(client, DELTA)
        await client.send("conversation.item.delete", item_id=item_id)
        await climbed(client, "conversation.item.deleted")
        ear.hears("lo")
        async with asyncio.timeout(10):
            await ear.closed.wait()
        await client.lives()


async def test_the_model_knows_the_words_and_the_wire_does_not_say_them_again() -> None:
    async with wire() as client:
        await configure(client, "whisper-1")
        item_id = await committed(client)
        (await client.puppet.listens()).end("Hello.")
        await climbed(client, COMPLETED)
        await client.send("conversation.item.retrieve", item_id=item_id)
        retrieved = await client.until("conversation.item.retrieved")
        assert retrieved["item"]["content"][0]["transcript"] is None
        _, turn = await client.respond()
        (item,) = turn.request.context
        assert isinstance(item, events.MessageItem)
        assert item.content == (replace(item.content[0], transcript="Hello."),)
        turn.end()
        await client.until("response.done")


# Sessions that only listen (§2.6).


async def test_2_6_a_session_that_only_writes_down() -> None:
    async with wire(query="intent=transcription") as client:
        created = client.seen[0]["session"]
        assert (created["type"], created["object"]) == (
            "transcription",
            "realtime.transcription_session",
        )
        assert set(created) == {"type", "object", "id", "expires_at", "audio", "include"}
        audio_input = {"transcription": {"model": "whisper-1"}, "turn_detection": VAD}
        settings = {"type": "transcription", "audio": {"input": audio_input}}
        await client.send("session.update", session=settings)
        updated = await client.until("session.updated")
        assert updated["session"]["id"] == created["id"]
        await client.append(silence(500) + speech(500) + silence(500))
        for type in (STARTED, STOPPED, *COMMITTED):
            assert (await client.next())["type"] == type
        (await client.puppet.listens()).end("Hello.")
        assert (await client.next())["type"] == COMPLETED
        await client.send("response.create", event_id="mine")
        refused = (await client.next())["error"]
        assert refused["event_id"] == "mine"
        assert refused["message"] == (
            "Event 'response.create' is not supported in this kind of session."
        )


async def test_6_2_the_kinds_are_not_mixed_in_either_direction() -> None:
    for query, mine, other in (
        ("intent=transcription", "transcription", "realtime"),
        ("", "realtime", "transcription"),
    ):
        async with wire(query=query) as client:
            await client.send("session.update", session={"type": other}, event_id="mine")
            error = (await client.next())["error"]
            assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_parameter")
            assert (error["param"], error["event_id"]) == (None, "mine")
            assert error["message"] == (
                f"Passing a {other} session update event to a {mine} session is not allowed."
            )


async def test_6_2_live_models_refuse_turn_detection_where_they_are_the_session() -> None:
    async with wire(query="intent=transcription") as client:
        transcription = {"model": "gpt-realtime-whisper"}
        for turn_detection in (VAD, None):
            audio_input = {"transcription": transcription, "turn_detection": turn_detection}
            settings = {"type": "transcription", "audio": {"input": audio_input}}
            await client.send("session.update", session=settings)
            told = await client.next()
            if turn_detection is None:
                assert told["type"] == "session.updated"
            else:
                expected = "Turn detection is not supported for this transcription model."
                assert told["error"]["message"] == expected
