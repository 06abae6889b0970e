"""The chat engine before real servers: what it asks of them, and what it makes of their answers."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import Any

import msgspec
import pytest
from tests.server.engines.chat.chat_rig import (
    ALOUD,
    SPOKEN,
    TYPED,
    actions,
    asks,
    fault,
    rig,
    user,
    written,
)
from tests.server.engines.chat.services import (
    DONE,
    chunk,
    event,
    gives,
    refuses,
    says,
    services,
    streams,
    text,
)

from bargein import events
from bargein.secret import Secret
from bargein.server.engines.base import EngineError
from bargein.server.model import heard, score
from bargein.server.model.commands import RemoteTool, StartTranscription
from bargein.units import AudioFormat

KEY = "sk-mind-0123456789abcdef"
LISTEN = StartTranscription("item_u", 0, b"\0\0", AudioFormat.PCM, events.Transcription())


async def test_a_written_answer_streams_as_it_comes() -> None:
    async with rig() as (served, engine):
        served.minds(says("Once ", "upon ", "a time."))
        assert await actions(engine, asks()) == [
            score.OpenMessage(),
            score.OpenPart("text"),
            *map(score.SayText, ("Once ", "upon ", "a time.")),
        ]
        (asked,) = served.asked
    assert asked.body["model"] == "tiny"
    assert asked.body["messages"] == [{"role": "user", "content": "Tell me a story."}]


async def test_the_first_sentence_sounds_while_the_mind_still_thinks() -> None:
    async with rig() as (served, engine):
        served.minds(streams(*text("Once upon a time. ", "There was a")[:2], then="waits"))
        async with asyncio.timeout(20), aclosing(engine.respond(asks(**ALOUD))) as batches:
            async for batch in batches:
                if any(isinstance(step.action, score.Sound) for step in batch.steps):
                    break
            assert served.open_streams == 1
        await served.no_open_streams()


async def test_a_spoken_answer_has_the_place_of_every_word() -> None:
    async with rig() as (served, engine):
        served.minds(says("**Hello** there. ", "How are you today?"))
        made = await actions(engine, asks(**ALOUD))
    words = [action for action in made if isinstance(action, score.Word)]
    samples = sum(len(a.audio) // 2 for a in made if isinstance(a, score.Sound))
    assert "".join(word.text for word in words) == "Hello there. How are you today?"
    assert written(made) == "Hello there. How are you today?"
    ends = [word.end_sample for word in words]
    assert ends == sorted(ends) and 0 < ends[0] and ends[-1] <= samples
    assert made[:2] == [score.OpenMessage(), score.OpenPart("audio")]


async def test_what_was_said_before_a_call_sounds_before_it() -> None:
    call = {"index": 0, "id": "c0", "function": {"name": "weather", "arguments": "{}"}}
    async with rig() as (served, engine):
        calls = chunk({"tool_calls": [call]})
        served.minds(streams(*text("Let me look")[:1], calls, chunk(finish="tool_calls"), DONE))
        made = await actions(engine, asks(**ALOUD))
    kinds = [type(action) for action in made]
    assert kinds.index(score.Sound) < kinds.index(score.OpenCall)
    assert made[-2:] == [score.Arguments("{}"), score.CloseCall()]


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
async def test_an_answer_that_was_cut_short_is_incomplete(finish: str, reason: Any) -> None:
    async with rig() as (served, engine):
        served.minds(says("Once upon", finish=finish))
        made = await actions(engine, asks(max_output_tokens=3))
        assert served.asked[0].body["max_tokens"] == 3
    assert made[-1] == score.EndIncomplete(reason)


async def test_what_the_server_counted_is_told() -> None:
    usage = {
        "prompt_tokens": 70,
        "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 64},
    }
    async with rig() as (served, engine):
        served.minds(streams(*text("Hi.")[:2], event({"choices": [], "usage": usage}), DONE))
        assert score.Cost(70, 9, 64) in await actions(engine, asks())


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (429, {"error": {"message": "Slow down", "code": None}}, "rate_limit_exceeded"),
        (429, {"error": {"code": "insufficient_quota"}}, "insufficient_quota"),
        (500, "<html>Oops</html>", "server_error"),
        (503, {"detail": "loading"}, "server_error"),
        (401, {"error": {"message": f"Incorrect API key: {KEY}"}}, "invalid_api_key"),
        (404, {"error": "model 'tiny' not found"}, "model_not_found"),
        (400, {"error": {"code": "context_length_exceeded"}}, "context_length_exceeded"),
        (307, "", "server_error"),
    ],
)
async def test_a_refusal_is_a_failure_with_the_code_that_clients_know(
    status: int, body: Any, code: str
) -> None:
    async with rig(chat_key=Secret(KEY)) as (served, engine):
        served.minds(refuses(status, body))
        error = await fault(engine)
        assert served.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert error.code == code
    assert str(status) in str(error) and KEY not in str(error)


async def test_a_stream_that_breaks_says_so_after_what_it_had_said() -> None:
    async with rig() as (served, engine):
        served.minds(streams(*text("Once upon")[:1], then="breaks"))
        made: list[score.Action] = []
        with pytest.raises(EngineError, match="broke off") as caught:
            async for batch in engine.respond(asks()):
                made += [step.action for step in batch.steps]
    assert written(made) == "Once upon" and caught.value.code == "server_error"


async def test_a_stream_that_ends_without_an_end_is_broken() -> None:
    async with rig() as (served, engine):
        served.minds(streams(*text("Once upon")[:1]))
        assert "broke off" in str(await fault(engine))


async def test_an_error_in_the_stream_is_the_responses() -> None:
    async with rig() as (served, engine):
        error = {"message": "Overloaded", "code": "rate_limit_exceeded"}
        served.minds(streams(event({"error": error})))
        told = await fault(engine)
    assert told.code == "rate_limit_exceeded" and "Overloaded" in str(told)


@pytest.mark.parametrize("garbage", [b"data: {\n\n", b"data: []\n\n", b"data: \xff\n\n"])
async def test_garbage_is_a_failure(garbage: bytes) -> None:
    async with rig() as (served, engine):
        served.minds(streams(garbage))
        assert "no JSON object" in str(await fault(engine))


async def test_an_answer_of_another_kind_asks_whether_the_url_is_right() -> None:
    async with rig() as (served, engine):
        served.minds(gives("<html>", "text/html"))
        assert "text/html" in str(await fault(engine))


async def test_a_server_that_does_not_stream_is_understood() -> None:
    body = '{"choices": [{"message": {"content": "Hello."}, "finish_reason": "stop"}]}'
    async with rig() as (served, engine):
        served.minds(gives(body, "application/json"))
        assert written(await actions(engine, asks())) == "Hello."


@pytest.mark.parametrize("said", [(), ("Once",)])
@pytest.mark.real_time
async def test_a_mind_that_falls_silent_fails_at_its_deadline(said: tuple[str, ...]) -> None:
    from bargein.server.engines.chat.options import Deadlines

    async with rig(deadlines=Deadlines(first_s=0.3, idle_s=0.2)) as (served, engine):
        pieces = (*text(*said)[: len(said)], ": still here\n\n")
        served.minds(streams(*pieces, then="waits"))
        assert "stopped answering" in str(await fault(engine))
        await served.no_open_streams()


async def test_a_server_that_is_not_there_is_named() -> None:
    async with rig() as (served, engine), services() as gone:
        pass
    async with rig(chat_url=gone.url) as (_, engine):
        error = await fault(engine)
    assert "cannot be reached" in str(error) and gone.url in str(error)
    assert served.asked == []


async def test_a_mind_that_does_not_stop_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bargein.server.engines.chat.mind.MOST_CHARACTERS", 1_000)
    async with rig() as (served, engine):
        served.minds(streams(*text(*["blah "] * 300)[:300], then="waits"))
        assert "does not stop talking" in str(await fault(engine))
        await served.no_open_streams()


async def test_spoken_turns_are_heard_once_and_told_by_their_words() -> None:
    async with rig(hear_url=True) as (served, engine):
        served.minds(says("Yes."))
        served.ears(gives('{"text": "What is that?"}', "application/json"))
        pieces = [piece async for piece in engine.transcribe(LISTEN)]
        await actions(engine, asks(user(SPOKEN)))
        (thought,) = served.asked_of("/chat/completions")
        assert len(served.asked_of("/audio/transcriptions")) == 1
    assert pieces == [heard.Words("What is that?")]
    assert thought.body["messages"] == [{"role": "user", "content": "What is that?"}]


async def test_deaf_ears_fail_the_response_and_the_transcription_by_name() -> None:
    async with rig(hear_url=True) as (served, engine):
        served.ears(refuses(500, {"error": {"message": "no GPU"}}))
        assert "The ear at" in str(await fault(engine, asks(user(SPOKEN))))
        with pytest.raises(EngineError, match="no GPU"):
            _ = [piece async for piece in engine.transcribe(LISTEN)]


async def test_without_ears_a_transcription_fails_and_a_spoken_turn_is_inaudible() -> None:
    async with rig() as (served, engine):
        served.minds(says("Pardon?"))
        await actions(engine, asks(user(SPOKEN)))
        assert served.asked[0].body["messages"][0]["content"] == "[inaudible]"
        with pytest.raises(EngineError) as caught:
            _ = [piece async for piece in engine.transcribe(LISTEN)]
    assert caught.value.code == "no_ears"


async def test_a_mind_that_hears_is_given_the_sound() -> None:
    async with rig(mind_hears=True) as (served, engine):
        served.minds(says("A beep."))
        await actions(engine, asks(user(SPOKEN)))
        ((part,),) = (message["content"] for message in served.asked[0].body["messages"])
    assert part["input_audio"]["format"] == "wav"


async def test_a_transcription_that_is_not_wanted_any_more_leaves_the_server() -> None:
    async with rig(hear_url=True) as (served, engine):
        served.ears(streams(event({"text": "Well"}), then="waits"))
        async with asyncio.timeout(20), aclosing(engine.transcribe(LISTEN)) as pieces:
            assert await anext(pieces) == heard.Words("Well")
        await served.no_open_streams()


async def test_the_end_of_a_response_leaves_the_voice_and_the_mind() -> None:
    async with rig(speak_url=True) as (served, engine):
        served.minds(streams(*text("Once upon a time. ")[:1], then="waits"))
        beep = SPOKEN.audio
        assert isinstance(beep, bytes)
        served.voices(streams(beep, media_type="audio/pcm", then="waits"))
        async with asyncio.timeout(20), aclosing(engine.respond(asks(**ALOUD))) as batches:
            await anext(batches)
            assert served.open_streams == 2
        await served.no_open_streams()


async def test_a_cut_reply_is_told_as_it_was_heard_with_the_mark() -> None:
    reply = events.MessageItem(
        id="item_a", role="assistant", content=(events.OutputAudio(transcript="Once upon"),)
    )
    request = asks(TYPED, reply, user(events.InputText(text="Go on.")), cut=frozenset({"item_a"}))
    async with rig(cut_mark="(cut)") as (served, engine):
        served.minds(says("A time."))
        await actions(engine, request)
        assert served.asked[0].body["messages"][1]["content"] == "Once upon (cut)"


async def test_further_fields_and_the_sessions_model_are_sent() -> None:
    async with rig(chat_model=None, chat_body={"temperature": 0.5}) as (served, engine):
        served.minds(says("Hi."))
        await actions(engine, asks())
        assert served.asked[0].body["model"] == "gpt-realtime"
        assert served.asked[0].body["temperature"] == 0.5


async def test_the_key_is_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with rig(chat_key=Secret(KEY)) as (served, engine):
        served.minds(refuses(401, f"What is {KEY}?"))
        error = await fault(engine)
        assert KEY not in repr(served.options(chat_key=Secret(KEY)))
    assert KEY not in caplog.text + repr(error) + repr(error.__cause__)


async def test_another_servers_ears_do_not_get_the_minds_key() -> None:
    async with services() as ear, rig(chat_key=Secret(KEY), hear_url=ear.url) as (mind, engine):
        mind.minds(says("Yes."))
        ear.ears(gives("Stop.", "text/plain"))
        await actions(engine, asks(user(SPOKEN)))
        assert "authorization" not in ear.asked[0].headers
        assert "authorization" in mind.asked[0].headers


def calls(name: str) -> str:
    call = {"index": 0, "id": "c0", "function": {"name": name, "arguments": "{}"}}
    return chunk({"tool_calls": [call]})


async def test_a_tool_of_an_mcp_server_is_called_by_its_own_name() -> None:
    tool = events.McpListedTool(name="look.at/it", description="Look.")
    request = msgspec.structs.replace(
        asks(), remote_tools=(RemoteTool("museum", tool, needs_approval=True),)
    )
    async with rig() as (served, engine):
        said = text("Let me look")[:1]
        served.minds(streams(*said, calls("look_at_it"), chunk(finish="tool_calls"), DONE))
        made = await actions(engine, request)
        function = {"name": "look_at_it", "description": "Look."}
        assert served.asked[0].body["tools"] == [{"type": "function", "function": function}]
    assert made[-3:] == [
        score.OpenCall("look.at/it", "museum"),
        score.Arguments("{}"),
        score.CloseCall(),
    ]


async def test_what_is_said_behind_a_remote_call_is_a_message_of_its_own() -> None:
    request = msgspec.structs.replace(
        asks(**ALOUD),
        remote_tools=(RemoteTool("a", events.McpListedTool(name="look"), needs_approval=False),),
    )
    async with rig() as (served, engine):
        before, behind = text("Let me look.")[:1], text("It looks fine.")[:1]
        served.minds(streams(*before, calls("look"), *behind, chunk(finish="stop"), DONE))
        made = await actions(engine, request)
    opened = [i for i, action in enumerate(made) if isinstance(action, score.OpenMessage)]
    assert len(opened) == 2
    for start, end in zip(opened, (*opened[1:], len(made)), strict=True):
        words = [each for each in made[start:end] if isinstance(each, score.Word)]
        samples = sum(len(e.audio) // 2 for e in made[start:end] if isinstance(e, score.Sound))
        assert words and words[0].start_sample < words[-1].end_sample <= samples
