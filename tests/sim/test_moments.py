"""Acts that are drawn around a moment."""

from __future__ import annotations

from bargein.sim.moments import Moments
from bargein.sim.world import World


def test_an_act_comes_just_before_a_moment_that_is_announced_in_time() -> None:
    world = World()
    moments = Moments(world)
    acted: list[int] = []
    moments.when("done", -1, 9_000, lambda: acted.append(world.now_us))

    moments.announce("done", 500)
    moments.announce("done", 700)
    world.run(10_000, at_most=10)

    assert acted == [499]


def test_a_moment_that_never_comes_is_not_waited_for_for_ever() -> None:
    world = World()
    acted: list[int] = []
    Moments(world).when("stopped", 0, 9_000, lambda: acted.append(world.now_us))

    world.run(10_000, at_most=10)

    assert acted == [9_000]


def test_a_moment_that_was_announced_for_now_is_met_now() -> None:
    world = World()
    moments = Moments(world)
    acted: list[int] = []
    moments.when("created", -42, 9_000, lambda: acted.append(world.now_us))

    moments.announce("created", 0)
    world.run(10, at_most=10)

    assert acted == [0]
