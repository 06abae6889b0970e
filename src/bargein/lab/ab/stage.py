"""Plays one story with one client over one transport, in real time, and keeps what was seen.

1. The ear is the virtual card's: every sample that left it, with the time it was heard. The card
   has blocks of 20 ms and no latency of its own, so what is heard late is late by the client.
2. A story is over when the ear has been silent for `QUIET_S`, the reply that the stop asked for was
   made, and nothing more is to come. After `PATIENCE_S` it is over in any case, and says so.
3. What the service keeps is read back from it by `conversation.item.retrieve` before the end; in a
   call, whose channel takes no message as long as that can be, over a sideband.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np

from bargein.audio.card_settings import CardSettings
from bargein.audio.ear import Ear, Heard
from bargein.audio.files import ear_of
from bargein.audio.formats import Samples
from bargein.audio.virtual import VirtualPlayer, VirtualRecorder
from bargein.client.dialling import base_of, calling, dialling
from bargein.client.servers import usual_auth
from bargein.core.inputs import Part
from bargein.errors import TransportError
from bargein.lab.ab.clients import RATE, Client, Devices, naive, ours
from bargein.lab.ab.scenario import Story
from bargein.lab.ab.witness import CallWitness, Passed, Witness, now_us, witness_of
from bargein.lab.voices import VOICE, WORDS_PER_MINUTE, trimmed
from bargein.secret import Secret
from bargein.server.engines.espeak import speak
from bargein.transports.base import Pipe, PipeEnd
from bargein.transports.websocket import WebSocketPipe
from bargein.units import US_PER_S

Transport: TypeAlias = Literal["websocket", "webrtc"]
Who: TypeAlias = Literal["bargein", "naive"]
TRANSPORTS: tuple[Transport, ...] = ("websocket", "webrtc")
WHO: tuple[Who, ...] = ("bargein", "naive")
QUIET = 50
"""A sample that is not louder than this, of 32,768, is silence."""
QUIET_S = 1.2
PATIENCE_S = 60.0
_RETRIEVE_S = 20.0
_LOOK_S = 0.005
_FRAME_BYTES = 16 * 1024 * 1024
_CLIENTS: dict[Who, Callable[..., AbstractAsyncContextManager[Client]]] = {
    "bargein": ours,
    "naive": naive,
}


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """Where, as whom, for which model. The key is in no text."""

    url: str
    api_key: str | None
    model: str
    local: bool


@dataclass(frozen=True, slots=True)
class HeardPiece:
    """Sound at the ear, from `frame` on, called by its response; "" where nobody could tell."""

    frame: int
    response_id: str
    pcm: Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All that was seen. Times are microseconds since the card was opened."""

    story: Story
    transport: Transport
    who: Who
    wire: tuple[Passed, ...] = ()
    packets_us: tuple[int, ...] = ()
    heard: tuple[HeardPiece, ...] = ()
    stop_us: int | None = None
    voice_us: int | None = None
    """When the user began to speak."""
    record: dict[str, Any] | None = None
    sound: Samples = field(default_factory=lambda: np.zeros((0, 2), np.int16))
    """Shape (n, 2) at 24 kHz: left the user, right what the ear heard."""
    unmet: str | None = None
    """Why it shows nothing."""


class ListeningEar(Ear):
    """An ear that can be asked while it listens."""

    def __init__(self) -> None:
        super().__init__()
        self.first: int | None = None
        self.last: int | None = None
        """Frames of the first and behind the last sample that was not silent."""

    def hear(self, piece: Heard) -> None:
        super().hear(piece)
        loud = np.flatnonzero(np.abs(piece.pcm.astype(np.int32)) > QUIET)
        if loud.size:
            self.first = piece.frame + int(loud[0]) if self.first is None else self.first
            self.last = piece.frame + int(loud[-1]) + 1


