"""The loop that jumps: time costs nothing, sockets and executors still work."""

from __future__ import annotations

import asyncio

import pytest
from tests.virtual_loop import Deadlock, run


def test_an_hour_of_sleep_moves_the_clock_by_an_hour() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.gather(asyncio.sleep(3_600), asyncio.sleep(1_800))
        return loop.time() - before

    assert run(main()) == pytest.approx(3_600)


def test_timers_fire_in_order_and_at_their_time() -> None:
    async def main() -> list[tuple[int, int]]:
        loop = asyncio.get_running_loop()
        start, seen = loop.time(), list[tuple[int, int]]()

        def fire(ms: int) -> None:
            seen.append((ms, round((loop.time() - start) * 1_000)))

        for ms in (30, 10, 20):
            loop.call_later(ms / 1_000, fire, ms)
        await asyncio.sleep(1)
        return seen

    assert run(main()) == [(10, 10), (20, 20), (30, 30)]


def test_loopback_sockets_are_served_before_the_clock_jumps() -> None:
    async def main() -> tuple[bytes, float]:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(4))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        loop = asyncio.get_running_loop()
        before = loop.time()
        async with server, asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"ping")
            answer = await reader.read(4)
            writer.close()
            await writer.wait_closed()
        return answer, loop.time() - before

    answer, took = run(main())
    assert answer == b"ping"
    assert took < 1


def test_an_executor_runs_inline_and_its_error_arrives() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        before = loop.time()
        async with asyncio.timeout(10):
            assert await asyncio.to_thread(max, 3, 5) == 5
            with pytest.raises(ZeroDivisionError):
                await loop.run_in_executor(None, divmod, 1, 0)
        return loop.time() - before

    assert run(main()) == 0


def test_a_loop_that_waits_for_nothing_says_so_instead_of_hanging() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        run(main())
