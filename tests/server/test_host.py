"""The host's loop, on a clock that jumps: whatever the client or the engine does, it ends clean."""

from __future__ import annotations

import asyncio
import base64
import logging
import threading
from collections.abc import AsyncGenerator

import numpy as np
import pytest
from tests.server.host_rig import MODEL, Peer, S, begin, host, played, without_end, writes

from bargein.errors import LocalValueError
from bargein.server.engines.base import Batch, EngineError
from bargein.server.limits import HostLimits
from bargein.server.model.commands import Command
from bargein.server.model.inputs import FrameReceived, Input
from bargein.server.model.machine import Machine
from bargein.server.model.options import Options
from bargein.server.model.rules import RULES
from bargein.server.model.vad import EnergyVad, Pcm


def test_a_session_is_there_from_its_client_s_coming_to_its_going() -> None:
    async def scenario() -> None:
        server, _ = host()
        peer = Peer()
        task = begin(server, peer)
        assert (await peer.until("session.created"))["session"]["model"] == MODEL
        (session,) = server.sessions.values()
        assert session.machine.memory == ()
        peer.leave()
        await task
        assert server.sessions == {}
        assert session.machine.ended

    played(scenario)


def test_a_response_is_played_at_its_times() -> None:
    async def slow() -> AsyncGenerator[Batch, None]:
        yield Batch(writes("one", "two", every_us=3 * S))

    async def scenario() -> None:
        server, _ = host(slow)
        peer = Peer()
        task = begin(server, peer)
        loop = asyncio.get_running_loop()
        peer.say("response.create")
        await peer.until("response.content_part.added")
        began = loop.time()
        await peer.until("response.output_text.delta")
        assert loop.time() - began == pytest.approx(3, abs=0.01)
        await peer.until("response.done")
        assert loop.time() - began == pytest.approx(6, abs=0.01)
        peer.leave()
        await task

    played(scenario)


def test_a_cancelled_response_is_told_to_the_engine() -> None:
    async def scenario() -> None:
        server, engines = host(without_end)
        peer = Peer()
        task = begin(server, peer)
        peer.say("response.create")
        await peer.until("response.output_text.delta")
        peer.say("response.cancel")
        done = await peer.until("response.done")
        assert done["response"]["status"] == "cancelled"
        await asyncio.sleep(1)
        assert engines[0].closed == 1
        peer.leave()
        await task

    played(scenario)


def test_responses_that_are_cancelled_at_once_leave_nothing_behind() -> None:
    async def scenario() -> None:
        server, _ = host(without_end)
        peer = Peer()
        task = begin(server, peer)
        for _ in range(20):
            peer.say("response.create")
            peer.say("response.cancel")
        await asyncio.sleep(1)
        assert peer.types.count("response.done") == 20
        (session,) = server.sessions.values()
        assert session.producing == 0
        peer.leave()
        await task

    played(scenario)


def test_an_engine_ends_with_its_client() -> None:
    async def scenario() -> None:
        server, engines = host(without_end)
        peer = Peer()
        task = begin(server, peer)
        peer.say("response.create")
        await peer.until("response.output_text.delta")
        peer.leave()
        await task
        assert engines[0].closed == 1

    played(scenario)


def test_an_engine_that_gives_up_fails_its_response_with_its_own_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def gives_up() -> AsyncGenerator[Batch, None]:
        yield Batch(writes("Well"))
        raise EngineError("Too hard.", type="server_error", code="too_hard")

    async def scenario() -> None:
        server, _ = host(gives_up)
        peer = Peer()
        task = begin(server, peer)
        peer.say("response.create")
        response = (await peer.until("response.done"))["response"]
        assert response["status"] == "failed"
        error = {"type": "server_error", "code": "too_hard", "message": "Too hard."}
        assert response["status_details"]["error"] == error
        assert "error" not in peer.types
        peer.leave()
        await task

    played(scenario)
    assert caplog.records == []


