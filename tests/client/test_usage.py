"""What a session cost, over the socket of the local server: the server's words, added up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.server.serving_rig import a_server, says, story_that_stalls

import bargein
from bargein import events
from bargein.audio.virtual import VirtualPlayer, VirtualRecorder
from bargein.core.usage import UsageTotal


def costs(raw: list[Any]) -> list[events.Usage]:
    """What the server said that its responses cost, in order."""
    found = []
    for passed in raw:
        if isinstance(passed, bargein.Passed) and isinstance(passed.event, events.ResponseDone):
            assert isinstance(passed.event.response.usage, events.Usage)
            found.append(passed.event.response.usage)
    return found


async def until_over(raw: bargein.Subscription[bargein.Passed], count: int) -> list[events.Usage]:
    """What so many responses cost."""
    seen: list[Any] = []
    while len(costs(seen)) < count:
        seen.append(await anext(raw))
    return costs(seen)


async def test_whole_aside_and_cancelled_responses_are_in_the_sum() -> None:
    replies = (
        {"when": "Hello", "outputs": [{"write": "Hello."}]},
        {"when": "story", **story_that_stalls(500)},
        {"outputs": [{"write": "By the way."}]},
    )
    async with (
        a_server(*replies) as server,
        bargein.connect(
            url=server.url, api_key=server.api_key, session={"output_modalities": ["audio"]}
        ) as s,
    ):
        raw, floor = s.events(), s.notices(bargein.FloorChanged)
        first = await s.say("Hello?")
        await first.done()
        item = {"type": "message", "role": "user", "content": []}
        aside = await s.respond(response={"conversation": "none", "input": [item]})
        await aside.done()
        cut = await s.say("Tell me a story.")
        await anext(floor)
        await s.interrupt()
        await cut.done()
        usages = await until_over(raw, 3)
        total = s.usage
    assert [reply.usage for reply in (first, aside, cut)] == [
        UsageTotal.of_response(usage) for usage in usages
    ]
    assert cut.usage.output_audio_tokens > 0
    assert total.responses == 3
    for name in ("total_tokens", "input_tokens", "output_tokens"):
        assert getattr(total, name) == sum(getattr(usage, name) for usage in usages) > 0
    assert total.output_audio_tokens == cut.usage.output_audio_tokens
    assert total.spoken_ms > 50 * (cut.usage.output_audio_tokens - 1)


async def test_a_reply_with_tools_costs_what_all_its_responses_do() -> None:
    @bargein.tool
    def weather() -> str:
        """Tell the weather."""
        return "rain"

    replies = (
        {"when": "weather", "outputs": [{"call": "weather", "arguments": {}}]},
        {"after_call": "weather", "outputs": [{"write": "Take a coat."}]},
        {"outputs": [{"write": "Hello."}]},
    )
    async with (
        a_server(*replies) as server,
        bargein.connect(url=server.url, api_key=server.api_key, tools=[weather]) as session,
    ):
        reply = await session.say("What is the weather?")
        await reply.done()
    assert reply.usage.responses == 2
    assert reply.usage == session.usage


@pytest.mark.parametrize(
    ("model", "field"),
    [("whisper-1", "transcribed_s"), ("gpt-4o-mini-transcribe", "transcription_input_tokens")],
)
async def test_transcriptions_cost_seconds_or_tokens(model: str, field: str) -> None:
    session_json = {"audio": {"input": {"transcription": {"model": model}}}}
    async with (
        a_server(says("Yes?"), script={"hears": ["Wait."]}) as server,
        bargein.connect(
            url=server.url,
            api_key=server.api_key,
            session=session_json,
            turns=bargein.PushToTalk(),
            audio=bargein.Audio(VirtualPlayer(), VirtualRecorder()),
        ) as s,
    ):
        transcripts = s.notices(bargein.Transcript)
        async with s.push_to_talk():
            await asyncio.sleep(0.3)
        async for told in transcripts:
            if isinstance(told, bargein.Transcript) and told.role == "user" and told.final:
                break
        total = s.usage
        turn = s.conversation[0]
    assert total.transcriptions == 1
    assert getattr(total, field) > 0
    assert total.listened_ms == turn.content[0].sound_ms
