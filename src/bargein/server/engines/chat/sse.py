"""Server-sent events, as chat-completions and its kin stream them. Pure.

1. A line ends with LF, CRLF or CR; an event is the joined `data` of its lines and ends with an
   empty line (HTML standard, section 9.2.6). A comment, and any other field but `data`, is nothing.
2. Bytes that are no UTF-8 are replaced: what they spoil is seen by whoever reads the JSON.
3. An event that is not whole may not grow beyond `most_bytes`.
"""

from __future__ import annotations

import re

_LINE_END = re.compile(rb"\r\n|\n|\r")


class TooLongError(Exception):
    """An event grows beyond all bounds."""


class EventReader:
    """Bytes in, the data of whole events out."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._rest = b""
        self._data: list[bytes] = []
        self._held_bytes = 0

    def push(self, more: bytes) -> list[str]:
        """The data of the events that are whole now. Raises `TooLongError`."""
        events: list[str] = []
        *lines, self._rest = self._lines(self._rest + more)
        for line in lines:
            if not line:
                events += self._end_event()
            elif line.startswith(b"data:"):
                data = line[5:].removeprefix(b" ")
                self._data.append(data)
                self._held_bytes += len(data)
        if self._held_bytes + len(self._rest) > self._most_bytes:
            raise TooLongError
        return events

    def flush(self) -> list[str]:
        """The stream is over. An event that lacks only its empty line counts: some servers forget
        it."""
        events = self.push(b"\n" if self._rest else b"")
        return events + self._end_event()

    @staticmethod
    def _lines(text: bytes) -> list[bytes]:
        # A CR at the end may be the first half of a CRLF: it waits for what follows.
        if text.endswith(b"\r"):
            *lines, last = _LINE_END.split(text[:-1])
            return [*lines, last + b"\r"]
        return _LINE_END.split(text)

    def _end_event(self) -> list[str]:
        if not self._data:
            return []
        event = b"\n".join(self._data).decode("utf-8", "replace")
        self._data.clear()
        self._held_bytes = 0
        return [event]
