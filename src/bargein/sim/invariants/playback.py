"""The invariants of a call, where the service owns playback: what of its sound is heard, and how a
cut of it goes. In a world over WebSocket they watch nothing.

Each frame of a simulated call says whose it is (`actors/media.py`), so what is played can be
compared with what was sent, whatever the client took it for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from bargein import events
from bargein.core import commands, inputs, notices
from bargein.core.gate import KEPT_MS
from bargein.deadlines import Timer
from bargein.sim.actors.media import FRAME_US, whose
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.sim.invariants.facts import NEVER
from bargein.sim.invariants.sending import asks_for_a_reply
from bargein.units import US_PER_MS

_Over: TypeAlias = events.OutputAudioBufferStopped | events.OutputAudioBufferCleared


@dataclass(slots=True)
class _Sound:
    """One response's sound: what the service said of it, when, and when the client got it."""

    response_id: str
    started_us: int = NEVER
    over_us: int = NEVER
    started_place: int = NEVER
    got_started_us: int = NEVER
    over_place: int = NEVER
    pause_us: int = NEVER
    """Between the end of the reply before and this one's beginning, at the service."""
    arrived: list[tuple[int, int, int]] = field(default_factory=list)
    """Frames, with the place and the time of their arrival."""
    played: list[int] = field(default_factory=list)


