"""The conversation that every stranger holds with our server, and what the server saw of it.

Five replies: a greeting; a call of `weather`, with its spoken result; a story that stalls until it
is interrupted; and what is said to whoever interrupts. The user speaks; nobody types.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.server.serving_rig import STALL_MS, STORY, scenario

from bargein.server.serving import Server, serve_local

GREETING = "Hello there."
RESULT = "It rains in Paris."
YES = "Yes? What is it?"
STALL_AT_MS = 1_000
"""Where the story waits: the delta that would reach this is not sent."""

CALL = {"call": "weather", "arguments": {"city": "Paris"}}
REPLIES: tuple[dict[str, Any], ...] = (
    {"outputs": [{"say": GREETING}]},
    {"outputs": [CALL]},
    {"outputs": [{"say": RESULT}], "after_call": "weather"},
    {"outputs": [{"say": STORY, "gaps": [{"at_ms": STALL_AT_MS, "for_ms": STALL_MS}]}]},
    {"outputs": [{"say": YES}]},
)


@dataclass(frozen=True)
class Stage:
    """A server, and the log of all its frames."""

    server: Server
    log: Path

    @property
    def url(self) -> str:
        """Of the WebSocket, without a query."""
        return self.server.ws_url

    def frames(self, by: str) -> list[dict[str, Any]]:
        """What the clients ("client") or the server ("server") sent so far, in order."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines())
        return [line["frame"] for line in lines if line["from"] == by]

    def asked(self, type: str) -> list[dict[str, Any]]:
        """The client's events of this type."""
        return [frame for frame in self.frames("client") if frame["type"] == type]

    def told(self, type: str) -> list[dict[str, Any]]:
        """The server's events of this type."""
        return [frame for frame in self.frames("server") if frame["type"] == type]

    def kept_ms(self, item_id: str) -> list[int]:
        """What the server remembers of each part of an item."""
        (session,) = self.server.sessions.values()
        (item,) = [one for one in session.machine.memory if one.id == item_id]
        return [part.kept_samples * 1_000 // part.format.rate for part in item.parts]


@asynccontextmanager
async def a_stage(folder: Path, *replies: dict[str, Any], **options: Any) -> AsyncIterator[Stage]:
    """A server that gives these replies; without any, those of the conversation."""
    log = folder / "frames.jsonl"
    async with serve_local(scenario(*(replies or REPLIES)), trace=log, **options) as server:
        yield Stage(server, log)
