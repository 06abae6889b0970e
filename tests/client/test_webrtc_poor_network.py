"""Calls through a network that loses, delays and reorders: the cut is as short as on loopback, and
what comes after it is whole. Gates on samples and packets; `tests/rtc/relay.py` is the network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pytest
from tests.client.test_webrtc_call import Mouth, until
from tests.rtc.relay import CLEAR, Relay, Weather, a_relay
from tests.server.peer_rig import LOOPBACK
from tests.server.serving_rig import STALL_MS, STORY, a_server, says

import bargein
from bargein.audio.card_settings import CardSettings
from bargein.audio.formats import Samples
from bargein.audio.jitter import JitterBuffer
from bargein.audio.virtual import VirtualPlayer
from bargein.client.config import PushToTalk, Turns
from bargein.client.session import Session
from bargein.core.inputs import Part
from bargein.core.notices import TurnEnded
from bargein.rtc.opus import Decoder, Encoder
from bargein.secret import Secret
from bargein.server.engines.espeak import speak
from bargein.server.serving import Server
from bargein.server.sounds import COMPLEXITY
from bargein.transports.base import PipeEnd
from bargein.transports.signaling import Answered, Signaling
from bargein.transports.webrtc import WebRtcPipe

pytestmark = pytest.mark.real_time
RATE = 24_000
FRAME = RATE // 50
LOUD = 500
VOICE, PACE = "en-us", 165
NEXT = "Blackbirds sing before the sun comes up."
MANNER = {"voice": VOICE, "words_per_minute": PACE}
REPLIES = (
    {"outputs": [{"say": STORY, "gaps": [{"at_ms": 4_000, "for_ms": STALL_MS}]}]},
    says(NEXT),
)
NETWORKS = {
    "loopback": None,
    "a relay that does nothing": CLEAR,
    "150 ms later": Weather(delay_ms=150),
    "reordered by 60 ms": Weather(reorder_ms=60),
    "5 % lost in bursts": Weather(loss=0.05),
    "all of it": Weather(delay_ms=150, reorder_ms=60, loss=0.05),
}


class ThroughRelay(Signaling):
    """The service's answer with the relay's ports in it."""

    def __init__(self, relay: Relay, server: Server) -> None:
        super().__init__(server.url, Secret(server.api_key))
        self._relay = relay

    async def call(self, offer: str, session: Any) -> Answered:
        answered = await super().call(offer, session)
        return replace(answered, sdp=await self._relay.rewritten(answered.sdp))


class Listened(WebRtcPipe):
    """A call's pipe that says when `speech_started` comes."""

    def __init__(self, signaling: Signaling, when_speech: Callable[[], None]) -> None:
        super().__init__(signaling, {"type": "realtime", "model": "gpt-realtime"})
        self._when_speech = when_speech

    async def receive(self) -> str | bytes | PipeEnd:
        frame = await super().receive()
        if isinstance(frame, str) and "input_audio_buffer.speech_started" in frame:
            self._when_speech()
        return frame


@dataclass(slots=True)
class Talk:
    """One conversation: the ear, and where on its axis the stop was."""

    player: VirtualPlayer
    microphone: Mouth
    relay: Relay
    stop_frame: int | None = None

    def stop_now(self) -> None:
        if self.stop_frame is None:
            self.stop_frame = self.frame_now

    @property
    def frame_now(self) -> int:
        return self.player.card.frame_at(round(asyncio.get_running_loop().time() * 1e6))

    @property
    def lost_packets(self) -> int:
        """Sound that the network has lost on its way here."""
        return self.relay.lost["down", "media"]

    def unplayed_packets(self, session: Session) -> int:
        """Sound that came when its time was over, or was left out to catch up: a busy machine is
        late, and that is nothing the cut has lost."""
        buffer: JitterBuffer = vars(vars(session)["_driver"])["_media"]._playout.buffer
        return buffer.late + buffer.skipped + buffer.overflowed

    @property
    def replies(self) -> list[str]:
        """The responses that were heard, in order."""
        marks = [each.mark for each in self.player.ear.heard if isinstance(each.mark, Part)]
        return list(dict.fromkeys(mark.response_id for mark in marks))

    def sound_of(self, response_id: str) -> Samples:
        pieces = [
            each.pcm
            for each in self.player.ear.heard
            if isinstance(each.mark, Part) and each.mark.response_id == response_id
        ]
        return np.concatenate([np.zeros(0, np.int16), *pieces])

    def samples_after_the_stop(self) -> int:
        """From the stop to the last sample of the reply that it cut, if that is not before."""
        assert self.stop_frame is not None
        last = self.stop_frame
        for each in self.player.ear.heard:
            loud = np.flatnonzero(each.pcm)
            if isinstance(each.mark, Part) and each.mark.response_id == self.replies[0]:
                last = max(last, each.frame + int(loud[-1]) + 1) if loud.size else last
        return last - self.stop_frame

    def samples_between(self) -> int:
        """How many samples that are not silent were heard, whosever they are called, from two
        frames behind the stop until the next reply was."""
        assert self.stop_frame is not None
        sound = self.player.ear.sound(self.next_frame)
        return int(np.count_nonzero(sound[self.stop_frame + 2 * FRAME : self.next_frame]))

    @property
    def next_frame(self) -> int:
        """Where the next reply begins on the ear's axis."""
        heard = self.player.ear.heard
        return next(
            each.frame
            for each in heard
            if isinstance(each.mark, Part) and each.mark.response_id == self.replies[1]
        )


