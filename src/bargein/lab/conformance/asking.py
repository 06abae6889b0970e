"""The only edge: connects, does what the scripts say, and writes down what is seen.

1. Every wait has a deadline, and all talks together have one. What is not reached stays unseen.
2. Nothing that a server does is raised, but that it cannot be reached at all.
3. After `GIVE_UP_AFTER` sessions in a row that did not begin, no further one is tried.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from bargein.errors import TransportError
from bargein.lab.conformance.line import Line, Place
from bargein.lab.conformance.script import Fence, Talk
from bargein.lab.conformance.seen import Seen
from bargein.secret import Secret
from bargein.transports.websocket import WebSocketPipe

if TYPE_CHECKING:
    from bargein.lab.conformance.phoning import Caller

GIVE_UP_AFTER = 2
UNKNOWN_MODEL = "gpt-nope"
_WRONG_KEY = "sk-conform-this-key-is-wrong-0000"
_BETA_HEADER: Mapping[str, str] = {"OpenAI-Beta": "realtime=v1"}


@dataclass(slots=True)
class Asker:
    """Holds talks with one server, one after the other."""

    place: Place
    _fences: set[Fence] = field(default_factory=set)
    _shared: Line | None = None
    _caller: Caller | None = None
    _unbegun: int = 0
    _reached: bool = False

    async def hold(
        self, talks: Sequence[Talk], tell: Callable[[Talk], None] = lambda _: None
    ) -> dict[str, Seen]:
        """What was seen of each talk, by its name. Raises `TransportError` where nothing answers
        at that address."""
        found = {talk.name: Seen() for talk in talks}
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.place.limit_s):
                    for talk in talks:
                        tell(talk)
                        await self._hold(talk, found[talk.name])
        finally:
            await self._drop_shared()
        return found

    async def _hold(self, talk: Talk, seen: Seen) -> None:
        if talk.by == "call":
            await self._phone(talk, seen)
            return
        if talk.begins and self._unbegun >= GIVE_UP_AFTER:
            return
        reused = talk.shared and self._shared is not None
        line = await self._line(talk, seen)
        if line is None:
            return
        try:
            await self._converse(talk, line)
        finally:
            if line is not self._shared:
                await line.close()
        if reused and line.end is not None and not seen.received():
            # It ended because of the talk before: that is told by another question.
            seen.frames.clear()
            seen.end = None
            await self._hold(talk, seen)

    async def _phone(self, talk: Talk, seen: Seen) -> None:
        """Hold a talk by a call. aiortc is loaded here, by the first of them."""
        from bargein.lab.conformance.phoning import Caller

        caller = self._caller = self._caller or Caller(self.place)
        if caller.offered is False and not talk.asks_whether:
            seen.skipped = True
            return
        line = await caller.line(talk, seen, self._fences)
        try:
            if line is not None:
                await self._converse(talk, line)
        finally:
            if line is not None:
                await line.close()

    async def _converse(self, talk: Talk, line: Line) -> None:
        script = talk.script(line.seen)
        line.seen.started = True
        with contextlib.closing(script):
            step = next(script, None)
            while step is not None:
                found = await line.do(step, self.place)
                if line.end is not None and talk.by != "call":
                    return
                try:
                    step = script.send(found)
                except StopIteration:
                    step = None
            line.seen.finished = True

    async def _line(self, talk: Talk, seen: Seen) -> Line | None:
        """The connection for the talk, with its session begun; None where there is none."""
        if talk.shared and self._shared is not None:
            if self._shared.end is None:
                self._shared.seen = seen
                seen.status = 101
                return self._shared
            await self._drop_shared()
        pipe = await self._open(talk, seen)
        if pipe is None:
            return None
        line = Line(pipe, seen, self._fences, beta=self.place.dialect == "beta")
        if talk.begins and not await self._begins(line):
            return None
        if talk.shared:
            self._shared = line
        return line

    async def _begins(self, line: Line) -> bool:
        """Whether its session begins in time; where it does not, the connection is closed."""
        begun = False
        try:
            begun = await line.wait(
                lambda seen: seen.first("session.created") is not None, self.place.reply_s
            )
            self._unbegun = 0 if begun else self._unbegun + 1
        finally:
            # Also when the time for all talks ends here.
            if not begun:
                await line.close()
        return begun

    async def _open(self, talk: Talk, seen: Seen) -> WebSocketPipe | None:
        place = self.place
        pipe = WebSocketPipe(
            address(place.url, talk),
            _key(talk, place.secret),
            auth=place.auth,
            headers={**(_BETA_HEADER if place.dialect == "beta" else {}), **talk.headers},
            open_timeout_s=place.reply_s,
            close_timeout_s=1.0,
        )
        try:
            await pipe.open()
        except TransportError as error:
            seen.status = error.code
            if not self._reached and error.code is None:
                raise
            self._reached = True
            self._unbegun += talk.begins
            return None
        self._reached = True
        seen.status = 101
        return pipe

    async def _drop_shared(self) -> None:
        if self._shared is not None:
            await self._shared.close()
            self._shared = None


def address(url: str, talk: Talk) -> str:
    """Where the talk connects: the server's address, with the model or the query it is about."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    if talk.model != "given" or talk.query:
        query = [(name, value) for name, value in query if name != "model"]
    if talk.model == "unknown":
        query.append(("model", UNKNOWN_MODEL))
    query.extend(talk.query.items())
    return urlunsplit((*parts[:3], urlencode(query), ""))


def _key(talk: Talk, given: Secret | None) -> Secret | None:
    match talk.key:
        case "given":
            return given
        case "wrong":
            return Secret(_WRONG_KEY)
        case "none" | "minted":
            return None
