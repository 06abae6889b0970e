"""The edge: what it does with servers that hang, hang up or are not there, and what it costs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from bargein.errors import TransportError
from bargein.lab.conformance.asking import GIVE_UP_AFTER, Asker, address
from bargein.lab.conformance.line import Place
from bargein.lab.conformance.result import talks_of
from bargein.lab.conformance.script import Script, Send, Talk, Until
from bargein.lab.conformance.seen import End, Seen
from bargein.lab.conformance.topics import QUESTIONS

Handler = Callable[[ServerConnection], Awaitable[None]]
CREATED = json.dumps({"type": "session.created", "session": {"audio": {}}})


@asynccontextmanager
async def a_server(handler: Handler, reply_s: float = 20) -> AsyncIterator[Place]:
    async with serve(handler, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        url = f"ws://127.0.0.1:{port}/v1/realtime?model=m"
        yield Place(url, None, reply_s=reply_s, answer_s=0.2, grace_s=0.02)


def script(seen: Seen) -> Script:
    yield Send({"type": "x", "event_id": "q"})
    yield Until(lambda seen: seen.first("y") is not None)


TALKS = tuple(Talk(f"talk {number}", script) for number in range(5))


async def test_a_server_that_never_begins_a_session_is_tried_twice() -> None:
    came = 0

    async def silent(near: ServerConnection) -> None:
        nonlocal came
        came += 1
        await near.wait_closed()

    async with a_server(silent, reply_s=0.5) as place:
        found = await Asker(place).hold(TALKS)
    assert came == GIVE_UP_AFTER
    assert [seen.status for seen in found.values()] == [101, 101, None, None, None]
    assert not any(seen.started or seen.finished for seen in found.values())


async def test_a_connection_that_ends_is_told_with_its_code() -> None:
    async def rude(near: ServerConnection) -> None:
        await near.send(CREATED)
        await near.recv()
        await near.close(1011, "no more")

    async with a_server(rude) as place:
        found = await Asker(place).hold(TALKS[:1])
    seen = found["talk 0"]
    assert (seen.end, seen.started, seen.finished) == (End(1011, "no more"), True, False)


async def test_frames_that_are_no_events_are_kept_as_odd() -> None:
    async def noisy(near: ServerConnection) -> None:
        await near.send(CREATED)
        await near.recv()
        for frame in ("{", "[]", b"\x00", "null"):
            await near.send(frame)
        await near.send('{"type": "y"}')
        await near.wait_closed()

    async with a_server(noisy) as place:
        found = await Asker(place).hold(TALKS[:1])
    seen = found["talk 0"]
    assert [frame.odd for frame in seen.received()][1:] == [
        "not JSON",
        "no JSON object",
        "binary",
        "no JSON object",
        "",
    ]
    assert seen.finished


async def test_all_talks_together_have_a_limit() -> None:
    async def slow(near: ServerConnection) -> None:
        await near.send(CREATED)
        await near.wait_closed()

    async with a_server(slow) as place:
        place = Place(place.url, None, reply_s=30, answer_s=30, limit_s=0.2)
        async with asyncio.timeout(10):
            found = await Asker(place).hold(TALKS)
    assert sum(seen.started for seen in found.values()) == 1


async def test_a_limit_that_comes_before_the_session_leaves_nothing_behind() -> None:
    gone = asyncio.Event()

    async def silent(near: ServerConnection) -> None:
        await near.wait_closed()
        gone.set()

    async with a_server(silent) as place:
        before = asyncio.all_tasks()
        place = Place(place.url, None, reply_s=30, limit_s=0.2)
        await Asker(place).hold(TALKS[:1])
        async with asyncio.timeout(10):
            await gone.wait()
            while left := asyncio.all_tasks() - before:
                await asyncio.wait(left)


async def test_a_shared_connection_that_ended_is_made_anew_for_the_next_talk() -> None:
    connections = 0

    async def ends_at_once(near: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await near.send(CREATED)
        await near.recv()
        await near.send('{"type": "y"}')
        await near.close()

    talks = tuple(Talk(f"talk {number}", script, shared=True) for number in range(3))
    async with a_server(ends_at_once) as place:
        found = await Asker(place).hold(talks)
    assert connections == 3
    assert all(seen.first("y") for seen in found.values())


async def test_where_nothing_answers_it_is_raised() -> None:
    with pytest.raises(TransportError):
        await Asker(Place("ws://127.0.0.1:1/v1/realtime", None)).hold(TALKS)


def test_the_address_is_changed_only_where_the_talk_is_about_it() -> None:
    url = "wss://host/v1/realtime?model=a&x=1"
    assert address(url, TALKS[0]) == url
    assert address(url, Talk("t", script, model="none")) == "wss://host/v1/realtime?x=1"
    assert address(url, Talk("t", script, model="unknown")).endswith("?x=1&model=gpt-nope")
    intent = Talk("t", script, model="none", query={"intent": "c"})
    assert address(url, intent) == "wss://host/v1/realtime?x=1&intent=c"


def test_the_talk_that_shows_what_can_be_a_fence_comes_first() -> None:
    talks = talks_of(QUESTIONS)
    assert talks[0].name == "session" and talks[0].begins and not talks[0].shared
    assert len({talk.name for talk in talks}) == len(talks) < len(QUESTIONS)