class _OfCalls(Invariant):
    """What both need to know. The events of one channel are as late as one another, but for jitter
    and stalls: `spread_us` is how much they differ."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.sounds: dict[str, _Sound] = {}
        self._order: list[str] = []
        self._sent_us: dict[int, int] = {}
        self._least_us = NEVER
        self._most_us = 0

    @property
    def watching(self) -> bool:
        return self.options.webrtc and self.scene.witness is not None

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("server_sent", events.OutputAudioBufferStarted, cls._begins),
            ("server_sent", events.OutputAudioBufferStopped, cls._ends),
            ("server_sent", events.OutputAudioBufferCleared, cls._ends),
            ("client_got", events.OutputAudioBufferStarted, cls._got_started),
            ("client_got", events.OutputAudioBufferStopped, cls._got_over),
            ("client_got", events.OutputAudioBufferCleared, cls._got_over),
        )

    def _begins(self, entry: Entry, event: events.OutputAudioBufferStarted) -> None:
        sound = self.sounds[event.response_id] = _Sound(event.response_id, entry.time_us)
        ends = [one.over_us for one in self.sounds.values() if one.over_us != NEVER]
        if ends:
            sound.pause_us = entry.time_us - max(ends)
        self._order.append(event.response_id)
        self._sent_us[entry.number] = entry.time_us

    def _ends(self, entry: Entry, event: _Over) -> None:
        self.sounds[event.response_id].over_us = entry.time_us
        self._sent_us[entry.number] = entry.time_us

    def _got_started(self, entry: Entry, event: events.OutputAudioBufferStarted) -> None:
        sound = self.sounds[event.response_id]
        sound.started_place, sound.got_started_us = self.facts.place, entry.time_us
        self._got(entry)

    def _got_over(self, entry: Entry, event: _Over) -> None:
        self.sounds[event.response_id].over_place = self.facts.place
        self._got(entry)

    def _got(self, entry: Entry) -> None:
        late_us = entry.time_us - self._sent_us[entry.number]
        self._least_us = min(self._least_us, late_us)
        self._most_us = max(self._most_us, late_us)

    @property
    def spread_us(self) -> int:
        return max(0, self._most_us - self._least_us)

    def is_uncertain(self, sound: _Sound) -> bool:
        """Some event was late by more than half of the pause before it, to a frame."""
        return 2 * self.spread_us + 2 * FRAME_US >= sound.pause_us

    def sound_of(self, audio: bytes) -> tuple[_Sound, int] | None:
        """Whose frame it is, and which; None of silence."""
        found = whose(audio)
        if found is None:
            return None
        return self.sounds[self._order[found[0]]], found[1]


class OnlyTheLivingAreHeard(_OfCalls):
    """A reply is cut if it was known when something asked for a cut, or the player was stopped.

    Excused: a response out of band, which is cut where it sounds; a frame beside the boundary of
    two replies, where some event was late by more than half of the pause between them.
    """

    name = "W1"
    sentence = "Over WebRTC nothing of a cut reply is played, whoever's name it is played in."

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        base = tuple(super().watches())
        return base and (*base, ("command", commands.Play, cls._play))

    def _play(self, entry: Entry, command: commands.Play) -> None:
        found = self.sound_of(command.audio)
        if found is None:
            return
        sound, _ = found
        facts = self.facts
        reply = facts.replies.get(sound.response_id)
        if reply is None or not reply.in_band:
            return
        last = max(facts.cuts[-1] if facts.cuts else -1, self._last_stop())
        taken_for = self.sounds.get(command.part.response_id)
        uncertain = taken_for is not None and self.is_uncertain(taken_for)
        if reply.created_place < last and not uncertain:
            name = command.part.response_id
            self.fail(f"{sound.response_id} was cut, and is played in the name of {name}")

    def _last_stop(self) -> int:
        stop = next(reversed(self.facts.stops.values()), None)
        return -1 if stop is None else stop.place


class EveryWordIsHeard(_OfCalls):
    """What the jitter buffer gives of a reply that lives is played, in order and once; the silence
    before its first sound is not.

    Excused: what came more than 3 s before its `started`, which is told as dropped; a reply
    whose beginning some event leaves uncertain, being late by more than half of the pause; what
    came after a cut, or whose `started` did, be it by a clear alone, where the application gives up
    a reply that is made and of which nothing came yet (whether one may be sent, W3 says);
    and when the client has closed or lost the pipe.
    """

    name = "W2"
    sentence = "Over WebRTC every frame that comes of a living reply is heard, its first word too."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._stops: list[int] = []

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        base = tuple(super().watches())
        return base and (
            *base,
            ("input", inputs.MediaArrived, cls._arrived),
            ("command", commands.Play, cls._play),
            ("command", commands.StopPlayback, cls._stop),
            ("client_sent", events.OutputAudioBufferClear, cls._stop),
        )

    def _arrived(self, entry: Entry, came: inputs.MediaArrived) -> None:
        found = self.sound_of(came.audio)
        if found is not None:
            sound, frame = found
            sound.arrived.append((frame, self.facts.place, entry.time_us))

    def _play(self, entry: Entry, command: commands.Play) -> None:
        found = self.sound_of(command.audio)
        if found is not None:
            found[0].played.append(found[1])

    def _stop(
        self, entry: Entry, stop: commands.StopPlayback | events.OutputAudioBufferClear
    ) -> None:
        self._stops.append(self.facts.place)

    def finish(self, final: Final) -> None:
        if self.facts.broken:
            return
        for sound in self.sounds.values():
            self._judge(sound)

    def _judge(self, sound: _Sound) -> None:
        facts = self.facts
        reply = facts.replies.get(sound.response_id)
        if reply is None or sound.started_place == NEVER or self.is_uncertain(sound):
            return
        asked = min(reply.asked_place, reply.created_place)
        ends = [place for place in (*facts.cuts, *self._stops) if place > asked]
        until = min((*ends, reply.cancel_place, facts.closed_place))
        if sound.started_place > until:
            return
        earliest_us = sound.got_started_us - KEPT_MS * US_PER_MS
        wanted = [
            frame
            for frame, place, at_us in sound.arrived
            if place < until and at_us > earliest_us + FRAME_US
        ]
        played = sound.played[: len(wanted)]
        if sound.arrived and sound.arrived[0][2] <= earliest_us + FRAME_US:
            # Its beginning came too early, and how much of that was kept is not said here.
            played = sound.played[len(sound.played) - len(wanted) :]
        if played != wanted:
            missing = [frame for frame in wanted if frame not in played]
            self.fail(
                f"{sound.response_id}: of {len(wanted)} frames that came {len(missing)} were not "
                f"played: {missing[:5]}"
            )


class TheBufferIsCleared(_OfCalls):
    """A reply is in the buffer, as the client knows, from `started`, or from its first spoken part
    on, to `stopped` or `cleared`.

    Excused, from asking at once: a socket that takes nothing; from waiting: a service that has not
    answered for a second; from deleting nothing: what an edit moves or deletes.
    """

    name = "W3"
    sentence = (
        "Over WebRTC a cut clears the buffer once, unless the service does, waits for its word, "
        "and truncates and deletes nothing."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._announced: dict[str, int] = {}
        self._cleared_place = -1
        self._cleared_us = 0
        self._speech_place = -1
        self._cut_us = 0

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        base = tuple(super().watches())
        return base and (
            *base,
            ("client_got", events.ResponseContentPartAdded, cls._part),
            ("client_got", events.InputAudioBufferSpeechStarted, cls._speech),
            ("client_sent", events.OutputAudioBufferClear, cls._clear),
            ("client_sent", events.ConversationItemTruncate, cls._touch),
            ("client_sent", events.ConversationItemDelete, cls._touch),
            ("client_sent", events.ResponseCreate, cls._create),
            ("command", commands.StopPlayback, cls._stop),
        )

    def _got_started(self, entry: Entry, event: events.OutputAudioBufferStarted) -> None:
        super()._got_started(entry, event)
        reply, place = self.facts.replies.get(event.response_id), self.facts.place
        if reply is not None and reply.in_band and reply.created_place < place:
            if reply.cancel_place < place and self._cleared_place < reply.created_place:
                self.scene.afterwards(lambda: self._must_clear(place - 1, [event.response_id]))

    def _part(self, entry: Entry, event: events.ResponseContentPartAdded) -> None:
        self._announced.setdefault(event.response_id, self.facts.place)

    def _speech(self, entry: Entry, event: object) -> None:
        self._speech_place, self._cut_us = self.facts.place, entry.time_us

    def _touch(
        self, entry: Entry, event: events.ConversationItemTruncate | events.ConversationItemDelete
    ) -> None:
        # An output without its call, say, goes by an edit's rules, and is of no response.
        facts = self.facts
        if event.item_id in facts.owners and event.item_id not in facts.foreign:
            self.fail(f"{event.item_id}: {events.type_of(event)} is sent")

    def _holds(self, *, since: int = -1) -> list[str]:
        """What the buffer holds as far as the client knows, of what it learned since then."""
        found = []
        for response_id, place in self._announced.items():
            sound = self.sounds.get(response_id)
            known = place if sound is None else min(place, sound.started_place)
            newest = known if sound is None or sound.started_place == NEVER else sound.started_place
            if newest > since and (sound is None or sound.over_place == NEVER):
                found.append(response_id)
        return found

    def _clear(self, entry: Entry, event: object) -> None:
        facts = self.facts
        if not self._holds():
            self.fail("the buffer is cleared and holds nothing")
        elif not self._holds(since=self._cleared_place):
            self.fail("the buffer is cleared twice")
        by_itself = facts.batch_place == self._speech_place
        if by_itself:
            self.fail("the buffer is cleared, and the user's speech clears it")
        self._cleared_place, self._cleared_us = facts.place, entry.time_us

    def _stop(self, entry: Entry, command: commands.StopPlayback) -> None:
        self._cut_us = entry.time_us
        place, speech = self.facts.place, self.facts.batch_place == self._speech_place
        sounding = [
            one.response_id
            for one in self.sounds.values()
            if self._speech_place < one.started_place < place and one.over_place == NEVER
        ]
        if sounding and not speech and place > self._cleared_place:
            self.scene.afterwards(lambda: self._must_clear(place, sounding))

    def _must_clear(self, place: int, sounding: list[str]) -> None:
        last_started = max(self.sounds[one].started_place for one in sounding)
        is_open = self.facts.closed_place > place and not self.facts.could_not_send(place - 1)
        cleared = self._cleared_place > last_started
        if (
            not cleared
            and is_open
            and any(self.sounds[one].over_place > self.facts.batch_place for one in sounding)
        ):
            self.fail(f"{sounding[0]} was cut, and the buffer is not cleared")

    def _create(self, entry: Entry, event: events.ResponseCreate) -> None:
        if not asks_for_a_reply(event):
            return
        facts = self.facts
        last = max((*facts.cuts, -1))
        waited = entry.time_us - max(self._cleared_us, self._cut_us)
        for sound in self.sounds.values():
            reply = facts.replies.get(sound.response_id)
            if reply is None or not reply.created_place < last:
                continue
            if sound.started_place < last and sound.over_place == NEVER:
                if waited < Timer.CLEARED.lasts_us:
                    self.fail(f"a reply is asked for while {sound.response_id} is in the buffer")


class TheRecordOfACall(_OfCalls):
    """Excused: a player that cannot tell, breaks its word or corrects itself."""

    name = "W4"
    sentence = (
        "Over WebRTC a record says what the ear got of each reply, and what the service keeps of "
        "it in the service's own words."
    )

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (*super().watches(), ("notice", notices.InterruptionSettled, cls._settled))

    def _settled(self, entry: Entry, record: notices.InterruptionSettled) -> None:
        witness = self.scene.witness
        if witness is None or record.exactness == "lost":
            return
        memory = {item.id: item for item in witness.memory}
        for told in record.parts:
            item = memory.get(told.item_id)
            if told.answer != "truncated" or item is None or told.kept_ms is None:
                continue
            if told.item_id in self.facts.foreign or told.content_index >= len(item.parts):
                continue
            part = item.parts[told.content_index]
            kept_ms = part.kept_samples * 1_000 // part.format.rate
            if kept_ms != told.kept_ms:
                self.fail(f"{told.item_id}: {told.kept_ms} ms kept, it says, and it is {kept_ms}")
        if record.exactness == "exact" and self.options.exact:
            self._heard(record)

    def _heard(self, record: notices.InterruptionSettled) -> None:
        witness = self.scene.witness
        assert witness is not None
        for response_id in record.response_ids:
            told = [part for part in record.parts if part.response_id == response_id]
            heard = sum(part.heard_samples for part in told)
            ear = sum(
                witness.heard(inputs.Part(response_id, part.item_id, part.content_index))
                for part in told
            )
            if heard != ear:
                self.fail(f"{response_id}: {heard} samples heard, it says, and the ear got {ear}")
