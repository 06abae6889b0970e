"""Calls: our own server is the reference, and servers made for the test differ in exactly what they
were made to do. All are asked at the same time, since a call takes as long as it sounds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest
from tests.lab.conformance.made import REPLIES, Answers, Frame, differences
from tests.server.serving_rig import KEY, MODEL

from bargein.lab.conformance.asking import Asker
from bargein.lab.conformance.learned import calls_of
from bargein.lab.conformance.line import Place
from bargein.lab.conformance.phone_facts import answer_lines, grid, secret
from bargein.lab.conformance.result import Result, result_of, talks_of
from bargein.lab.conformance.seen import Reply, Seen
from bargein.lab.conformance.topics import calls
from bargein.secret import Secret
from bargein.server.calls import Calls, RefusedRequest
from bargein.server.serving import serve_local
from bargein.server.webrtc import Channel

SAYS: ContextVar[Answers] = ContextVar("says")
"""How the server of this context differs: what its calls' channels say of one frame."""
OLD = {
    f"output_audio_buffer.{name}": f"output_audio_buffer.audio_{name}"
    for name in ("started", "stopped", "cleared")
}


def without_cleared(frame: Frame) -> list[Frame]:
    return [] if frame["type"] == "output_audio_buffer.cleared" else [frame]


def with_old_names(frame: Frame) -> list[Frame]:
    return [{**frame, "type": OLD.get(frame["type"], frame["type"])}]


def by_the_sample(frame: Frame) -> list[Frame]:
    if frame["type"] == "conversation.item.truncated":
        return [{**frame, "audio_end_ms": frame["audio_end_ms"] + 7}]
    return [frame]


def with_sound_in_events(frame: Frame) -> list[Frame]:
    if frame["type"] == "response.output_audio_transcript.delta":
        return [frame, {**frame, "type": "response.output_audio.delta", "delta": "AAAA"}]
    return [frame]


@asynccontextmanager
async def a_server(says: Answers | None = None, **options: Any) -> AsyncIterator[str]:
    if says is not None:
        SAYS.set(says)
    settings: dict[str, Any] = {"api_key": KEY, "media_hosts": ("127.0.0.1",), **options}
    async with serve_local(REPLIES, **settings) as server:
        yield f"{server.ws_url}?model={MODEL}"


async def asked(url: str, *talks: Any, key: str = KEY) -> Result:
    questions = [each for each in calls.QUESTIONS if not talks or each.talk in talks]
    where = Place(url, Secret(key), answer_s=10.0, grace_s=0.02, aside_s=10.0)
    return result_of(questions, await Asker(where).hold(talks_of(questions)))


async def one(says: Answers | None, *talks: Any, **options: Any) -> Result:
    async with a_server(says, **options) as url:
        return await asked(url, *talks)


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    """By what the server does."""
    put: Callable[[Channel, Any, str], None] = Channel._put

    def changed(self: Channel, channel: Any, frame: str) -> None:
        says = SAYS.get(None)
        for each in [json.loads(frame)] if says is None else says(json.loads(frame)):
            put(self, channel, json.dumps(each))

    async def gather() -> dict[str, Result]:
        made: dict[str, Any] = {
            "ours": one(None),
            "none": one(None, media_hosts=None),
            "no cleared": one(without_cleared, calls.OFFER, calls.OVER),
            "old names": one(with_old_names, calls.OFFER, calls.OVER),
            "no steps": one(by_the_sample, calls.OFFER, calls.OVER),
            "deltas": one(with_sound_in_events, calls.OFFER, calls.OVER),
        }
        # Each has a context of its own, with what its server says.
        tasks = {name: asyncio.create_task(work) for name, work in made.items()}
        return {name: await task for name, task in tasks.items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Channel, "_put", changed)
        return asyncio.run(gather())


@pytest.mark.real_time
def test_our_own_server_differs_in_nothing(results: dict[str, Result]) -> None:
    assert differences(results["ours"]) == {}
    assert len(results["ours"].outcomes) == len(calls.QUESTIONS) >= 22
    assert calls_of(results["ours"].outcomes) == {
        "offered": True, "names": "as today", "clears_at_speech": True, "answers_clear": True,
        "lengths_grid_ms": 20,
    }  # fmt: skip


def test_one_without_calls_has_one_row_and_is_asked_no_more(results: dict[str, Result]) -> None:
    assert differences(results["none"]) == {"calls: call": "answer: refused: HTTP 501, not a call"}
    assert len(results["none"].outcomes) == 1
    assert calls_of(results["none"].outcomes) == {"offered": False}


def test_one_that_never_sends_cleared(results: dict[str, Result]) -> None:
    assert differences(results["no cleared"]) == {
        "calls: names": "cleared: none, not output_audio_buffer.cleared",
        "calls: interruption": (
            "clears by itself: no, not yes; of the response that sounded: no, not yes"
        ),
    }
    assert calls_of(results["no cleared"].outcomes)["clears_at_speech"] is False


