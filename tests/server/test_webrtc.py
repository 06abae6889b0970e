"""A plain aiortc peer in calls with our server, over loopback, with real media. The clock is the
wall's; what is judged are counts of frames and the order of events."""

from __future__ import annotations

import asyncio
import base64
import gc
from typing import Any

import pytest
from aioice import ice
from aiortc import RTCPeerConnection
from tests.server.peer_rig import (
    BY_HAND,
    LOOPBACK,
    SESSION,
    Peer,
    a_call,
    nothing_is_left,
    post,
    sockets,
)
from tests.server.serving_rig import (
    Client,
    a_server,
    says,
    story_that_stalls,
    types,
    user_speech,
)
from websockets.asyncio.client import connect

from bargein.server.host import Session
from bargein.server.limits import HostLimits
from bargein.server.webrtc import Call

pytestmark = pytest.mark.real_time
STARTED, STOPPED = "output_audio_buffer.started", "output_audio_buffer.stopped"
CLEARED, TRUNCATED = "output_audio_buffer.cleared", "conversation.item.truncated"
VAD = {"type": "server_vad", "silence_duration_ms": 300}
IN_FLIGHT = 20
"""Frames that the peer's own jitter buffer may hold when something is cut: sixteen, and some under
way."""


async def ask(peer: Peer) -> None:
    content = [{"type": "input_text", "text": "Tell me a story."}]
    item = {"type": "message", "role": "user", "content": content}
    peer.send("conversation.item.create", item=item)
    peer.send("response.create")
    await peer.until(STARTED)


def kept_ms(peer: Peer) -> list[int]:
    return [each["audio_end_ms"] for each in peer.events if each["type"] == TRUNCATED]


def quiet_after(loud: list[bool]) -> int:
    """How many frames come before five in a row without sound."""
    return next(at for at in range(len(loud)) if not any(loud[at : at + 5]))


def left_ms(peer: Peer) -> int:
    (session,) = peer.server.sessions.values()
    (item,) = (each for each in session.machine.memory if each.role == "assistant")
    return item.parts[0].kept_samples // 24


async def test_a_peer_of_the_guide_is_answered_and_hears_it() -> None:
    async with a_call(says("Hello there, how are you?"), script={"speed": 4}) as peer:
        created = peer.events[0]["session"]
        assert (peer.types[0], f"sess_{peer.call_id[4:]}") == ("session.created", created["id"])
        await ask(peer)
        await peer.until(STOPPED)
        before = peer.types[: peer.types.index(STARTED)]
        assert before.count("response.output_audio_transcript.delta") >= 2
        assert "response.content_part.added" in before
        assert "response.output_audio.delta" not in peer.types
        assert peer.types.index("response.done") < peer.types.index(STOPPED)
        made = left_ms(peer)
        await asyncio.sleep(0.5)
        # The voice pauses within a sentence, so some of its frames are quiet.
        assert 0.5 * made < 20 * sum(peer.loud) <= made + 40


async def test_what_the_user_says_cuts_the_reply_and_is_answered() -> None:
    session = {**SESSION, "audio": {"input": {"turn_detection": VAD}}}
    async with a_call(story_that_stalls(60_000), says("Yes."), session=session) as peer:
        await ask(peer)
        await peer.until_loud(10)
        peer.microphone.say(user_speech("Wait, please stop for a moment."))
        await peer.until(TRUNCATED)
        heard = len(peer.loud)
        at = peer.types.index("input_audio_buffer.speech_started")
        assert peer.types[at + 1 : at + 3] == [CLEARED, TRUNCATED]
        assert kept_ms(peer)[0] % 20 == 0 and kept_ms(peer)[0] > 200
        await peer.until(STOPPED)
        assert quiet_after(peer.loud[heard:]) <= IN_FLIGHT
        assert peer.types.count(STARTED) == 2 and peer.types.count(STOPPED) == 1
        committed = await peer.until("input_audio_buffer.committed")
        assert committed["item_id"] == peer.events[at]["item_id"]


async def test_a_stop_without_a_clear_keeps_the_track_playing_and_a_clear_silences_it() -> None:
    async with a_call(story_that_stalls(6_000)) as peer:
        await ask(peer)
        await peer.until_loud(10)
        item_id = (await peer.until("response.output_item.added"))["item"]["id"]
        where = {"item_id": item_id, "content_index": 0}
        peer.send("conversation.item.truncate", **where, audio_end_ms=100)
        peer.send("response.cancel")
        done = await peer.until("response.done")
        assert done["response"]["status_details"]["reason"] == "client_cancelled"
        assert kept_ms(peer) == [100]
        heard = sum(peer.loud)
        await peer.until_loud(heard + 40)
        assert STOPPED not in peer.types
        peer.send("output_audio_buffer.clear")
        await peer.until(CLEARED)
        at = len(peer.loud)
        await asyncio.sleep(0.6)
        assert sum(peer.loud[at:]) <= IN_FLIGHT and STOPPED not in peer.types
        assert kept_ms(peer) == [100]


async def test_a_sideband_hears_of_the_call_and_may_ask() -> None:
    async with a_call(says("Hello there.")) as peer:
        url = f"{peer.server.ws_url}?call_id={peer.call_id}&model=whatever"
        headers = {"Authorization": f"Bearer {peer.server.api_key}"}
        async with connect(url, additional_headers=headers) as sideband:
            client = Client(sideband)
            await client.send("session.update", session={"type": "realtime", "instructions": "Hm."})
            updated = await client.next()
            assert updated["type"] == "session.updated"
            assert updated["session"]["id"] == f"sess_{peer.call_id[4:]}"
            await peer.until("session.updated")
            await client.send("response.create")
            await client.until(STOPPED)
            assert {STARTED, "response.done"} < {*types(client.seen)}
            assert "response.output_audio.delta" not in types(client.seen)
            hung_up = await post(peer.server, f"/calls/{peer.call_id}/hangup")
            assert hung_up.status_code == 200
            await sideband.wait_closed()
            assert sideband.close_code == 1000
        await nothing_is_left(peer.server)


