"""Which frames are taken in slices, and that slices are the append."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from tests.server.model.model_rig import RATE, Rig, silence, speech

from bargein import events
from bargein.server.model.inputs import EventReceived, FrameReceived
from bargein.server.slicing import slices

SOUND = np.arange(10_000, dtype="<i2").tobytes()


def append(audio: bytes = SOUND, **fields: Any) -> str:
    text = base64.b64encode(audio).decode()
    return json.dumps({"type": "input_audio_buffer.append", "audio": text, **fields})


def parts(frame: str | bytes, slice_bytes: int = 3_072) -> list[bytes] | None:
    found = slices(frame, slice_bytes)
    if found is None:
        return None
    given = [each.event for each in found]
    return [each.audio for each in given if isinstance(each, events.InputAudioBufferAppend)]


@pytest.mark.parametrize("slice_bytes", [2, 3, 3_072, 100_000])
def test_the_slices_are_the_append_in_whole_samples(slice_bytes: int) -> None:
    made = parts(append(event_id="e"), slice_bytes)
    assert made is not None and b"".join(made) == SOUND
    assert all(len(each) % 2 == 0 and len(each) <= slice_bytes for each in made)


@pytest.mark.parametrize(
    "frame",
    [
        append().encode(),
        append(SOUND[:-1]),
        append(b""),
        append(extra=1),
        append(event_id="x" * 2_000),
        '{"type": "input_audio_buffer.append", "audio": "?"}',
        '{"type": "input_audio_buffer.clear"}',
        "{",
    ],
)
def test_what_may_be_refused_is_seen_whole(frame: str | bytes) -> None:
    assert parts(frame) is None


def told(sent: list[dict[str, Any]]) -> list[Any]:
    """What was said, but for the ids, which are minted in another order."""
    return [(each["type"], each.get("audio_start_ms"), each.get("audio_end_ms")) for each in sent]


def test_a_machine_decides_the_same_of_an_append_and_of_its_slices() -> None:
    frame = append(silence(500) + speech(900) + silence(900) + speech(300))
    whole, sliced = Rig(), Rig()
    at_once = whole.give(FrameReceived(frame))
    size = sliced.machine.slice_bytes
    assert size == 2 * 2 * RATE * 32 // 1_000
    one_by_one: list[dict[str, Any]] = []
    for part in slices(frame, size) or ():
        assert isinstance(part, EventReceived)
        one_by_one += sliced.give(part)
    assert told(at_once) == told(one_by_one)
    assert [each["type"] for each in at_once if "speech" in each["type"]] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.speech_started",
    ]


def test_without_turn_detection_there_is_nothing_to_slice_for() -> None:
    rig = Rig()
    rig.configure(None)
    assert rig.machine.slice_bytes is None
