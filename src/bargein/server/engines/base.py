"""What the host asks of an engine: that which hears, thinks and speaks for one session.

1. An engine is asked for a response once and gives its score in batches; the machine plays them on
   its own clock, so an engine may be far ahead of the time or barely in time.
2. What has ended is told by closing its iterator: `asyncio.CancelledError` at the `await` it
   stands at, `GeneratorExit` at a `yield`. Nothing that is made afterwards is heard or shown.
3. The loop is the host's: work of more than a few milliseconds goes to a thread.
4. `EngineError` ends the response as `failed` with this error in its `status_details`, and a
   transcription with `…input_audio_transcription.failed`. Any other exception does so too, with
   the text of a server fault, and is logged: it is a defect.
5. An engine that hears nothing need not say so: its transcriptions fail with a sentence that says
   which engines do.

How the user's sound comes to an engine:

- With each response: `StartEngine.context` has the user's items with their audio (`InputAudio`:
  `audio`, `format`) and, where it is known by then, their `transcript`.
- With each transcription, if the session has `audio.input.transcription`: the whole audio of one
  committed turn. Responses do not wait for it.
- While it is spoken, if the engine `overhears`: turns under turn detection, from `speech_started`
  (with the prefix padding before it) to their end. What a user commits by hand is not overheard.
- A model that writes while the user speaks (`gpt-realtime-whisper`, `gpt-live-transcribe`,
  protocol.md §4.12), before an engine that overhears: the transcription is asked for when the turn
  begins (`StartTranscription.live`, without audio) and its sound is given to `overhear`, by hand
  too. Before an engine that does not overhear it is asked for with the commit, like any other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TypeAlias

from msgspec import UNSET

from bargein import events
from bargein.errors import BargeinError
from bargein.server.model.commands import (
    CallTool,
    ListTools,
    Overhear,
    StartEngine,
    StartTranscription,
)
from bargein.server.model.heard import Heard
from bargein.server.model.score import Step


class EngineError(BargeinError):
    """The engine cannot make this. `type` and `code` are as in the wire's errors."""

    def __init__(self, message: str, *, type: str = "server_error", code: str | None = None):
        super().__init__(message)
        self.type = type
        self.code = code


class ToolError(EngineError):
    """A remote tool could not be called, or failed. `type` is protocol_error, http_error (both with
    a number as `code`) or tool_execution_error (protocol.md §4.13)."""

    def __init__(
        self, message: str, *, type: str = "tool_execution_error", code: int | None = None
    ):
        super().__init__(message, type=type)
        self.number = code

    def shown(self) -> events.McpError:
        """As the item of the call shows it."""
        code = UNSET if self.number is None else self.number
        return events.McpError(type=self.type, code=code, message=str(self))


class NotOursError(ToolError):
    """The engine plays no MCP server of this label: whoever reaches real ones is asked."""


@dataclass(frozen=True, slots=True)
class Batch:
    """More of a response, in order. The host adds whose it is and, after the last, that it is."""

    steps: tuple[Step, ...]


class Engine(ABC):
    """One session's engine; it overrides what it can do."""

    overhears: bool = False
    """Whether it wants the user's turns while they are spoken; asked once, when the session
    begins."""

    @abstractmethod
    def respond(self, request: StartEngine) -> AsyncGenerator[Batch, None]:
        """Make the response: batches in order, and the end of the iterator is its end. Responses
        out of band may be asked for while another runs."""

    def transcribe(self, request: StartTranscription) -> AsyncGenerator[Heard, None]:
        """Say what was said in one part of the user's audio: pieces in order, and the end of the
        iterator is its end. Silence is no piece at all. Several may run at once."""
        return _without_ears()

    def overhear(self, sound: Overhear) -> None:
        """Take a piece of a turn in progress. Called from the loop, so it must not wait: what the
        engine keeps for later, it keeps in a queue of its own, with a bound."""
        return

    async def list_tools(self, request: ListTools) -> tuple[events.McpListedTool, ...]:
        """The tools of an MCP server that the client declared (protocol.md §4.13), for an engine
        that plays it or knows a way to it of its own. What an engine may call stands in
        `StartEngine.remote_tools`. Raises `EngineError` if they cannot be had, and `NotOursError`
        to have the server asked that the client named."""
        raise NotOursError(_NO_REMOTE)

    async def call_tool(self, request: CallTool) -> str:
        """Call a remote tool and return what it says. Raises `ToolError`, and `NotOursError` as
        `list_tools` does."""
        raise NotOursError(_NO_REMOTE)

    async def close(self) -> None:
        """The session is over: let go of processes and connections. Called once, after the last
        iterator was closed; cancelled if it takes longer than the host's deadline."""
        return


_NO_REMOTE = "Nobody here plays an MCP server of this label, or reaches one."


async def _without_ears(*pieces: Heard) -> AsyncGenerator[Heard, None]:
    for piece in pieces:
        yield piece
    raise EngineError(
        "This engine hears no words: take one with ears (`--engine local`), or a scenario that "
        "says what the user says (`hears`).",
        code="no_ears",
    )


EngineFactory: TypeAlias = Callable[[], Engine]
"""Makes the engine of a new session."""
