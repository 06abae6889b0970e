"""Who waits for what: the asks under way, the replies, the subscribers. The driver's outlet.

1. Every ask ends once: by the machine's answer, or by the end of the session. Whoever was cancelled
   while it waited is not answered, and nothing else changes.
2. A reply follows its turn by the ids of the asks, not by order.
3. A subscriber that nobody holds any more costs nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal
from weakref import WeakSet, WeakValueDictionary

from bargein.client.reply import Reply
from bargein.client.subscription import Subscription
from bargein.client.telemetry import Telemetry
from bargein.core.commands import Answer
from bargein.core.notices import Fault, Lost, Notice, TurnEnded, TurnStarted, UsageReported
from bargein.driver.ports import Passed, WireEvent
from bargein.errors import (
    BargeinError,
    DeadlineExceeded,
    LocalProtocolError,
    RemoteProtocolError,
    TransportError,
)


class Board:
    """One for each session; everything happens on the loop's thread."""

    def __init__(self) -> None:
        self._last_ask_id = 0
        self._asks: dict[int, asyncio.Future[Any]] = {}
        # A reply that nobody holds, or that never comes to be, is forgotten with its last holder.
        self._replies: WeakValueDictionary[int, Reply] = WeakValueDictionary()
        self._notices: WeakSet[Subscription[Any]] = WeakSet()
        self._events: WeakSet[Subscription[Any]] = WeakSet()
        self._fault: Fault | None = None
        self._lost: Lost | None = None
        self._failure: BaseException | None = None
        self._failure_told = False
        self._ended = asyncio.Event()
        self._telemetry = Telemetry()

    @property
    def over(self) -> bool:
        """Whether nothing is told any more."""
        return self._ended.is_set()

    async def wait_over(self) -> None:
        """Wait for the end of the session."""
        await self._ended.wait()

    def untold_failure(self) -> BaseException | None:
        """What the session failed with, if nobody was told."""
        return None if self._failure_told else self._failure

    def new_ask(self) -> tuple[int, asyncio.Future[Any]]:
        """The id of a new ask, and its answer to come. Raises `TransportError` at the end."""
        if self.over:
            raise self.why_over()
        self._last_ask_id += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asks[self._last_ask_id] = future
        return self._last_ask_id, future

    def follow(self, ask_id: int, reply: Reply) -> None:
        """Tell this reply what becomes of it."""
        self._replies[ask_id] = reply

    def listen(self, subscription: Subscription[Any], *, raw: bool = False) -> None:
        """Give the subscriber what comes from now on."""
        (self._events if raw else self._notices).add(subscription)
        if self.over:
            subscription.finish(self._failure, self._told)

    def answer(self, answer: Answer) -> None:
        """See `Outlet`."""
        failure = _failure_of(answer)
        if failure is not None and (reply := self._replies.pop(answer.ask_id, None)) is not None:
            reply.failed(failure)
        future = self._asks.pop(answer.ask_id, None)
        if future is None or future.done():
            return
        if failure is None:
            future.set_result(answer.value)
        else:
            future.set_exception(failure)
            # Whoever waits gets it; where nobody does, the reply or a notice has told it.
            future.exception()

    def notify(self, notice: Notice) -> None:
        """See `Outlet`."""
        match notice:
            case TurnStarted(role="assistant", response_id=response_id, ask_ids=ask_ids):
                for reply in self._of(ask_ids):
                    reply.begun(response_id)
            case TurnEnded(role="assistant", ask_ids=(), response_id=str(response_id)):
                for reply in self._replies.values():
                    if reply.id == response_id:
                        reply.goes_on(notice)
            case TurnEnded(role="assistant", status=status, ask_ids=ask_ids):
                for reply in self._of(ask_ids):
                    if status == "refused":
                        reply.failed(self._refusal())
                    elif status == "unanswered":
                        reply.failed(
                            DeadlineExceeded("the service did not begin the reply in time")
                        )
                    elif status == "lost":
                        reply.failed(self.why_over())
                    else:
                        reply.ended(notice)
                for ask_id in ask_ids:
                    self._replies.pop(ask_id, None)
            case UsageReported(response_id=response_id, usage=usage):
                for reply in self._replies.values():
                    if reply.id == response_id:
                        reply.cost(usage)
            case Fault():
                self._fault = notice
            case Lost():
                self._lost = notice
            case _:
                pass
        self._telemetry.notify(notice)
        for subscription in tuple(self._notices):
            subscription.offer(notice)

    def passed(self, direction: Literal["sent", "received"], event: WireEvent) -> None:
        """See `Outlet`."""
        if self._events:
            for subscription in tuple(self._events):
                subscription.offer(Passed(direction, event))

    def finish(self, failure: BaseException | None) -> None:
        """The session has ended, by `failure` if that was the cause."""
        if self.over:
            return
        self._failure = failure
        self._ended.set()
        self._telemetry.finish()
        waiting = [future for future in self._asks.values() if not future.done()]
        for future in waiting:
            future.set_exception(self.why_over())
            future.exception()
        self._asks.clear()
        for reply in list(self._replies.values()):
            reply.failed(self.why_over())
        self._replies.clear()
        for subscription in (*self._notices, *self._events):
            subscription.finish(failure, self._told)

    def why_over(self) -> TransportError:
        """The error of those who ask, or wait, after the end."""
        if self._failure is not None:
            error = TransportError(f"the session has failed: {type(self._failure).__name__}")
            error.__cause__ = self._failure
            self._told()
            return error
        if self._lost is None:
            return TransportError("the session has ended")
        if self._lost.code == 1000:
            why = self._lost.reason or "it was closed"
            return TransportError(f"the session is over: {why}", code=1000)
        reason = self._lost.reason or "the connection has ended"
        return TransportError(f"the session is lost: {reason}", code=self._lost.code)

    def _told(self) -> None:
        self._failure_told = True

    def _of(self, ask_ids: tuple[int, ...]) -> list[Reply]:
        replies = (self._replies.get(ask_id) for ask_id in ask_ids)
        return [reply for reply in replies if reply is not None]

    def _refusal(self) -> RemoteProtocolError:
        fault = self._fault
        if fault is None:
            return RemoteProtocolError("the service refused the response")
        return RemoteProtocolError(fault.message, code=fault.code, param=fault.param)


def _failure_of(answer: Answer) -> BargeinError | None:
    if answer.error is None:
        return None
    match answer.kind:
        case "local":
            return LocalProtocolError(answer.error)
        case "late":
            return DeadlineExceeded(answer.error)
        case "lost":
            return TransportError(answer.error)
        case _:
            return RemoteProtocolError(answer.error, code=answer.code)
