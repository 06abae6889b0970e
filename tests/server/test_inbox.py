"""What a session handles next, and how it leaves room for the others."""

from __future__ import annotations

import asyncio

from tests.virtual_loop import run

from bargein.server.inbox import Inbox
from bargein.server.model.inputs import FrameReceived, Tick
from bargein.server.pacing import Pace

ONE, TWO = FrameReceived("1"), FrameReceived("2")


def inbox(*, size: int = 4) -> Inbox:
    return Inbox(size, Pace())


def now_us() -> int:
    return round(asyncio.get_running_loop().time() * 1_000_000)


def test_inputs_come_in_order() -> None:
    async def scenario() -> None:
        box = inbox()
        await box.put(ONE)
        await box.put(TWO)
        assert [await box.next(None), await box.next(None)] == [ONE, TWO]

    run(scenario())


def test_the_deadline_comes_as_a_tick_at_its_time_and_once() -> None:
    async def scenario() -> None:
        box = inbox()
        due_us = now_us() + 250_000
        assert await box.next(due_us) == Tick()
        assert now_us() >= due_us
        await box.put(ONE)
        assert await box.next(due_us + 1_000_000) == ONE
        box.close()

    run(scenario())


def test_a_deadline_that_moves_takes_its_timer_along() -> None:
    async def scenario() -> None:
        box = inbox()
        began_us = now_us()
        asyncio.get_running_loop().call_later(0.1, asyncio.create_task, box.put(ONE))
        assert await box.next(began_us + 200_000) == ONE
        assert await box.next(began_us + 900_000) == Tick()
        assert now_us() >= began_us + 900_000

    run(scenario())


def test_a_tick_is_not_needed_while_inputs_wait() -> None:
    async def scenario() -> None:
        box = inbox(size=1)
        waiting = asyncio.create_task(box.next(now_us() + 1_000))
        await asyncio.sleep(0)
        await box.put(ONE)
        await asyncio.sleep(1)
        assert await waiting == ONE

    run(scenario())


def test_who_is_in_debt_is_given_nothing_until_it_has_paid() -> None:
    async def scenario() -> tuple[float, float]:
        pace, other = Pace(), Pace()
        box = Inbox(4, pace)
        pace.charge(0.001)
        await box.put(ONE)
        began = asyncio.get_running_loop().time()
        assert await box.next(None) == ONE
        at_once = asyncio.get_running_loop().time() - began
        pace.charge(0.1)
        await box.put(TWO)
        assert await box.next(None) == TWO
        other.leave()
        return at_once, asyncio.get_running_loop().time() - began

    at_once, later = run(scenario())
    assert at_once == 0 and later > 10


def test_who_finds_it_full_is_not_overtaken_again_and_again() -> None:
    """A flood of frames holds back what the engine makes by a round of the queue and no more."""

    async def scenario() -> int:
        box = inbox(size=4)

        async def flood() -> None:
            while True:
                await box.put(ONE)

        async def engine() -> None:
            while True:
                await box.put(TWO)

        tasks = [asyncio.create_task(work) for work in (flood(), engine())]
        taken = [await box.next(None) for _ in range(1_000)]
        for task in tasks:
            task.cancel()
        waits = "".join("e" if input is TWO else "f" for input in taken).split("e")
        assert len(waits) > 100
        return max(map(len, waits))

    assert run(scenario()) <= 6
