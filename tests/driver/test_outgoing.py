"""The frames on their way into the pipe."""

from __future__ import annotations

import asyncio

import pytest
from tests.driver_rig import settle
from tests.virtual_loop import run

from bargein.core.commands import Close
from bargein.driver.outgoing import Outgoing
from bargein.transports.base import PipeEnd
from bargein.transports.memory import MemoryPipe, pair


class Bench:
    def __init__(self, *, pipe_limit: int = 1, limit: int = 100, send_s: float = 20) -> None:
        near, self.far = pair(pipe_limit)
        self.near: MemoryPipe = near
        self.told: list[str] = []
        self.outgoing = Outgoing(
            near,
            limit_characters=limit,
            send_s=send_s,
            blocked=lambda: self.told.append("blocked"),
            drained=lambda: self.told.append("drained"),
        )
        self.task = asyncio.create_task(self.outgoing.run())


def test_frames_leave_in_their_order_and_the_close_behind_them() -> None:
    async def main() -> None:
        bench = Bench()
        for n in range(30):
            assert bench.outgoing.put(f"{n}")
        bench.outgoing.close(Close(4_000, "so"))
        bench.outgoing.close(Close(1_000, "twice"))
        assert not bench.outgoing.put("too late")
        assert [await bench.far.receive() for _ in range(31)] == [
            *(f"{n}" for n in range(30)),
            PipeEnd(4_000, "so"),
        ]
        await bench.task
        assert bench.outgoing.characters == 0

    run(main())


def test_it_is_told_once_when_too_much_waits_and_once_when_all_is_written() -> None:
    async def main() -> None:
        bench = Bench()
        for _ in range(30):
            bench.outgoing.put("x" * 10)
        assert bench.told == ["blocked"]
        for _ in range(30):
            assert bench.told == ["blocked"]
            await bench.far.receive()
        await settle()
        assert bench.told == ["blocked", "drained"]
        # The first of them is written at once, and does not wait.
        for _ in range(12):
            bench.outgoing.put("x" * 10)
        assert bench.told == ["blocked", "drained", "blocked"]
        bench.task.cancel()

    run(main())


def test_where_nothing_waits_a_frame_is_written_before_the_loop_turns() -> None:
    async def main() -> None:
        bench = Bench(pipe_limit=100)
        bench.outgoing.put("a")
        bench.outgoing.put("b")
        assert bench.outgoing.characters == 0
        assert [await bench.far.receive(), await bench.far.receive()] == ["a", "b"]
        bench.task.cancel()

    run(main())


def test_a_little_is_no_reason_to_block() -> None:
    async def main() -> None:
        bench = Bench()
        bench.outgoing.put("x" * 100)
        await settle()
        assert bench.told == []
        bench.task.cancel()

    run(main())


def test_a_pipe_that_takes_nothing_in_its_time_is_closed_as_lost() -> None:
    async def main() -> None:
        bench = Bench(send_s=5)
        bench.outgoing.put("taken")
        bench.outgoing.put("waits")
        start = asyncio.get_running_loop().time()
        await bench.task
        assert asyncio.get_running_loop().time() - start == pytest.approx(5)
        assert bench.outgoing.why_lost == "the socket took nothing for 5 s"
        assert isinstance(await bench.near.receive(), PipeEnd)
        assert not bench.outgoing.put("more")

    run(main())


def test_a_pipe_that_is_slow_is_not_lost_as_long_as_each_frame_goes_in_its_time() -> None:
    async def main() -> None:
        bench = Bench(send_s=5)
        for n in range(20):
            bench.outgoing.put(f"{n}")
        for n in range(20):
            await asyncio.sleep(4.9)
            assert await bench.far.receive() == f"{n}"
        await asyncio.sleep(60)
        assert bench.outgoing.why_lost == ""
        bench.outgoing.put("fills the pipe")
        bench.outgoing.put("hangs")
        start = asyncio.get_running_loop().time()
        await bench.task
        assert asyncio.get_running_loop().time() - start == pytest.approx(5)
        assert bench.outgoing.why_lost

    run(main())


@pytest.mark.parametrize("at_s", [1, 5])
def test_a_writer_that_is_cancelled_is_cancelled_even_at_its_deadline(at_s: float) -> None:
    async def main() -> None:
        bench = Bench(send_s=5)
        bench.outgoing.put("taken")
        bench.outgoing.put("waits")
        asyncio.get_running_loop().call_later(at_s, bench.task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await bench.task

    run(main())


def test_a_pipe_that_ended_ends_the_writing_without_a_word() -> None:
    async def main() -> None:
        bench = Bench()
        bench.far.cut()
        bench.outgoing.put("x")
        await bench.task
        assert bench.outgoing.why_lost == ""
        assert not bench.outgoing.put("more")

    run(main())
