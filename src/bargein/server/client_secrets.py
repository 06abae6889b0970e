"""Ephemeral keys: what each of them begins, and until when (protocol.md §1.3).

1. A key gates the beginning of sessions, any number until it expires; one that runs goes on.
2. The keys themselves are not kept, only their hashes: neither a log nor a look into the process
   shows one. An expired one is known for a while, so that its owner is told what is wrong.
3. There is a bound on how many live at once; the expired make room.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PREFIX = "ek_"
MOST_KEYS = 10_000
_KEY_BYTES = 24


@dataclass(frozen=True, slots=True)
class BoundKey:
    """`session` is checked."""

    session: dict[str, Any] = field(repr=False)
    expires_at: int
    expired: bool = False


class ClientSecrets:
    """Those of one server. `wall` is the time in unix seconds."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._bound: dict[bytes, BoundKey] = {}

    def mint(self, session: dict[str, Any], life_s: int) -> tuple[str, int] | None:
        """A new key and when it expires; None if there are too many."""
        now_s = int(self._wall())
        if len(self._bound) >= MOST_KEYS:
            live = {key: each for key, each in self._bound.items() if each.expires_at > now_s}
            self._bound = live
            if len(live) >= MOST_KEYS:
                return None
        value = PREFIX + secrets.token_urlsafe(_KEY_BYTES)
        self._bound[_hash(value)] = BoundKey(session, now_s + life_s)
        return value, now_s + life_s

    def find(self, value: str) -> BoundKey | None:
        """What the key is bound to; None if it is none of ours."""
        bound = self._bound.get(_hash(value))
        if bound is None or bound.expires_at > self._wall():
            return bound
        return BoundKey(bound.session, bound.expires_at, expired=True)


def _hash(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "replace")).digest()
