"""Given what the recorded clients sent, our server cannot be told from the recorded service.

Every WebSocket session of OpenAI's that was recorded is played and compared lane by lane. The
sound of the recordings is blanked, so the same words are said again, in turns of the same length.
"""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from tests.golden.recording import Frame, has_frames, interactions, load, openai_files
from tests.golden.replay import replay

from bargein.lab.lanes import differences
from bargein.server.model.vad import FRAME_MS

PLAYED = [path for path in openai_files() if has_frames(path)]
SPOKEN = [path for path in PLAYED if load(path).turns]


@pytest.mark.parametrize("path", PLAYED, ids=lambda path: path.stem)
async def test_our_server_answers_the_recorded_client_as_the_service_did(path: Path) -> None:
    recording = load(path)
    answered = await replay(recording)
    assert differences(recording.received, answered) == ()


@pytest.mark.parametrize("path", SPOKEN, ids=lambda path: path.stem)
async def test_a_turn_is_heard_where_the_service_heard_it_and_billed_as_it_was(path: Path) -> None:
    recording = load(path)
    answered = await replay(recording)
    assert told(answered, "audio_start_ms") == told(recording.received, "audio_start_ms")
    (ended,), (ended_there,) = (
        told(frames, "audio_end_ms") for frames in (answered, recording.received)
    )
    assert abs(ended - ended_there) <= FRAME_MS
    assert heard_tokens(answered) == heard_tokens(recording.received)


def told(frames: list[Frame], field: str) -> list[int]:
    return [frame[field] for frame in frames if field in frame]


def heard_tokens(frames: list[Frame]) -> list[int]:
    return [
        frame["response"]["usage"]["input_token_details"]["audio_tokens"]
        for frame in frames
        if frame["type"] == "response.done"
    ]


async def test_a_server_of_another_model_can_be_told() -> None:
    recording = load(next(path for path in PLAYED if path not in SPOKEN))
    other = copy.deepcopy(recording)
    other.received[0]["session"]["model"] = "gpt-realtime-2.1"
    found = differences(recording.received, await replay(other))
    assert "session.created: session.audio.output.voice is 'marin' instead of 'alloy'" in [
        sentence.replace(" (session 1)", "") for sentence in found
    ]


def test_a_recording_that_is_not_played_has_no_frames_but_requests_of_http() -> None:
    """The call that a sideband socket is attached to is made over WebRTC; of its frames nothing
    was recorded."""
    left_out = [path for path in openai_files() if path not in PLAYED]
    assert all(set(each) == {"request", "response"} for p in left_out for each in interactions(p))
    assert len(PLAYED) >= 4
