"""The benches' own arithmetic, and that what they compare is the same on both sides.

No test here asserts a time: what is fast on one machine is slow on another.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bargein import events
from bargein.core.commands import Close
from bargein.core.inputs import Captured, PlaybackStopped, Received
from bargein.errors import DeviceError
from bargein.lab.bench import decoding, evidence, handling, hour, live, user
from bargein.lab.bench.figures import QUICK, Effort, Figure, percentile, shown, spread
from bargein.lab.bench.hour_child import Minute
from bargein.lab.bench.live_child import Cost, Round
from bargein.lab.bench.recording import Conversation, Happened, record
from bargein.lab.bench.replay_server import write

SECONDS = 12
WRONG = SimpleNamespace(item_id="", delta="")
FEW = Effort(decode_rounds=2, decode_calls=20, replays=2)


@pytest.fixture(scope="module")
def conversation() -> Conversation:
    return record(SECONDS)


def figure(wanted: str, target: float, *rounds: float) -> Figure:
    return Figure(name="f", says="f", unit="u", target=target, wanted=wanted, rounds=rounds, raw={})  # type: ignore[arg-type]  # the two words are given as they are


@pytest.mark.parametrize(
    ("wanted", "rounds", "met"),
    [
        ("at least", (5.0, 5.0, 1.0), True),
        ("at least", (4.9, 4.9, 9.0), False),
        ("at most", (5.0, 5.0, 9.0), True),
        ("at most", (5.1, 5.1, 1.0), False),
    ],
)
def test_the_median_of_the_rounds_decides_whether_a_target_is_met(
    wanted: str, rounds: tuple[float, ...], met: bool
) -> None:
    assert figure(wanted, 5.0, *rounds).met is met


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(1, 201)]
    assert percentile(values, 99) == 198
    assert percentile(values, 100) == 200
    assert percentile([7.0], 50) == 7.0


def test_a_spread_keeps_four_digits_of_least_median_and_greatest() -> None:
    assert spread([3.0, 1.23456, 2.0]) == {"min": 1.235, "median": 2.0, "max": 3.0}
    assert shown(12_345.0) == 12_340.0


def test_the_slope_of_points_on_a_line_is_the_lines() -> None:
    assert hour.slope([5, 6, 7, 8], [10, 12, 14, 16]) == 2
    assert hour.slope([5, 6, 7, 8], [3, 3, 3, 3]) == 0


def test_the_user_interrupts_a_reply_and_speaks_as_often_as_is_said(
    conversation: Conversation,
) -> None:
    started = [
        each
        for each in conversation.happened
        if isinstance(each.input, Received)
        and isinstance(each.input.event, events.InputAudioBufferSpeechStarted)
    ]
    assert len(started) == user.utterances(SECONDS) == 2
    assert any(isinstance(each.input, PlaybackStopped) for each in conversation.happened)


def test_the_microphone_speaks_every_twenty_milliseconds(conversation: Conversation) -> None:
    captured = [each for each in conversation.happened if isinstance(each.input, Captured)]
    assert SECONDS * 50 - 2 <= len(captured) <= SECONDS * 50


def test_the_track_begins_silent_and_ends_when_it_must() -> None:
    track = user.track(3)
    assert len(track) == 3 * user.RATE
    assert not track[: round(user.FIRST_S * user.RATE)].any()
    assert np.abs(track).max() > 1_000


def test_every_recorded_frame_is_one_input_of_the_machine(conversation: Conversation) -> None:
    received = [each for each in conversation.happened if isinstance(each.input, Received)]
    assert len(received) == len(conversation.frames)


def test_decoding_is_compared_on_frames_that_both_understand_alike(
    conversation: Conversation,
) -> None:
    audio, transcript = decoding.measure(conversation, FEW)
    assert (audio.name, transcript.name) == ("decode.audio", "decode.transcript")
    assert len(audio.rounds) == FEW.decode_rounds
    assert set(audio.raw["us"]) == {"ours", "sdk", "sdk_and_bytes"}


def test_decoding_is_not_compared_where_the_two_disagree(conversation: Conversation) -> None:
    frame = next(frame for frame in conversation.frames if "audio_transcript.delta" in frame)
    with pytest.raises(AssertionError):
        decoding._agree("transcript", [frame.encode()], lambda _: WRONG)


def test_a_replay_gives_every_input_a_cost_and_every_kind_a_row(conversation: Conversation) -> None:
    median, p99, service = handling.measure(conversation, FEW)
    assert len(median.rounds) == FEW.replays
    assert len(p99.rounds) == 1 and len(service.rounds) == FEW.replays
    assert sum(row["count"] for row in median.raw["us"].values()) == len(conversation.happened)
    assert {"Captured", "Rendered", "response.output_audio.delta"} <= set(median.raw["us"])


def test_a_replay_that_does_something_else_is_no_measurement(conversation: Conversation) -> None:
    first = conversation.happened[0]
    changed = Happened(first.now_us, first.input, (Close(1000, "never said"),))
    wrong = Conversation(conversation.settings, conversation.frames, (changed,))
    with pytest.raises(AssertionError, match="differs"):
        handling.measure(wrong, FEW)


def cost(played_samples: int) -> Cost:
    return Cost(cpu_s=1, seconds=1, played_samples=played_samples, lags_ms=[])


@pytest.mark.parametrize(("ours", "bare"), [(0, 0), (100, 120), (120, 100)])
def test_two_clients_that_did_different_work_are_not_compared(ours: int, bare: int) -> None:
    with pytest.raises(DeviceError, match=f"{ours} and {bare} samples"):
        live._check_alike(cost(ours), cost(bare))


def test_two_clients_that_did_nearly_the_same_work_are_compared() -> None:
    live._check_alike(cost(100), cost(109))


def test_a_child_that_fails_is_told_by_its_last_words() -> None:
    with pytest.raises(DeviceError, match="a round of bare failed: FileNotFoundError"):
        live._child(
            Round(
                who="bare",
                base_url="http://127.0.0.1:9/v1",
                ws_url="ws://127.0.0.1:9/v1/realtime",
                sessions=1,
                seconds=1,
                track="/nonexistent",
                lag=False,
            ),
            "sk-x",
        )


def test_the_replayed_server_gets_each_frame_with_its_time(
    conversation: Conversation, tmp_path: Path
) -> None:
    file = tmp_path / "frames.json"
    write(conversation, file)
    told = json.loads(file.read_bytes())
    assert [frame for _, frame in told] == list(conversation.frames)
    times_us = [at_us for at_us, _ in told]
    assert times_us == sorted(times_us)


def test_memory_is_judged_behind_its_beginning_and_without_the_conversations_texts() -> None:
    minutes = [
        Minute(
            minute=n,
            traced_bytes=(9_000 * 1024 if n < hour.BEGINNING_MINUTES else 1_024 * (100 + 3 * n)),
            mirror_bytes=1_024 * n,
            rss_bytes=None,
            cpu_s=float(n),
            items=n,
            interruptions=n,
        )
        for n in range(12)
    ]
    slope = hour._figure(minutes)
    assert slope.measured == 2
    assert slope.raw["mirror_kib_a_minute"] == 1
    assert slope.raw["rss_kib_a_minute"] is None


def test_evidence_names_its_machine_its_commit_and_its_day(tmp_path: Path) -> None:
    file = evidence.write(tmp_path / "new", "bench", {"figures": []})
    told = json.loads(file.read_bytes())
    assert file.name.startswith(f"bench-{told['date'][:10]}-")
    assert set(told) == {"what", "date", "commit", "machine", "figures"}
    assert told["machine"]["cores"] and told["machine"]["packages"]["msgspec"]


def test_evidence_that_cannot_be_written_is_told_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    with pytest.raises(DeviceError, match="taken"):
        evidence.write(tmp_path / "taken", "bench", {})


def test_the_quick_way_does_less_of_everything() -> None:
    whole = Effort()
    for name in Effort.__struct_fields__:
        assert getattr(QUICK, name) < getattr(whole, name), name
