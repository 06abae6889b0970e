"""What the host asks of an engine: that which thinks and speaks for one session.

1. An engine is asked for a response once and gives its score in batches; the machine plays them on
   its own clock, so an engine may be far ahead of the time or barely in time.
2. A response that has ended is told by closing its iterator: `asyncio.CancelledError` at the
   `await` it stands at, `GeneratorExit` at a `yield`. Nothing that is made afterwards is heard.
3. The loop is the host's: work of more than a few milliseconds goes to a thread.
4. `EngineError` ends the response as `failed` with this error in its `status_details`. Any other
   exception does so too, with the text of a server fault, and is logged: it is a defect.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from bargein.errors import BargeinError
from bargein.server.model.commands import StartEngine
from bargein.server.model.score import Step


class EngineError(BargeinError):
    """The engine cannot make this response. `type` and `code` are as in the wire's errors."""

    def __init__(self, message: str, *, type: str = "server_error", code: str | None = None):
        super().__init__(message)
        self.type = type
        self.code = code


@dataclass(frozen=True, slots=True)
class Batch:
    """More of a response, in order. The host adds whose it is and, after the last, that it is."""

    steps: tuple[Step, ...]


class Engine(Protocol):
    """One session's engine. Responses out of band may be asked for while another runs."""

    def respond(self, request: StartEngine) -> AsyncGenerator[Batch, None]:
        """Make the response: batches in order, and the end of the iterator is its end."""


EngineFactory: TypeAlias = Callable[[], Engine]
"""Makes the engine of a new session."""
