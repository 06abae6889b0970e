"""`connect(transport="webrtc")` against our server over loopback, with real media."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.server.peer_rig import LOOPBACK, post
from tests.server.serving_rig import a_server, says, settle, story_that_stalls, user_speech

import bargein
from bargein.audio.base import SoundSink
from bargein.audio.card_settings import CardSettings
from bargein.audio.ear import Ear
from bargein.audio.virtual import VirtualPlayer
from bargein.client.connecting import Connecting
from bargein.core.notices import InterruptionSettled, Lost, TurnEnded
from bargein.server.serving import Server

pytestmark = pytest.mark.real_time
RATE = 24_000


def ears() -> tuple[VirtualPlayer, Ear]:
    ear = Ear()
    return VirtualPlayer(CardSettings(latency_us=0), ear=ear), ear


async def until(done: Callable[[], bool]) -> None:
    """Wait for it, 15 s at most."""
    for _ in range(1_500):
        if done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")


class Mouth:
    """A microphone that says what it is told, 20 ms every 20 ms, and is silent behind it."""

    def __init__(self) -> None:
        self._sink: SoundSink | None = None

    def attach(self, sink: SoundSink) -> None:
        self._sink = sink

    def start(self) -> None:
        """It speaks when it is told to."""

    def mute(self, muted: bool) -> None:
        """Nobody asks."""

    def stop(self) -> None:
        self._sink = None

    async def say(self, pcm: bytes) -> None:
        frame = 2 * RATE // 50
        for start in range(0, len(pcm) + 100 * frame, frame):
            if self._sink is not None:
                self._sink(pcm[start : start + frame].ljust(frame, b"\0"), RATE)
            await asyncio.sleep(0.02)


def a_session(server: Server, player: VirtualPlayer, **given: Any) -> Connecting:
    """By a call, unless `transport` says otherwise; turns by a button."""
    fields: dict[str, Any] = {"api_key": server.api_key, "transport": "webrtc"}
    fields["turns"] = bargein.PushToTalk()
    fields["audio"] = bargein.Audio(player)
    return bargein.connect(url=server.url, **{**fields, **given})


async def heard_of_a_reply(server: Server, transport: str) -> np.ndarray[Any, Any]:
    """The loudness of each 20 ms that the ear got of one reply, from the first loud one on to the
    last."""
    player, ear = ears()
    async with a_session(server, player, transport=transport) as session:
        ended = session.notices(TurnEnded)
        await session.say("Hello.")
        async with asyncio.timeout(15):
            turn = await anext(aiter(ended))
        assert isinstance(turn, TurnEnded) and turn.status == "completed"
    sound = np.abs(ear.sound().astype(float))
    frame = RATE // 50
    level = sound[: len(sound) // frame * frame].reshape(-1, frame).mean(axis=1)
    (loud,) = np.nonzero(level > 500)
    assert loud.size, "something is heard"
    return np.asarray(level[loud[0] : loud[-1] + 1])


async def test_a_reply_is_heard_from_its_first_word_to_its_last() -> None:
    """It is as long, and as loud where, as over a WebSocket, which loses nothing."""
    async with a_server(says("Hello there, how are you?"), media_hosts=LOOPBACK) as server:
        whole = await heard_of_a_reply(server, "websocket")
        called = await heard_of_a_reply(server, "webrtc")
    assert abs(len(called) - len(whole)) <= 2, "frames of 20 ms"
    length = min(len(called), len(whole))
    assert np.corrcoef(called[:length], whole[:length])[0, 1] > 0.8


async def test_interrupt_is_silent_at_once_and_the_service_says_what_it_keeps() -> None:
    player, ear = ears()
    async with a_server(story_that_stalls(), media_hosts=LOOPBACK) as server:
        call = a_session(server, player)
        async with call as session:
            settled = session.notices(InterruptionSettled)
            await session.say("Tell me a story.")
            await until(lambda: len(ear.sound()) > RATE)
            record = await session.interrupt()
            assert record is not None
            heard = len(ear.sound())
            async with asyncio.timeout(10):
                told = await anext(aiter(settled))
            await asyncio.sleep(0.3)
            assert len(ear.sound()) - heard <= 2 * RATE // 50
    assert isinstance(told, InterruptionSettled)
    assert told.commands == ("response.cancel", "output_audio_buffer.clear")
    assert told.kept_ms is not None and told.kept_ms % 20 == 0
    assert told.heard_ms <= told.left_ms <= told.kept_ms + 100


async def test_the_users_voice_cuts_the_reply_and_the_service_does_it_all() -> None:
    """Scenario 35 at the edge: spoken into the track while the reply sounds on the other one."""
    player, ear = ears()
    microphone = Mouth()
    turns = bargein.ServerVad(silence_duration_ms=300, create_response=False)
    audio = bargein.Audio(player, microphone)
    async with a_server(story_that_stalls(), media_hosts=LOOPBACK) as server:
        async with a_session(server, player, turns=turns, audio=audio) as session:
            settled = session.notices(InterruptionSettled)
            await session.say("Tell me a story.")
            await until(lambda: len(ear.sound()) > RATE)
            saying = asyncio.create_task(microphone.say(user_speech()))
            async with asyncio.timeout(10):
                told = await anext(aiter(settled))
            heard = len(ear.sound())
            await asyncio.sleep(0.3)
            saying.cancel()
            assert len(ear.sound()) - heard <= 2 * RATE // 50
    assert isinstance(told, InterruptionSettled)
    assert (told.askers, told.commands) == (("speech",), ())
    assert told.kept_ms is not None and told.kept_ms % 20 == 0


async def test_a_data_channel_that_closes_while_the_reply_sounds_ends_the_session() -> None:
    """Scenario 36 at the edge: it is told, and nothing more is heard or said."""
    player, ear = ears()
    async with a_server(story_that_stalls(), media_hosts=LOOPBACK) as server:
        call = a_session(server, player)
        async with call as session:
            lost = session.notices(Lost)
            await session.say("Tell me a story.")
            await until(lambda: len(ear.sound()) > RATE)
            vars(vars(call)["_pipe"])["_channel"].close()
            async with asyncio.timeout(10):
                told = await anext(aiter(lost))
            # What the player had been given by then may still be heard.
            await asyncio.sleep(0.5)
            heard = len(ear.sound())
            await asyncio.sleep(0.3)
            assert len(ear.sound()) == heard
    assert isinstance(told, Lost)
    assert "data channel" in told.reason


async def test_a_new_call_goes_on_with_what_was_heard_in_one_that_was_lost() -> None:
    """Scenario 36: who was told of the loss calls again, and the model knows what was heard."""
    player, ear = ears()
    async with a_server(
        says("Once upon a time."), says("Where were we?"), media_hosts=LOOPBACK
    ) as server:
        lost_call = a_session(server, player)
        async with lost_call as session:
            ended, lost = session.notices(TurnEnded), session.notices(Lost)
            await session.say("Tell me a story.")
            async with asyncio.timeout(15):
                await anext(aiter(ended))
            vars(vars(lost_call)["_pipe"])["_channel"].close()
            async with asyncio.timeout(10):
                await anext(aiter(lost))
            stored = session.conversation.messages()
        player, ear = ears()
        async with a_session(server, player) as again:
            await again.conversation.edit(stored)
            await again.respond()
            await until(lambda: bool(ear.sound().any()))
            kept = [item.text for item in again.conversation]
    assert kept[:2] == ["Tell me a story.", "Once upon a time."]


async def test_a_call_that_the_service_ends_is_lost() -> None:
    player, _ = ears()
    async with a_server(media_hosts=LOOPBACK) as server:
        call = a_session(server, player)
        async with call as session:
            lost = session.notices(Lost)
            call_id = vars(call)["_pipe"].call_url.rpartition("/")[2]
            answer = await post(server, f"/calls/{call_id}/hangup")
            assert answer.status_code == 200
            async with asyncio.timeout(10):
                assert isinstance(await anext(aiter(lost)), Lost)


async def test_leaving_hangs_up_and_leaves_nothing_behind() -> None:
    player, _ = ears()
    async with a_server(media_hosts=LOOPBACK) as server:
        call = a_session(server, player)
        before = asyncio.all_tasks()
        async with call:
            assert len(server.sessions) == 1
        await settle(server)
        await until(lambda: asyncio.all_tasks() <= before)


async def test_sound_of_the_microphone_is_a_turn_of_the_users() -> None:
    """Spoken into the track, heard by the server's detector, answered over the other track."""
    player, ear = ears()
    microphone = Mouth()
    async with a_server(says("Hello there."), media_hosts=LOOPBACK) as server:
        call = bargein.connect(
            url=server.url,
            api_key=server.api_key,
            transport="webrtc",
            turns=bargein.ServerVad(silence_duration_ms=300),
            audio=bargein.Audio(player, microphone),
        )
        async with call as session:
            ended = session.notices(TurnEnded)
            saying = asyncio.create_task(microphone.say(user_speech()))
            async with asyncio.timeout(20):
                async for turn in ended:
                    if isinstance(turn, TurnEnded) and turn.role == "assistant":
                        break
            saying.cancel()
    assert np.abs(ear.sound()).max() > 500


