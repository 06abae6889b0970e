"""How a session leaves room for the others, on a clock that jumps and a processor that the tests
play."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest
from tests.virtual_loop import run

from bargein.server.pacing import Crowd, Pace

MS = 0.001


class Processor:
    """A clock of processor time that goes on by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def work(self, pace: Pace, seconds: float) -> None:
        with pace:
            self.now_s += seconds


def played(scenario: Callable[[Processor, Pace], Awaitable[float]], *, alone: bool) -> float:
    async def main() -> float:
        processor = Processor()
        pace = Pace(used_s=processor)
        others = [] if alone else [Pace()]
        try:
            return await scenario(processor, pace)
        finally:
            for each in (pace, *others):
                each.leave()

    return run(main())


async def long_work(processor: Processor, pace: Pace) -> float:
    """Ten seconds of it, 0.2 ms at a time; how long it took beside that."""
    began = asyncio.get_running_loop().time()
    for _ in range(50_000):
        processor.work(pace, 0.2 * MS)
        await pace.give_way()
    return asyncio.get_running_loop().time() - began


@pytest.mark.parametrize(("alone", "least", "most"), [(True, 0, 0), (False, 38, 40)])
def test_a_flood_is_delayed_beside_others_and_not_alone(
    alone: bool, least: float, most: float
) -> None:
    assert least <= played(long_work, alone=alone) <= most


def test_who_is_in_debt_goes_on_soon_after_the_others_have_left() -> None:
    async def scenario() -> float:
        processor = Processor()
        pace, other = Pace(used_s=processor), Pace()
        processor.work(pace, 1.0)
        loop = asyncio.get_running_loop()
        loop.call_later(1, other.leave)
        began = loop.time()
        await pace.paid()
        pace.leave()
        return loop.time() - began

    assert 1 <= run(scenario()) <= 1.3


def test_who_has_more_to_do_lets_a_frame_of_others_through_all_its_parts() -> None:
    """Though between two parts there are rounds of the loop in which nothing is done."""

    async def scenario() -> str:
        flood, other = Pace(), Pace()
        told: list[str] = []

        async def frame() -> None:
            for _ in range(4):
                with other:
                    told.append("o")
                await asyncio.sleep(0)
                await asyncio.sleep(0)

        async def pieces() -> None:
            for _ in range(3):
                with flood:
                    told.append("f")
                await flood.give_way()

        await asyncio.gather(pieces(), frame())
        flood.leave()
        other.leave()
        return "".join(told)

    assert run(scenario()) == "fooooff"


async def test_nobody_starves_beside_others_who_never_rest() -> None:
    """On real time: patience is told in it."""
    flood, other = Pace(), Pace()

    async def busy() -> None:
        while True:
            with other:
                pass
            await asyncio.sleep(0)

    task = asyncio.create_task(busy())
    async with asyncio.timeout(20):
        for _ in range(3):
            await flood.give_way()
    task.cancel()
    flood.leave()
    other.leave()


def test_work_in_a_thread_is_charged_as_it_was_measured() -> None:
    async def scenario(processor: Processor, pace: Pace) -> float:
        def work() -> str:
            processor.now_s += 0.3
            return "done"

        done, used_s = pace.measured(work)
        assert done == "done" and used_s == pytest.approx(0.3)
        assert pace.wait_s == 0
        pace.charge(used_s)
        return pace.wait_s

    assert played(scenario, alone=False) == 0.25  # It looks up by then.
    assert played(scenario, alone=True) == 0


def test_who_left_is_no_company() -> None:
    async def scenario() -> list[bool]:
        one, two = Pace(), Pace()
        beside = one.is_alone
        two.leave()
        two.leave()
        after = one.is_alone
        three = Pace()
        again = one.is_alone
        for each in (one, three):
            each.leave()
        return [beside, after, again]

    assert run(scenario()) == [False, True, False]


def test_nobody_is_counted_before_anybody_came() -> None:
    assert (Crowd().members, Crowd().things_done) == (0, 0)


def test_what_the_garbage_collector_takes_is_charged_to_nobody() -> None:
    """In a process with much else in it, a session would wait half a minute for it."""
    much_else = [[number] for number in range(500_000)]

    async def main() -> float:
        pace, other = Pace(), Pace()
        with pace:
            gc.collect()
        wait_s = pace.wait_s
        pace.leave()
        other.leave()
        return wait_s

    assert run(main()) == 0
    assert much_else
