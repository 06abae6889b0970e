"""What waits at a gate keeps its order, and one breath passes as one burst."""

from __future__ import annotations

from bargein.sim.orders.gates import PASSAGE_US, Gate
from bargein.sim.world import World


class Rig:
    """A gate of numbers: 0 follows what is before it, and one above 100 begins a burst."""

    def __init__(self) -> None:
        self.world = World()
        self.passed: list[int] = []
        self.gate: Gate[int] = Gate(
            "any",
            world=self.world,
            deliver=self.passed.append,
            begins=lambda number: number > 100,
            follows=lambda number: number == 0,
        )

    def put(self, *numbers: int, breath: object = None) -> None:
        for number in numbers:
            self.gate.put(number, breath)

    def pass_time(self) -> None:
        assert self.world.run(self.world.now_us + PASSAGE_US, at_most=100)


def test_what_is_sent_in_one_breath_passes_as_one() -> None:
    rig = Rig()
    rig.gate.hold()
    rig.put(1, 2, breath="one")
    rig.put(3, breath="two")

    assert (rig.gate.let_go(), rig.gate.let_go()) == ([1, 2], [3])
    assert rig.passed == [1, 2, 3]


def test_some_messages_begin_a_burst_in_the_middle_of_a_breath() -> None:
    rig = Rig()
    rig.gate.hold()
    rig.put(1, 101, 2, breath="one")

    assert (rig.gate.let_go(), rig.gate.let_go()) == ([1], [101, 2])


def test_what_carries_no_choice_travels_with_the_burst_before_it() -> None:
    rig = Rig()
    rig.gate.hold()
    rig.put(1, breath="one")
    rig.put(0, breath="two")

    assert rig.gate.let_go() == [1, 0]


def test_what_carries_no_choice_waits_for_nobody_where_nothing_waits() -> None:
    rig = Rig()
    rig.gate.hold()
    rig.put(0, breath="one")
    assert not rig.gate.ready

    rig.pass_time()

    assert rig.passed == [0]


def test_without_a_hold_everything_passes_after_a_moment_and_in_order() -> None:
    rig = Rig()
    rig.put(1, 2, breath="one")
    rig.put(3, breath="two")
    assert (rig.passed, rig.gate.ready, rig.gate.under_way) == ([], False, True)

    rig.pass_time()

    assert rig.passed == [1, 2, 3]
    assert not rig.gate.under_way


def test_a_gate_that_opens_lets_pass_what_it_held() -> None:
    rig = Rig()
    rig.gate.hold()
    rig.put(1, breath="one")
    rig.put(2, breath="two")
    assert rig.gate.ready

    rig.gate.open()
    rig.pass_time()

    assert rig.passed == [1, 2]


def test_a_shut_gate_loses_what_waits_and_all_that_comes() -> None:
    rig = Rig()
    rig.put(1, breath="one")
    rig.gate.shut()
    rig.put(2, breath="two")

    rig.pass_time()

    assert (rig.passed, rig.gate.under_way) == ([], False)


def test_what_nobody_wants_any_more_is_dropped() -> None:
    rig = Rig()
    rig.gate.hold()
    for number in (1, 2, 3):
        rig.put(number, breath=number)

    rig.gate.keep(lambda number: number != 2)

    assert (rig.gate.let_go(), rig.gate.let_go(), rig.gate.ready) == ([1], [3], False)