def test_one_with_the_other_generation_of_names(results: dict[str, Result]) -> None:
    assert differences(results["old names"]) == {
        "calls: names": (
            "started: output_audio_buffer.audio_started, not output_audio_buffer.started; "
            "cleared: output_audio_buffer.audio_cleared, not output_audio_buffer.cleared"
        ),
    }
    assert calls_of(results["old names"].outcomes)["names"] == "retired"


def test_one_that_cuts_between_two_frames(results: dict[str, Result]) -> None:
    found = differences(results["no steps"])
    assert found.keys() == {"calls: length"}
    assert found["calls: length"].startswith("in steps of: not 20 ms (")
    assert "lengths_grid_ms" not in calls_of(results["no steps"].outcomes)


def test_one_that_sends_its_sound_in_events_too(results: dict[str, Result]) -> None:
    assert differences(results["deltas"]) == {"calls: sound": "in events: yes, not no"}


@pytest.mark.real_time
async def test_where_the_key_is_wrong_the_calls_are_refused_and_nothing_is_left_open() -> None:
    before = asyncio.all_tasks()
    async with a_server() as url:
        result = await asked(url, calls.OFFER, calls.ASIDE, calls.BY_HAND, key="sk-wrong-0000")
        assert differences(result)["calls: call"] == "answer: refused: HTTP 401, not a call"
        assert differences(result)["calls: secret"] == "answer: 401 invalid_api_key, not a key"
        assert differences(result)["calls: sideband"] == "no answer"
    async with asyncio.timeout(10):
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left)


@pytest.mark.real_time
async def test_one_that_takes_no_form_is_asked_the_rest_with_a_bare_offer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked_for = Calls._asked

    async def bare_only(self: Calls, request: Any, bound: Any) -> Any:
        if request.headers["content-type"].startswith("multipart/"):
            raise RefusedRequest(415, "unsupported_media_type", "Send application/sdp.")
        return await asked_for(self, request, bound)

    monkeypatch.setattr(Calls, "_asked", bare_only)
    async with a_server() as url:
        result = await asked(url, calls.OFFER, calls.ASIDE)
    assert differences(result) == {"calls: call": "answer: refused: HTTP 415, not a call"}


@pytest.mark.real_time
async def test_a_server_that_is_no_http_has_no_calls_to_judge() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        writer.close()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    result = await asked(f"ws://127.0.0.1:{port}/v1/realtime?model=m", calls.OFFER)
    assert [row.standing for row in result.outcomes] == ["no answer"]
    server.close()
    await server.wait_closed()


def minted(expires_at: int, **headers: str) -> Seen:
    body = {"value": "ek_x", "expires_at": expires_at, "session": {}}
    return Seen(replies={"secret": Reply(200, headers, json.dumps(body), wall_s=1_000.0)})


@pytest.mark.parametrize(
    ("expires_at", "headers", "lives"),
    [
        (1_010, {}, "as long as asked"),
        (1_600, {}, "600 s"),
        (10, {"date": "Thu, 01 Jan 1970 00:00:00 GMT"}, "as long as asked"),
        (1_010, {"date": "Thu, 01 Jan 1970 00:00:00 GMT"}, "1010 s"),
    ],
)
def test_a_keys_life_is_by_the_servers_clock_or_else_by_ours(
    expires_at: int, headers: dict[str, str], lives: str
) -> None:
    facts = secret(minted(expires_at, **headers))
    assert facts is not None and facts["lives for"] == lives


def test_an_answer_is_read_line_by_line_and_another_text_is_none() -> None:
    sdp = "v=0\r\na=setup:passive\r\nm=audio 9 X 111\r\na=rtpmap:111 G722/8000\r\na=recvonly\r\n"
    facts = answer_lines(Seen(replies={"call": Reply(201, {}, sdp)}))
    assert facts == {
        "ice-lite": False, "setup": "passive", "direction": "recvonly", "codecs": ("G722",),
        "data channel": False, "candidates": 0,
    }  # fmt: skip
    assert answer_lines(Seen(replies={"call": Reply(404, {}, "<html>")})) is None


@pytest.mark.parametrize(
    ("kept", "steps"), [(40, "20 ms"), (47, "not 20 ms (47)"), ("x", "no number")]
)
def test_steps_show_in_a_length(kept: object, steps: str) -> None:
    assert grid(kept) == steps


@pytest.mark.real_time
async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    came = 0

    async def away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        came += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(away, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    result = await asked(f"ws://127.0.0.1:{port}/v1/realtime?model=m", calls.OFFER)
    assert differences(result) == {"calls: call": "answer: refused: HTTP 302, not a call"}
    assert came == 1
    server.close()
    await server.wait_closed()