class _Stage:
    """One run while it is played."""

    def __init__(
        self, story: Story, transport: Transport, who: Who, pipe: Pipe, place: Place
    ) -> None:
        self._place = place
        self.story, self.transport, self.who = story, transport, who
        self.witness: Witness = witness_of(pipe)
        self.witness.when = self._came
        self.ear = ListeningEar()
        player = VirtualPlayer(CardSettings(latency_us=0), ear=self.ear)
        self.devices = Devices(player, VirtualRecorder())
        self.stop_us: int | None = None
        self.voice_us: int | None = None
        self.first_id = ""
        self.item_id = ""
        self._done: list[str] = []
        self._sounding: set[str] = set()
        self._retrieved = asyncio.Event()

    async def play(self, client: Client) -> None:
        """The story. Raises `_Unmet` where it does not come about."""
        story = self.story
        speech = _speech(story.words) if story.stop in ("voice", "push_to_talk") else None
        await client.ask(story.ask)
        await self._until(self._listened, "the reply was not heard for long enough")
        if story.stop != "voice":
            self.stop_us = now_us()
        await client.stop(story.stop, story.words or "", partial(self._say, speech))
        if self.stop_us is None:
            await self._until(lambda: self.stop_us is not None, "speech_started did not come")
        await self._until(self._is_over, "it did not fall silent")
        try:
            async with asyncio.timeout(_RETRIEVE_S):
                await self._read_back(client)
        except TimeoutError:
            return  # Then it is not known what is kept, and the report says so.

    async def _read_back(self, client: Client) -> None:
        """Rule 3."""
        if not self.item_id:
            return
        retrieve = {"type": "conversation.item.retrieve", "item_id": self.item_id}
        if not isinstance(self.witness, CallWitness):
            await client.send(retrieve)
            await self._retrieved.wait()
            return
        # It knows the call only: what it says of the rest was noted already.
        beside = await _sideband(self._place, self.witness.call_id)
        await beside.open()
        try:
            await beside.send(json.dumps(retrieve))
            self.witness.note("sent", json.dumps(retrieve))
            while not isinstance(frame := await beside.receive(), PipeEnd):
                if json.loads(frame).get("type") in ("conversation.item.retrieved", "error"):
                    self.witness.note("received", frame)
                    return
        finally:
            await beside.close()

    def seen(self, record: dict[str, Any] | None, unmet: str | None) -> Run:
        """What is left of it, on the card's axis."""
        run = Run(story=self.story, transport=self.transport, who=self.who, unmet=unmet)
        if not self.devices.player.attached:
            return run
        zero_us = -self.devices.player.card.frame_at(0) * US_PER_S // RATE
        return Run(
            story=self.story,
            transport=self.transport,
            who=self.who,
            wire=tuple(replace(one, at_us=one.at_us - zero_us) for one in self.witness.passed),
            packets_us=tuple(at_us - zero_us for at_us in self.witness.packets_us),
            heard=tuple(
                HeardPiece(
                    each.frame,
                    each.mark.response_id if isinstance(each.mark, Part) else "",
                    each.pcm,
                )
                for each in self.ear.heard
            ),
            stop_us=None if self.stop_us is None else self.stop_us - zero_us,
            voice_us=None if self.voice_us is None else self.voice_us - zero_us,
            record=record,
            sound=ear_of(self.devices.player, self.devices.recorder),
            unmet=unmet,
        )

    def _came(self, seen: Passed) -> None:
        response_id = str(seen.brief.get("response_id") or "")
        match seen.type:
            case "response.created":
                self.first_id = self.first_id or response_id
            case "response.output_item.added" if response_id == self.first_id and not self.item_id:
                self.item_id = str(seen.brief.get("item_id") or "")
            case "response.done":
                self._done.append(response_id)
            case "output_audio_buffer.started":
                self._sounding.add(response_id)
            case (
                "output_audio_buffer.stopped"
                | "output_audio_buffer.audio_stopped"
                | "output_audio_buffer.cleared"
            ):
                self._sounding.discard(response_id)
            case "input_audio_buffer.speech_started" if self.voice_us is not None:
                if self.stop_us is None:
                    self.stop_us = seen.at_us
            case "conversation.item.retrieved" | "error" if self.stop_us is not None:
                # An item that is gone is refused, and that is an answer, too.
                if seen.type != "error" or self.item_id in str(seen.brief.get("message")):
                    self._retrieved.set()
            case _:
                pass

    async def _say(self, speech: Samples | None) -> None:
        assert speech is not None, "the scenario was checked"
        said = self.devices.recorder.say(speech, RATE)
        self.voice_us = said.start_us
        await asyncio.sleep(max(0, said.end_us - now_us()) / US_PER_S + 0.1)

    def _listened(self) -> bool:
        first = self.ear.first
        if first is None or (self.story.after_done and self.first_id not in self._done):
            return False
        return (self._frame_now - first) * 1_000 >= self.story.listen_ms * RATE

    def _is_over(self) -> bool:
        """Rule 2."""
        last = self.ear.last or 0
        quiet = self._frame_now - max(last, self._frame_of(self.stop_us or 0)) > QUIET_S * RATE
        answered = self.story.stop == "button" or any(each != self.first_id for each in self._done)
        return quiet and answered and not self._sounding

    @property
    def _frame_now(self) -> int:
        return self._frame_of(now_us())

    def _frame_of(self, at_us: int) -> int:
        return self.devices.player.card.frame_at(at_us)

    async def _until(self, done: Callable[[], bool], else_: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not done():
                    if self.witness.ended is not None:
                        raise _Unmet(f"the connection ended: {self.witness.ended}")
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise _Unmet(f"{else_} within {PATIENCE_S:g} s") from None


class _Unmet(Exception):
    """The story did not come about."""


async def run(story: Story, transport: Transport, who: Who, place: Place, instructions: str) -> Run:
    """Play one story. What fails once the session stands is told by `unmet`.

    Raises the errors of `connect` where there is no session to be had.
    """
    stage = _Stage(story, transport, who, await _pipe(transport, place), place)
    client: Client | None = None
    unmet: str | None = None
    try:
        async with _CLIENTS[who](stage.witness, stage.devices, story.stop, instructions) as client:
            await stage.play(client)
    except _Unmet as error:
        unmet = str(error)
    except TransportError as error:
        if client is None:
            raise
        unmet = f"the connection failed: {error}"
    return stage.seen(client.record if client is not None else None, unmet)


async def _pipe(transport: Transport, place: Place) -> Pipe:
    """The pipe that ships, dialled as `connect` does it."""
    if transport == "webrtc":
        return await calling(place.url, place.model, place.api_key, None, 15.0, None)()
    return await dialling(place.url, place.model, place.api_key, _new_socket(place))()


async def _sideband(place: Place, call_id: str) -> Pipe:
    new_pipe = _new_socket(place)
    return await dialling(place.url, place.model, place.api_key, new_pipe, call_id=call_id)()


def _new_socket(place: Place) -> Callable[[str, Secret], Pipe]:
    return partial(
        WebSocketPipe,
        auth=usual_auth(base_of(place.url)),
        compression=False,
        frame_bytes=_FRAME_BYTES,
        ping_interval_s=20.0,
        open_timeout_s=15.0,
        proxy=None if place.local else True,
    )


def _speech(words: str | None) -> Samples:
    said = speak(words or "", voice=VOICE, words_per_minute=WORDS_PER_MINUTE)
    return trimmed(said.pcm)
