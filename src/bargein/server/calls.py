"""Calls over HTTP: to make one, to hang up, and the ephemeral keys (protocol.md §1.2 to §1.4).

1. Who asks is `admission`'s, what a session may begin with `model.starting`'s, and what may be
   offered `offers`'; here they are asked in that order, and nothing is made before all agree.
2. A call's session is a task of its own here; its connection ends with it, whatever ends it.
3. Neither a key nor a body is ever logged.
4. aiortc is loaded with the first call, and a server without it says so.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import secrets
import time
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bargein import events
from bargein.server.admission import (
    BAD_KEY,
    TRY_LATER,
    Admitted,
    Bound,
    NotAdmitted,
    Policy,
    admit_session,
    dialect_of,
    who_asks,
)
from bargein.server.client_secrets import ClientSecrets
from bargein.server.host import Host, session_of
from bargein.server.model.ids import Ids
from bargein.server.model.refusal import RefusedError
from bargein.server.model.rules import refuse
from bargein.server.model.starting import asked_secret, tried
from bargein.server.model.validate import parse
from bargein.server.multipart import boundary_of, fields
from bargein.server.offers import MAX_OFFER_BYTES, OfferError
from bargein.server.websocket import head_of

if TYPE_CHECKING:
    from bargein.server.webrtc import Call

log = logging.getLogger(__name__)

CALLS_PATH = "/v1/realtime/calls"
SECRETS_PATH = "/v1/realtime/client_secrets"
MOST_BODY_BYTES = 1024 * 1024
BODY_DEADLINE_S = 10.0
HUNG_UP = 1000
_STATUS = {BAD_KEY: 401, TRY_LATER: 429}


class RefusedRequest(Exception):
    """Carries the answer to a request from the place that finds it wanting."""

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        *,
        param: str | None = None,
        type: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        body = {"message": message, "type": type, "param": param, "code": code}
        self.answer = JSONResponse({"error": body}, status)


class Calls:
    """The calls of one server. `media_hosts` are the addresses of this machine where media may
    arrive; without any it is all there are, and loopback where the server listens there; None: no
    calls here."""

    def __init__(
        self, host: Host, policy: Policy, media_hosts: tuple[str, ...] | None = ()
    ) -> None:
        self.keys = ClientSecrets()
        self._host = host
        self._policy = policy
        self._media_hosts = media_hosts
        self._held: set[asyncio.Task[None]] = set()
        self._answering = 0

    def routes(self) -> list[Route]:
        """What is to be served."""
        return [
            Route(CALLS_PATH, self._answered(self._create), methods=["POST", "OPTIONS"]),
            Route(
                CALLS_PATH + "/{call_id}/hangup",
                self._answered(self._hang_up),
                methods=["POST", "OPTIONS"],
            ),
            Route(SECRETS_PATH, self._answered(self._mint), methods=["POST", "OPTIONS"]),
        ]

    async def close(self) -> None:
        """Wait for the ends of the calls, whose sessions were ended."""
        if self._held:
            await asyncio.wait(self._held)

    def _answered(self, answer: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            try:
                said: Response
                if request.method == "OPTIONS":
                    said = Response(status_code=204)
                else:
                    said = await answer(request)
            except RefusedRequest as refused:
                said = refused.answer
            except RefusedError as refused:
                refusal = refused.refusal
                said = RefusedRequest(
                    400, refusal.code, refusal.message, param=refusal.param
                ).answer
            except ClientDisconnect:
                return Response()
            _let_origin_read(request, said, self._policy)
            return said

        return endpoint

    async def _mint(self, request: Request) -> Response:
        if self._who(request) is not None:
            raise RefusedRequest(
                401, None, "A client secret cannot make client secrets: use the API key."
            )
        body = await _body(request)
        session, life_s = asked_secret(parse(body.decode("utf-8", "replace")) if body else {})
        shown = self._tried(request, session)
        minted = self.keys.mint(session, life_s)
        if minted is None:
            raise RefusedRequest(
                429, "rate_limit_exceeded", "Too many client secrets live. Try again later."
            )
        value, expires_at = minted
        whole = {"value": value, "expires_at": expires_at, "session": events.plain(shown)}
        return JSONResponse(whole)

    async def _create(self, request: Request) -> Response:
        bound = self._who(request)
        offer, session = await self._asked(request, bound)
        admitted = self._admitted(request, session)
        if bound is None:
            self._tried(request, session)
        if not self._host.has_room or self._answering >= self._host.limits.sessions:
            raise RefusedRequest(
                429,
                "session_limit_reached",
                "This server holds as many sessions as it may. Close one, or try again later.",
                type="server_error",
            )
        call = self._new_call()
        self._answering += 1
        try:
            answer = await call.answer(offer)
        except OfferError as error:
            await call.close()
            message = f"Invalid SDP offer: {error}. Please try again with a WHIP-compliant offer."
            raise RefusedRequest(400, "invalid_offer", message) from error
        except BaseException:
            await call.close()
            raise
        finally:
            self._answering -= 1
        suffix = _new_ids().mint("sess_u0").removeprefix("sess_")
        work = self._hold(call, admitted, f"sess_{suffix}")
        task = asyncio.create_task(work, name=f"call rtc_{suffix}")
        self._held.add(task)
        task.add_done_callback(self._held.discard)
        headers = {
            "location": f"{CALLS_PATH}/rtc_{suffix}",
            "access-control-expose-headers": "Location",
        }
        return PlainTextResponse(answer, 201, headers)

    async def _hang_up(self, request: Request) -> Response:
        if self._who(request) is not None:
            raise RefusedRequest(401, None, "A client secret cannot end calls: use the API key.")
        call_id = request.path_params["call_id"]
        session = self._host.find(session_of(call_id))
        if session is None:
            raise RefusedRequest(
                400, "call_id_not_found", f"There is no call with the id '{call_id[:64]}'."
            )
        session.end(HUNG_UP, "")
        return Response()

    async def _hold(self, call: Call, admitted: Admitted, session_id: str) -> None:
        try:
            await self._host.run(
                call.channel,
                model=admitted.model,
                kind=admitted.kind,
                dialect=admitted.dialect,
                wanted=admitted.wanted,
                session_id=session_id,
                media=call.media,
            )
        finally:
            await call.close()

    def _who(self, request: Request) -> Bound | None:
        who = who_asks(head_of(request.scope), self._policy, self.keys)
        if isinstance(who, NotAdmitted):
            raise _refused(who)
        return who

    async def _asked(self, request: Request, bound: Bound | None) -> tuple[str, dict[str, Any]]:
        """The offer and what the session is to begin with."""
        body = await _body(request)
        content_type = request.headers.get("content-type", "")
        default: dict[str, Any] = {"type": "realtime"} if bound is None else bound.session
        if content_type.partition(";")[0].strip().lower() == "application/sdp":
            return _offer(body), default
        boundary = boundary_of(content_type)
        if boundary is None:
            raise RefusedRequest(
                400,
                "unsupported_content_type",
                "Send the offer as application/sdp, or as the part 'sdp' of multipart/form-data.",
            )
        parts = fields(body, boundary)
        if "sdp" not in parts:
            raise refuse("missing", path="sdp")
        if "session" not in parts:
            return _offer(parts["sdp"]), default
        if bound is not None:
            raise RefusedRequest(
                400,
                "unknown_parameter",
                "The session of a client secret is bound to it: leave out 'session'.",
                param="session",
            )
        return _offer(parts["sdp"]), parse(parts["session"].decode("utf-8", "replace"))

    def _admitted(self, request: Request, session: dict[str, Any]) -> Admitted:
        dialect = dialect_of(head_of(request.scope), self._policy)
        if isinstance(dialect, NotAdmitted):
            raise _refused(dialect)
        admitted = admit_session(session, self._policy, dialect)
        if isinstance(admitted, NotAdmitted):
            raise _refused(admitted)
        return admitted

    def _tried(
        self, request: Request, session: dict[str, Any]
    ) -> events.Session | events.TranscriptionSession:
        self._admitted(request, session)
        shown = tried(session, self._host.options, session_id=_new_ids().mint("sess"))
        if isinstance(shown, events.ErrorBody):
            code = shown.code if isinstance(shown.code, str) else None
            param = shown.param if isinstance(shown.param, str) else None
            raise RefusedRequest(400, code, shown.message, param=param)
        return shown

    def _new_call(self) -> Call:
        if self._media_hosts is None:
            raise RefusedRequest(
                501,
                "no_calls_here",
                "This server has several processes, of which a call could be found in one: start "
                "it without --workers.",
                type="server_error",
            )
        if importlib.util.find_spec("aiortc") is None:
            raise RefusedRequest(
                501,
                "webrtc_not_installed",
                'This server has no WebRTC: pip install "bargein[webrtc]".',
                type="server_error",
            )
        from bargein.rtc.tracks import own_addresses
        from bargein.server.webrtc import Call

        by_loopback = not self._policy.any_address
        return Call(self._media_hosts or own_addresses(loopback=by_loopback))


def _let_origin_read(request: Request, said: Response, policy: Policy) -> None:
    """A page of another host that was allowed may read the answer; no other may."""
    origin = request.headers.get("origin")
    if origin is not None and origin in policy.origins:
        said.headers["access-control-allow-origin"] = origin
        said.headers["access-control-allow-headers"] = "authorization, content-type"
        said.headers["access-control-allow-methods"] = "POST"
        said.headers["vary"] = "origin"


async def _body(request: Request) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            async for piece in request.stream():
                body += piece
                if len(body) > MOST_BODY_BYTES:
                    raise RefusedRequest(
                        413, "request_too_large", f"Send at most {MOST_BODY_BYTES} bytes."
                    )
    except TimeoutError:
        raise RefusedRequest(
            408, "request_timeout", f"The body did not come within {BODY_DEADLINE_S:g} s."
        ) from None
    return body


def _offer(body: bytes) -> str:
    if len(body) > MAX_OFFER_BYTES:
        raise RefusedRequest(
            400, "invalid_offer", f"Invalid SDP offer: it has more than {MAX_OFFER_BYTES} bytes."
        )
    return body.decode("utf-8", "replace")


def _refused(why: NotAdmitted) -> RefusedRequest:
    status = _STATUS.get(why.close_code, 400)
    return RefusedRequest(status, why.code, why.message, type=why.type)


def _new_ids() -> Ids:
    ids = Ids(lambda: secrets.randbits(128))
    ids.start(wall_time_s=int(time.time()), now_us=0)
    return ids
