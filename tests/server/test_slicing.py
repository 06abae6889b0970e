"""Which frames are taken in slices, and that slices are the append."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.model.model_rig import RATE, Rig, silence, speech

from bargein.server.longframe import LongFrame
from bargein.server.model.inputs import EventReceived, FrameReceived
from bargein.server.slicing import LongAppend

SOUND = np.arange(10_000, dtype="<i2").tobytes()


def append(audio: bytes = SOUND, **fields: Any) -> str:
    text = base64.b64encode(audio).decode()
    return json.dumps({"type": "input_audio_buffer.append", "audio": text, **fields})


def opened(frame: str, block_characters: int = 65_536) -> LongAppend:
    """Decoded, of a frame that came in blocks."""
    starts = range(0, max(1, len(frame)), block_characters)
    append = LongAppend(LongFrame([frame[at : at + block_characters] for at in starts]))
    while append.is_going_on:
        append.decode_on()
    return append


def parts(
    frame: str, slice_bytes: int | None = 3_072, block_characters: int = 65_536
) -> list[bytes] | None:
    found = opened(frame, block_characters).parts(slice_bytes)
    return None if found is None else [each.audio for each in found]


@pytest.mark.parametrize("slice_bytes", [2, 3, 3_072, 100_000])
def test_the_slices_are_the_append_in_whole_samples(slice_bytes: int) -> None:
    made = parts(append(event_id="e"), slice_bytes)
    assert made is not None and b"".join(made) == SOUND
    assert all(len(each) % 2 == 0 and len(each) <= slice_bytes for each in made)


@given(st.integers(0, 200_000), st.integers(1_100, 70_000), st.sampled_from((None, 1_536, 4_096)))
def test_an_append_is_the_same_in_blocks_of_any_length(
    samples: int, block_characters: int, slice_bytes: int | None
) -> None:
    sound = np.arange(samples + 200, dtype="<i2").tobytes()
    made = parts(append(sound, event_id="e"), slice_bytes, block_characters)
    assert made is not None and b"".join(made) == sound
    assert all(len(each) % 2 == 0 for each in made)
    assert max(map(len, made)) <= (slice_bytes or len(sound))


def test_every_part_bears_the_name_of_the_append() -> None:
    found = opened(append(event_id="mine")).parts(3_072)
    assert found is not None and {each.event_id for each in found} == {"mine"}


def wrong(at: int, what: str) -> str:
    frame = append(bytes(300_000))
    return frame[:at] + what + frame[at + len(what) :]


@pytest.mark.parametrize("at", [100, 70_000, 399_000])
@pytest.mark.parametrize("what", ["?", "=", "==", "\\n", "ä", '"'])
def test_what_is_no_base64_anywhere_is_seen_whole(at: int, what: str) -> None:
    assert parts(wrong(at, what)) is None


def test_what_follows_the_audio_may_not_be_long() -> None:
    assert parts(append()[:-1] + " " * 70_000 + "}", block_characters=30_000) is None


def test_more_audio_than_an_append_may_have_is_seen_whole() -> None:
    assert parts(append(bytes(15 * 1024 * 1024))) is not None
    assert parts(append(bytes(15 * 1024 * 1024 + 2))) is None


@pytest.mark.parametrize(
    "frame",
    [
        append(SOUND[:-1]),
        append(b""),
        append(extra=1),
        append(event_id="x" * 2_000),
        '{"type": "input_audio_buffer.append", "audio": "?"}',
        '{"type": "input_audio_buffer.clear"}',
        "{",
    ],
)
def test_what_may_be_refused_is_seen_whole(frame: str) -> None:
    assert parts(frame) is None


def told(sent: list[dict[str, Any]]) -> list[Any]:
    """What was said, but for the ids, which are minted in another order."""
    return [(each["type"], each.get("audio_start_ms"), each.get("audio_end_ms")) for each in sent]


def test_a_machine_decides_the_same_of_an_append_and_of_its_slices() -> None:
    frame = append(silence(500) + speech(900) + silence(900) + speech(300))
    whole, sliced = Rig(), Rig()
    at_once = whole.give(FrameReceived(frame))
    size = sliced.machine.slice_bytes
    assert size == 2 * RATE * 32 // 1_000
    one_by_one: list[dict[str, Any]] = []
    for part in opened(frame).parts(size) or ():
        one_by_one += sliced.give(EventReceived(part))
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
