"""A long append, taken in slices, so that one session's minutes of audio hold up nobody.

Under turn detection every 32 ms of audio cost a run of the detector, a third of a millisecond;
15 MiB are minutes of audio and seconds of work. A thread does not help: it takes the interpreter
from the loop again and again. An append is the same as several of its parts, one after the other,
so it is handled in parts, and between two of them the loop is everybody's.
"""

from __future__ import annotations

from collections.abc import Iterator

from bargein import events
from bargein.server.model.inputs import EventReceived
from bargein.server.model.machine import is_plain_append

WHOLE_BYTES = 2
"""A slice holds whole samples in every format."""


def slices(frame: str | bytes, slice_bytes: int) -> Iterator[EventReceived] | None:
    """The parts of an append that nothing is wrong with; None for any other frame, which the
    machine must see as it is."""
    if isinstance(frame, bytes):
        return None
    event = events.decode_client(frame)
    if not is_plain_append(event) or len(event.audio) % WHOLE_BYTES:
        return None
    return _parts(event.audio, slice_bytes - slice_bytes % WHOLE_BYTES)


def _parts(audio: bytes, slice_bytes: int) -> Iterator[EventReceived]:
    for start in range(0, len(audio), slice_bytes):
        part = audio[start : start + slice_bytes]
        yield EventReceived(events.InputAudioBufferAppend(audio=part))
