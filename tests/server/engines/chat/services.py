"""Servers for the chat engine to talk to: real ones on sockets of this machine, well or ill
behaved as a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bargein.server.engines.chat.options import ChatOptions, Deadlines

EVENT_STREAM = "text/event-stream"
DONE = "data: [DONE]\n\n"
Answer = Callable[["Asked"], Awaitable[Response]]


@dataclass
class Asked:
    """One request, as the server saw it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Services:
    """What was asked, and what is answered: answers in order for each path; the last one stays."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    open_streams: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def minds(self, *answers: Answer) -> None:
        self.answers["/v1/chat/completions"] = list(answers)

    def ears(self, *answers: Answer) -> None:
        self.answers["/v1/audio/transcriptions"] = list(answers)

    def voices(self, *answers: Answer) -> None:
        self.answers["/v1/audio/speech"] = list(answers)

    def options(self, **more: Any) -> ChatOptions:
        deadlines = Deadlines(connect_s=5, first_s=20, idle_s=20)
        return ChatOptions(
            **{"chat_url": self.url, "chat_model": "tiny", "deadlines": deadlines, **more}
        )

    def asked_of(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == f"/v1{path}"]

    async def handle(self, request: Request) -> Response:
        body: dict[str, Any]
        if request.headers["content-type"].startswith("multipart/"):
            async with request.form() as form:
                body = {name: value for name, value in form.items() if isinstance(value, str)}
                files = {
                    name: await value.read()
                    for name, value in form.items()
                    if not isinstance(value, str)
                }
        else:
            body, files = await request.json(), {}
        asked = Asked(request.url.path, dict(request.headers), body, files)
        self.asked.append(asked)
        answers = self.answers[asked.path]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        response = await answer(asked)
        if isinstance(response, StreamingResponse):
            response.body_iterator = self._counted(response.body_iterator)
        return response

    async def _counted(self, stream: Any) -> AsyncGenerator[Any, None]:
        await self._change(+1)
        try:
            async for piece in stream:
                yield piece
        finally:
            await asyncio.shield(self._change(-1))

    async def _change(self, by: int) -> None:
        async with self.changed:
            self.open_streams += by
            self.changed.notify_all()

    async def no_open_streams(self) -> None:
        """Wait until every stream has been closed."""
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: self.open_streams == 0)


@asynccontextmanager
async def services() -> AsyncIterator[Services]:
    """A server in this loop, on a port of its own."""
    served = Services()
    app = Starlette(routes=[Route("/{path:path}", served.handle, methods=["POST"])])
    config = uvicorn.Config(
        app,
        port=0,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    served.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield served
    finally:
        await server.shutdown()


def chunk(delta: dict[str, Any] | None = None, *, finish: str | None = None, **more: Any) -> str:
    """One event of a streamed completion."""
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": finish}]
    return event({"id": "c", "choices": choices, **more})


def event(data: Any) -> str:
    return f"data: {json.dumps(data)}\n\n"


def text(*pieces: str, finish: str = "stop") -> list[str]:
    """The events of an answer that says these pieces."""
    return [*(chunk({"content": piece}) for piece in pieces), chunk(finish=finish), DONE]


def says(*pieces: str, finish: str = "stop") -> Answer:
    return streams(*text(*pieces, finish=finish))


def streams(*pieces: str | bytes, media_type: str = EVENT_STREAM, then: str = "end") -> Answer:
    """Answers with these pieces, each written by itself; then it ends, "waits" or "breaks"."""

    async def answer(asked: Asked) -> Response:
        async def body() -> AsyncGenerator[bytes, None]:
            for piece in pieces:
                yield piece.encode() if isinstance(piece, str) else piece
            if then == "waits":
                await asyncio.Event().wait()
            elif then == "breaks":
                raise ConnectionResetError

        return StreamingResponse(body(), media_type=media_type)

    return answer


def refuses(status: int, body: Any) -> Answer:
    return gives(body if isinstance(body, str) else json.dumps(body), "application/json", status)


def gives(body: bytes | str, media_type: str, status: int = 200) -> Answer:
    """Answers with this body at once."""

    async def answer(asked: Asked) -> Response:
        return Response(body, status, media_type=media_type)

    return answer
