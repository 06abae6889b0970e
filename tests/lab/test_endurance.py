"""Nobody leaves anything behind: dropped at any byte, or after any visit. What a thousand drops and
a whole day leave is in the evidence that `bargein bench --only drops --only day` writes."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import tracemalloc

import pytest
from msgspec.structs import replace
from tests.virtual_loop import run

from bargein.lab.bench import endurance
from bargein.lab.bench.day_child import REPLIES
from bargein.lab.bench.drops_child import drop
from bargein.lab.bench.left import Left, found
from bargein.lab.bench.visits import MANNERS
from bargein.server.engines.scenario import Scenario
from bargein.server.serving import serve_local

NOTHING = Left(at=0, traced_bytes=0, rss_bytes=0, tasks=0, files=9, threads=1, sessions=0, opened=0)


@pytest.mark.real_time
async def test_two_hundred_dropped_connections_leave_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    after: list[Left] = []
    await drop(200, after.append)
    first, last = after
    assert endurance.kept(after) == []
    assert last.opened - first.opened > 90, "most of them had a session"
    assert (last.traced_bytes - first.traced_bytes) / 160 < 1_000
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_every_kind_of_visitor_leaves_nothing() -> None:
    after: list[Left] = []
    objects: list[int] = []

    async def visits() -> None:
        replies = [{"outputs": [{"say": text}]} for text in REPLIES]
        async with serve_local(Scenario.of({"speed": 50, "replies": replies})) as server:
            for time in range(3):
                for visit in MANNERS.values():
                    await visit(server)
                await asyncio.sleep(60)
                opened = server.host.sessions_opened
                after.append(found(time, sessions=len(server.sessions), opened=opened))
                objects.append(len(gc.get_objects()))

    run(visits())
    assert endurance.kept(after) == []
    # A session is some hundred objects while it lasts; each round has five.
    assert objects[-1] - objects[1] < 100


def test_the_growth_of_a_day_is_that_behind_its_beginning() -> None:
    hours = [replace(NOTHING, at=hour, traced_bytes=size) for hour, size in enumerate(SIZES)]
    figure = endurance.day_figure(hours)
    assert figure.measured == 4 and figure.met
    assert figure.raw["rss_kib_an_hour"] == 0


SIZES = (0, 900_000, 1_000 * 1024, 1_004 * 1024, 1_008 * 1024)


@pytest.mark.parametrize("what", ["tasks", "files", "threads", "sessions"])
def test_one_thing_left_fails_the_figure(what: str) -> None:
    first = replace(NOTHING, at=1)
    after = [first, replace(first, at=5, **{what: getattr(first, what) + 1})]
    assert len(endurance.kept(after)) == 1
    assert not endurance.drops_figure(after).met
    assert not endurance.day_figure(after).met


def test_what_a_drop_leaves_is_counted_behind_the_first_fifth() -> None:
    after = [replace(NOTHING, at=20, traced_bytes=5_000), replace(NOTHING, at=100)]
    figure = endurance.drops_figure([after[0], replace(after[1], traced_bytes=13_000)])
    assert figure.measured == 100 and figure.met


async def test_a_thread_that_is_left_is_counted_and_those_of_the_loops_pool_are_not() -> None:
    tracemalloc.start()
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="left behind")
    try:
        before = found(0, sessions=0, opened=0)
        await asyncio.to_thread(int)
        assert found(1, sessions=0, opened=0).threads == before.threads
        thread.start()
        assert found(2, sessions=0, opened=0).threads == before.threads + 1
    finally:
        release.set()
        thread.join()
        tracemalloc.stop()
