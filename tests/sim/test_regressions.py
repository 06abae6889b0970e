"""Every conversation that once broke a promise, replayed for ever (`tests/regressions/`)."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.sim.naive_client import NaiveClient

from bargein.errors import LocalValueError
from bargein.sim.episode import run
from bargein.sim.regression import FORMAT, read, written

FOLDER = Path(__file__).parent.parent / "regressions"
FILES = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_once_failed_does_not_fail_again(file: Path) -> None:
    regression = read(file.read_bytes())

    assert run(regression.tape).violations == (), regression.about


def test_there_are_regressions_to_replay() -> None:
    assert FILES


def test_a_kept_episode_fails_again_when_it_is_read_back() -> None:
    failing = next(
        episode
        for episode in (run(seed, make_client=NaiveClient) for seed in range(100))
        if episode.violations
    )

    kept = read(written(failing, about="It truncates by the clock."))

    assert kept.about == "It truncates by the clock."
    assert kept.invariant == failing.violations[0].invariant
    assert run(kept.tape, make_client=NaiveClient).violations == failing.violations


def test_whoever_opens_the_file_sees_the_world_and_the_story_and_each_stream_on_a_line() -> None:
    tape = {"options.acts": [1], "options.card.latency_ms": [40], "human/1": [0, 0, 10]}
    failing = run(tape, make_client=NaiveClient)

    content = written(failing)

    kept = read(content)
    assert kept.format == FORMAT
    assert kept.world == {"card.latency_us": "40000"}
    assert kept.story[0] == '     500.000  app        types "Tell me a story."'
    assert any(failing.violations[0].sentence in line for line in kept.story)
    assert b'"human/1": [0, 0, 10]' in content


def test_a_file_of_the_first_format_is_read() -> None:
    kept = read(b'{"about": "a", "invariant": "I1", "detail": "d", "tape": {"human/1": [3]}}')

    assert (kept.format, kept.tape, kept.story) == (1, {"human/1": [3]}, ())


def test_a_file_of_a_newer_format_is_refused_with_the_way_out() -> None:
    newer = b'{"format": 99, "about": "", "invariant": "", "detail": "", "tape": {}}'

    with pytest.raises(LocalValueError, match=r"99 is newer than .* the version that wrote it"):
        read(newer)


def test_only_what_fails_is_kept() -> None:
    with pytest.raises(LocalValueError, match="breaks no invariant"):
        written(run({}))


def test_a_file_that_is_no_regression_is_refused_with_the_way_out() -> None:
    with pytest.raises(LocalValueError, match="bargein sim --keep"):
        read(b'{"about": 3}')
