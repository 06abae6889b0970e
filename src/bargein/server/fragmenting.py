"""WebSocket frames, handed on a little at a time and the long ones as several fragments, so that
nothing that a client sends has to be read at one go.

1. A message may come in any number of fragments (RFC 6455, section 5.4). A frame of 20 MB is made
   into fragments of 64 KiB, by heads that are put between its bytes. Their lengths are multiples of
   four, so the mask fits each of them as it is.
2. What is compressed may become a thousand times as long, so its fragments are short, and one is
   enough at a time.
3. Where it is no frame that may be taken (by its announced length, too), everything from there on
   is handed on as it is: who reads frames refuses it by its head.
"""

from __future__ import annotations

import struct

FRAGMENT_BYTES = 64 * 1024
COMPRESSED_BYTES = 512
FRAMES_AT_ONCE = 16

_FINAL, _COMPRESSED, _RESERVED, _OPCODE = 0x80, 0x40, 0x30, 0x0F
_CONTINUATION, _CONTROL = 0x0, 0x8
_OPCODES = frozenset((0x0, 0x1, 0x2, 0x8, 0x9, 0xA))
_MASKED, _LENGTH = 0x80, 0x7F
_LONGEST_CONTROL, _SHORT, _LONG = 125, 126, 127
_MASK_BYTES = 4


class Fragments:
    """What one peer sends, from its first frame on. A frame of more than `longest` bytes is not
    taken."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._received = bytearray()
        self._first: int | None = None
        """The first byte of the frame that is being handed on, of a continuation behind its first
        fragment."""
        self._mask = b""
        self._left = 0
        """What is left of its payload."""
        self._is_compressed = False
        self._is_refused = False

    def add(self, data: bytes) -> None:
        """More was received."""
        self._received += data

    @property
    def held_bytes(self) -> int:
        """What was received and not taken."""
        return len(self._received)

    def take(self) -> bytes:
        """A little, to be read at one go: whole frames and fragments. Empty while there are
        none."""
        taken: list[bytes] = []
        size = 0
        while len(taken) < FRAMES_AT_ONCE and size < FRAGMENT_BYTES:
            piece = self._piece()
            if not piece:
                break
            taken.append(piece)
            size += len(piece)
            if self._is_compressed:
                break
        return b"".join(taken)

    def _piece(self) -> bytes:
        if self._first is None and not self._is_refused:
            self._read_head()
        if self._is_refused:
            return self._cut(FRAGMENT_BYTES)
        if self._first is None:
            return b""
        size = min(self._left, COMPRESSED_BYTES if self._is_compressed else FRAGMENT_BYTES)
        if len(self._received) < size:
            return b""
        self._left -= size
        if self._left:
            head = _head(self._first & ~_FINAL, size, self._mask)
            self._first = self._first & _FINAL | _CONTINUATION
        else:
            head = _head(self._first, size, self._mask)
            self._first = None
        return head + self._cut(size)

    def _cut(self, size: int) -> bytes:
        cut = bytes(self._received[:size])
        del self._received[:size]
        return cut

    def _read_head(self) -> None:
        """Take the next frame's head, if it is there and none to be refused."""
        received = self._received
        if len(received) < 2:
            return
        first, second = received[0], received[1]
        opcode, left, at = first & _OPCODE, second & _LENGTH, 2
        if (
            not second & _MASKED
            or first & _RESERVED
            or opcode not in _OPCODES
            or (opcode & _CONTROL and left > _LONGEST_CONTROL)
        ):
            self._is_refused = True
            return
        if left == _SHORT:
            at = 4
        elif left == _LONG:
            at = 10
        if len(received) < at + _MASK_BYTES:
            return
        if at > 2:
            left = int.from_bytes(received[2:at])
        if left > self._longest:
            self._is_refused = True
            return
        if not opcode & _CONTROL and opcode != _CONTINUATION:
            self._is_compressed = bool(first & _COMPRESSED)
        self._first, self._left = first, left
        self._mask = bytes(received[at : at + _MASK_BYTES])
        del received[: at + _MASK_BYTES]


def _head(first: int, size: int, mask: bytes) -> bytes:
    if size < _SHORT:
        return bytes((first, _MASKED | size)) + mask
    if size <= 0xFFFF:
        return struct.pack("!BBH", first, _MASKED | _SHORT, size) + mask
    return struct.pack("!BBQ", first, _MASKED | _LONG, size) + mask