def test_an_engine_that_breaks_is_logged_and_the_session_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def breaks() -> AsyncGenerator[Batch, None]:
        yield Batch(())
        raise ZeroDivisionError("secret inside")

    async def scenario() -> None:
        server, _ = host(breaks)
        peer = Peer()
        task = begin(server, peer)
        peer.say("response.create")
        response = (await peer.until("response.done"))["response"]
        fault = response["status_details"]["error"]
        session_id = peer.got[0]["session"]["id"]
        assert fault["message"] == RULES["internal"].message.format(session_id=session_id)
        assert (fault["type"], fault["code"]) == ("server_error", None)
        peer.say("input_audio_buffer.clear")
        await peer.until("input_audio_buffer.cleared")
        peer.leave()
        await task

    played(scenario)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR


def test_a_client_that_does_not_read_is_cut_off_and_the_others_are_not() -> None:
    async def scenario() -> None:
        server, _ = host(limits=HostLimits(write_deadline_s=5))
        deaf, other = Peer(), Peer()
        deaf.reads.clear()
        tasks = begin(server, deaf), begin(server, other)
        await other.until("session.created")
        await tasks[0]
        assert deaf.aborted
        assert server.cut_off == 1
        other.say("response.create")
        assert (await other.until("response.done"))["response"]["status"] == "completed"
        other.leave()
        await tasks[1]

    played(scenario)


def test_while_much_waits_nothing_more_is_read() -> None:
    async def scenario() -> None:
        server, _ = host(limits=HostLimits(unread_bytes=2_000, write_deadline_s=60))
        peer = Peer()
        task = begin(server, peer)
        await peer.until("session.created")
        peer.reads.clear()
        for _ in range(500):
            peer.say("input_audio_buffer.clear")
        await asyncio.sleep(30)
        assert peer.frames.qsize() > 450
        peer.reads.set()
        await asyncio.sleep(1)
        assert peer.types.count("input_audio_buffer.cleared") == 500
        peer.leave()
        await task

    played(scenario)


def test_a_client_for_which_too_much_waits_is_cut_off() -> None:
    async def talks() -> AsyncGenerator[Batch, None]:
        while True:
            yield Batch(writes("word " * 200))

    async def scenario() -> None:
        limits = HostLimits(unread_bytes=2_000, outgoing_bytes=100_000, write_deadline_s=600)
        server, _ = host(talks, limits=limits)
        peer = Peer()
        task = begin(server, peer)
        await peer.until("session.created")
        peer.say("response.create")
        peer.reads.clear()
        began = asyncio.get_running_loop().time()
        await task
        assert peer.aborted
        assert server.cut_off == 1
        assert asyncio.get_running_loop().time() - began < limits.write_deadline_s

    played(scenario)


def test_when_its_time_is_up_a_session_is_told_and_closed() -> None:
    async def scenario() -> None:
        server, _ = host(options=Options(session_us=120 * S))
        peer = Peer()
        task = begin(server, peer)
        await task
        assert peer.types == ["session.created", "error"]
        assert peer.got[-1]["error"]["code"] == "session_expired"
        text = "Your session hit the maximum duration of 2 minutes."
        assert peer.closed == (1001, text)

    played(scenario)


def test_a_client_that_does_not_take_its_end_is_dropped() -> None:
    async def scenario() -> None:
        limits = HostLimits(close_deadline_s=3, write_deadline_s=600)
        server, _ = host(options=Options(session_us=120 * S), limits=limits)
        peer = Peer()
        task = begin(server, peer)
        await peer.until("session.created")
        peer.reads.clear()
        await task
        assert peer.aborted
        assert peer.closed is None

    played(scenario)


def test_closing_the_host_ends_every_session_and_admits_no_more() -> None:
    async def scenario() -> None:
        server, engines = host(without_end)
        peers = [Peer() for _ in range(3)]
        tasks = [begin(server, peer) for peer in peers]
        for peer in peers:
            peer.say("response.create")
            await peer.until("response.output_text.delta")
        machines = [session.machine for session in server.sessions.values()]
        await server.close()
        await asyncio.gather(*tasks)
        assert all(machine.ended for machine in machines)
        assert [peer.closed for peer in peers] == [(1001, "The server is shutting down.")] * 3
        assert [engine.closed for engine in engines] == [1, 1, 1]
        assert not server.has_room

    played(scenario)


