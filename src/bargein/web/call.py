"""A call of the page: a session of the client's behind it, and everybody who looks on.

1. By WebRTC the sound goes between the page and the server. The session joins the call as a
   sideband, and its machine stops and records; the page is told.
2. Where that connection does not come to stand within `MEDIA_UP_S`, the sound goes by the page's
   line: the page is then a Player that counts, and the machine decides all else.
3. The call is the main page's: when its line ends, so does the call, and every remote's line.
4. After a clear the page lets nothing be heard until the next reply begins, or `SHUT_S`: by then
   what was under way, and in the browser's own buffer, is gone.
5. By WebRTC the page opens its microphone when the server has cleared what came before the press,
   so that no first syllable is cleared with it. Behind the release the machine waits for what was
   said to arrive (`core.button`).
6. A button held down by several is down until the last of them is up or gone.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from typing import Any

import bargein
from bargein import events
from bargein.client.session import Session
from bargein.core.notices import Lost
from bargein.errors import BargeinError, TransportError
from bargein.secret import Secret
from bargein.transports.signaling import Signaling
from bargein.web.distant import DistantMicrophone, DistantPlayer
from bargein.web.line import Line
from bargein.web.messages import (
    MOST_TEXT,
    Answer,
    Button,
    CarrySound,
    FromPage,
    Gate,
    HangUp,
    Held,
    MediaFailed,
    MediaUp,
    Press,
    Release,
    Rendered,
    Said,
    Standing,
    Stop,
    Stopped,
    Talk,
    ToPage,
    Trouble,
    Words,
)
from bargein.web.own import Own, session_of
from bargein.web.telling import Board, gate_after, row_after, told, told_event

MEDIA_UP_S = 8.0
SHUT_S = 0.4
MOST_LINES = 8
MOST_ASKS = 16


class Call:
    """One call, from the page's wish to talk to its end."""

    def __init__(self, own: Own, main: Line, talk: Talk) -> None:
        self.id = secrets.token_hex(8)
        self._own, self._main, self._talk = own, main, talk
        self._lines = [main]
        self._media: Any = "websocket" if talk.offer is None else "webrtc"
        self._board = Board(self._standing("connecting", "Connecting."))
        self._session: Session | None = None
        self._media_up: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._hung_up = asyncio.Event()
        self._asks: set[asyncio.Task[None]] = set()
        self._pressing: set[Line] = set()
        self._released = asyncio.Event()
        self._typed = 0
        self._player: DistantPlayer | None = None
        self._microphone = DistantMicrophone()
        self._opening: asyncio.TimerHandle | None = None

    @property
    def has_room(self) -> bool:
        """Whether one more may look on."""
        return len(self._lines) < MOST_LINES and not self._hung_up.is_set()

    async def run(self) -> None:
        """Hold the call until it is over. Never raises for what the page or the server does."""
        self._tell(self._standing("connecting", "Connecting."))
        why = "The call was ended."
        try:
            await self._hold()
        except BargeinError as error:
            why = f"The call has ended: {error}"
        finally:
            self._hung_up.set()
            for ask in self._asks:
                ask.cancel()
            await asyncio.gather(*self._asks, return_exceptions=True)
            self._tell(self._standing("over", why))
            for line in self._lines[1:]:
                line.end()

    def join(self, line: Line) -> None:
        """A second device looks on; it is shown what there is so far."""
        self._lines.append(line)
        for message in self._board.shown():
            line.tell(message)

    def leave(self, line: Line) -> None:
        """A line is over; that of the main page ends the call."""
        self._release(line)
        if line is self._main:
            self._hang_up()
        elif line in self._lines:
            self._lines.remove(line)

    def heard(self, line: Line, said: FromPage | bytes) -> None:
        """Whatever a page says in the course of a call."""
        match said:
            case bytes():
                self._microphone.captured(said)
            case Rendered() | Held() | Stopped():
                if line.main and self._player is not None:
                    self._player.said(said)
            case Stop():
                self._ask(line, self._stop)
            case Press():
                self._press(line)
            case Release():
                self._release(line)
            case Said(text=text):
                self._ask(line, lambda session: self._say(session, text[:MOST_TEXT]))
            case MediaUp() if line.main:
                self._media_is("")
            case MediaFailed(why=why) if line.main:
                self._media_is(why[:200] or "the browser does not say why")
            case HangUp() if line.main:
                self._hang_up()
            case _:
                line.tell(Trouble("That cannot be done now."))

    async def _hold(self) -> None:
        if self._talk.offer is not None:
            why = await self._by_webrtc(self._talk.offer)
            if why is None:
                return
        else:
            why = self._talk.why_no_offer[:200] or "this browser has none"
        self._media = "websocket"
        await self._by_line(f"WebRTC did not connect: {why}")

    async def _by_line(self, why: str) -> None:
        """Rule 2: the page plays and counts."""
        own, turns = self._own, self._talk.turns
        self._player = DistantPlayer(self._main)
        self._media_up = asyncio.get_running_loop().create_future()
        self._main.tell(CarrySound(why))
        failed = await self._until_media_is_up()
        if failed:
            raise TransportError(f"the sound has no way to the page: {failed}")
        if failed is None:
            return
        joining = bargein.connect(
            own.model,
            url=own.url,
            api_key=own.api_key,
            session=session_of(turns),
            audio=bargein.Audio(self._player, self._microphone),
            ssl=own.ssl,
            proxy=None,
        )
        async with joining as session:
            await self._converse(session)

    async def _by_webrtc(self, offer: str) -> str | None:
        """Hold the call by WebRTC; or why that does not come to stand."""
        own, turns = self._own, self._talk.turns
        signaling = Signaling(own.url, Secret(own.api_key), ssl=own.ssl)
        wanted = {**session_of(turns), "model": own.model}
        try:
            answered = await signaling.call(offer, wanted)
        except TransportError as error:
            return str(error)
        try:
            self._main.tell(Answer(answered.sdp))
            joining = bargein.connect(
                url=own.url,
                api_key=own.api_key,
                call_id=answered.call_url.rpartition("/")[2],
                turns=bargein.PushToTalk() if turns == "push_to_talk" else None,
                ssl=own.ssl,
                proxy=None,
            )
            async with joining as session:
                why = await self._until_media_is_up()
                if why == "":
                    await self._converse(session)
                    return None
                return why
        finally:
            await _hang_up(signaling, answered.call_url)

    async def _until_media_is_up(self) -> str | None:
        """Why it is not; None where the user has hung up meanwhile."""
        try:
            async with asyncio.timeout(MEDIA_UP_S):
                return await self._media_up
        except TimeoutError:
            return f"it did not stand after {MEDIA_UP_S:g} s"

    async def _converse(self, session: Session) -> None:
        began_s = asyncio.get_running_loop().time()
        self._session = session
        self._tell(self._standing("up", "Connected."))
        notices = asyncio.create_task(self._show(session))
        log = asyncio.create_task(self._log(session, began_s))
        hung_up = asyncio.create_task(self._hung_up.wait())
        try:
            await asyncio.wait({notices, hung_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._session = None
            for task in (notices, log, hung_up):
                task.cancel()
            await asyncio.gather(notices, log, hung_up, return_exceptions=True)

    async def _show(self, session: Session) -> None:
        with session.notices() as notices:
            async for notice in notices:
                if isinstance(notice, Lost):
                    return
                message = told(notice)
                if message is not None:
                    self._tell(message)

    async def _log(self, session: Session, began_s: float) -> None:
        loop = asyncio.get_running_loop()
        with session.events() as passed:
            async for event in passed:
                if isinstance(event, bargein.Dropped):
                    self._main.tell(Trouble(f"{event.count} events are missing in the log"))
                    continue
                self._gate(gate_after(event))
                if (row := row_after(event)) is not None:
                    self._tell(row)
                if isinstance(event.event, events.InputAudioBufferCleared):
                    self._opened()
                entry = told_event(event, round((loop.time() - began_s) * 1_000))
                if entry is not None:
                    self._main.tell(entry)

    def _gate(self, opens: bool | None) -> None:
        """Rule 4."""
        if opens is None:
            return
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        self._main.tell(Gate(opens))
        if not opens:
            loop = asyncio.get_running_loop()
            self._opening = loop.call_later(SHUT_S, self._main.tell, Gate(open=True))

    async def _stop(self, session: Session) -> None:
        await session.interrupt()

    async def _say(self, session: Session, text: str) -> None:
        self._typed += 1
        self._tell(Words(f"typed-{self._typed}", "user", text, final=True))
        await session.say(text)

    def _press(self, line: Line) -> None:
        first = not self._pressing
        self._pressing.add(line)
        if first:
            self._released = asyncio.Event()
            self._ask(line, self._hold_down)

    def _release(self, line: Line) -> None:
        self._pressing.discard(line)
        if not self._pressing:
            self._released.set()

    async def _hold_down(self, session: Session) -> None:
        """Rule 5."""
        released = self._released
        async with session.push_to_talk():
            if self._player is not None:
                self._opened()
            await released.wait()
            self._tell(Button(down=False))

    def _opened(self) -> None:
        if self._pressing:
            self._tell(Button(down=True))

    def _ask(self, line: Line, what: Any) -> None:
        """Ask the session for something, beside all else; a refusal is told to who asked."""
        if self._session is None or len(self._asks) >= MOST_ASKS:
            line.tell(Trouble("Not now: the call is not up."))
            return
        task = asyncio.create_task(self._asked(line, what(self._session)))
        self._asks.add(task)
        task.add_done_callback(self._asks.discard)

    async def _asked(self, line: Line, asked: Coroutine[Any, Any, None]) -> None:
        try:
            await asked
        except BargeinError as error:
            line.tell(Trouble(str(error)))

    def _media_is(self, why: str) -> None:
        if not self._media_up.done():
            self._media_up.set_result(why)
        elif why:
            self._hung_up.set()

    def _hang_up(self) -> None:
        self._hung_up.set()
        if not self._media_up.done():
            self._media_up.set_result(None)

    def _standing(self, state: Any, words: str) -> Standing:
        return Standing(state, self._talk.turns, self._media, words)

    def _tell(self, message: ToPage) -> None:
        self._board.note(message)
        for line in self._lines:
            line.tell(message)


async def _hang_up(signaling: Signaling, call_url: str) -> None:
    try:
        await signaling.hang_up(call_url)
    except TransportError:
        # The server is going, and the call with it.
        return
