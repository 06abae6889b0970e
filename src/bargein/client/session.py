"""The public face of a conversation that stands.

1. Every `await` here may be cancelled: what was asked for stays asked for, and nothing is lost.
2. All methods belong to the loop that the session runs on, and may be called from inside a loop
   over its notices.
3. What the service refuses during the session is a notice (`Fault`). An exception is raised only
   where a caller waits for something that now cannot be.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar, overload

from msgspec import UNSET

from bargein import events
from bargein.capabilities import Interrupts
from bargein.client.board import Board
from bargein.client.config import (
    PushToTalk,
    Truncation,
    Turns,
    check_barge_in,
    client_event,
    merged_session,
    response_params,
    turn_detection_of,
)
from bargein.client.conversation import Conversation
from bargein.client.reply import Pressed, Reply
from bargein.client.subscription import Subscription
from bargein.core import asks
from bargein.core.inputs import Asked
from bargein.core.notices import Interruption, Notice
from bargein.core.settings import Settings
from bargein.core.usage import UsageTotal
from bargein.driver.limits import Limits
from bargein.driver.loop import Driver
from bargein.driver.ports import Mirror, Passed
from bargein.errors import LocalProtocolError, LocalValueError
from bargein.tools.given import sorted_out

A = TypeVar("A", bound=Notice)
B = TypeVar("B", bound=Notice)
C = TypeVar("C", bound=Notice)
D = TypeVar("D", bound=Notice)


class Session:
    """A conversation. `bargein.connect` makes it, runs it, and ends it."""

    def __init__(
        self,
        mirror: Mirror,
        driver: Driver,
        board: Board,
        settings: Settings,
        limits: Limits,
        interrupts: Interrupts = "as_told",
    ) -> None:
        self._mirror, self._driver, self._board = mirror, driver, board
        self._settings, self._limits, self._interrupts = settings, limits, interrupts
        self._all: Subscription[Notice] = self.notices()
        self._conversation = Conversation(mirror, self._begin)
        self._left = False

    @overload
    async def say(self, text: str, reply: Literal[True] = True) -> Reply: ...
    @overload
    async def say(self, text: str, reply: Literal[False]) -> None: ...
    async def say(self, text: str, reply: bool = True) -> Reply | None:
        """The user types. With `reply` this interrupts what is being said, and asks for an answer.

        Returns at once with the reply to wait for; without one, when the message was taken.
        """
        _sendable(text)
        if reply:
            return self._replying(asks.Say(text))
        await self._ask(asks.Say(text, reply=False))
        return None

    async def respond(
        self, instructions: str | None = None, *, response: Mapping[str, Any] | None = None
    ) -> Reply:
        """Ask for a response without a new message; it waits its turn and interrupts nothing.

        `response` is raw, as in `response.create`; with `{"conversation": "none"}` it is out of
        band. Raises `LocalValueError` naming the field that cannot be.
        """
        return self._replying(asks.Respond(response_params(response, instructions)))

    async def interrupt(self) -> Interruption | None:
        """Stop what is being said, and wait until it is silent; None where nothing was said.

        What the service keeps of it is told later, by `InterruptionSettled`.
        """
        record: Interruption | None = await self._ask(asks.Interrupt())
        return record

    @asynccontextmanager
    async def push_to_talk(self) -> AsyncIterator[Pressed]:
        """Listen while the body runs; what was said is answered after it.

        Behind the block `reply` of what it gave is the answer to wait for, or None where less
        than 100 ms were said. Raises `LocalProtocolError` unless the session has
        `turns=PushToTalk()`.
        """
        pressed = Pressed()
        press = self._begin(asks.Press())
        try:
            await press
            yield pressed
        finally:
            if press.cancelled() or not press.done() or press.exception() is None:
                # Fed before anything is waited for: no cancellation leaves the button down.
                reply, released = self._follow(asks.Release())
                if await released:
                    pressed.reply = reply

    async def hold(self) -> None:
        """Fall silent and keep what is not heard yet, for `resume`; a cut ends it too."""
        await self._ask(asks.Hold())

    async def resume(self) -> None:
        """Go on at the very sample where `hold` fell silent."""
        await self._ask(asks.Resume())

    async def mute(self, muted: bool = True) -> None:
        """Send silence instead of what the microphone hears."""
        await self._ask(asks.Mute(muted))

    async def unmute(self) -> None:
        """Send what the microphone hears again."""
        await self.mute(False)

    async def update(
        self,
        session: Mapping[str, Any] | None = None,
        *,
        instructions: str | None = None,
        voice: str | None = None,
        turns: Turns | None = None,
        tools: Iterable[Any] | None = None,
        truncation: Truncation | None = None,
    ) -> events.Session:
        """Change the session; gives the settings that are then in effect.

        What is not given keeps its value. Of `tools`, functions and servers must be among those
        that `connect` was given: what runs them, or asks for them, is there from the beginning.
        Raises `RemoteProtocolError` where the service refuses, and then nothing was changed;
        `LocalProtocolError` for push-to-talk begun or given up, for a function that is new, or
        turns that `barge_in` forbids.
        """
        wanted = merged_session(
            session,
            instructions=instructions,
            voice=voice,
            turns=turns,
            tools=None if tools is None else self._declared(tools),
            truncation=truncation,
        )
        detection = turn_detection_of(wanted)
        if detection is not UNSET:
            if (detection is None) is not self._settings.push_to_talk and (
                self._settings.push_to_talk or isinstance(turns, PushToTalk)
            ):
                raise LocalProtocolError(
                    "turns: push-to-talk is chosen when the session begins; connect again with "
                    "the other turns"
                )
            check_barge_in(self._settings.barge_in, wanted, self._interrupts)
        effective: events.Session = await self._ask(asks.Update(wanted))
        return effective

    def _declared(self, tools: Iterable[Any]) -> list[Mapping[str, Any]]:
        given = sorted_out(tools)
        names = {rule.name for rule in self._settings.tools or ()}
        labels = {rule.label for rule in self._settings.servers}
        new = [f"tool {one.name!r}" for one in given.tools if one.name not in names]
        new += [f"MCP server {one.label!r}" for one in given.servers if one.label not in labels]
        if new:
            raise LocalProtocolError(
                f"update: the {new[0]} was not given to connect; give it there"
            )
        return given.declared()

    async def send(self, event: Mapping[str, Any] | events.ClientEvent) -> None:
        """Send an event of the application's own, in the session's order of sending.

        Raises `LocalValueError` for what is no client event, before anything is sent.
        """
        await self._ask(asks.SendEvent(client_event(event)))

    def events(self) -> Subscription[Passed]:
        """All events from now on, both ways; overflow drops the oldest, counted (`Dropped`)."""
        raw: Subscription[Passed] = Subscription(_anything, self._limits.events, "events")
        self._board.listen(raw, raw=True)
        return raw

    @overload
    def notices(self) -> Subscription[Notice]: ...
    @overload
    def notices(self, one: type[A], /) -> Subscription[A]: ...
    @overload
    def notices(self, one: type[A], two: type[B], /) -> Subscription[A | B]: ...
    @overload
    def notices(self, one: type[A], two: type[B], three: type[C], /) -> Subscription[A | B | C]: ...
    @overload
    def notices(
        self, one: type[A], two: type[B], three: type[C], four: type[D], /
    ) -> Subscription[A | B | C | D]: ...
    @overload
    def notices(self, *types: type[Notice]) -> Subscription[Notice]: ...
    def notices(self, *types: type[Any]) -> Subscription[Any]:
        """The notices of these types from now on, or all; independent of every other listener.

        A listener holds `Limits.notices`; beyond that its oldest are dropped, and it is told by a
        `Dropped`, whatever types it asked for.
        """
        wants = (lambda notice: isinstance(notice, types)) if types else _anything
        subscription: Subscription[Any] = Subscription(wants, self._limits.notices, "notices")
        self._board.listen(subscription)
        return subscription

    def __aiter__(self) -> AsyncIterator[Notice]:
        """All notices since the session began, each once, however often the loop is begun anew.

        Ends with the session; raises what it failed with.
        """
        return self._all

    @property
    def conversation(self) -> Conversation:
        """The items as the service has them, in order, as far as it has told us; and `edit`."""
        return self._conversation

    def words_heard(self, item_id: str) -> str:
        """The words of an item up to the last sample that was heard of it, for live captions.

        An estimate from text and sound: while it is spoken, a word that was there can be missing
        when it is asked again. It costs a few milliseconds; several times a second is enough. Of an
        item that is not being spoken it is the text in `conversation`, and "" of an unknown one.
        """
        return self._mirror.words_heard(item_id)

    @property
    def usage(self) -> UsageTotal:
        """What the session has cost so far, as the service counts; see `Reply.usage` for one reply.

        A value that stays as it is: read it again for what has been added since.
        """
        return self._mirror.usage

    async def close(self) -> None:
        """Fall silent, settle what was heard, and close the connection.

        Returns when it is closed, after `Limits.close_s` at the latest. May be called twice.
        """
        if not self._left and not self._board.over:
            self._left = True
            self._begin(asks.Leave())
        try:
            async with asyncio.timeout(self._limits.close_s):
                await self._board.wait_over()
        except TimeoutError:
            self._driver.stop()
            await self._board.wait_over()

    def _replying(self, ask: asks.Say | asks.Respond) -> Reply:
        reply, answer = self._follow(ask)
        if answer.done() and (failure := answer.exception()) is not None:
            raise failure
        return reply

    async def _cancel(self, reply_ask_id: int) -> None:
        await self._ask(asks.CancelReply(reply_ask_id))

    async def _ask(self, ask: asks.Ask) -> Any:
        return await self._begin(ask)

    def _begin(self, ask: asks.Ask) -> asyncio.Future[Any]:
        ask_id, answer = self._board.new_ask()
        self._driver.feed(Asked(ask_id, ask))
        return answer

    def _follow(self, ask: asks.Ask) -> tuple[Reply, asyncio.Future[Any]]:
        ask_id, answer = self._board.new_ask()
        reply = Reply(ask_id, self._cancel)
        self._board.follow(ask_id, reply)
        self._driver.feed(Asked(ask_id, ask))
        return reply, answer


def _anything(_: object) -> bool:
    return True


def _sendable(text: str) -> None:
    if not isinstance(text, str):
        raise LocalValueError(f"text: a {type(text).__name__}; give a str")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise LocalValueError(
            f"text: character {error.start + 1} is half of a surrogate pair, which is no text"
        ) from None