def test_there_is_room_for_so_many_sessions() -> None:
    async def scenario() -> None:
        server, _ = host(limits=HostLimits(sessions=1))
        room = [server.has_room]
        peer = Peer()
        task = begin(server, peer)
        await peer.until("session.created")
        room.append(server.has_room)
        peer.leave()
        await task
        assert [*room, server.has_room] == [True, False, True]

    played(scenario)


def test_a_long_frame_keeps_its_place_among_the_others() -> None:
    async def scenario() -> None:
        server, _ = host(limits=HostLimits(inline_frame_bytes=1_000))
        peer = Peer()
        task = begin(server, peer)
        audio = {"input": {"turn_detection": None}}
        peer.say("session.update", session={"type": "realtime", "audio": audio})
        sound = np.full(24_000, 8_000, np.int16).tobytes()
        peer.say("input_audio_buffer.append", audio=base64.b64encode(sound).decode())
        peer.say("input_audio_buffer.commit")
        peer.say("input_audio_buffer.append", audio=base64.b64encode(sound).decode())
        peer.say("input_audio_buffer.commit")
        await asyncio.sleep(1)
        assert peer.types.count("input_audio_buffer.committed") == 2
        assert "error" not in peer.types
        peer.leave()
        await task

    played(scenario)


async def test_a_session_ends_only_when_its_thread_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """On real threads: the machine never has two users, and a thread cannot be cancelled."""
    entered, release = threading.Event(), threading.Event()

    handle = Machine.handle

    def slow(machine: Machine, input: Input, *, now_us: int) -> list[Command]:
        if isinstance(input, FrameReceived):
            entered.set()
            release.wait(20)
        return handle(machine, input, now_us=now_us)

    monkeypatch.setattr(Machine, "handle", slow)
    server, _ = host(limits=HostLimits(inline_frame_bytes=1_000))
    peer = Peer()
    task = begin(server, peer)
    await peer.until("session.created")
    (session,) = server.sessions.values()
    peer.say("input_audio_buffer.clear", event_id="x" * 2_000)
    assert await asyncio.to_thread(entered.wait, 20)
    session.end(1001, "")
    await asyncio.wait({task}, timeout=0.1)
    ended = session.ended.is_set()
    release.set()
    await task
    assert (ended, session.ended.is_set(), session.machine.ended) == (False, True, True)


def test_a_fault_of_the_machine_ends_its_session_only(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(EnergyVad):
        def probability(self, frame: Pcm) -> float:
            raise ZeroDivisionError

    async def scenario() -> None:
        detectors = iter((Broken(), EnergyVad()))
        server, _ = host(new_detector=lambda: next(detectors))
        peer, other = Peer(), Peer()
        tasks = begin(server, peer), begin(server, other)
        sound = base64.b64encode(bytes(48_000)).decode()
        for each in (peer, other):
            each.say("input_audio_buffer.append", audio=sound)
        await tasks[0]
        assert peer.closed == (1011, "")
        other.say("input_audio_buffer.clear")
        await other.until("input_audio_buffer.cleared")
        other.leave()
        await tasks[1]

    played(scenario)
    assert len(caplog.records) == 1


def test_a_session_that_is_cancelled_ends_whole() -> None:
    async def scenario() -> None:
        server, engines = host(without_end)
        peer = Peer()
        task = begin(server, peer)
        peer.say("response.create")
        await peer.until("response.output_text.delta")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert engines[0].closed == 1
        assert server.sessions == {}
        assert peer.aborted

    played(scenario)


def test_a_limit_of_nothing_is_told() -> None:
    with pytest.raises(LocalValueError, match="sessions is 0: give more than 0"):
        HostLimits(sessions=0)
