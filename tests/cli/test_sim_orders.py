"""`bargein sim orders`: what is printed, and what the exit code says."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from bargein.cli.sim_orders import command
from bargein.core.settlement import Settlement
from bargein.errors import LocalValueError
from bargein.sim.orders.scenes import SCENES

SCENE = "cancel-crosses-done"


def sim_orders(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


@pytest.fixture
def never_cancels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settlement, "cancel", lambda *args: None)


def test_a_scene_is_told_with_the_number_of_its_orders() -> None:
    told = sim_orders(SCENE)

    first, last = told.stdout.splitlines()
    assert first.split() == [SCENE, "43", "orders", "all", "kept"]
    assert last == "43 orders of 1 scenes: 0 broke a promise"
    assert told.exit_code == 0


@pytest.mark.usefixtures("never_cancels")
def test_a_broken_promise_is_told_as_an_order_and_a_story_and_the_exit_code_is_1() -> None:
    told = sim_orders(SCENE)

    assert told.exit_code == 1
    assert f"scene {SCENE}: {SCENES[SCENE].sentence}\n1. " in told.stdout
    assert "rule 9 BROKEN: " in told.stdout


@pytest.mark.usefixtures("never_cancels")
def test_json_says_which_orders_broke_what_and_how_to_play_them_again() -> None:
    told = json.loads(sim_orders(SCENE, "--json").stdout)

    [scene] = told["scenes"]
    assert told["orders"] > told["broken"] == len(scene["broken"]) > 0
    broken = scene["broken"][0]
    assert broken["violations"][0]["invariant"] == "rule 9"
    assert set(broken["tape"]) == {"order"}
    assert any("Interrupt" in name for name in broken["order"])


def test_the_list_names_every_scene_and_plays_none() -> None:
    told = sim_orders("--list")

    assert [line.split()[0] for line in told.stdout.splitlines()] == list(SCENES)


def test_a_name_that_no_scene_has_is_answered_with_those_that_are_near() -> None:
    with pytest.raises(LocalValueError, match=r"next-question: no scene .* next-reply-while"):
        CliRunner().invoke(command, ["next-question"], catch_exceptions=False)
