"""How a call over WebRTC is made and ended: two requests of HTTP (protocol.md section 1.2.1).

1. With an API key the offer goes with the session, as a form; with an ephemeral key (`ek_…`) alone,
   since the key holds its session. A service that takes no form (HTTP 415) is offered it alone:
   what is wanted of the session is said again by `session.update`.
2. Redirects are not followed: they would carry the key to another place. The key is in no error.
3. The requests are made in a thread, with a deadline.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl as ssl_module
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from bargein.errors import AdmissionError, DeadlineExceeded, LocalValueError, TransportError
from bargein.secret import Secret
from bargein.transports.websocket import place

EPHEMERAL = "ek_"
ANSWER_BYTES = 256 * 1024
_NO_FORM = 415
_REFUSED = (400, 401, 403, 404, 429)


@dataclass(frozen=True, slots=True)
class Answered:
    """The service's answer: its description, and where the call is ended; empty if it did not
    say."""

    sdp: str
    call_url: str


class _Straight(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Signaling:
    """Of one call. `base` is such as `https://api.openai.com/v1`."""

    def __init__(
        self,
        base: str,
        secret: Secret,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        ssl: ssl_module.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise LocalValueError("url: give http(s)://host/v1 for a call over WebRTC")
        self._base, self._secret = base.rstrip("/"), secret
        self._headers, self._timeout_s = dict(headers or {}), timeout_s
        handlers: list[Any] = [_Straight()]
        if ssl is not None:
            handlers.append(urllib.request.HTTPSHandler(context=ssl))
        self._opener = urllib.request.build_opener(*handlers)

    async def call(self, offer: str, session: Mapping[str, Any]) -> Answered:
        """Make the call. Raises `AdmissionError`, `DeadlineExceeded` or `TransportError`."""
        url = f"{self._base}/realtime/calls"
        alone = offer.encode(), "application/sdp"
        if self._secret.reveal().startswith(EPHEMERAL):
            answer, location = await self._post(url, *alone)
        else:
            try:
                answer, location = await self._post(url, *form(offer, session))
            except TransportError as error:
                if error.code != _NO_FORM:
                    raise
                answer, location = await self._post(url, *alone)
        call_id = location.rpartition("/")[2]
        return Answered(answer, f"{self._base}/realtime/calls/{call_id}" if call_id else "")

    async def hang_up(self, call_url: str) -> None:
        """End the call. Raises `TransportError`; a call that is over already is no error."""
        try:
            await self._post(f"{call_url}/hangup", b"", "application/json")
        except AdmissionError:
            return

    async def _post(self, url: str, body: bytes, kind: str) -> tuple[str, str]:
        request = urllib.request.Request(url, data=body, method="POST")
        for name, value in self._headers.items():
            request.add_header(name, value)
        request.add_header("Content-Type", kind)
        request.add_unredirected_header("Authorization", f"Bearer {self._secret.reveal()}")
        failure: TransportError
        try:
            return await asyncio.to_thread(self._send, request)
        except urllib.error.HTTPError as error:
            failure = self._refused(url, error)
        except TimeoutError:
            failure = DeadlineExceeded(f"{place(url)}: no answer after {self._timeout_s:g} s")
        except (OSError, HTTPException, ValueError) as error:
            why = getattr(error, "reason", None) or type(error).__name__
            failure = TransportError(f"{place(url)}: {self._secret.hidden_in(str(why))}")
        # Outside of the handler: the library's exception holds the request, and that the key.
        raise failure

    def _send(self, request: urllib.request.Request) -> tuple[str, str]:
        with self._opener.open(request, timeout=self._timeout_s) as answer:
            text = answer.read(ANSWER_BYTES).decode("utf-8", "replace")
            return text, answer.headers.get("Location", "")

    def _refused(self, url: str, error: urllib.error.HTTPError) -> TransportError:
        try:
            said = json.loads(error.read(ANSWER_BYTES))["error"]["message"]
        except (OSError, ValueError, KeyError, TypeError, HTTPException):
            said = ""
        finally:
            error.close()
        words = self._secret.hidden_in(str(said))
        text = f"{place(url)}: HTTP {error.code}{': ' if words else ''}{words}"
        kind = AdmissionError if error.code in _REFUSED else TransportError
        return kind(text, code=error.code)


def form(offer: str, session: Mapping[str, Any]) -> tuple[bytes, str]:
    """The offer and the session as `multipart/form-data`, and its content type."""
    edge = f"bargein-{secrets.token_hex(12)}"
    parts = (
        ("sdp", "application/sdp", offer),
        ("session", "application/json", json.dumps(session)),
    )
    text = "".join(
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n'
        f"Content-Type: {kind}\r\n\r\n{value}\r\n"
        for name, kind, value in parts
    )
    return f"{text}--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}"
