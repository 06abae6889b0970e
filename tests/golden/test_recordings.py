"""Given what the recorded clients sent, our server cannot be told from the recorded service.

Every WebSocket session of OpenAI's that was recorded is played and compared lane by lane. The
sound of the recordings is blanked, so the same words are said again, in turns of the same length.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.golden.recording import has_frames, interactions, load, openai_files
from tests.golden.replay import replay

from bargein.lab.lanes import differences

PLAYED = [path for path in openai_files() if has_frames(path)]


@pytest.mark.parametrize("path", PLAYED, ids=lambda path: path.stem)
async def test_our_server_answers_the_recorded_client_as_the_service_did(path: Path) -> None:
    recording = load(path)
    answered = await replay(recording)
    assert differences(recording.received, answered) == ()


def test_a_recording_that_is_not_played_has_no_frames_but_requests_of_http() -> None:
    """The call that a sideband socket is attached to is made over WebRTC; of its frames nothing
    was recorded."""
    left_out = [path for path in openai_files() if path not in PLAYED]
    assert all(set(each) == {"request", "response"} for p in left_out for each in interactions(p))
    assert len(PLAYED) >= 4
