"""The edge of talks by a call: its requests, its tracks and its sideband.

1. Whether a server has calls is decided by its answer to the first offer: 404, 405 and 501 say that
   it has none. Then no other call is tried, and those talks are told as skipped.
2. An offer is made by our own client's pipe. What is heard is decoded as it comes, with no jitter
   buffer: it is asked when sound came, not how well.
3. A key is minted when a talk first needs one, for the shortest life that the service gives, so
   that its end can be waited for by a later talk.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import numpy as np

from bargein.audio.formats import samples_of
from bargein.errors import AdmissionError, TransportError
from bargein.lab.conformance.line import Line, Place
from bargein.lab.conformance.script import Attach, Fence, Key, Post, SpeakLive, Talk
from bargein.lab.conformance.seen import Frame, Heard, Reply, Seen, read_frame
from bargein.rtc.opus import Decoder, Encoder
from bargein.secret import Secret
from bargein.transports.base import PipeEnd
from bargein.transports.signaling import ANSWER_BYTES, Answered, Signaling, form
from bargein.transports.webrtc import WebRtcPipe
from bargein.transports.websocket import WebSocketPipe

MINTED_S = 10
"""The least that `expires_after` may be (protocol.md section 1.3)."""
NO_CALLS = (404, 405, 501)
NO_FORM = 415
_BEYOND_S = 1.5
"""Two clocks in whole seconds differ by so much."""
_WRONG_KEY = "sk-conform-this-key-is-wrong-0000"
_LOUD = 500
_FRAME_BYTES, _PLACES, _FRAME_S = 960, 960, 0.02
_MOST_HEARD = 20_000


class Caller:
    """Makes the calls of one server, one after the other."""

    def __init__(self, place: Place) -> None:
        self.offered: bool | None = None
        """Whether the server has calls; None before it was asked."""
        self.takes_no_form = False
        self._place = place
        parts = urlsplit(place.url)
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        self.base = urlunsplit((scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        """Such as `https://host/v1/realtime`."""
        self.model = next(iter(parse_qs(parts.query).get("model", [])), "")
        self.minted: str = ""
        self._expires_s = 0.0

    async def line(self, talk: Talk, seen: Seen, fences: set[Fence]) -> Line | None:
        """The call for the talk, with its session begun; None where there is none."""
        phone = _Phone(self, seen)
        if not talk.connects:
            return Line(_NoPipe(), seen, fences, beta=False, phone=phone)
        if talk.key == "minted":
            await self._mint(talk, phone, seen)
            if not self.minted:
                return None
        signaling = _Noted(self, self.key(talk.key) or Secret(""), seen)
        session = {"type": "realtime", "model": self.model, **talk.session}
        pipe = WebRtcPipe(signaling, session, open_timeout_s=self._place.reply_s)
        phone.pipe = pipe
        line = Line(pipe, seen, fences, beta=self._place.dialect == "beta", phone=phone)
        pipe.attach_media(phone.heard(line))
        begun = False
        try:
            await pipe.open()
            seen.status = 101
            begun = await line.wait(
                lambda seen: seen.first("session.created") is not None, self._place.reply_s
            )
        except TransportError:
            # Its answer, if there was one, is among the replies: a question tells it.
            pass
        finally:
            if not begun:
                await line.close()
        call = seen.replies.get("call")
        if self.offered is None and call is not None:
            self.offered = call.status not in NO_CALLS
        return line if begun else None

    async def expired(self) -> None:
        """Wait until the minted key is."""
        now_s = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, self._expires_s - now_s))

    async def request(
        self, url: str, body: bytes | None, kind: str, secret: Secret | None
    ) -> Reply | None:
        """One POST; None where nothing that is HTTP came back in time."""
        headers = {"Content-Type": kind}
        if secret is not None:
            name = "api-key" if self._place.auth == "api-key" else "Authorization"
            value = secret.reveal()
            headers[name] = value if name == "api-key" else f"Bearer {value}"
        wanted = urllib.request.Request(url, data=body or b"", headers=headers, method="POST")
        return await asyncio.to_thread(_post, wanted, self._place.answer_s)

    def key(self, which: Key) -> Secret | None:
        """The key of that kind."""
        match which:
            case "given":
                return self._place.secret
            case "wrong":
                return Secret(_WRONG_KEY)
            case "none":
                return None
            case "minted":
                return Secret(self.minted) if self.minted else None

    async def _mint(self, talk: Talk, phone: _Phone, seen: Seen) -> None:
        wanted = {
            "expires_after": {"anchor": "created_at", "seconds": MINTED_S},
            "session": {"type": "realtime", "model": self.model, **talk.session},
        }
        await phone.post(Post("secret", "/client_secrets", wanted), "")
        found = seen.replies.get("secret")
        value = None if found is None else found.at("value")
        if isinstance(value, str):
            self.minted = value
            self._expires_s = asyncio.get_running_loop().time() + MINTED_S + _BEYOND_S


class _Noted(Signaling):
    """The usual way of making a call, with the answer written down."""

    def __init__(self, caller: Caller, secret: Secret, seen: Seen) -> None:
        super().__init__(caller.base, secret)
        self._caller, self._key, self._seen = caller, secret, seen

    async def call(self, offer: str, session: Mapping[str, Any]) -> Answered:
        caller, url = self._caller, f"{self._caller.base}/calls"
        alone = offer.encode(), "application/sdp"
        if caller.takes_no_form or self._key.reveal() == caller.minted:
            reply = await caller.request(url, *alone, self._key)
        else:
            reply = await caller.request(url, *form(offer, session), self._key)
            if reply is not None and reply.status == NO_FORM:
                # One question tells it; the others are asked by the other form.
                caller.takes_no_form = True
                self._seen.replies["form"] = reply
                reply = await caller.request(url, *alone, self._key)
        if reply is None:
            raise TransportError("the offer was not answered")
        self._seen.replies["call"] = reply
        if not 200 <= reply.status < 300:
            raise AdmissionError("the call was refused", code=reply.status)
        return Answered(reply.text, "")


class _Phone:
    """What is beside the channel of one call."""

    def __init__(self, caller: Caller, seen: Seen) -> None:
        self._caller, self._seen = caller, seen
        self.pipe: WebRtcPipe | None = None
        self._sideband: WebSocketPipe | None = None
        self._listening: asyncio.Task[None] | None = None

    async def do(self, step: Post | Attach | SpeakLive, line: Line) -> bool:
        """See `Phone.do`."""
        match step:
            case Post():
                return await self.post(step, self._call_id())
            case Attach():
                return await self._attach(line)
            case SpeakLive():
                return await self._speak(step)

    async def hang_up(self) -> None:
        """See `Phone.hang_up`. The call itself ends with its pipe."""
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening
        if self._sideband is not None:
            await self._sideband.close()

    async def post(self, step: Post, call_id: str) -> bool:
        """Make the request."""
        if step.expired:
            await self._caller.expired()
        match step.body:
            case None:
                body, kind = None, "application/json"
            case str(offer):
                body, kind = offer.encode(), "application/sdp"
            case event:
                body, kind = json.dumps(event).encode(), "application/json"
        url = self._caller.base + step.path.replace("{call_id}", call_id)
        reply = await self._caller.request(url, body, kind, self._caller.key(step.key))
        if reply is not None:
            self._seen.replies[step.name] = reply
        return reply is not None

    def heard(self, line: Line) -> Any:
        """What takes the packets of the service's sound."""
        decoder, media = Decoder(), self._seen.media

        def arrived(sequence: int, timestamp: int, payload: bytes) -> None:
            if len(media) < _MOST_HEARD:
                pcm = samples_of(decoder.decode(payload))
                loud = bool(len(pcm)) and int(np.abs(pcm.astype(np.int32)).max()) > _LOUD
                media.append(Heard(line.now_us(), loud))
                line.changed()

        return arrived

    def _call_id(self) -> str:
        found = self._seen.replies.get("call")
        return "" if found is None else found.headers.get("location", "").rpartition("/")[2]

    async def _speak(self, step: SpeakLive) -> bool:
        assert self.pipe is not None, "it is a call"
        encoder, loop = Encoder(), asyncio.get_running_loop()
        began_s = loop.time()
        for index in range(len(step.pcm) // _FRAME_BYTES):
            await asyncio.sleep(max(0.0, began_s + index * _FRAME_S - loop.time()))
            frame = step.pcm[index * _FRAME_BYTES : (index + 1) * _FRAME_BYTES]
            self.pipe.send_media(encoder.encode(frame), index * _PLACES)
            if step.enough(self._seen):
                return True
        return False

    async def _attach(self, line: Line) -> bool:
        place = self._caller._place
        url = urlunsplit((*urlsplit(place.url)[:3], f"call_id={self._call_id()}", ""))
        sideband = self._sideband = WebSocketPipe(
            url, place.secret, auth=place.auth, open_timeout_s=place.reply_s, close_timeout_s=1.0
        )
        try:
            await sideband.open()
        except TransportError:
            return False
        aside = self._seen.aside = list[Frame]()

        async def listen() -> None:
            while not isinstance(frame := await sideband.receive(), PipeEnd):
                aside.append(read_frame(line.now_us(), frame))
                line.changed()

        self._listening = asyncio.create_task(listen())
        return True


class _NoPipe:
    """Where a talk is requests only."""

    async def open(self) -> None:
        """See `Pipe`."""

    async def send(self, frame: str) -> None:
        """See `Pipe`."""

    async def receive(self) -> PipeEnd:
        """See `Pipe`."""
        return PipeEnd(None, "")

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """See `Pipe`."""


class _Straight(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another place."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _post(wanted: urllib.request.Request, timeout_s: float) -> Reply | None:
    opener = urllib.request.build_opener(_Straight())
    try:
        with opener.open(wanted, timeout=timeout_s) as answer:
            return _reply(answer.status, answer)
    except urllib.error.HTTPError as error:
        with error:
            return _reply(error.code, error)
    except (OSError, HTTPException, ValueError):
        return None


def _reply(status: int, answer: Any) -> Reply:
    try:
        text = answer.read(ANSWER_BYTES).decode("utf-8", "replace")
    except (OSError, HTTPException):
        text = ""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Reply(status, headers, text, time.time())
