"""The official `openai` package, pointed at the local server, holds conversations with it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from tests.server.serving_rig import (
    KEY,
    MODEL,
    RATE,
    a_server,
    chunks,
    says,
    story_that_stalls,
    user_speech,
)
from tests.strangers.stage import GREETING, HEARS, RESULT, STORY_MS, YES, a_stage

from bargein.server.model.options import Options
from bargein.server.serving import Server

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "Today's weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@asynccontextmanager
async def sdk(server: Server) -> AsyncIterator[AsyncRealtimeConnection]:
    async with AsyncOpenAI(api_key=server.api_key, base_url=server.url) as client:
        async with client.realtime.connect(model=MODEL) as connection:
            yield connection


async def until(connection: AsyncRealtimeConnection, *types: str) -> list[Any]:
    """Events up to the first of one of these types. An error that is not waited for fails."""
    seen: list[Any] = []
    while not seen or seen[-1].type not in types:
        event: Any = await connection.recv()
        assert event.type != "error" or "error" in types, event
        seen.append(event)
    return seen


async def say(connection: AsyncRealtimeConnection, text: str) -> None:
    content: Any = [{"type": "input_text", "text": text}]
    item: Any = {"type": "message", "role": "user", "content": content}
    await connection.conversation.item.create(item=item)
    await connection.response.create()


async def speak(connection: AsyncRealtimeConnection, pcm: bytes) -> None:
    for chunk in chunks(pcm):
        await connection.input_audio_buffer.append(audio=base64.b64encode(chunk).decode())


async def test_it_holds_a_text_turn() -> None:
    async with a_server(says("It rains in Paris.")) as server, sdk(server) as connection:
        await connection.session.update(
            session={"type": "realtime", "output_modalities": ["text"], "instructions": "Be brief."}
        )
        await say(connection, "And the weather?")
        seen = await until(connection, "response.done")
        text = "".join(e.delta for e in seen if e.type == "response.output_text.delta")
        assert text == "It rains in Paris."
        assert seen[-1].response.status == "completed"
        assert seen[-1].response.output[0].content[0].text == "It rains in Paris."


async def test_it_holds_an_audio_conversation_under_server_vad() -> None:
    replies = says("First answer."), says("Second answer.")
    async with a_server(*replies) as server, sdk(server) as connection:
        said = []
        for _ in replies:
            await speak(connection, user_speech())
            seen = await until(connection, "response.done")
            kinds = [event.type for event in seen]
            turn = [k for k in kinds if k.startswith("input_audio_buffer.")]
            assert turn == [
                "input_audio_buffer.speech_started",
                "input_audio_buffer.speech_stopped",
                "input_audio_buffer.committed",
            ]
            transcript = [
                event.delta
                for event in seen
                if event.type == "response.output_audio_transcript.delta"
            ]
            said.append("".join(transcript))
            first_audio = kinds.index("response.output_audio.delta")
            assert kinds.index("response.output_audio_transcript.delta") < first_audio
        assert said == ["First answer.", "Second answer."]


async def test_it_interrupts_and_truncates_and_the_server_remembers_what_was_kept() -> None:
    async with (
        a_server(story_that_stalls(), says("Yes?")) as server,
        sdk(server) as connection,
    ):
        await say(connection, "Tell me a story.")
        deltas = [(await until(connection, "response.output_audio.delta"))[-1] for _ in range(3)]
        item_id = deltas[0].item_id
        await speak(connection, user_speech())
        seen = await until(connection, "response.done")
        assert "input_audio_buffer.speech_started" in [event.type for event in seen]
        assert seen[-1].response.status == "cancelled"
        assert seen[-1].response.status_details.reason == "turn_detected"
        await connection.conversation.item.truncate(
            item_id=item_id, content_index=0, audio_end_ms=480
        )
        truncated = (await until(connection, "conversation.item.truncated"))[-1]
        assert (truncated.item_id, truncated.content_index, truncated.audio_end_ms) == (
            item_id,
            0,
            480,
        )
        (session,) = server.sessions.values()
        (kept,) = [item for item in session.machine.memory if item.id == item_id]
        assert kept.parts[0].kept_samples == 480 * RATE // 1_000
        assert kept.parts[0].text is None
        await until(connection, "response.done")


async def test_it_answers_a_tool_call() -> None:
    call = {
        "outputs": [
            {"say": "Let me look."},
            {"call": "weather", "arguments": {"city": "Paris"}},
        ]
    }
    follow_up = says("It rains.", after_call="weather")
    async with a_server(call, follow_up) as server, sdk(server) as connection:
        await connection.session.update(session={"type": "realtime", "tools": [WEATHER]})
        await say(connection, "What is the weather in Paris?")
        seen = await until(connection, "response.done")
        (asked,) = [e for e in seen if e.type == "response.function_call_arguments.done"]
        assert asked.name == "weather"
        assert asked.arguments == '{"city": "Paris"}'
        output: Any = {"type": "function_call_output", "call_id": asked.call_id, "output": "rain"}
        await connection.conversation.item.create(item=output)
        await connection.response.create()
        seen = await until(connection, "response.done")
        assert seen[-1].response.output[0].content[0].transcript == "It rains."


async def test_it_hears_g711() -> None:
    async with a_server(says("Hello."), speed=50) as server, sdk(server) as connection:
        await connection.session.update(
            session={"type": "realtime", "audio": {"output": {"format": {"type": "audio/pcmu"}}}}
        )
        await say(connection, "Hi")
        seen = await until(connection, "response.done")
        sizes = [
            len(base64.b64decode(e.delta)) for e in seen if e.type == "response.output_audio.delta"
        ]
        assert sizes[1] == 5_997 * 8_000 // RATE


async def test_it_holds_the_whole_conversation_that_every_stranger_holds(tmp_path: Path) -> None:
    """Spoken turns with their transcripts, a tool, a barge-in, a refusal."""
    async with a_stage(tmp_path) as stage, sdk(stage.server) as connection:
        transcription: Any = {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}
        await connection.session.update(
            session={"type": "realtime", "tools": [WEATHER], "audio": transcription}
        )
        seen: list[Any] = []
        await speak(connection, user_speech())
        seen += await until(connection, "response.done")
        assert spoken(seen) == [GREETING]

        await speak(connection, user_speech())
        seen += await until(connection, "response.done")
        (asked,) = [e for e in seen if e.type == "response.function_call_arguments.done"]
        output: Any = {"type": "function_call_output", "call_id": asked.call_id, "output": "rain"}
        await connection.conversation.item.create(item=output)
        await connection.response.create()
        seen += await until(connection, "response.done")
        assert spoken(seen)[1:] == [RESULT]

        await speak(connection, user_speech())
        for _ in range(4):
            seen += await until(connection, "response.output_audio.delta")
        story = seen[-1].item_id
        await speak(connection, user_speech())
        await connection.conversation.item.truncate(
            item_id=story, content_index=0, audio_end_ms=STORY_MS
        )
        while not {"conversation.item.truncated"} <= {event.type for event in seen}:
            seen.append(await connection.recv())
        assert stage.kept_ms(story) == [STORY_MS]
        while spoken(seen)[-1] != YES:
            seen += await until(connection, "response.done")
        while len(words := heard(seen)) < len(HEARS):
            seen.append(await connection.recv())
        assert sorted(words) == sorted(HEARS)
        assert stage.refusals == []

        await connection.response.cancel(event_id="mine")
        refusal = (await until(connection, "error"))[-1].error
        assert (refusal.code, refusal.event_id) == ("response_cancel_not_active", "mine")


def spoken(seen: list[Any]) -> list[str]:
    return [e.transcript for e in seen if e.type == "response.output_audio_transcript.done"]


def heard(seen: list[Any]) -> list[str]:
    kind = "conversation.item.input_audio_transcription.completed"
    return [event.transcript for event in seen if event.type == kind]


async def test_it_reads_what_its_user_said() -> None:
    script = {"hears": ["Wait, please stop.", "I have a question."]}
    async with a_server(says("Yes?"), script=script) as server, sdk(server) as connection:
        transcription: Any = {"model": "gpt-4o-transcribe"}
        settings: Any = {"type": "realtime", "audio": {"input": {"transcription": transcription}}}
        await connection.session.update(session=settings)
        await speak(connection, user_speech())
        completed = "conversation.item.input_audio_transcription.completed"
        seen = await until(connection, completed)
        words = "".join(e.delta for e in seen if e.type == completed.replace("completed", "delta"))
        assert seen[-1].transcript == words == "Wait, please stop."
        assert seen[-1].usage.type == "tokens" and seen[-1].usage.input_tokens > 0
        started = next(e for e in seen if e.type == "input_audio_buffer.speech_started")
        assert seen[-1].item_id == started.item_id


async def test_it_holds_a_session_that_only_writes_down() -> None:
    script = {"hears": ["I have a question."]}
    async with (
        a_server(says("Never said."), script=script) as server,
        AsyncOpenAI(api_key=server.api_key, base_url=server.url) as client,
        client.realtime.connect(extra_query={"intent": "transcription"}) as connection,
    ):
        transcription: Any = {"model": "gpt-realtime-whisper"}
        audio_input: Any = {"transcription": transcription, "turn_detection": None}
        settings: Any = {"type": "transcription", "audio": {"input": audio_input}}
        await connection.session.update(session=settings)
        await speak(connection, user_speech())
        await connection.input_audio_buffer.commit()
        seen = await until(connection, "conversation.item.input_audio_transcription.completed")
        assert {e.session.type for e in seen if e.type.startswith("session.")} == {"transcription"}
        assert seen[-1].transcript == "I have a question."
        assert seen[-1].usage.type == "duration"
        assert not any(e.type.startswith("response.") for e in seen)


async def test_a_wrong_key_is_told_by_an_event() -> None:
    async with (
        a_server() as server,
        AsyncOpenAI(api_key="sk-wrong", base_url=server.url) as client,
        client.realtime.connect(model=MODEL) as connection,
    ):
        (event,) = await until(connection, "error")
        assert event.error.code == "invalid_api_key"
        assert KEY not in str(event)


async def test_the_first_reports_log_comes_out_of_the_server() -> None:
    """What that client did: it answered speech with a cancel, which the server had done already,
    and with a truncate that lacked two fields. The second's fault of shape came first."""
    options = Options(processing_us=60_000)
    async with (
        a_server(story_that_stalls(), says("Yes?"), options=options) as server,
        sdk(server) as connection,
    ):
        await say(connection, "Tell me a story.")
        item_id = (await until(connection, "response.output_audio.delta"))[-1].item_id
        # A second of silence and the beginning of a sentence: the user goes on speaking.
        await speak(connection, user_speech()[: 2 * RATE * 18 // 10])
        await until(connection, "input_audio_buffer.speech_started")
        await connection.response.cancel()
        broken: Any = {"type": "conversation.item.truncate", "item_id": item_id}
        await connection.send(broken)
        seen: list[Any] = []
        while [e.type for e in seen].count("error") < 2:
            seen.append(await connection.recv())
        assert [event.type for event in seen if event.type != "rate_limits.updated"] == [
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
            "error",
            "error",
        ]
        errors = [event.error for event in seen if event.type == "error"]
        assert [(error.code, error.message, error.param) for error in errors] == [
            (
                "missing_required_parameter",
                "Missing required parameter: 'content_index'.",
                "content_index",
            ),
            ("response_cancel_not_active", "Cancellation failed: no active response found", None),
        ]
