"""Where the service owns the queue of sound (WebRTC, and a call that was joined): what its output
buffer holds, and how a cut goes there. Over WebSocket nothing of this is ever asked.

1. The cut is: the gate closes, an open response is cancelled unless the service does that, and
   `output_audio_buffer.clear` is sent, once, where the buffer holds something, unless the service
   clears it: what it holds at `speech_started`, also under `interrupt_response: false`
   (protocol.md §4.6). A response that begins to sound after it was cut is cleared again.
2. Until each cut response is said to be `cleared` or `stopped`, or was done before it had a sound,
   the next one is not asked for: 1 s at most. A service that did not clear by itself until then is
   asked to.
3. What is kept is the service's own `conversation.item.truncated`: what left it, to a frame of
   20 ms. It comes for what of a cleared response had not left whole, in playing order, so the
   first one ends the wait: nothing of what is behind it had left. We truncate and delete nothing.
   Of a response that had left whole, all is kept.
4. What is heard is counted for a response by the player, as the sound of its first spoken part,
   until the service says where a later one began (`sounds.py`).
5. Where the media is elsewhere the service's word stands for the player's, to one frame.
6. Somebody else may clear the buffer, or a clear of ours meet a reply behind the one it was for:
   that is a cut, whose asker is the service. Of what had not begun, it says only what it keeps: 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bargein import events
from bargein.capabilities import Capabilities
from bargein.core.cut import Cut
from bargein.core.gate import Gate, Piece
from bargein.core.inputs import Heard, MediaArrived, PlaybackStopped
from bargein.core.loudness import levels_of
from bargein.core.notices import Asker, Dropped
from bargein.core.responses import Reply
from bargein.core.sounds import SLACK_US, Sound, divide, is_gone, on_its_way_us
from bargein.core.utterances import SpokenItem
from bargein.deadlines import Timer
from bargein.units import US_PER_MS, AudioFormat, samples_floor

if TYPE_CHECKING:
    from bargein.core.machine import Machine

FRAME_SAMPLES = samples_floor(20, AudioFormat.PCM.rate)
"""What leaves the service at once, and so the grid of its truncations."""
SOUNDS_LIMIT = 16


class OutputBuffer:
    """One for each machine. `owned` is false over WebSocket, and then everything is empty."""

    __slots__ = ("_deferred", "_gate", "_machine", "_sounds", "elsewhere", "owned")

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._gate = Gate()
        self._sounds: dict[str, Sound] = {}
        self._deferred: list[tuple[events.ConversationItemTruncated, SpokenItem]] = []
        """What waits for the player's answer to the stop: what was heard, and its words."""
        self.owned = False
        self.elsewhere = False

    def use(self, capabilities: Capabilities) -> None:
        """Who owns playback, said when the pipe opens."""
        self.owned = capabilities.playback_owner == "server"
        self.elsewhere = self.owned and capabilities.media == "elsewhere"

    @property
    def sounding(self) -> bool:
        """It holds sound, as far as we were told, or is about to."""
        return any(not sound.over for sound in self._sounds.values())

    @property
    def sounds_elsewhere(self) -> bool:
        """A reply is heard where the media is, by the service's word: no player says so."""
        sounds = self._sounds.values() if self.elsewhere else ()
        return any(one.started and not (one.over or one.clear_asked) for one in sounds)

    # What is said of it.

    def expects(self, reply: Reply, item: SpokenItem, content_index: int) -> None:
        """A spoken part of the response was announced: its sound will come, paced."""
        if not self.owned or content_index in item.parts:
            return
        sound = self._sound(reply.response_id)
        cut = reply.cut_id is not None
        part = self._machine.ledger.expect(item, content_index, cut=cut)
        if sound.voice is None:
            sound.voice = part
            if sound.started:
                self._machine.ledger.begin(part)
        if cut:
            self._machine.conversation.unheard(item.item_id, content_index)
        if sound.over == "stopped":
            self._end(reply.response_id)

    def started(self, response_id: str) -> None:
        """Its first frame has left."""
        if not self.owned:
            return
        machine, now_us = self._machine, self._machine.desk.now_us
        reply = machine.responses.replies.get(response_id)
        sound = self._sound(response_id)
        self._pass_over(sound)
        sound.started = True
        living = reply is not None and reply.cut_id is None
        if reply is not None and sound.voice is None and not self.elsewhere:
            self._without_an_item(reply, sound)
        if sound.voice is not None:
            machine.ledger.begin(sound.voice)
        pieces = self._gate.started(response_id, now_us, living=living)
        self._play(pieces)
        known = reply is not None or response_id in machine.ended
        if known and not living and not sound.clear_asked:
            cut = machine.cuts.of(None if reply is None else reply.cut_id)
            self._clear([sound], cut.sent if cut is not None else [])
            self._wait(cut, sound)

    def stopped(self, response_id: str) -> None:
        """Its last frame has left."""
        sound = self._sounds.get(response_id)
        self._gate.over(response_id, self._machine.desk.now_us)
        if sound is None or sound.over:
            return
        sound.over = "stopped"
        self._left(sound)

    def cleared(self, response_id: str) -> None:
        """The service threw away what was left of it."""
        sound, machine = self._sounds.get(response_id), self._machine
        self._gate.over(response_id, machine.desk.now_us)
        if sound is None or sound.over:
            return
        sound.over, sound.clear_asked = "cleared", True
        reply = machine.responses.replies.get(response_id)
        if reply is not None and reply.cut_id is None and not reply.ended:
            machine.cut("service", of_ask_id=-1)
        self._end(response_id)

    def truncated(self, event: events.ConversationItemTruncated) -> None:
        """The service keeps so much of the part, of its own accord."""
        machine = self._machine
        item = machine.cuts.item(event.item_id) or machine.ledger.items.get(event.item_id)
        if item is not None and not event.audio_end_ms:
            self._swept(item)
        cut = next((one for one in machine.cuts.open if item in one.items), None)
        if item is not None:
            part = item.parts.get(event.content_index)
            if part is None:
                part = machine.ledger.expect(item, event.content_index, cut=True)
            part.kept_ms, part.answer = event.audio_end_ms, "truncated"
        if item is not None and cut is not None and cut.stopping:
            self._deferred.append((event, item))
        else:
            self._agree(event, item)

    def _swept(self, item: SpokenItem) -> None:
        """Rule 6: it waited in the buffer, and a clear that was not for it has thrown it away."""
        sound = self._sounds.get(item.response_id)
        asked = self._machine.faults.oldest(events.ConversationItemTruncate, item.item_id)
        if sound is not None and not sound.started and asked is None:
            self.cleared(item.response_id)

    def media(self, came: MediaArrived) -> None:
        """A piece of sound: whose it is, and whether it may be heard, the gate says."""
        if not self.owned:
            return
        loud = any(levels_of(came.audio, AudioFormat.PCM))
        now_us = self._machine.desk.now_us
        frame = came.place, came.audio, now_us
        gate = self._gate
        self._play(gate.media(*frame, loud=loud, made_up=came.made_up, alone=self._alone))
        for sound in self._sounds.values():
            voice = sound.voice
            if sound.over and voice is not None and not voice.audio_over:
                if self._gate.reached(sound.response_id):
                    self._end(sound.response_id)

    def made(self, reply: Reply) -> None:
        """The response is done. What it has of sound is in the buffer, or was never made."""
        sound = self._sounds.get(reply.response_id)
        if sound is None or sound.started or sound.over:
            return
        # Of a cut one no sound is wanted: where none comes soon, nothing waits for it (rule 2).
        is_wanted = reply.status == "completed" and reply.cut_id is None
        self._await_start(sound.response_id, 5 if is_wanted else 1)

    def overdue(self, response_id: str) -> None:
        """The last of its sound should have come, or its first."""
        sound = self._sounds.get(response_id)
        if sound is None:
            return
        if not sound.over:
            if any(other.started and not other.over for other in self._sounds.values()):
                # It waits behind another one.
                self._await_start(response_id, 5)
                return
            sound.over = "given up"
        gate, desk = self._gate, self._machine.desk
        if sound.over == "stopped":
            self._play(gate.unclaimed(response_id, desk.now_us))
            if gate.flows(response_id, desk.now_us) or gate.keeps(response_id):
                # The lag was told from an event that was late itself, and the sound goes on.
                desk.deadlines.arm(Timer.SOUND_OVER, response_id, desk.now_us, SLACK_US)
                return
        self._end(response_id)

    def lost(self) -> None:
        """The events have ended, and with them all control: what still comes is not heard."""
        self._gate.shut()
        for sound in self._sounds.values():
            sound.over = sound.over or "given up"
        self._agreed()

    # The cut.

    def cut(self, cut: Cut, asker: Asker) -> None:
        """Rule 1, when the player was told to stop."""
        if not self.owned:
            return
        self._gate.close()
        ids = {reply.response_id for reply in cut.replies}
        sounds = [one for one in self._sounds.values() if one.response_id in ids and not one.over]
        held = [sound for sound in sounds if not sound.clear_asked]
        for sound in sounds:
            self._wait(cut, sound)
        if asker == "speech":
            for sound in held:
                # What is told as begun behind the speech was not there to be cleared.
                sound.clear_asked = sound.started
        elif held and asker != "service":
            self._clear(held, cut.sent)

    def advance(self, cut: Cut) -> None:
        """Rule 2: which of its responses are still waited for."""
        replies = self._machine.responses.replies
        for response_id in list(cut.clearing):
            sound = self._sounds.get(response_id)
            items = [item for item in cut.items if item.response_id == response_id]
            if not is_gone(sound, items, replies.get(response_id)):
                continue
            del cut.clearing[response_id]
            cut.thrown_away = cut.thrown_away or (sound is not None and sound.over != "stopped")
        if not cut.clearing:
            self._machine.desk.deadlines.stop(Timer.CLEARED, cut.cut_id)
            self._answer(cut)

    def not_cleared(self, cut_id: str) -> None:
        """Rule 2: the wait has ended without a word."""
        cut = self._machine.cuts.of(cut_id)
        if cut is None:
            return
        silent = [self._sounds[each] for each in cut.clearing if each in self._sounds]
        unasked = [sound for sound in silent if sound.started and not sound.over]
        if "output_audio_buffer.clear" not in cut.sent and unasked:
            self._clear(unasked, cut.sent)
        for sound in silent:
            if not sound.over:
                sound.over = "given up"
                self._gate.over(sound.response_id, self._machine.desk.now_us)
            self._end(sound.response_id)
        cut.clearing.clear()
        cut.thrown_away = True
        self._answer(cut)

    def stands_in(self, cut: Cut) -> bool:
        """Rule 5: there is no player here, and the service's word is still to come."""
        return self.elsewhere and bool(cut.clearing)

    def settle(self, item: SpokenItem) -> None:
        """Rule 3: there is nothing to send."""
        sound = self._sounds.get(item.response_id)
        for part in item.parts.values():
            if part.action == "pending":
                part.action = "none"
            if part.kept_ms is None and sound is not None and sound.over == "stopped":
                part.kept_ms = part.received_ms

    def told(self) -> None:
        """The stop is answered, and the words that were heard are in the mirror: now what is kept
        of them."""
        if self._deferred and not self._machine.cuts.stopping:
            self._agreed()

    def _wait(self, cut: Cut | None, sound: Sound) -> None:
        if cut is not None and not cut.settled:
            cut.clearing[sound.response_id] = None
            self._machine.desk.deadlines.arm(Timer.CLEARED, cut.cut_id, self._machine.desk.now_us)

    def _clear(self, sounds: list[Sound], sent: list[str]) -> None:
        desk = self._machine.desk
        if desk.outbox.closed:
            return
        for sound in self._sounds.values():
            sound.clear_asked = sound.clear_asked or sound in sounds
        event = events.OutputAudioBufferClear(event_id=desk.new_id("evt"))
        sent.append(events.type_of(event))
        desk.send(event)

    def _answer(self, cut: Cut) -> None:
        """Rule 5."""
        if self.elsewhere and cut.stopping:
            heard = []
            for part in cut.utterances:
                samples = samples_floor(part.kept_ms or 0, AudioFormat.PCM.rate)
                part.received_samples = part.given_samples = samples
                heard.append(Heard(part.part, samples))
            self._machine.cuts.stopped(PlaybackStopped(cut.cut_id, tuple(heard), FRAME_SAMPLES))

    def _agreed(self) -> None:
        for event, item in self._deferred:
            self._agree(event, item)
        self._deferred.clear()

    def _agree(self, event: events.ConversationItemTruncated, item: SpokenItem | None) -> None:
        sound = None if item is None else self._sounds.get(item.response_id)
        if item is not None and sound is not None and sound.voice is not None:
            kept_samples = samples_floor(event.audio_end_ms, AudioFormat.PCM.rate)
            divide(sound.voice, item.parts[event.content_index], kept_samples)
        self._machine.conversation.truncated(event.item_id, event.content_index, event.audio_end_ms)

    # The sound.

    def _sound(self, response_id: str) -> Sound:
        found = self._sounds.get(response_id)
        if found is None:
            found = self._sounds[response_id] = Sound(response_id)
            while len(self._sounds) > SOUNDS_LIMIT:
                del self._sounds[next(iter(self._sounds))]
        return found

    def _pass_over(self, sound: Sound) -> None:
        """The buffer is in order: what sounded before has ended, what is done and did not sound
        never will."""
        for earlier in list(self._sounds.values()):
            if earlier is sound:
                return
            if earlier.started and not earlier.over:
                earlier.over = "stopped"
                self._left(earlier)
            reply = self._machine.responses.replies.get(earlier.response_id)
            done = earlier.response_id in self._machine.ended if reply is None else reply.done
            if not earlier.over and done:
                earlier.over = "given up"
                self._end(earlier.response_id)

    def _without_an_item(self, reply: Reply, sound: Sound) -> None:
        """It sounds, and no item of it was ever told of: it is counted for the response."""
        item = self._machine.ledger.item(reply.response_id, "", in_conversation=False)
        sound.voice = self._machine.ledger.expect(item, 0, cut=reply.cut_id is not None)

    def _alone(self, response_id: str) -> bool:
        """No other reply sounds, is begun or is asked for, as far as we were told."""
        responses = self._machine.responses
        begun = any(not reply.done for reply in responses.replies.values())
        awaited = responses.sent or responses.turns or self._machine.listening.turn_is_due
        sound = self._sounds.get(response_id)
        ended = sound is not None and sound.over == "stopped"
        return ended and not (begun or awaited or self.sounding)

    def _play(self, pieces: list[Piece]) -> None:
        ledger = self._machine.ledger
        for piece in pieces:
            sound = self._sounds.get(piece.response_id)
            voice = None if sound is None else sound.voice
            item = None if voice is None else ledger.items.get(voice.part.item_id)
            if voice is not None and item is not None and (piece.heard or voice.cut):
                index = voice.part.content_index
                self._machine.meter.spoke(len(piece.audio), AudioFormat.PCM)
                ledger.arrived(item, index, piece.audio, AudioFormat.PCM, cut=voice.cut)
                voice.made_up_samples += FRAME_SAMPLES * piece.made_up
        if self._gate.dropped_samples:
            self._machine.desk.notify(Dropped("playback", self._gate.dropped_samples))
            self._gate.dropped_samples = 0

    def _left(self, sound: Sound) -> None:
        """All of it has left. The last is on its way to us."""
        if self.elsewhere:
            self._end(sound.response_id)
            return
        desk, wait_us = self._machine.desk, on_its_way_us(self._gate.lag_us)
        desk.deadlines.arm(Timer.SOUND_OVER, sound.response_id, desk.now_us, wait_us)

    def _end(self, response_id: str) -> None:
        """No more of its sound is waited for."""
        machine = self._machine
        machine.desk.deadlines.stop(Timer.SOUND_OVER, response_id)
        sound = self._sounds[response_id]
        for item in machine.ledger.items.values():
            if item.response_id != response_id:
                continue
            for index, part in item.parts.items():
                part.audio_over = True
                part.left_whole = sound.over == "stopped"
                if part.left_whole and part is sound.voice and not part.cut:
                    machine.conversation.sounded(
                        item.item_id, index, "output_audio", part.received_ms
                    )

    def _await_start(self, response_id: str, seconds: int) -> None:
        desk = self._machine.desk
        desk.deadlines.arm(Timer.SOUND_OVER, response_id, desk.now_us, seconds * 1_000 * US_PER_MS)
