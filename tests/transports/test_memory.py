"""The pair of pipes in memory."""

from __future__ import annotations

import asyncio

import pytest
from tests.driver_rig import settle
from tests.virtual_loop import run

from bargein.errors import LocalValueError, TransportError
from bargein.transports.base import Pipe, PipeEnd
from bargein.transports.memory import pair


def test_frames_keep_their_order_both_ways() -> None:
    async def main() -> None:
        near, far = pair()
        pipe: Pipe = near
        await pipe.open()
        for n in range(5):
            await near.send(f"{n}")
            await far.send(f"-{n}")
        assert [await far.receive() for _ in range(5)] == [f"{n}" for n in range(5)]
        assert [await near.receive() for _ in range(5)] == [f"-{n}" for n in range(5)]

    run(main())


def test_a_sender_waits_for_a_reader_that_does_not_read() -> None:
    async def main() -> None:
        near, far = pair(10)
        await near.send("12345")
        await near.send("67890")
        third = asyncio.create_task(near.send("x"))
        await settle()
        assert not third.done()
        assert await far.receive() == "12345"
        await third
        assert [await far.receive(), await far.receive()] == ["67890", "x"]

    run(main())


def test_what_was_sent_before_a_close_is_read_before_the_end() -> None:
    async def main() -> None:
        near, far = pair()
        await near.send("last words")
        await far.send("never read")
        await near.close(1001, "bye")
        await near.close(1000)
        assert await near.receive() == PipeEnd(1001, "bye")
        assert await far.receive() == "last words"
        assert await far.receive() == await far.receive() == PipeEnd(1001, "bye")
        for end in (near, far):
            with pytest.raises(TransportError) as raised:
                await end.send("x")
            assert raised.value.code == 1001
            with pytest.raises(TransportError):
                await end.open()

    run(main())


def test_those_who_wait_when_the_pipe_is_cut_are_woken() -> None:
    async def main() -> None:
        near, far = pair(1)
        await near.send("x")
        sender = asyncio.create_task(near.send("y"))
        readers = [asyncio.create_task(near.receive()) for _ in range(2)]
        await settle()
        far.cut()
        assert [await reader for reader in readers] == [PipeEnd(None, "")] * 2
        with pytest.raises(TransportError):
            await sender

    run(main())


def test_a_cancelled_reader_loses_no_frame() -> None:
    async def main() -> None:
        near, far = pair()
        for turns in range(5):
            reader = asyncio.create_task(far.receive())
            await settle(turns)
            await near.send(f"{turns}")
            reader.cancel()
            (got,) = await asyncio.gather(reader, return_exceptions=True)
            assert (await far.receive() if isinstance(got, BaseException) else got) == f"{turns}"

    run(main())


def test_a_limit_of_nought_is_refused() -> None:
    with pytest.raises(LocalValueError, match="limit_characters"):
        pair(0)
