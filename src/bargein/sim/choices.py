"""The only source of chance. The world does not know what stands behind it.

1. Every draw belongs to a named stream. A new draw in one stream does not move the others, so
   seeds and tapes keep their meaning when the world grows.
2. A draw is an offset from the plainest value, which is 0. A tape is the list of offsets of every
   stream; where a tape ends, everything is plain. So a shorter tape and smaller numbers are
   always a simpler episode.
3. Integers only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from struct import Struct
from typing import Protocol, TypeAlias, TypeVar

T = TypeVar("T")

Tape: TypeAlias = dict[str, list[int]]
"""The offsets drawn, by stream, in order."""


_WORDS = Struct("<8Q")


class Source(Protocol):
    """What draws: a seed, a tape, or a property-based tester (`data.draw(integers(0, span))`)."""

    def draw(self, stream: str, span: int) -> int:
        """An integer from 0 to `span`, both included."""
        ...


class SeedSource:
    """A stream is the digests of the seed, its name and a count, eight draws of 64 bits each, from
    the end.

    Most streams are drawn from once or twice, so what counts is how fast one begins.
    """

    def __init__(self, seed: int | str) -> None:
        self._seed = seed
        self._left: dict[str, list[int]] = {}
        self._digests: dict[str, int] = {}

    def draw(self, stream: str, span: int) -> int:
        left = self._left.get(stream)
        if not left:
            left = self._left[stream] = self._more(stream)
        return left.pop() % (span + 1)

    def _more(self, stream: str) -> list[int]:
        count = self._digests.get(stream, 0)
        self._digests[stream] = count + 1
        return list(_WORDS.unpack(blake2b(f"{self._seed}/{stream}/{count}".encode()).digest()))


class TapeSource:
    """Plays a tape. A value beyond what the world allows now is the largest one allowed."""

    def __init__(self, tape: Mapping[str, Sequence[int]]) -> None:
        self._tape = tape
        self._positions: dict[str, int] = {}

    def draw(self, stream: str, span: int) -> int:
        offsets = self._tape.get(stream, ())
        position = self._positions.get(stream, 0)
        if position >= len(offsets):
            return 0
        self._positions[stream] = position + 1
        return min(max(0, offsets[position]), span)


class Choices:
    """Draws from a source and keeps the tape."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.tape: Tape = {}

    def draw(self, stream: str, low: int, high: int) -> int:
        """An integer from `low`, the plainest, to `high`, both included."""
        if high < low:
            raise ValueError(f"stream {stream!r}: nothing lies between {low} and {high}")
        offset = self._source.draw(stream, high - low) if high > low else 0
        offsets = self.tape.get(stream)
        if offsets is None:
            offsets = self.tape[stream] = []
        offsets.append(offset)
        return low + offset

    def rarely(self, stream: str, one_in: int) -> bool:
        """True once in so many times. The plain answer is False."""
        return self.draw(stream, 0, one_in - 1) == one_in - 1

    def pick(self, stream: str, values: Sequence[T]) -> T:
        """One of the values; the first is the plainest. A value may stand there more than once."""
        return values[self.draw(stream, 0, len(values) - 1)]
