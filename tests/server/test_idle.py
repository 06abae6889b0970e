"""The idle timeout as a client sees it, frame by frame, on a clock that jumps (protocol.md
§4.11)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.server.host_rig import Peer, begin, host, played
from tests.server.model.model_rig import silence, sound, speech

from bargein.server.engines.base import Batch
from bargein.server.model import score
from bargein.server.model.score import Step

IDLE_S, SPOKEN_S = 6.0, 2.5
TIMEOUT = "input_audio_buffer.timeout_triggered"


async def speaks() -> AsyncGenerator[Batch, None]:
    actions = (score.OpenMessage(), score.OpenPart("audio"), sound(SPOKEN_S * 1_000))
    yield Batch(tuple(Step(action) for action in actions))


async def configured(peer: Peer, **turn_detection: Any) -> None:
    settings = {"type": "server_vad", "idle_timeout_ms": round(IDLE_S * 1_000), **turn_detection}
    audio = {"input": {"turn_detection": settings}}
    peer.say("session.update", session={"type": "realtime", "audio": audio})
    await peer.until("session.updated")


def append(peer: Peer, pcm: bytes) -> None:
    peer.say("input_audio_buffer.append", audio=base64.b64encode(pcm).decode())


def test_who_says_nothing_after_the_reply_was_played_is_asked_again() -> None:
    async def scenario() -> None:
        server, _ = host(speaks)
        peer = Peer()
        task = begin(server, peer)
        await configured(peer)
        append(peer, silence(20_000))
        peer.say("response.create")
        done = await peer.until("response.done")
        at = asyncio.get_running_loop().time()
        user = await peer.until(TIMEOUT)
        waited = asyncio.get_running_loop().time() - at
        assert waited == pytest.approx(SPOKEN_S + IDLE_S, abs=0.01), "from the end of the playing"
        assert user["audio_end_ms"] - user["audio_start_ms"] == 6_016
        await asyncio.sleep(0.1)
        told = peer.types[peer.types.index(TIMEOUT) :]
        assert told[:5] == [
            TIMEOUT,
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        ]
        committed = await peer.until("input_audio_buffer.committed")
        reply_id = done["response"]["output"][0]["id"]
        assert committed["item_id"] == user["item_id"]
        assert committed["previous_item_id"] == reply_id
        peer.leave()
        await task

    played(scenario)


@pytest.mark.parametrize("how", ["spoke", "semantic_vad", "by hand", "never asked"])
def test_who_has_something_to_say_is_not(how: str) -> None:
    async def scenario() -> None:
        server, _ = host(speaks)
        peer = Peer()
        task = begin(server, peer)
        await configured(peer, create_response=False)
        if how in ("semantic_vad", "by hand"):
            settings = {"type": "semantic_vad"} if how == "semantic_vad" else None
            audio = {"input": {"turn_detection": settings}}
            peer.say("session.update", session={"type": "realtime", "audio": audio})
        if how != "never asked":
            peer.say("response.create")
            await peer.until("response.done")
        if how == "spoke":
            await asyncio.sleep(SPOKEN_S + IDLE_S - 0.1)
            append(peer, speech(300) + silence(1_000))
        await asyncio.sleep(60)
        assert TIMEOUT not in peer.types and "error" not in peer.types
        peer.leave()
        await task

    played(scenario)


def test_an_idle_timeout_out_of_range_is_refused() -> None:
    async def scenario() -> None:
        server, _ = host(speaks)
        peer = Peer()
        task = begin(server, peer)
        codes = {4_999: "integer_below_min_value", 30_001: "integer_above_max_value"}
        for value, code in codes.items():
            settings = {"type": "server_vad", "idle_timeout_ms": value}
            audio = {"input": {"turn_detection": settings}}
            peer.got.clear()
            peer.say("session.update", session={"type": "realtime", "audio": audio})
            error = (await peer.until("error"))["error"]
            path = "session.audio.input.turn_detection.idle_timeout_ms"
            assert (error["code"], error["param"]) == (code, path)
        peer.leave()
        await task

    played(scenario)
