"""Scenarios 27 to 33, 50 and 53 between the session and the local server: over a real socket where
nothing depends on time, and on a clock of our own where a user speaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.hosted import Hosted, hosted

import bargein
from bargein import events
from bargein.audio.virtual import VirtualPlayer, VirtualRecorder
from bargein.client.session import Session
from bargein.server.engines.base import Batch, Engine
from bargein.server.engines.espeak import speak
from bargein.server.engines.scenario import Scenario
from bargein.server.model import score
from bargein.server.model.commands import StartEngine
from bargein.server.model.score import Step
from bargein.server.serving import serve_local

WAIT_S = 20
"""Beyond this a test has failed; nothing is decided by it."""

CALL = {"call": "weather", "arguments": {"city": "Rome"}}
STORY = "Once upon a time there was a fox who lived by the sea and counted the boats."


def scenario(*outputs: dict[str, Any], **keys: Any) -> Scenario:
    """The model calls when it is asked about the weather, and speaks about what it is told."""
    replies = [
        {"when": "weather", "outputs": [*outputs, CALL]},
        {"after_call": "weather", "outputs": [{"write": "Take a coat."}]},
        {"outputs": [{"write": "Hello."}]},
    ]
    return Scenario.of({"first_event_after_ms": 0, "replies": replies, **keys})


@dataclass(slots=True)
class Wire:
    """What went both ways, as far as it is asked about here."""

    sent: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def follow(self, session: Session) -> None:
        async for passed in session.events():
            assert isinstance(passed, bargein.Passed)
            event = passed.event
            if passed.direction == "received":
                if isinstance(event, events.Error):
                    self.errors.append(event.error.message)
                elif isinstance(event, events.ResponseCreated | events.ResponseDone):
                    self.sent.append(events.type_of(event))
            elif isinstance(event, events.ConversationItemCreate):
                self.sent.append(events.type_of(event.item))
            elif isinstance(event, events.ResponseCreate):
                self.sent.append("create")

    def count(self, kind: str) -> int:
        return self.sent.count(kind)


@asynccontextmanager
async def watched(session: Session, *refusals: str) -> AsyncGenerator[Wire, None]:
    """No refusal comes but these, in their order."""
    wire = Wire()
    following = asyncio.create_task(wire.follow(session))
    await asyncio.sleep(0)
    try:
        yield wire
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert len(wire.errors) == len(refusals)
    assert all(part in whole for part, whole in zip(refusals, wire.errors, strict=True))


class CutOffCall(Engine):
    """Its first answer runs into the limit of tokens in the middle of a call."""

    def __init__(self) -> None:
        self.asked = 0

    async def respond(self, request: StartEngine) -> AsyncGenerator[Batch, None]:
        self.asked += 1
        if self.asked == 1:
            cut_off = score.Arguments('{"to":"bob","amount":10')
            end = score.EndIncomplete("max_output_tokens")
            yield Batch((Step(score.OpenCall("pay")), Step(cut_off), Step(end)))
        else:
            said = score.SayText("That did not work."), score.ClosePart(), score.CloseMessage()
            begun = score.OpenMessage(), score.OpenPart("text")
            yield Batch(tuple(Step(action) for action in (*begun, *said)))


async def test_a_call_that_the_service_cut_off_is_closed_and_spoken_about() -> None:
    """Scenario 27."""

    def pay(to: str, amount: int) -> None:
        raise AssertionError("it is not run")

    async with (
        serve_local(engine=CutOffCall) as server,
        bargein.connect(url=server.url, api_key=server.api_key, tools=[pay]) as session,
        watched(session) as wire,
        asyncio.timeout(WAIT_S),
    ):
        told = session.notices(bargein.ToolCalled, bargein.ToolAnswered)
        assert await (await session.say("Pay Bob.")).text() == "That did not work."
        answered = await anext(told)
        (held,) = server.sessions.values()
        memory = [(item.kind, item.status) for item in held.machine.memory]
    assert isinstance(answered, bargein.ToolAnswered) and answered.status == "incomplete"
    assert ("function_call", "incomplete") in memory
    assert [kind for kind, _ in memory].count("function_call_output") == 1
    assert wire.count("create") == 2


def test_a_user_who_speaks_over_a_tool_is_answered_and_the_result_is_in_that_answer() -> None:
    """Scenario 28: 3 s of a tool, and speech from its 1st second on; the service replies."""
    over = asyncio.Event()

    async def weather(city: str) -> str:
        await asyncio.sleep(3)
        over.set()
        return "rain"

    async def body(server: Hosted) -> None:
        player, recorder = VirtualPlayer(), VirtualRecorder()
        audio = bargein.Audio(player, recorder)
        async with server.connect(audio=audio, tools=[weather]) as session:
            async with watched(session) as wire:
                told = session.notices(bargein.ToolCalled)
                await session.say("What is the weather?")
                await anext(told)
                await asyncio.sleep(1)
                speech = speak("And, you know, tell me the story of the fox by the sea as well.")
                recorder.say(speech.pcm, speech.rate)
                before = wire.count("create")
                async for floor in session.notices(bargein.FloorChanged):
                    if floor == bargein.FloorChanged("user"):
                        break
                assert not over.is_set(), "heard at once, while the tool runs"
                await over.wait()
                await asyncio.sleep(0.1)
                assert session._mirror.conversation.items[-1].type != "message"
                assert wire.count("function_call_output") == 1
                await asyncio.sleep(20)
                assert wire.count("create") == before, "the turn's own reply has seen the result"
                outputs = [one for one in session.conversation if one.payload == "rain"]
                assert len(outputs) == 1

    hosted(body, scenario=scenario({"say": "Let me look."}))


@pytest.mark.parametrize("stop", ["interrupt", "typed"])
def test_a_call_whose_response_is_cut_while_it_speaks_leaves_nothing_dangling(stop: str) -> None:
    """Scenario 30: the tool of the same response runs already, and is cancelled."""
    cancelled = asyncio.Event()

    @bargein.tool(at_barge_in="cancel")
    async def weather(city: str) -> str:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()
        return "rain"

    async def body(server: Hosted) -> None:
        audio = bargein.Audio(VirtualPlayer())
        async with server.connect(audio=audio, tools=[weather]) as session:
            async with watched(session) as wire:
                told = session.notices(bargein.ToolCalled, bargein.ToolAnswered)
                await session.say("What is the weather?")
                assert isinstance(await anext(told), bargein.ToolCalled)
                await asyncio.sleep(0.5)
                if stop == "interrupt":
                    assert await session.interrupt() is not None
                else:
                    assert await (await session.say("Never mind.")).text() == "Hello."
                answered = await anext(told)
                assert isinstance(answered, bargein.ToolAnswered)
                assert (answered.status, cancelled.is_set()) == ("cancelled", True)
                await asyncio.sleep(10)
                assert wire.count("function_call_output") == 1
                assert wire.count("create") == (1 if stop == "interrupt" else 2)

    hosted(body, scenario=scenario({"say": STORY}, speed=50))


async def test_a_fast_tool_is_answered_and_spoken_about_without_a_refusal() -> None:
    """Scenario 29: the output is there before `response.done`, the create is not."""

    async def weather(city: str) -> str:
        return "rain"

    async with (
        serve_local(scenario({"write": "Let me look."})) as server,
        bargein.connect(url=server.url, api_key=server.api_key, tools=[weather]) as session,
        watched(session) as wire,
        asyncio.timeout(WAIT_S),
    ):
        reply = await session.say("What is the weather?")
        assert await reply.text() == "Let me look. Take a coat."
    creates = [index for index, kind in enumerate(wire.sent) if kind == "create"]
    assert len(creates) == 2
    assert "response.done" in wire.sent[creates[0] : creates[1]]


async def test_a_tool_that_raises_ends_as_an_error_and_the_session_goes_on() -> None:
    """Scenario 31."""

    def weather(city: str) -> str:
        raise OSError("/etc/secret is not there")

    async with (
        serve_local(scenario()) as server,
        bargein.connect(url=server.url, api_key=server.api_key, tools=[weather]) as session,
        watched(session),
        asyncio.timeout(WAIT_S),
    ):
        for _ in range(2):
            told = session.notices(bargein.ToolAnswered)
            assert await (await session.say("What is the weather?")).text() == "Take a coat."
            answered = await anext(told)
            assert isinstance(answered, bargein.ToolAnswered)
            assert (answered.status, "secret" in answered.output) == ("failed", False)
        assert await (await session.say("Hi.")).text() == "Hello."


def test_a_tool_that_hangs_is_spoken_about_after_its_time_and_answered_once() -> None:
    """Scenario 32: it says something after all, when nobody waits for it any more."""

    @bargein.tool(timeout_s=30)
    async def weather(city: str) -> str:
        try:
            await asyncio.sleep(300)
        except asyncio.CancelledError:
            await asyncio.sleep(5)
        return "rain"

    async def body(server: Hosted) -> None:
        async with server.connect(tools=[weather]) as session:
            async with watched(session) as wire:
                told = session.notices(bargein.ToolAnswered)
                loop = asyncio.get_running_loop()
                began_s = loop.time()
                assert await (await session.say("What is the weather?")).text() == "Take a coat."
                assert 30 <= loop.time() - began_s < 32
                await asyncio.sleep(60)
                statuses = [getattr(await anext(told), "status", "") for _ in range(2)]
                assert statuses == ["timed_out", "late"]
                assert wire.count("function_call_output") == 1

    hosted(body, scenario=scenario())


def test_an_approval_that_waits_is_withdrawn_by_an_interruption_and_its_callback_ends() -> None:
    """Scenario 33: minutes pass, then the user does not want to hear the rest."""
    asked, ended = asyncio.Event(), asyncio.Event()

    async def approve(call: bargein.ToolCall) -> bool:
        asked.set()
        try:
            await asyncio.sleep(600)
        finally:
            ended.set()
        return True

    @bargein.tool(approval=True)
    async def weather(city: str) -> str:
        raise AssertionError("it is not run")

    async def body(server: Hosted) -> None:
        audio = bargein.Audio(VirtualPlayer())
        async with server.connect(audio=audio, tools=[weather], approve=approve) as session:
            async with watched(session) as wire:
                told = session.notices(bargein.ToolAnswered)
                await session.say("What is the weather?")
                await asked.wait()
                assert await session.interrupt() is not None
                answered = await anext(told)
                assert getattr(answered, "status", "") == "cancelled"
                await asyncio.sleep(700)
                assert (ended.is_set(), wire.count("function_call_output")) == (True, 1)
                assert wire.count("create") == 1

    hosted(body, scenario=scenario({"say": STORY}, speed=50))


def test_a_turn_and_a_result_that_wait_for_the_floor_get_one_reply_when_it_is_free() -> None:
    """Scenarios 50 and 53: while the assistant speaks the service can answer neither."""

    async def weather(city: str) -> str:
        return "rain"

    async def body(server: Hosted) -> None:
        audio = bargein.Audio(VirtualPlayer(), recorder := VirtualRecorder())
        turns = bargein.ServerVad(interrupt_response=False)
        async with server.connect(
            audio=audio, tools=[weather], turns=turns, barge_in="keep_talking"
        ) as session:
            async with watched(session, "already has an active response") as wire:
                await session.say("What is the weather?")
                await asyncio.sleep(0.5)
                speech = speak("Hm, I see.")
                recorder.say(speech.pcm, speech.rate)
                await asyncio.sleep(60)
                assert wire.count("response.created") == 2, "the question's, and one for the rest"
                assert wire.count("create") == 2

    # As long in the making as it sounds: the turn ends while the response is open.
    hosted(body, scenario=scenario({"say": STORY * 2}, speed=1))
