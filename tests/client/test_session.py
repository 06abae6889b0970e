"""The public face over a scripted machine: asks, replies, listeners, ends."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, assert_type

import pytest
from tests.driver_rig import LoggingPlayer, Scripted, others, settle
from tests.virtual_loop import run

from bargein import events
from bargein.client.board import Board
from bargein.client.config import PushToTalk
from bargein.client.reply import Reply
from bargein.client.session import Session
from bargein.core import asks
from bargein.core import commands as cmd
from bargein.core import inputs as inp
from bargein.core import notices as note
from bargein.core.conversation import Conversation
from bargein.core.settings import Settings
from bargein.core.usage import UsageTotal
from bargein.driver.limits import Limits
from bargein.driver.loop import Driver
from bargein.driver.ports import Passed
from bargein.errors import (
    LocalProtocolError,
    LocalValueError,
    RemoteProtocolError,
    TransportError,
)
from bargein.transports.memory import pair

Answers = Callable[[int, asks.Ask], Sequence[cmd.Command]]
RECORD = note.Interruption("cut_1", ("interrupt",), ("r",), 0, (), 0, None)


class Stage:
    """A session over a machine that answers asks as `answers` says."""

    def __init__(
        self,
        answers: Answers | None = None,
        *,
        settings: Settings | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.answers = answers or (lambda ask_id, ask: [cmd.Answer(ask_id)])
        self.machine = Scripted(self._react)
        self.conversation = Conversation()
        self.usage = UsageTotal(responses=7)
        near, self.peer = pair()
        self.board = Board()
        limits = limits or Limits()
        self.driver = Driver(self.machine, near, LoggingPlayer(), None, self.board, limits=limits)
        self.session = Session(self, self.driver, self.board, settings or Settings(), limits)
        self.task = asyncio.create_task(self._run())

    def words_heard(self, item_id: str) -> str:
        return f"heard of {item_id}"

    async def _run(self) -> None:
        failure: BaseException | None = None
        try:
            await self.driver.run()
        except Exception as error:
            failure = error
        self.board.finish(failure)

    def _react(self, happened: inp.Input) -> Sequence[cmd.Command]:
        match happened:
            case inp.Asked(ask_id=ask_id, ask=asks.Leave()):
                return [cmd.Close(), cmd.Answer(ask_id)]
            case inp.Asked(ask_id=ask_id, ask=ask):
                return self.answers(ask_id, ask)
            case inp.PipeClosed(code=code, reason=reason):
                return [cmd.Notify(note.Lost(code, reason))]
            case _:
                return ()

    def tell(self, *notices: note.Notice) -> None:
        for each in notices:
            self.board.notify(each)

    def asked(self) -> list[asks.Ask]:
        return [s.ask for s in self.machine.seen if isinstance(s, inp.Asked)]


def never(ask_id: int, ask: asks.Ask) -> Sequence[cmd.Command]:
    return ()


def refusing(kind: str, code: str | None = None) -> Answers:
    return lambda ask_id, ask: [cmd.Answer(ask_id, None, "because", kind, code)]


def staged(body: Callable[[Stage], Awaitable[None]], **options: Any) -> None:
    """Run the body on a stage; afterwards the session is closed and nothing may be left."""

    async def main() -> None:
        stage = Stage(**options)
        await settle()
        await body(stage)
        await stage.session.close()
        await stage.task
        assert not others()

    run(main())


def test_a_reply_follows_its_own_ask_from_its_beginning_to_its_end() -> None:
    async def body(stage: Stage) -> None:
        first = await stage.session.say("one")
        second = await stage.session.respond("two")
        assert stage.asked() == [
            asks.Say("one"),
            asks.Respond(events.ResponseParams(instructions="two")),
        ]
        assert (first.id, first.over) == (None, False)
        stage.tell(note.TurnStarted("assistant", None, "resp_b", (2,)))
        assert (first.id, second.id) == (None, "resp_b")
        end = note.TurnEnded("assistant", "completed", None, "resp_b", (2,), "words")
        stage.tell(end)
        assert await second.done() is end
        assert await second.text() == "words"
        assert not first.over

    staged(body)


def test_one_response_may_answer_several_asks() -> None:
    async def body(stage: Stage) -> None:
        replies = [await stage.session.say(f"{n}") for n in range(3)]
        stage.tell(note.TurnEnded("assistant", "completed", None, "resp", (1, 2, 3), "x"))
        assert [await reply.text() for reply in replies] == ["x"] * 3
        assert {reply.id for reply in replies} == {"resp"}

    staged(body)


@pytest.mark.parametrize("status", ["cancelled", "incomplete", "superseded", "failed"])
def test_a_reply_that_was_cut_or_given_up_ends_with_its_status(status: str) -> None:
    async def body(stage: Stage) -> None:
        reply = await stage.session.say("one")
        stage.tell(note.TurnEnded("assistant", status, None, None, (1,), "par"))
        assert (await reply.done()).status == status

    staged(body)


def test_a_reply_that_the_service_refused_raises_its_words() -> None:
    async def body(stage: Stage) -> None:
        reply = await stage.session.say("one")
        fault = note.Fault("theirs", "too_long", "Conversation is too long", "input")
        stage.tell(fault, note.TurnEnded("assistant", "refused", None, None, (1,)))
        with pytest.raises(RemoteProtocolError, match="too long") as raised:
            await reply.text()
        assert (raised.value.code, raised.value.param) == ("too_long", "input")

    staged(body)


def test_a_reply_that_is_cancelled_is_given_up_by_its_ask_and_only_while_it_lives() -> None:
    async def body(stage: Stage) -> None:
        reply = await stage.session.say("one")
        await reply.cancel()
        stage.tell(note.TurnEnded("assistant", "cancelled", None, "r", (1,)))
        await reply.cancel()
        assert stage.asked() == [asks.Say("one"), asks.CancelReply(1)]

    staged(body)


def test_an_ask_that_is_wrong_by_itself_raises_where_it_was_made() -> None:
    async def body(stage: Stage) -> None:
        for ask in (
            stage.session.say("x"),
            stage.session.respond(),
            stage.session.interrupt(),
            stage.session.mute(),
            stage.session.update(voice="v"),
            stage.session.send({"type": "response.cancel"}),
        ):
            with pytest.raises(LocalProtocolError, match="because"):
                await ask

    staged(body, answers=refusing("local"))


@pytest.mark.parametrize(
    ("kind", "error"), [("refused", RemoteProtocolError), ("lost", TransportError)]
)
def test_whose_fault_an_answer_is_shows_in_the_type(kind: str, error: type[Exception]) -> None:
    async def body(stage: Stage) -> None:
        with pytest.raises(error, match="because"):
            await stage.session.update(instructions="x")

    staged(body, answers=refusing(kind, "some_code"))


def test_asks_give_what_the_machine_answers() -> None:
    async def body(stage: Stage) -> None:
        assert await stage.session.interrupt() is RECORD
        await stage.session.unmute()
        await stage.session.hold()
        await stage.session.resume()
        await stage.session.say("x", reply=False)
        assert stage.asked()[1:] == [
            asks.Mute(False),
            asks.Hold(),
            asks.Resume(),
            asks.Say("x", reply=False),
        ]
        assert stage.session.usage == UsageTotal(responses=7)
        assert stage.session.conversation.items == ()

    staged(body, answers=lambda ask_id, ask: [cmd.Answer(ask_id, RECORD)])


@pytest.mark.parametrize("text", ["\ud83d", b"bytes", None])
def test_what_is_no_text_is_refused_before_anything_is_sent(text: Any) -> None:
    async def body(stage: Stage) -> None:
        with pytest.raises(LocalValueError, match="text"):
            await stage.session.say(text)
        assert stage.asked() == []

    staged(body)


def test_any_wait_may_be_cancelled_and_the_answer_then_harms_nobody() -> None:
    async def body(stage: Stage) -> None:
        session = stage.session
        reply = await session.say("one")
        waits: list[Callable[[], Awaitable[object]]] = [
            session.interrupt,
            session.mute,
            lambda: session.update(voice="v"),
            lambda: session.send({"type": "response.cancel"}),
            reply.cancel,
            reply.done,
            lambda: anext(aiter(session)),
        ]
        for wait in waits:
            for turns in range(4):
                waiting = asyncio.ensure_future(wait())
                await settle(turns)
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
        assert len(stage.asked()) > 10
        for ask_id in range(1, len(stage.asked()) + 1):
            error = ("late", "local") if ask_id % 2 else (None, None)
            stage.board.answer(cmd.Answer(ask_id, None, *error))
        for turns in range(4):
            leaving = asyncio.ensure_future(session.close())
            await settle(turns)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        assert isinstance(reply, Reply)

    staged(body, answers=never)


class Break(Exception):
    pass


@pytest.mark.parametrize("how", ["left", "raised", "cancelled", "cancelled while pressing"])
def test_the_button_is_released_in_whatever_way_the_block_is_left(how: str) -> None:
    async def body(stage: Stage) -> None:
        if how == "cancelled while pressing":
            stage.answers = never

        async def press() -> None:
            async with stage.session.push_to_talk():
                if how == "raised":
                    raise Break
                if how == "cancelled":
                    await asyncio.sleep(100)

        pressing = asyncio.ensure_future(press())
        await settle()
        if "cancelled" in how:
            pressing.cancel()
            await settle()
            stage.board.answer(cmd.Answer(2, False))
        (end,) = await asyncio.gather(pressing, return_exceptions=True)
        assert isinstance(
            end,
            {"left": type(None), "raised": Break}.get(how, asyncio.CancelledError),
        )
        assert stage.asked() == [asks.Press(), asks.Release()]

    staged(body)


def test_a_button_that_could_not_be_pressed_is_not_released() -> None:
    async def body(stage: Stage) -> None:
        with pytest.raises(LocalProtocolError):
            async with stage.session.push_to_talk():
                pytest.fail("it was not pressed")
        assert stage.asked() == [asks.Press()]

    staged(body, answers=refusing("local"))


@pytest.mark.parametrize("enough", [True, False])
def test_a_released_button_leads_to_a_reply_if_enough_was_said(enough: bool) -> None:
    async def body(stage: Stage) -> None:
        async with stage.session.push_to_talk() as pressed:
            before = pressed.reply
        assert before is None
        assert (pressed.reply is not None) is enough
        stage.tell(note.TurnEnded("assistant", "completed", None, "r", (2,), "yes"))
        if pressed.reply is not None:
            assert await pressed.reply.text() == "yes"

    staged(body, answers=lambda ask_id, ask: [cmd.Answer(ask_id, enough)])


def test_update_refuses_turns_that_the_session_cannot_take() -> None:
    async def body(stage: Stage) -> None:
        with pytest.raises(LocalProtocolError, match="turns"):
            await stage.session.update(turns=PushToTalk())
        with pytest.raises(LocalProtocolError, match="keep_talking"):
            await stage.session.update(turns=events.ServerVad())
        assert stage.asked() == []
        await stage.session.update(turns=events.ServerVad(interrupt_response=False))
        assert len(stage.asked()) == 1

    staged(body, settings=Settings(barge_in="keep_talking"))


def test_every_listener_gets_the_notices_it_asked_for() -> None:
    async def body(stage: Stage) -> None:
        lost = stage.session.notices(note.Lost, note.FloorChanged)
        words = stage.session.notices(note.Transcript)
        assert_type(await _first(words, stage), note.Transcript | note.Dropped)
        stage.tell(note.FloorChanged("user"))
        assert await anext(lost) == note.FloorChanged("user")
        everything = aiter(stage.session)
        assert await anext(everything) == note.Transcript("user", "i", "t", True)
        assert await anext(aiter(stage.session)) == note.FloorChanged("user")

    async def _first(words: Any, stage: Stage) -> note.Transcript | note.Dropped:
        stage.tell(note.Transcript("user", "i", "t", True))
        got: note.Transcript | note.Dropped = await anext(words)
        return got

    staged(body)


def test_a_listener_that_lags_loses_the_oldest_and_nobody_else_does() -> None:
    async def body(stage: Stage) -> None:
        slow = stage.session.notices()
        await settle()
        for n in range(25):
            stage.tell(note.Transcript("user", f"{n}", "", True))
            assert await anext(aiter(stage.session)) == note.Transcript("user", f"{n}", "", True)
        assert await anext(slow) == note.Dropped("notices", 15)
        assert await anext(slow) == note.Transcript("user", "15", "", True)

    staged(body, limits=Limits(notices=10))


def test_a_listener_that_nobody_holds_costs_nothing() -> None:
    async def body(stage: Stage) -> None:
        for _ in range(100):
            stage.session.notices()
            stage.session.events()
        gc.collect()
        assert len(stage.board._notices) == 1
        assert len(stage.board._events) == 0

    staged(body)


def test_raw_events_are_told_both_ways() -> None:
    async def body(stage: Stage) -> None:
        raw = stage.session.events()
        await stage.session.send({"type": "response.cancel"})
        await stage.peer.send('{"type":"surprise","x":1}')
        assert await anext(raw) == Passed("sent", events.ResponseCancel())
        got = await anext(raw)
        assert isinstance(got, Passed)
        assert got.direction == "received"
        assert isinstance(got.event, events.Unknown)

    def send(ask_id: int, ask: asks.Ask) -> Sequence[cmd.Command]:
        assert isinstance(ask, asks.SendEvent)
        return [cmd.Send(ask.event), cmd.Answer(ask_id)]

    staged(body, answers=send)


def test_a_session_that_is_lost_tells_everybody_who_waits() -> None:
    async def body(stage: Stage) -> None:
        reply = await stage.session.say("x")
        asking = asyncio.ensure_future(stage.session.interrupt())
        await settle()
        await stage.peer.close(1011, "internal")
        for wait in (asking, reply.done(), stage.session.mute(), stage.session.say("y")):
            with pytest.raises(TransportError, match="internal") as raised:
                await wait
            assert raised.value.code == 1011
        assert [n async for n in stage.session] == [note.Lost(1011, "internal")]

    staged(body, answers=never)


def test_a_crash_is_raised_to_those_who_listen_and_is_the_cause_for_those_who_ask() -> None:
    async def body(stage: Stage) -> None:
        reply = await stage.session.say("x")

        def crash(ask_id: int, ask: asks.Ask) -> Sequence[cmd.Command]:
            raise Break("in the machine")

        stage.answers = crash
        with pytest.raises(TransportError, match="Break") as raised:
            await stage.session.interrupt()
        assert isinstance(raised.value.__cause__, Break)
        await settle()
        with pytest.raises(Break):
            await anext(aiter(stage.session))
        with pytest.raises(TransportError):
            await reply.done()
        assert stage.board.untold_failure() is None

    staged(body)


def test_an_answer_that_nobody_waits_for_is_not_reported_as_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body(stage: Stage) -> None:
        for answers in (refusing("local"), never):
            stage.answers = answers
            for wait in (stage.session.mute, stage.session.interrupt):
                waiting = asyncio.ensure_future(wait())
                await settle(1)
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
            stage.session._begin(asks.Mute(True))
        await stage.peer.close()

    staged(body)
    gc.collect()
    assert not caplog.records


def test_a_crash_that_nobody_was_told_of_is_kept_for_the_end() -> None:
    async def main() -> None:
        stage = Stage()
        await settle()
        stage.driver.feed(inp.Asked(99, asks.Leave()))
        stage.board.finish(Break())
        assert isinstance(stage.board.untold_failure(), Break)
        await stage.task

    run(main())


def test_a_session_that_does_not_end_by_itself_is_cut_at_its_deadline() -> None:
    async def main() -> None:
        stage = Stage(limits=Limits(close_s=3))
        stage.machine.react = never_close
        await settle()
        start = asyncio.get_running_loop().time()
        await stage.session.close()
        await stage.session.close()
        assert asyncio.get_running_loop().time() - start == pytest.approx(3)
        await stage.task
        assert stage.asked() == [asks.Leave()]
        assert not others()

    def never_close(happened: inp.Input) -> Sequence[cmd.Command]:
        return ()

    run(main())