@asynccontextmanager
async def a_talk(
    server: Server, weather: Weather | None, seed: int, turns: Turns
) -> AsyncIterator[tuple[Talk, Session]]:
    player, microphone = VirtualPlayer(CardSettings(latency_us=0)), Mouth()
    async with a_relay(weather or CLEAR, seed) as relay:
        talk = Talk(player, microphone, relay)
        plain = Signaling(server.url, Secret(server.api_key))
        signaling = plain if weather is None else ThroughRelay(relay, server)
        connecting = bargein.connect(
            transport=Listened(signaling, talk.stop_now),
            audio=bargein.Audio(player, microphone),
            turns=turns,
        )
        async with connecting as session:
            relay.begin()
            yield talk, session


def levels(sound: Samples) -> np.ndarray[Any, Any]:
    """How loud each 5 ms are."""
    step = FRAME // 4
    whole = sound[: len(sound) // step * step].reshape(-1, step).astype(float)
    return np.asarray(np.sqrt((whole**2).mean(axis=1)))


def coded(sound: Samples) -> Samples:
    """What Opus leaves of it where nothing is lost: its quiet ends are quieter."""
    encoder, decoder = Encoder(RATE, complexity=COMPLEXITY), Decoder(RATE)
    frames = np.concatenate([sound, np.zeros(-len(sound) % FRAME, np.int16)]).reshape(-1, FRAME)
    decoded = b"".join(decoder.decode(encoder.encode(frame.tobytes())) for frame in frames)
    return np.frombuffer(decoded, np.int16)


def missing_frames(heard: Samples) -> float:
    """How many frames' worth of the next reply the ear did not get: of its first word, laid where
    it fits best on the first second that was heard, or in all, if that is more.

    A frame that is made up moves what is behind it, so the whole cannot be laid on the whole.
    """
    speech = speak(NEXT, voice=VOICE, words_per_minute=PACE)
    wanted, got = levels(coded(speech.pcm)), levels(heard)
    word = wanted[: speech.words[0].end_sample // (FRAME // 4)]
    around = np.concatenate([np.zeros(len(word)), got[: RATE // (FRAME // 4)]])
    shifts = range(len(around) - len(word) + 1)
    best = max(shifts, key=lambda at: float(word @ around[at : at + len(word)]))
    lacking = around[best : best + len(word)] < LOUD / 5
    of_the_first = int(((word > LOUD) & lacking).sum())
    return max(of_the_first, int((wanted > LOUD).sum()) - int((got > LOUD).sum())) / 4


async def interrupt(talk: Talk, session: Session) -> None:
    talk.stop_now()
    await session.interrupt()
    await session.say("And what do blackbirds do?")


Stop: TypeAlias = Callable[[Talk, Session], Awaitable[None]]


async def a_cut_and_a_reply(server: Server, name: str, seed: int, stop: Stop, turns: Turns) -> None:
    """Hear a second of the story, stop it, hear the next reply to its end."""
    async with a_talk(server, NETWORKS[name], seed, turns) as (talk, session):
        ended = session.notices(TurnEnded)
        await session.say("Tell me a story.")
        await until(lambda: len(talk.player.ear.sound()) > RATE)
        lost, late = talk.lost_packets, talk.unplayed_packets(session)
        await stop(talk, session)
        async with asyncio.timeout(20):
            async for turn in ended:
                assert isinstance(turn, TurnEnded)
                if turn.role == "assistant" and not turn.cut:
                    break
        lost, late = talk.lost_packets - lost, talk.unplayed_packets(session) - late
    where = f"{name}, seed {seed}, {lost} packets lost and {late} late or left out since the stop"
    assert len(talk.replies) == 2, f"{where}: heard was {talk.replies}"
    assert talk.samples_after_the_stop() <= 2 * FRAME, where
    assert talk.samples_between() == 0, where
    missing = missing_frames(talk.sound_of(talk.replies[1]))
    # Opus overlaps its frames: one that is missing spoils some of its neighbours.
    assert missing <= 2 * (lost + late) + 2, f"{where}: {missing} frames are missing"


async def test_a_stop_is_silent_within_two_frames_and_the_next_reply_is_whole() -> None:
    """On loopback, and through a network that loses, delays and reorders.

    The stop is the application's: on a full machine the service can be deaf to one of several calls
    (docs/webrtc.md, "Open").
    """
    async with a_server(*REPLIES, script=MANNER, media_hosts=LOOPBACK) as server:
        talks = [a_cut_and_a_reply(server, name, 2, interrupt, PushToTalk()) for name in NETWORKS]
        await asyncio.gather(*talks)


async def test_a_pipe_with_tracks_of_its_own_is_a_call() -> None:
    """What a call cannot do is refused for it, too; the queue is the service's."""
    signaling = Signaling("http://127.0.0.1:9/v1", Secret("k"))
    pipe = WebRtcPipe(signaling, {"type": "realtime"})
    with pytest.raises(bargein.LocalValueError, match="pre_roll_ms"):
        bargein.connect(transport=pipe, turns=bargein.PushToTalk(pre_roll_ms=200))
    connecting = bargein.connect(transport=pipe)
    assert vars(connecting)["_capabilities"].playback_owner == "server"
