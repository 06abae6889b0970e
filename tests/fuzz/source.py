"""The choices of a made-up story, read from bytes: a fuzzer's, Hypothesis's, or kept ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Source:
    """Numbers made of one or two bytes each, and 0 once there are none left."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def more(self) -> bool:
        """Whether the story goes on."""
        return self._at < len(self._data)

    def pick(self, n: int) -> int:
        """A number from 0 to n-1."""
        width = 1 if n <= 256 else 2
        return int.from_bytes(self._take(width)) % n

    def raw(self, most: int) -> bytes:
        """Up to so many bytes as they come."""
        return self._take(self.pick(most + 1))

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken


def one_of(source: Source, values: Sequence[T]) -> T:
    """One of the values."""
    return values[source.pick(len(values))]
