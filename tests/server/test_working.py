"""The engine's work for one session: begun, ended, and broken without harm."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.server.host_rig import Peer, Scripted, begin, hello, host, played, writes
from tests.server.model.model_rig import silence, speech

from bargein import events
from bargein.server.engines.base import Batch, EngineError
from bargein.server.host import Host
from bargein.server.limits import HostLimits
from bargein.server.model.commands import ListTools, Overhear, StartTranscription
from bargein.server.model.heard import Heard, Words
from bargein.server.model.vad import EnergyVad

COMPLETED = "conversation.item.input_audio_transcription.completed"
FAILED = "conversation.item.input_audio_transcription.failed"
DELTA = "conversation.item.input_audio_transcription.delta"


class Ears(Scripted):
    """Hears what `fault` and `stays` say; notes what was asked of it."""

    def __init__(
        self, *, fault: Exception | None = None, stays: bool = False, overhears: bool = False
    ) -> None:
        super().__init__(hello)
        self.overhears = overhears
        self.fault, self.stays = fault, stays
        self.asked: list[StartTranscription] = []
        self.sounds: list[Overhear] = []
        self.dropped = 0
        self.ended = False

    async def transcribe(self, request: StartTranscription) -> AsyncGenerator[Heard, None]:
        self.asked.append(request)
        try:
            yield Words("Hello")
            if self.stays:
                await asyncio.Event().wait()
            if self.fault is not None:
                raise self.fault
        except (GeneratorExit, asyncio.CancelledError):
            self.dropped += 1
            raise

    def overhear(self, sound: Overhear) -> None:
        self.sounds.append(sound)
        if self.fault is not None:
            raise self.fault

    async def close(self) -> None:
        self.ended = True
        if self.stays:
            await asyncio.Event().wait()


def serving(engine: Scripted) -> Host:
    return Host(
        lambda: engine,
        new_detector=EnergyVad,
        limits=HostLimits(engine_close_deadline_s=3),
    )


async def spoken(peer: Peer, turn_detection: Any = None) -> None:
    """A turn of the user's, by hand or not, in a session that wants its words."""
    transcription = {"model": "gpt-4o-transcribe"}
    audio = {"input": {"turn_detection": turn_detection, "transcription": transcription}}
    peer.say("session.update", session={"type": "realtime", "audio": audio})
    sound = silence(500) + speech(500) + silence(1_000)
    peer.say("input_audio_buffer.append", audio=base64.b64encode(sound).decode())
    if turn_detection is None:
        peer.say("input_audio_buffer.commit")
    await peer.until("input_audio_buffer.committed")


def test_what_an_engine_hears_is_shown() -> None:
    async def scenario() -> None:
        engine, peer = Ears(), Peer()
        task = begin(serving(engine), peer)
        await spoken(peer)
        completed = await peer.until(COMPLETED)
        assert completed["transcript"] == "Hello" and DELTA in peer.types
        assert len(engine.asked[0].audio) == 48 * 2_000
        peer.leave()
        await task
        assert engine.ended

    played(scenario)


def test_an_engine_without_ears_fails_with_the_way_out() -> None:
    async def scenario() -> None:
        server, _ = host()
        peer = Peer()
        task = begin(server, peer)
        await spoken(peer)
        error = (await peer.until(FAILED))["error"]
        assert error["code"] == "no_ears" and "--engine local" in error["message"]
        peer.leave()
        await task

    played(scenario)


@pytest.mark.parametrize("own_words", [True, False])
def test_a_broken_transcription_ends_itself_only(
    own_words: bool, caplog: pytest.LogCaptureFixture
) -> None:
    fault = EngineError("Too loud.", code="loud") if own_words else RuntimeError("secret")

    async def scenario() -> None:
        peer = Peer()
        task = begin(serving(Ears(fault=fault)), peer)
        await spoken(peer)
        failed = await peer.until(FAILED)
        item_id = failed["item_id"]
        if own_words:
            assert (failed["error"]["code"], failed["error"]["message"]) == ("loud", "Too loud.")
        else:
            expected = f"Input transcription failed for item '{item_id}'."
            assert failed["error"]["message"] == expected
        peer.say("response.create")
        assert (await peer.until("response.done"))["response"]["status"] == "completed"
        peer.leave()
        await task

    played(scenario)
    assert ("the engine broke" in caplog.text) is not own_words


def test_words_that_are_not_wanted_any_more_are_told_to_the_engine() -> None:
    async def scenario() -> None:
        engine, peer = Ears(stays=True), Peer()
        server = serving(engine)
        task = begin(server, peer)
        await spoken(peer)
        item_id = (await peer.until(DELTA))["item_id"]
        (session,) = server.sessions.values()
        assert session.transcribing == 1
        peer.say("conversation.item.delete", item_id=item_id)
        await peer.until("conversation.item.deleted")
        await asyncio.sleep(1)
        assert engine.dropped == 1 and session.transcribing == 0
        peer.leave()
        await task

    played(scenario)


