"""What an engine can tell of the user's words: the counterpart of `score`.

1. The deltas of `Words`, joined, are the transcript. They are never taken back.
2. A `Guess` is what the engine believes was said so far, whole, and may be replaced by another one.
   It is never shown: it helps to judge whether the user has finished (`semantic_vad`).
3. `Segment` and `Languages` are shown where the service documents them (protocol.md §2.3).
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Token(msgspec.Struct, frozen=True, gc=False):
    """A piece of the text and how sure the engine is of it, as a natural logarithm."""

    text: str
    logprob: float


class Words(msgspec.Struct, frozen=True, gc=False):
    """More of the transcript. `tokens`, joined, are `text`; none if the engine has none."""

    text: str
    tokens: tuple[Token, ...] = ()


class Guess(msgspec.Struct, frozen=True, gc=False):
    """All that was probably said so far."""

    text: str


class Segment(msgspec.Struct, frozen=True, gc=False):
    """One speaker's words, from `start_s` to `end_s` of the part's audio (diarization). They are
    part of the transcript only if `Words` say so too."""

    text: str
    speaker: str
    start_s: float
    end_s: float


class Languages(msgspec.Struct, frozen=True, gc=False):
    """The languages that were heard, as ISO 639-1 codes."""

    codes: tuple[str, ...]


Heard: TypeAlias = Words | Guess | Segment | Languages
