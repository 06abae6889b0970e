"""The conversation that every stranger holds with our server, and what the server saw of it.

Five replies: a greeting; a call of `weather`, with its spoken result; a story that stalls until it
is interrupted; and what is said to whoever interrupts. The user speaks; nobody types.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.server.serving_rig import RATE, STALL_MS, STORY, scenario, user_speech

from bargein.server.serving import Server, serve_local

GREETING = "Hello there."
RESULT = "It rains in Paris."
YES = "Yes? What is it?"
STALL_AT_MS = 1_000
"""Where the story waits: the delta that would reach this is not sent."""
STORY_MS = 849
"""What is sent of it: deltas of 2397, 5997, 5997 and 5997 samples, 849.5 ms, in whole ones."""

CALL = {"call": "weather", "arguments": {"city": "Paris"}}
STALLED = {"outputs": [{"say": STORY, "gaps": [{"at_ms": STALL_AT_MS, "for_ms": STALL_MS}]}]}
REPLIES: tuple[dict[str, Any], ...] = (
    {"outputs": [{"say": GREETING}]},
    {"outputs": [CALL]},
    {"outputs": [{"say": RESULT}], "after_call": "weather"},
    STALLED,
    {"outputs": [{"say": YES}]},
)
HEARS = ("Hello.", "Is it raining in Paris?", "Tell me a story.", "Wait.")
THINKING_MS = 4_000
"""The longest that a semantic detector waits for the user to go on, as the agents' kits set it."""


def user() -> bytes:
    """A spoken sentence, and silence enough for every detector; PCM, 24 kHz."""
    return user_speech() + bytes(2 * RATE * THINKING_MS // 1_000)


class Log:
    """The server's log of frames, as it grows. Sound going in is left out."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = 0
        self._lines: list[dict[str, Any]] = []
        self.appends = 0
        """Pieces of sound that the clients sent, as of the last look at the lines."""

    def lines(self) -> list[dict[str, Any]]:
        """All so far: `t_us`, `from` and `frame`."""
        with self._file.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in map(json.loads, whole.splitlines()):
            if line["frame"]["type"] == "input_audio_buffer.append":
                self.appends += 1
            else:
                self._lines.append(line)
        return self._lines


@dataclass(frozen=True)
class Stage:
    """A server, and the log of its frames."""

    server: Server
    log: Log

    @property
    def url(self) -> str:
        """Of the WebSocket, without a query."""
        return self.server.ws_url

    def frames(self, by: str) -> list[dict[str, Any]]:
        """What the clients ("client") or the server ("server") sent so far, in order."""
        return [line["frame"] for line in self.log.lines() if line["from"] == by]

    def asked(self, type: str) -> list[dict[str, Any]]:
        """The client's events of this type."""
        return [frame for frame in self.frames("client") if frame["type"] == type]

    def told(self, type: str) -> list[dict[str, Any]]:
        """The server's events of this type."""
        return [frame for frame in self.frames("server") if frame["type"] == type]

    @property
    def refusals(self) -> list[tuple[str, str]]:
        """The errors that the server sent: code and text."""
        return [(one["error"]["code"], one["error"]["message"]) for one in self.told("error")]

    @property
    def spoken_items(self) -> list[str]:
        """The ids of what was spoken to the user, in order."""
        return [
            frame["item_id"]
            for frame in self.told("response.content_part.added")
            if frame["part"]["type"] == "audio"
        ]

    def kept_ms(self, item_id: str) -> list[int]:
        """What the server remembers of each part of an item, in whole milliseconds. Only while the
        session is open."""
        (session,) = self.server.sessions.values()
        (item,) = [one for one in session.machine.memory if one.id == item_id]
        return [part.kept_samples * 1_000 // part.format.rate for part in item.parts]

    @property
    def remembered_ms(self) -> dict[str, int]:
        """How much sound the server remembers of each item that is there. Only while the session
        is open."""
        (session,) = self.server.sessions.values()
        return {
            item.id: sum(part.kept_samples * 1_000 // part.format.rate for part in item.parts)
            for item in session.machine.memory
        }


@asynccontextmanager
async def a_stage(
    folder: Path,
    *replies: dict[str, Any],
    hears: Sequence[str] = HEARS,
    manner: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Stage]:
    """A server that gives these replies; without any, those of the conversation."""
    log = folder / "frames.jsonl"
    script = scenario(*(replies or REPLIES), hears=hears, **(manner or {}))
    async with serve_local(script, trace=log, **options) as server:
        yield Stage(server, Log(log))