async def test_hanging_up_ends_the_call_once() -> None:
    async with a_call() as peer:
        closed = asyncio.Event()
        peer.channel.on("close", closed.set)
        assert (await post(peer.server, f"/calls/{peer.call_id}/hangup")).status_code == 200
        async with asyncio.timeout(10):
            await closed.wait()
        await nothing_is_left(peer.server)
        again = await post(peer.server, f"/calls/{peer.call_id}/hangup")
        assert again.status_code == 400
        assert again.json()["error"]["code"] == "call_id_not_found"


async def test_a_peer_that_leaves_leaves_nothing_behind() -> None:
    async with a_server(media_hosts=LOOPBACK) as server:
        gc.collect()
        before = sockets()
        for _ in range(3):
            peer = Peer(server)
            await peer.call(BY_HAND)
            await peer.until("session.created")
            await peer.close()
            await nothing_is_left(server)
        del peer
        gc.collect()
        assert sockets() <= before + 1  # The client's own connection may linger.
        kinds = (RTCPeerConnection, Session, Call)
        assert [each for each in gc.get_objects() if isinstance(each, kinds)] == []


async def test_a_connection_that_the_library_cannot_close_is_let_go_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_server(media_hosts=LOOPBACK) as server:
        peer = Peer(server)
        offer = await peer.offer()
        gc.collect()
        before = sockets()

        async def breaks(self: RTCPeerConnection) -> None:
            raise AttributeError("'NoneType' object has no attribute 'stop'")

        call = Call(LOOPBACK)
        await call.answer(offer)
        assert sockets() == before + 1
        with monkeypatch.context() as patched:
            patched.setattr(RTCPeerConnection, "close", breaks)
            await call.close()
        await asyncio.sleep(0)
        assert sockets() == before
        await peer.close()


async def test_a_peer_that_vanishes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "CONSENT_INTERVAL", 0.05)
    monkeypatch.setattr(ice, "CONSENT_FAILURES", 2)
    async with a_call(story_that_stalls(6_000)) as peer:
        await ask(peer)
        # Its sockets are gone without a word, as when a machine loses its power.
        transport: Any = peer.connection.getSenders()[0].transport
        for protocol in transport.transport._connection._protocols:
            protocol.transport.abort()
        await nothing_is_left(peer.server)


async def test_an_offer_that_nobody_follows_up_ends_by_itself() -> None:
    limits = HostLimits(write_deadline_s=0.2)
    async with a_server(media_hosts=LOOPBACK, limits=limits) as server:
        peer = Peer(server)
        answer = await post(server, "/calls", await peer.offer(), session=SESSION)
        assert answer.status_code == 201 and len(server.sessions) == 1
        await nothing_is_left(server)
        await peer.close()


async def test_a_data_channel_of_another_name_is_closed_and_the_call_ends() -> None:
    limits = HostLimits(write_deadline_s=1)
    async with a_server(media_hosts=LOOPBACK, limits=limits) as server:
        peer = Peer(server, label="events")
        closed = asyncio.Event()
        peer.channel.on("close", closed.set)
        await peer.call(SESSION)
        async with asyncio.timeout(10):
            await closed.wait()
        await nothing_is_left(server)
        assert peer.events == []
        await peer.close()


async def test_a_peer_without_opus_is_heard_and_hears() -> None:
    session = {**SESSION, "audio": {"input": {"turn_detection": VAD}}}
    async with a_server(says("Hello there."), media_hosts=LOOPBACK) as server:
        peer = Peer(server)
        peer.prefer("pcmu")
        answer = await peer.call(session)
        assert "opus" not in answer.text and "PCMU" in answer.text
        await peer.until("session.created")
        peer.microphone.say(user_speech("Hello."))
        await peer.until(STOPPED)
        assert sum(peer.loud) > 10
        await peer.close()


async def test_an_ephemeral_key_begins_the_session_that_it_is_bound_to() -> None:
    async with a_server(media_hosts=LOOPBACK) as server:
        body = {"session": {**BY_HAND, "instructions": "Be brief."}}
        key = (await post(server, "/client_secrets", json_body=body)).json()["value"]
        peer = Peer(server)
        answer = await peer.call(key=key)
        assert answer.status_code == 201, answer.text
        session = (await peer.until("session.created"))["session"]
        assert session["instructions"] == "Be brief."
        assert session["audio"]["input"]["turn_detection"] is None
        await peer.close()


async def test_an_event_that_does_not_fit_the_channel_is_told_by_an_error() -> None:
    async with a_call(says("Hello there.")) as peer:
        sound = base64.b64encode(bytes(300_000)).decode()
        content = [{"type": "input_audio", "audio": sound}]
        item = {"type": "message", "role": "user", "content": content, "id": "long"}
        peer.send("conversation.item.create", item=item)
        await peer.until("conversation.item.done")
        peer.send("conversation.item.retrieve", item_id="long")
        error = (await peer.until("error"))["error"]
        assert (error["type"], error["code"]) == ("server_error", "event_too_long")
        peer.send("input_audio_buffer.clear")
        await peer.until("input_audio_buffer.cleared")
