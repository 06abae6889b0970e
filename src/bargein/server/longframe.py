"""A message of text as it comes in: decoded fragment by fragment, and left in blocks where it is
long.

To put 20 MB together takes a stall of 10 to 30 ms, most of it the system's, for fresh memory. An
append need not be put together (`slicing`).
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Sequence
from dataclasses import dataclass

BLOCK_CHARACTERS = 64 * 1024


class LongFrame:
    """A frame of text in blocks."""

    def __init__(self, blocks: Sequence[str]) -> None:
        self.blocks = blocks

    def __len__(self) -> int:
        """Characters."""
        return sum(map(len, self.blocks))

    def whole(self) -> str:
        return "".join(self.blocks)


@dataclass(frozen=True, slots=True)
class LongReceived:
    """Stands for a `FrameReceived` until it is known whether it must be put together."""

    frame: LongFrame
    pipe: int


class Message:
    """A text message that is being received. However small its fragments are, what it holds is
    little more than the text."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._blocks: list[str] = []
        self._block = io.StringIO()

    def add(self, data: bytes, *, final: bool) -> None:
        """The next fragment. Raises `UnicodeDecodeError`."""
        self._block.write(self._utf8.decode(data, final))
        if self._block.tell() >= BLOCK_CHARACTERS:
            self._blocks.append(self._block.getvalue())
            self._block = io.StringIO()

    def received(self) -> str | LongFrame:
        """All of it; to be asked for once."""
        blocks, self._blocks = self._blocks, []
        rest = self._block.getvalue()
        return LongFrame((*blocks, rest)) if blocks else rest