def test_an_engine_that_does_not_close_is_left_after_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        engine, peer = Ears(stays=True), Peer()
        task = begin(serving(engine), peer)
        await spoken(peer)
        await peer.until(DELTA)
        began = asyncio.get_running_loop().time()
        peer.leave()
        await task
        assert asyncio.get_running_loop().time() - began == pytest.approx(3, abs=0.1)
        assert engine.dropped == 1

    played(scenario)
    assert "not closed within 3 s" in caplog.text


def test_an_engine_that_does_not_let_go_of_a_response_is_left_after_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    released = asyncio.Event()

    async def stubborn() -> AsyncGenerator[Batch, None]:
        try:
            yield Batch(writes("Hello"))
            await asyncio.Event().wait()
        finally:
            await released.wait()

    async def scenario() -> None:
        server, peer = serving(Scripted(stubborn)), Peer()
        task = begin(server, peer)
        peer.say("response.create")
        await peer.until("response.output_text.delta")
        began = asyncio.get_running_loop().time()
        peer.leave()
        await task
        assert asyncio.get_running_loop().time() - began == pytest.approx(3, abs=0.1)
        assert not server.sessions
        released.set()
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=1)

    played(scenario)
    assert "did not let go within 3 s of: session-1 resp_" in caplog.text


def test_an_engine_overhears_the_turn() -> None:
    async def scenario() -> None:
        engine, peer = Ears(overhears=True), Peer()
        task = begin(serving(engine), peer)
        await spoken(peer, {"type": "server_vad", "silence_duration_ms": 300})
        await peer.until(COMPLETED)
        assert engine.sounds[-1].last
        assert b"".join(sound.audio for sound in engine.sounds) == engine.asked[0].audio
        peer.leave()
        await task

    played(scenario)


def test_an_engine_that_breaks_while_it_overhears_is_spared_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        engine, peer = Ears(overhears=True, fault=RuntimeError("loud")), Peer()
        task = begin(serving(engine), peer)
        for _ in range(2):
            await spoken(peer, {"type": "server_vad", "silence_duration_ms": 300})
        await asyncio.sleep(10)
        assert len(engine.sounds) == 1
        peer.leave()
        await task

    played(scenario)
    assert caplog.text.count("while it overheard") == 1


class Catalogues(Scripted):
    """An engine whose MCP servers list their tools when the test lets them, and let go slowly."""

    def __init__(self, *, lets_go_after_s: float = 0) -> None:
        super().__init__(hello)
        self.lets_go_after_s = lets_go_after_s
        self.open: list[str] = []
        self.answer = asyncio.Event()

    async def list_tools(self, request: ListTools) -> tuple[events.McpListedTool, ...]:
        label = request.server.server_label
        self.open.append(label)
        try:
            await self.answer.wait()
        except asyncio.CancelledError:
            await asyncio.sleep(self.lets_go_after_s)
            raise
        finally:
            self.open.remove(label)
        return ()


def declare(peer: Peer, *labels: str, path: str = "") -> None:
    tools = [
        {"type": "mcp", "server_label": label, "server_url": f"http://127.0.0.1/{path}"}
        for label in labels
    ]
    peer.say("session.update", session={"type": "realtime", "tools": tools})


def test_a_few_servers_are_asked_for_their_tools_at_once_and_the_others_wait() -> None:
    async def scenario() -> None:
        engine, peer = Catalogues(), Peer()
        server = Host(lambda: engine, new_detector=EnergyVad, limits=HostLimits(mcp_lists=2))
        task = begin(server, peer)
        declare(peer, *"abcde")
        await asyncio.sleep(1)
        assert engine.open == ["a", "b"]
        # Those that hang are given up in their time, and the next two are asked.
        await asyncio.sleep(30)
        assert engine.open == ["c", "d"] and peer.types.count("mcp_list_tools.failed") == 2
        engine.answer.set()
        await asyncio.sleep(1)
        assert peer.types.count("mcp_list_tools.completed") == 3
        peer.leave()
        await task

    played(scenario)


def test_a_server_that_is_not_wanted_any_more_counts_until_it_has_let_go() -> None:
    async def scenario() -> None:
        engine, peer = Catalogues(lets_go_after_s=4), Peer()
        server = Host(lambda: engine, new_detector=EnergyVad, limits=HostLimits(mcp_lists=2))
        task = begin(server, peer)
        for path in "1234":
            declare(peer, "a", path=path)
            await asyncio.sleep(1)
            assert len(engine.open) <= 2
        engine.answer.set()
        await asyncio.sleep(10)
        assert peer.types.count("mcp_list_tools.completed") == 1 and not engine.open
        peer.leave()
        await task

    played(scenario)
