"""A call and its sidebands at the host, on a clock that jumps: tracks and channels are queues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from tests.server.host_rig import Peer, host, played
from tests.server.model.model_rig import RATE, silence, speech

from bargein.server.engines.base import Batch
from bargein.server.host import Host
from bargein.server.limits import HostLimits
from bargein.server.model import score
from bargein.server.model.commands import SendMedia
from bargein.server.model.options import Options
from bargein.server.model.score import Step

SESSION_ID = "sess_u0_E4xw9V7Wm6BbwNyTjXvsL"
FRAME_BYTES = 2 * RATE // 50


class Tracks:
    """A call's `Media`: what left, and when the track was told to be silent."""

    def __init__(self) -> None:
        self.microphone: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.left: list[SendMedia] = []
        self.silenced = 0

    async def receive(self) -> bytes | None:
        return await self.microphone.get()

    def play(self, frame: SendMedia) -> None:
        self.left.append(frame)

    def silence(self) -> None:
        self.silenced += 1

    async def says(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), FRAME_BYTES):
            self.microphone.put_nowait(pcm[start : start + FRAME_BYTES])
            await asyncio.sleep(0.02)


async def story() -> AsyncGenerator[Batch, None]:
    spoken = (score.OpenMessage(), score.OpenPart("audio"), score.Sound(bytes(2 * RATE * 10)))
    yield Batch(tuple(Step(each) for each in spoken))


def call(server: Host, peer: Peer, tracks: Tracks, **wanted: Any) -> asyncio.Task[None]:
    work = server.run(
        peer,
        model="gpt-realtime",
        wanted={"type": "realtime", **wanted} if wanted else None,
        session_id=SESSION_ID,
        media=tracks,
    )
    return asyncio.create_task(work)


async def attach(server: Host, sideband: Peer) -> asyncio.Task[None]:
    await asyncio.sleep(0)
    session = server.find(SESSION_ID)
    assert session is not None
    task = asyncio.create_task(session.attach(sideband))
    await asyncio.sleep(0)
    return task


def test_a_call_begins_with_the_session_that_was_wanted_and_the_id_that_was_promised() -> None:
    async def scenario() -> None:
        server, _ = host()
        peer, tracks = Peer(), Tracks()
        task = call(server, peer, tracks, instructions="Be brief.")
        session = (await peer.until("session.created"))["session"]
        assert (session["id"], session["instructions"]) == (SESSION_ID, "Be brief.")
        assert server.find(SESSION_ID) is not None
        tracks.microphone.put_nowait(None)
        await task
        assert server.find(SESSION_ID) is None and peer.aborted

    played(scenario)


def test_the_track_is_heard_and_what_plays_is_cut_by_it() -> None:
    async def scenario() -> None:
        server, _ = host(story)
        peer, tracks = Peer(), Tracks()
        task = call(server, peer, tracks)
        await peer.until("session.created")
        peer.say("response.create")
        await peer.until("output_audio_buffer.started")
        await tracks.says(silence(1_000) + speech(500))
        cut = await peer.until("conversation.item.truncated")
        assert cut["audio_end_ms"] == 20 * len(tracks.left)
        assert tracks.silenced == 1 and 1_000 < cut["audio_end_ms"] < 1_500
        peer.leave()
        await task

    played(scenario)


def test_a_sideband_sees_the_call_without_its_beginning_and_without_sound() -> None:
    async def scenario() -> None:
        server, _ = host(story)
        peer, tracks, sideband = Peer(), Tracks(), Peer()
        task = call(server, peer, tracks)
        await peer.until("session.created")
        attached = await attach(server, sideband)
        sideband.say("response.create")
        await peer.until("output_audio_buffer.stopped")
        assert sideband.types == peer.types[1:]
        assert sideband.types[0] == "response.created"
        assert not [each for each in sideband.types if each == "response.output_audio.delta"]
        peer.leave()
        await task
        await attached
        assert sideband.closed == (1000, "")

    played(scenario)


def test_an_error_is_told_to_whom_it_answers_unless_told_otherwise() -> None:
    async def told(options: Options) -> tuple[Peer, Peer]:
        server, _ = host(options=options)
        peer, tracks, sideband = Peer(), Tracks(), Peer()
        task = call(server, peer, tracks)
        await peer.until("session.created")
        attached = await attach(server, sideband)
        sideband.say("response.cancel")
        await sideband.until("error")
        peer.say("input_audio_buffer.clear")
        await peer.until("input_audio_buffer.cleared")
        peer.leave()
        await task
        await attached
        return peer, sideband

    async def scenario() -> None:
        peer, sideband = await told(Options())
        assert "error" not in peer.types and sideband.types.count("error") == 1
        peer, sideband = await told(Options(errors_on_all_pipes=True))
        assert "error" in peer.types and "error" in sideband.types

    played(scenario)


def test_a_sideband_that_leaves_or_does_not_read_leaves_the_call_as_it_is() -> None:
    async def scenario() -> None:
        server, _ = host(limits=HostLimits(write_deadline_s=5))
        peer, tracks, sideband, deaf = Peer(), Tracks(), Peer(), Peer()
        task = call(server, peer, tracks)
        await peer.until("session.created")
        attached = [await attach(server, each) for each in (sideband, deaf)]
        sideband.leave()
        await attached[0]
        deaf.reads.clear()
        peer.say("input_audio_buffer.clear")
        await attached[1]
        assert deaf.aborted and server.cut_off == 1
        peer.say("response.create")
        await peer.until("response.done")
        peer.leave()
        await task

    played(scenario)


def test_a_call_has_room_for_so_many_sidebands() -> None:
    async def scenario() -> None:
        server, _ = host(limits=HostLimits(sidebands=1))
        peer, tracks, sideband = Peer(), Tracks(), Peer()
        task = call(server, peer, tracks)
        await peer.until("session.created")
        session = server.find(SESSION_ID)
        assert session is not None
        room = [session.has_room]
        attached = await attach(server, sideband)
        room.append(session.has_room)
        session.end(1000, "")
        room.append(session.has_room)
        await task
        await attached
        assert room == [True, False, False]
        assert peer.closed == (1000, "") == sideband.closed

    played(scenario)


def test_a_call_whose_channel_never_opens_ends_by_itself() -> None:
    async def scenario() -> None:
        server, _ = host(limits=HostLimits(write_deadline_s=20))
        peer, tracks = Peer(), Tracks()
        peer.reads.clear()
        began = asyncio.get_running_loop().time()
        await call(server, peer, tracks)
        assert asyncio.get_running_loop().time() - began == 20 and peer.aborted

    played(scenario)
