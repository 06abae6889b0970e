"""The `openai-agents` package holds conversations with our server: tools, a handoff, interruptions
by its own clock and by its playback tracker, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from agents import function_tool
from agents.realtime import (
    RealtimeAgent,
    RealtimePlaybackTracker,
    RealtimeRunner,
    RealtimeSession,
)
from tests.server.serving_rig import MODEL, chunks, says
from tests.strangers.stage import (
    GREETING,
    HEARS,
    RESULT,
    STALLED,
    STORY_MS,
    YES,
    Stage,
    a_stage,
    user,
)

PATIENCE_S = 40.0


@function_tool
def weather(city: str) -> str:
    """Today's weather."""
    return f"rain in {city}"


def forecaster() -> RealtimeAgent[Any]:
    return RealtimeAgent(name="forecaster", instructions="Be brief.", tools=[weather])


class Talk:
    """A session of the kit, what it tells its application, and a user who speaks."""

    def __init__(self, session: RealtimeSession) -> None:
        self.session = session
        self.told: list[Any] = []
        self._more = asyncio.Event()

    async def listen(self) -> None:
        async for event in self.session:
            self.told.append(event)
            self._more.set()

    async def speak(self) -> None:
        for chunk in chunks(user()):
            await self.session.send_audio(chunk)

    async def until(self, found: Callable[[Any], bool], count: int = 1) -> Any:
        """The nth of all events so far for which this holds."""
        while len(seen := [event for event in self.told if found(event)]) < count:
            self._more.clear()
            await self._more.wait()
        return seen[count - 1]

    def of(self, type: str) -> list[Any]:
        return [event for event in self.told if event.type == type]

    async def done(self, count: int) -> Any:
        """The end of the nth response."""
        return await self.until(wire("response.done"), count)

    @property
    def said(self) -> list[str | None]:
        """The transcripts of what was spoken to the user, as its application would show them."""
        (*_, last) = self.of("history_updated")
        return [
            part.transcript
            for item in last.history
            if getattr(item, "role", "") == "assistant"
            for part in item.content
        ]

    @property
    def heard(self) -> list[str]:
        """The transcripts of what the user said, as they came: each turn's when it is ready."""
        events = [event.data for event in self.of("raw_model_event")]
        type = "input_audio_transcription_completed"
        return [event.transcript for event in events if event.type == type]


def wire(type: str) -> Callable[[Any], bool]:
    """Whether an event shows a frame of this type, as it came."""

    def found(event: Any) -> bool:
        if event.type != "raw_model_event" or event.data.type != "raw_server_event":
            return False
        return bool(event.data.data["type"] == type)

    return found


@asynccontextmanager
async def a_talk(
    stage: Stage, agent: RealtimeAgent[Any], tracker: RealtimePlaybackTracker | None = None
) -> AsyncIterator[Talk]:
    """A session with nothing set but where the server is."""
    config: Any = {"url": f"{stage.url}?model={MODEL}", "api_key": stage.server.api_key}
    if tracker is not None:
        config["playback_tracker"] = tracker
    session = await RealtimeRunner(agent).run(model_config=config)
    async with asyncio.timeout(PATIENCE_S), session:
        talk = Talk(session)
        listening = asyncio.create_task(talk.listen())
        try:
            yield talk
        finally:
            listening.cancel()


