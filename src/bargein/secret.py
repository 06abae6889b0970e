"""Keys, kept out of everything that people read.

A key is held in a `Secret`, whose text shows nothing; and text that comes from elsewhere (the
service quotes a wrong key in part) passes `Secret.hidden_in` before it goes into an error.
"""

from __future__ import annotations

import re

from bargein.errors import LocalValueError

_ALLOWED = re.compile(r"[!-~]+")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LEAST_PIECE = 8


class Secret:
    """An API key or a client secret."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Raises `LocalValueError` for what cannot be a key; the text shows nothing of it."""
        if not isinstance(value, str):
            raise LocalValueError(f"api_key: a {type(value).__name__}; give the key as a str")
        if not value:
            raise LocalValueError("api_key: is empty; give the key, or set OPENAI_API_KEY")
        if not _ALLOWED.fullmatch(value):
            at = next(i for i, c in enumerate(value) if not _ALLOWED.match(c))
            raise LocalValueError(
                f"api_key: character {at + 1} of {len(value)} is a space, a line break or not "
                "ASCII, which no key contains; strip it before it is given"
            )
        self._value = value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled")

    def reveal(self) -> str:
        """The key itself: for the wire only."""
        return self._value

    @property
    def is_token(self) -> bool:
        """Whether it may stand in a `Sec-WebSocket-Protocol` header (RFC 9110, token)."""
        return _TOKEN.fullmatch(self._value) is not None

    def hidden_in(self, text: str) -> str:
        """The text without the key and without any piece of it of eight characters or more."""
        key = self._value
        least = min(_LEAST_PIECE, len(key))
        for size in range(len(key), least - 1, -1):
            for start in range(len(key) - size + 1):
                piece = key[start : start + size]
                if piece in text:
                    text = text.replace(piece, "***")
        return text

    def whole_hidden_in(self, text: str) -> str:
        """The text without the whole key: cheap enough for every frame."""
        return text.replace(self._value, "***") if self._value in text else text