async def test_a_wrong_key_is_refused_before_anything_is_connected() -> None:
    async with a_server(media_hosts=LOOPBACK) as server:
        call = bargein.connect(url=server.url, api_key="sk-wrong-key", transport="webrtc")
        with pytest.raises(bargein.AdmissionError) as refused:
            async with call:
                pass
    assert "sk-wrong-key" not in str(refused.value)


async def test_an_ephemeral_key_makes_a_call_too() -> None:
    """The session comes with the key; what `connect` wants besides is asked for after it."""
    player, ear = ears()
    async with a_server(says("Hello there."), media_hosts=LOOPBACK) as server:
        wanted = {"session": {"type": "realtime", "model": "gpt-realtime"}}
        minted = await post(server, "/client_secrets", json_body=wanted)
        call = a_session(server, player, api_key=minted.json()["value"])
        async with call as session:
            await session.say("Hello.")
            await until(lambda: len(ear.sound()) > 0)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"turns": bargein.PushToTalk(pre_roll_ms=200)}, "pre_roll_ms"),
        ({"session": {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}}, "format"),
        ({"url": "ftp://host/v1"}, "url"),
    ],
)
async def test_what_a_call_cannot_do_is_refused_by_name(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(bargein.LocalValueError, match=why):
        async with bargein.connect(api_key="k", transport="webrtc", **wrong):
            pass
