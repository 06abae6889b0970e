"""A long append, decoded and heard in slices, so that minutes of audio at once hold up nobody.

15 MiB of audio take tens of milliseconds to decode, and where turns are detected a run of the
detector for every 32 ms. A thread does not help: it takes the interpreter from the loop again and
again. So it is decoded in pieces; and as an append is the same as several of its parts, one after
the other, it is heard in parts. Between any two of them the loop is everybody's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TypeAlias

import pybase64
from msgspec.structs import replace

from bargein import events
from bargein.server.longframe import LongFrame
from bargein.server.model.machine import is_plain_append

Append: TypeAlias = events.InputAudioBufferAppend

WHOLE_BYTES = 2
"""A slice holds whole samples in every format."""
_WHOLE_CHARACTERS = 8
"""So many give whole bytes, and whole samples."""
_MOST_REST = 1024
"""What stands behind the audio of a plain append is shorter."""


class LongAppend:
    """The append that may be in a long frame: `is_going_on` while `decode_on` is to be called."""

    def __init__(self, frame: LongFrame) -> None:
        self._blocks = deque(frame.blocks)
        self._head = ""
        self._rest = ""
        """Of the base64, what is too little to decode yet."""
        self._audio: list[bytes] = []
        self._event: Append | None = None
        self.is_going_on = True

    def decode_on(self) -> None:
        """Decode the next block."""
        block = self._blocks.popleft()
        start = 0
        if not self._head:
            found = events.append_audio_start(block)
            if found is None:
                self.is_going_on = False
                return
            start = found
            self._head = block[:start]
        end = block.find('"', start)
        is_last = end >= 0
        text = self._rest + (block[start:end] if is_last else block[start:])
        size = len(text) if is_last else len(text) // _WHOLE_CHARACTERS * _WHOLE_CHARACTERS
        self._rest = text[size:]
        if not self._decode(text[:size], is_last=is_last):
            self.is_going_on = False
        elif is_last:
            self.is_going_on = False
            if sum(map(len, self._blocks)) <= _MOST_REST:
                self._finish("".join((self._head, block[end:], *self._blocks)))
        else:
            self.is_going_on = bool(self._blocks)

    def _decode(self, text: str, *, is_last: bool) -> bool:
        if "=" in text and not is_last:
            return False
        try:
            self._audio.append(pybase64.b64decode(text, validate=True))
        except ValueError:
            return False
        return True

    def _finish(self, without_audio: str) -> None:
        event = events.append_without_audio(without_audio)
        audio_bytes = sum(map(len, self._audio))
        if (
            event is not None
            and is_plain_append(event, audio_bytes)
            and audio_bytes % WHOLE_BYTES == 0
        ):
            self._event = event

    def parts(self, slice_bytes: int | None) -> Iterator[Append] | None:
        """The append in parts of at most so many bytes; None: whole. None if the frame is anything
        but an append with which nothing is wrong: the machine must see that as it is."""
        if self._event is None:
            return None
        if slice_bytes is None:
            return iter((replace(self._event, audio=b"".join(self._audio)),))
        size = slice_bytes - slice_bytes % WHOLE_BYTES
        return self._slices(self._event, size)

    def _slices(self, event: Append, size: int) -> Iterator[Append]:
        for audio in self._audio:
            for start in range(0, len(audio), size):
                yield replace(event, audio=audio[start : start + size])
