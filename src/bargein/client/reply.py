"""A reply that was asked for, from the ask to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bargein import events
from bargein.core.notices import TurnEnded
from bargein.core.usage import UsageTotal
from bargein.errors import BargeinError


class Reply:
    """What `Session.say` and `Session.respond` give. It waits for its turn, begins, and ends."""

    def __init__(self, ask_id: int, cancel: Callable[[int], Awaitable[None]]) -> None:
        self._ask_id = ask_id
        self._cancel = cancel
        self._id: str | None = None
        self._end: TurnEnded | None = None
        self._failure: BargeinError | None = None
        self._over = asyncio.Event()
        self._texts: list[str] = []
        self._usage = UsageTotal()

    def __repr__(self) -> str:
        state = "waiting" if self._id is None else "begun"
        if self.over:
            state = self._end.status if self._end is not None else "failed"
        return f"<Reply {self._id or 'without an id yet'}: {state}>"

    @property
    def id(self) -> str | None:
        """The service's id of the response; None until it has begun.

        Several asks that waited together may be answered by one response.
        """
        return self._id

    @property
    def over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._over.is_set()

    @property
    def usage(self) -> UsageTotal:
        """What it has cost, all of its responses: of one with tools those before and after them."""
        return self._usage

    async def done(self) -> TurnEnded:
        """Wait until it was heard to its end, was cut, or came to nothing; `status` says which.

        Where the model called tools of the session's, this is after the response about them.

        `cut` says that it was interrupted. Raises `RemoteProtocolError` where the service refused
        it, `DeadlineExceeded` where the service never began it, and `TransportError` where the
        session ended before it did.
        """
        await self._over.wait()
        if self._failure is not None:
            raise self._failure
        assert self._end is not None
        return self._end

    async def text(self) -> str:
        """All text the service made for it, spoken or written; as `done` otherwise.

        With tools a reply is several responses: what was said before the calls, and then about what
        they returned. Of a reply that was cut this is more than was heard: see `Transcript` for
        what was.
        """
        end = await self.done()
        return " ".join(text for text in (*self._texts, end.text) if text)

    async def cancel(self) -> None:
        """Give it up; where it is being heard this interrupts it. Does nothing once it is over."""
        if not self.over:
            await self._cancel(self._ask_id)

    def begun(self, response_id: str | None) -> None:
        """For the session: the response has begun."""
        self._id = response_id or self._id

    def cost(self, usage: events.Usage) -> None:
        """For the session: a response of it has told what it cost."""
        self._usage += UsageTotal.of_response(usage)

    def goes_on(self, end: TurnEnded) -> None:
        """For the session: a response of it is over, and it waits for tools."""
        self._texts.append(end.text)

    def ended(self, end: TurnEnded) -> None:
        """For the session: its turn is over."""
        if not self.over:
            self.begun(end.response_id)
            self._end = end
            self._over.set()

    def failed(self, failure: BargeinError) -> None:
        """For the session: it cannot be any more."""
        if not self.over:
            self._failure = failure
            self._over.set()


class Pressed:
    """What `Session.push_to_talk` gives. `reply` is set when the block is left."""

    reply: Reply | None = None
