"""From a frame to an event: ours against the official SDK, on the frames of one conversation.

1. Both begin with the bytes of the frame, as they come off the socket. Ours are made text first,
   as `websockets` does it for the transport; the SDK is given the bytes, as it asks for.
2. Ours ends with audio as bytes. The SDK's own parsing leaves base64, and is the peer all the
   same; what its user pays for the bytes too (`base64.b64decode`) is in the raw figures.
3. Rounds of both alternate, and each takes every frame of the kind in turn.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Any

from bargein import events
from bargein.errors import DeviceError
from bargein.events import codec
from bargein.lab.bench.figures import Effort, Figure, shown, spread
from bargein.lab.bench.recording import Conversation

TARGET = 5.0
"""Issue 2: at least five times as fast."""
_KINDS = {
    "audio": events.ResponseOutputAudioDelta,
    "transcript": events.ResponseOutputAudioTranscriptDelta,
}


def measure(conversation: Conversation, effort: Effort) -> list[Figure]:
    """One figure for audio and one for transcripts. Raises `DeviceError` without the SDK."""
    parse = _official_parser()
    return [_figure(kind, conversation, effort, parse) for kind in _KINDS]


def ours(frame: bytes) -> object:
    """What the transport and the driver do with a frame before the machine sees it."""
    return codec.decode_server(str(frame, "utf-8"))


def _figure(
    kind: str, conversation: Conversation, effort: Effort, parse: Callable[[bytes], Any]
) -> Figure:
    frames = [
        frame.encode()
        for frame in conversation.frames
        if isinstance(codec.decode_server(frame), _KINDS[kind])
    ]
    _agree(kind, frames, parse)
    ways: dict[str, Callable[[bytes], object]] = {"ours": ours, "sdk": parse}
    if kind == "audio":
        ways["sdk_and_bytes"] = lambda frame: base64.b64decode(parse(frame).delta)
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(effort.decode_rounds):
        for name, way in ways.items():
            took[name].append(_us_per_call(way, frames, effort.decode_calls))
    ratios = tuple(shown(sdk / mine) for mine, sdk in zip(took["ours"], took["sdk"], strict=True))
    return Figure(
        name=f"decode.{kind}",
        says=f"decoding {_named(kind)} against openai's AsyncRealtimeConnection.parse_event",
        unit="times as fast",
        target=TARGET,
        wanted="at least",
        rounds=ratios,
        raw={
            "frames": len(frames),
            "frame_bytes": spread([len(frame) for frame in frames]),
            "us": {name: spread(values) for name, values in took.items()},
        },
    )


def _named(kind: str) -> str:
    return {"audio": "an audio delta", "transcript": "a transcript delta"}[kind]


def _us_per_call(way: Callable[[bytes], object], frames: Sequence[bytes], calls: int) -> float:
    todo = list(islice(cycle(frames), calls))
    began_ns = time.perf_counter_ns()
    for frame in todo:
        way(frame)
    return (time.perf_counter_ns() - began_ns) / calls / 1_000


def _agree(kind: str, frames: Sequence[bytes], parse: Callable[[bytes], Any]) -> None:
    """Both must have understood the same, or there is nothing to compare."""
    assert frames, f"the conversation has no {kind} delta"
    for frame in frames[:10]:
        mine: Any = ours(frame)
        theirs = parse(frame)
        delta = base64.b64decode(theirs.delta) if kind == "audio" else theirs.delta
        assert (mine.item_id, mine.delta) == (theirs.item_id, delta), frame[:200]


def _official_parser() -> Callable[[bytes], Any]:
    try:
        from openai.resources.realtime.realtime import AsyncRealtimeConnection
    except ImportError as error:
        raise DeviceError(
            "the bench compares with the official SDK, which is not installed: "
            'pip install "openai[realtime]"'
        ) from error
    # Parsing uses nothing of the connection, so none is made.
    return AsyncRealtimeConnection.__new__(AsyncRealtimeConnection).parse_event
