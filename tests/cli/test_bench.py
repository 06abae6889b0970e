"""`bargein bench` and its verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bargein.cli import main
from bargein.lab.bench import runs
from bargein.lab.bench.figures import Figure


def figure(name: str, measured: float) -> Figure:
    return Figure(
        name=name,
        says=f"{name} against a peer",
        unit="times as fast",
        target=5,
        wanted="at least",
        rounds=(measured,),
        raw={},
    )


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What each bench measures."""
    values = dict.fromkeys(runs.BENCHES, 9.0)

    def run(names: tuple[str, ...], effort: object, told: object) -> Iterator[Figure]:
        yield from (figure(name, values[name]) for name in names)

    monkeypatch.setattr(runs, "run", run)
    return values


def test_every_target_that_is_met_is_a_success(measured: dict[str, float]) -> None:
    result = CliRunner().invoke(main, ["bench"])
    assert result.exit_code == 0, result.output
    assert "NO" not in result.stdout


def test_one_target_that_is_missed_is_a_failure(measured: dict[str, float]) -> None:
    measured["live"] = 1.0
    result = CliRunner().invoke(main, ["bench", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["missed"] == ["live"]


def test_only_what_is_named_is_run(measured: dict[str, float]) -> None:
    result = CliRunner().invoke(main, ["bench", "--only", "decode", "--only", "memory", "--json"])
    assert [each["name"] for each in json.loads(result.stdout)["figures"]] == ["decode", "memory"]


def test_the_evidence_is_written_also_when_a_target_is_missed(
    measured: dict[str, float], tmp_path: Path
) -> None:
    measured["handle"] = 1.0
    result = CliRunner().invoke(main, ["bench", "--only", "handle", "--out", str(tmp_path)])
    assert result.exit_code == 1
    (file,) = tmp_path.iterdir()
    told = json.loads(file.read_bytes())
    assert told["missed"] == ["handle"] and told["parameters"]["live_s"] > 0


def test_the_command_offers_the_benches_there_are() -> None:
    from bargein.cli import bench

    assert set(bench._NAMES) == set(runs.BENCHES)
