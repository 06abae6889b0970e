"""Tokens that open one line of the page, once.

1. A token is spent when it is shown, whatever comes of it: who finds a used one has nothing.
2. It says what it is for (`Right`), ends by itself, and is kept as a hash only.
3. A bound on those that live: the oldest is forgotten for a new one.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

PAGE_LIFE_S = 12 * 3600.0
"""A page that was left open over the day still has its next call."""
REMOTE_LIFE_S = 600.0
"""Time enough to take the link to the other device."""
MOST_TOKENS = 1_000
_BYTES = 24


@dataclass(frozen=True, slots=True)
class Right:
    """What a token is for: a call of one's own, or to join the one named."""

    call: str | None = None


class Tokens:
    """Those of one server. `clock` is in seconds and does not run backwards."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._live: OrderedDict[bytes, tuple[Right, float]] = OrderedDict()

    def give(self, right: Right, life_s: float) -> str:
        """A new token."""
        value = secrets.token_urlsafe(_BYTES)
        self._live[_hash(value)] = right, self._clock() + life_s
        while len(self._live) > MOST_TOKENS:
            self._live.popitem(last=False)
        return value

    def spend(self, value: str) -> Right | None:
        """What it was for; None for one that was spent, has ended or was never given."""
        right, ends = self._live.pop(_hash(value), (None, 0.0))
        return right if ends > self._clock() else None


def _hash(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "replace")).digest()