async def test_it_holds_the_whole_conversation(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage, a_talk(stage, forecaster()) as talk:
        await talk.speak()
        await talk.done(1)
        assert talk.said == [GREETING]
        await talk.speak()
        await talk.done(3)
        (started,), (ended,) = talk.of("tool_start"), talk.of("tool_end")
        assert (started.arguments, ended.output) == ('{"city": "Paris"}', "rain in Paris")
        assert talk.said[-1] == RESULT
        await talk.speak()
        await talk.until(lambda event: event.type == "audio" and story(stage, event), 4)
        await talk.speak()
        await talk.done(5)
        assert talk.said[-1] == YES
        await talk.until(lambda event: sorted(talk.heard) == sorted(HEARS))
        told = stage.spoken_items[2]
        await talk.until(lambda event: answers_the_cut_of(told, event))
        cuts = stage.asked("conversation.item.truncate")
        assert {cut["item_id"] for cut in cuts} <= {*stage.spoken_items[:3]}
        assert not misread(talk)


def misread(talk: Talk) -> list[Any]:
    """What the kit could not read: it tells that as an error which is none of the service's."""
    return [event.error for event in talk.of("error") if not hasattr(event.error, "code")]


def answers_the_cut_of(item_id: str, event: Any) -> bool:
    """A refusal is one, too: see how the kit rounds, below."""
    if wire("error")(event):
        return "already shorter" in event.data.data["error"]["message"]
    return wire("conversation.item.truncated")(event) and event.data.data["item_id"] == item_id


def story(stage: Stage, event: Any) -> bool:
    return len(stage.spoken_items) >= 3 and bool(event.item_id == stage.spoken_items[2])


async def interrupted(talk: Talk, *, meanwhile: Callable[[str], Awaitable[None]]) -> str:
    """The user lets the story begin and stall, and speaks when `meanwhile` is over: the story's
    id."""
    await talk.speak()
    heard = await talk.until(lambda event: event.type == "audio", 4)
    await meanwhile(heard.item_id)
    await talk.speak()
    await talk.done(2)
    return str(heard.item_id)


async def test_its_playback_tracker_says_where_the_story_is_cut(tmp_path: Path) -> None:
    tracker = RealtimePlaybackTracker()
    async with (
        a_stage(tmp_path, STALLED, says(YES)) as stage,
        a_talk(stage, forecaster(), tracker) as talk,
    ):

        async def play(item_id: str) -> None:
            for _ in range(4):
                tracker.on_play_ms(item_id, 0, 100)

        item_id = await interrupted(talk, meanwhile=play)
        await talk.until(wire("conversation.item.truncated"))
        assert stage.asked("conversation.item.truncate") == [cut(item_id, 400)]
        assert stage.kept_ms(item_id) == [400]
        assert stage.refusals == []


@pytest.mark.real_time
async def test_without_a_tracker_it_rounds_up_and_is_refused_once_all_was_heard(
    tmp_path: Path,
) -> None:
    """Generation stalls, the user hears all that there is, 849.5 ms, and speaks: the kit's clock is
    past the end, so it asks for the received length, rounded up."""
    async with a_stage(tmp_path, STALLED, says(YES)) as stage, a_talk(stage, forecaster()) as talk:

        async def hear(item_id: str) -> None:
            await asyncio.sleep(2 * STORY_MS / 1_000)

        item_id = await interrupted(talk, meanwhile=hear)
        refusal = (await talk.until(lambda event: event.type == "error")).error
        assert stage.asked("conversation.item.truncate") == [cut(item_id, STORY_MS + 1)]
        assert (refusal.type, refusal.code) == ("invalid_request_error", "invalid_value")
        assert refusal.message == "Audio content of 849ms is already shorter than 850ms"
        assert stage.told("conversation.item.truncated") == []


def cut(item_id: str, ms: int) -> dict[str, Any]:
    return {
        "audio_end_ms": ms,
        "content_index": 0,
        "item_id": item_id,
        "type": "conversation.item.truncate",
    }


async def test_it_hands_the_user_over_to_another_agent(tmp_path: Path) -> None:
    teller = RealtimeAgent[Any](name="teller", instructions="Tell stories.")
    desk = RealtimeAgent[Any](name="desk", instructions="Find out.", handoffs=[teller])
    over = {"outputs": [{"call": "transfer_to_teller", "arguments": "{}"}]}
    told = says("Here is the teller.", after_call="transfer_to_teller")
    async with a_stage(tmp_path, over, told) as stage, a_talk(stage, desk) as talk:
        await talk.speak()
        await talk.done(2)
        (handoff,) = talk.of("handoff")
        assert (handoff.from_agent, handoff.to_agent) == (desk, teller)
        assert talk.said == ["Here is the teller."]
        assert "Tell stories." in stage.asked("session.update")[-1]["session"]["instructions"]
        assert stage.refusals == []
        assert not misread(talk)
