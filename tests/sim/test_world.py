"""Virtual time."""

from __future__ import annotations

import pytest

from bargein.sim.world import Alarm, World


def test_actions_run_in_time_and_at_one_time_in_the_order_of_asking() -> None:
    world = World()
    ran: list[tuple[str, int]] = []
    for name, time_us in (("c", 20), ("a", 10), ("b", 10)):
        # mypy infers no type for a lambda that binds the loop's variable by a default.
        world.at(time_us, lambda name=name: ran.append((name, world.now_us)))  # type: ignore[misc]

    assert world.run(100, at_most=10)
    assert ran == [("a", 10), ("b", 10), ("c", 20)]
    assert world.now_us == 100


def test_an_action_may_ask_for_more_at_its_own_time() -> None:
    world = World()
    ran: list[int] = []
    world.at(5, lambda: world.after(0, lambda: ran.append(world.now_us)))

    world.run(5, at_most=10)

    assert ran == [5]


def test_the_past_is_closed() -> None:
    world = World()
    world.run(50, at_most=1)

    with pytest.raises(ValueError, match="time_us: 49 is over, it is 50"):
        world.at(49, lambda: None)


def test_a_world_that_does_not_stop_is_stopped() -> None:
    world = World()

    def again() -> None:
        world.after(0, again)

    world.at(1, again)

    assert not world.run(2, at_most=1_000)
    assert (world.now_us, world.steps) == (1, 1_000)


def test_an_alarm_rings_once_at_the_time_it_was_moved_to() -> None:
    world = World()
    rang: list[int] = []
    alarm = Alarm(world, lambda: rang.append(world.now_us))
    alarm.set(10)
    alarm.set(30)
    alarm.set(20)

    world.run(100, at_most=10)

    assert rang == [20]
    assert alarm.due_us is None


def test_an_alarm_that_was_moved_away_and_back_rings_once() -> None:
    world = World()
    rang: list[int] = []
    alarm = Alarm(world, lambda: rang.append(world.now_us))
    alarm.set(10)
    alarm.set(None)
    alarm.set(10)

    world.run(100, at_most=10)

    assert rang == [10]


def test_an_overdue_alarm_rings_now() -> None:
    world = World()
    world.run(50, at_most=1)
    rang: list[int] = []
    Alarm(world, lambda: rang.append(world.now_us)).set(3)

    world.run(60, at_most=10)

    assert rang == [50]
