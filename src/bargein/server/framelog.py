"""A log of frames, both ways: one JSON object a line, for reading and for bug reports.

1. A line has `t_us` (microseconds since the log began), `session`, `from` (client or server) and
   the `frame`. Sound is not in it: a field of base64 is replaced by the number of its characters.
2. No secret is in it (`bargein.masking`), and what is no JSON object is not shown at all, for it
   could be anything.
3. The file is for its owner only (mode 0600). Lines are whole: each is written at once.
4. A disk that is full stops the log, not the server; what is missing is counted.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from bargein.errors import LocalValueError
from bargein.masking import without_secrets

log = logging.getLogger(__name__)

_AUDIO_DELTA = "response.output_audio.delta"
_MAX_DEPTH = 32


class FrameLog:
    """An open log. A context manager; used from one thread."""

    def __init__(self, path: Path) -> None:
        """Begin the file anew. Raises `LocalValueError` if it cannot be written."""
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            self._fd = os.open(path, flags, 0o600)
            if stat.S_ISREG(os.fstat(self._fd).st_mode):  # A pipe or a device is not ours.
                os.chmod(path, 0o600)
        except OSError as error:
            raise LocalValueError(
                f"{path}: {error.strerror or error}; give a file that can be written"
            ) from error
        self.missing = 0
        """Frames that could not be written."""
        self._began = time.monotonic_ns()
        self._encoder = msgspec.json.Encoder()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the log. What is noted afterwards is counted as missing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def note(self, session: str, sender: str, frame: str | bytes) -> None:
        """Write one frame."""
        line = {
            "t_us": (time.monotonic_ns() - self._began) // 1_000,
            "session": session,
            "from": sender,
            "frame": shown(frame),
        }
        if self._fd < 0:
            self.missing += 1
            return
        try:
            os.write(self._fd, self._encoder.encode(line) + b"\n")
        except OSError as error:
            log.warning("the log of frames ends here: %s", error.strerror or error)
            self.missing += 1
            self.close()


def shown(frame: str | bytes) -> Any:
    """The frame as it may be kept: an event without sound and secrets, or what it is instead."""
    if isinstance(frame, bytes):
        return {"binary_bytes": len(frame)}
    try:
        event = msgspec.json.decode(frame)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {"no_json_characters": len(frame)}
    if not isinstance(event, dict):
        return {"no_object_characters": len(frame)}
    delta = {"delta"} if event.get("type") == _AUDIO_DELTA else set[str]()
    return without_secrets(_without_sound(event, {"audio", *delta}, _MAX_DEPTH))


def _without_sound(value: Any, sounds: set[str], depth: int) -> Any:
    if depth == 0:
        return "(deeper)"
    if isinstance(value, list):
        return [_without_sound(each, sounds, depth - 1) for each in value]
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    for name, each in value.items():
        if name in sounds and isinstance(each, str):
            kept[name] = f"({len(each)} characters of base64)"
        else:
            kept[name] = _without_sound(each, sounds, depth - 1)
    return kept
