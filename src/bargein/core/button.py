"""The button of push-to-talk: what a press and a release do, in the order of `listening.py`.

In a call the events and the microphone's sound go by channels of their own, and nothing keeps the
two in order. There:

1. The microphone opens when the service has said `input_audio_buffer.cleared`, or not for 3 s. What
   is said until then waits, and from then on each sound leaves when the next one comes: late by the
   way of the clear and its answer, and at its own pace, which the service's jitter buffer wants.
2. What is said until the release leaves at that pace, too. Then the media has 300 ms to arrive, and
   then it is committed. Until then the user has the floor.
3. A press meanwhile waits for that, and every clear for the sound before it to have arrived. A
   press before anything of the turn has left goes on with that turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bargein import events
from bargein.core.faults import Sent
from bargein.core.notices import TurnEnded, TurnStarted
from bargein.core.responses import Create
from bargein.deadlines import Timer

if TYPE_CHECKING:
    from bargein.core.machine import Machine


@dataclass(frozen=True, slots=True)
class _Turn:
    """What was said between a press and a release, for who asked to release."""

    ask_id: int
    said_ms: int


class Button:
    """One for each machine."""

    __slots__ = (
        "_clearing",
        "_clears",
        "_desk",
        "_m",
        "_opened_us",
        "_releasing",
        "_turn",
        "sent_us",
    )

    def __init__(self, machine: Machine) -> None:
        self._m = machine
        self._desk = machine.desk
        self._releasing: int | None = None
        """The ask to release that waits for the stop's answer; in a call, for the clear's."""
        self._turn: _Turn | None = None
        """Released, and its sound is on its way."""
        self.sent_us: int | None = None
        """When sound left last."""
        self._opened_us = 0
        """When the microphone was let in behind the clear."""
        self._clearing = False
        """The microphone waits for the answer to the clear of its press."""
        self._clears = 0
        """Clears of ours that are not answered."""

    def press(self, ask_id: int) -> None:
        machine = self._m
        if not machine.listening.manual:
            self._desk.fail(
                ask_id,
                "push-to-talk needs turn_detection: null, and the session detects turns by itself; "
                "connect with turns=PushToTalk()",
                "local",
            )
            return
        if self._apart and self._releasing is not None:
            self._go_on(ask_id)
            return
        if machine.listening.pressed or machine.listening.waiting:
            self._desk.fail(ask_id, "push-to-talk is pressed already; release it first", "local")
            return
        machine.cut("push_to_talk")
        if self._turn is not None:
            self._send_rest()
        machine.listening.press()
        self._desk.notify(TurnStarted("user"))
        self._desk.answer(ask_id)

    def _go_on(self, ask_id: int) -> None:
        """Rule 3, before anything of the turn has left: it is one turn with what is said now."""
        superseded, self._releasing = self._releasing, None
        self._m.cut("push_to_talk")
        self._m.listening.pressed = True
        self._desk.answer(ask_id)
        self._desk.answer(superseded, False)

    def listen(self) -> None:
        """The stop is answered and settled: clear the buffer, then let the microphone in."""
        if self._clearing:
            return
        self.said()
        if self._waits_for_sound():
            return
        self._clear()
        if self._apart:
            self._clearing = True
            self._desk.deadlines.arm(Timer.MICROPHONE, "", self._desk.now_us)
            return
        for audio in self._m.listening.listen():
            self._m.send_audio(audio)
        if self._releasing is not None:
            self._released(self._releasing)

    def cleared(self) -> None:
        """`input_audio_buffer.cleared`: whose, it does not say, and they come in order."""
        self._clears = max(0, self._clears - 1)
        if not self._clears:
            self.open()

    def open(self) -> None:
        """Rule 1."""
        if self._clearing:
            self._clearing = False
            self._opened_us = self._desk.now_us
            self._desk.deadlines.stop(Timer.MICROPHONE, "")
            self._m.listening.waiting = False
            if self._releasing is not None:
                self._released(self._releasing)

    def release(self, ask_id: int) -> None:
        machine = self._m
        if not machine.listening.pressed or self._releasing is not None:
            self._desk.fail(ask_id, "push-to-talk is not pressed", "local")
            return
        machine.listening.release()
        if machine.listening.waiting:
            self._releasing = ask_id
            return
        self._released(ask_id)

    def said(self) -> None:
        """Rule 2: the last of it should have arrived. What the microphone did not push out goes
        now."""
        if self._turn is not None and not self._m.listening.waiting:
            self._send_rest()
        if self._turn is not None and not self._waits_for_sound():
            turn, self._turn = self._turn, None
            self._commit(turn)

    def ended(self) -> None:
        """The session ends, or is being left: nothing is waited for."""
        if self._clearing:
            self.open()
        if self._turn is not None:
            turn, self._turn = self._turn, None
            self._give_up(turn.ask_id)

    @property
    def _apart(self) -> bool:
        """The sound has a way of its own, and there is time to wait for what goes by the other."""
        outbox = self._desk.outbox
        return outbox.sound_apart and not outbox.closed and self._m.leaving is None

    def _waits_for_sound(self) -> bool:
        """Rule 3. What is waited for is a deadline."""
        if not self._apart or self.sent_us is None:
            return False
        wait_us = self.sent_us + Timer.SAID.lasts_us - self._desk.now_us
        if wait_us > 0:
            self._desk.deadlines.arm(Timer.SAID, "", self._desk.now_us, wait_us)
        return wait_us > 0

    def _clear(self) -> None:
        self._clears += 1
        self._desk.send(events.InputAudioBufferClear(event_id=self._desk.new_id("evt")))

    def _send_rest(self) -> None:
        for audio in self._m.listening.rest():
            self._m.send_audio(audio)

    def _released(self, ask_id: int) -> None:
        listening = self._m.listening
        self._releasing = None
        if self._m.buffer.elsewhere:
            listening.sounded_elsewhere(self._desk.now_us - self._opened_us)
        # Once the session is leaving, or gone, the microphone is not listened to: half a turn is
        # none.
        is_over = self._m.leaving is not None or self._desk.outbox.closed
        if is_over or not listening.enough():
            self._give_up(ask_id)
        elif self._apart:
            self._turn = _Turn(ask_id, listening.said_ms)
            listening.ending = True
            now_us = self._desk.now_us
            arrived_us = Timer.SAID.lasts_us + (now_us if self.sent_us is None else self.sent_us)
            lasts_us = listening.waits_us or max(0, arrived_us - now_us)
            self._desk.deadlines.arm(Timer.SAID, "", now_us, lasts_us)
        else:
            self._commit(_Turn(ask_id, listening.said_ms))

    def _commit(self, turn: _Turn) -> None:
        machine = self._m
        machine.listening.ending = False
        commit = events.InputAudioBufferCommit(event_id=self._desk.new_id("evt"))
        memory = Sent(commit, commit.event_id or "", "commit", sound_ms=turn.said_ms)
        machine.faults.remember(memory)
        self._desk.send(commit)
        key = self._desk.new_id("create")
        machine.responses.held.append(Create(key, None, [turn.ask_id], plain=True))
        self._desk.notify(TurnEnded("user"))
        self._desk.answer(turn.ask_id, True)

    def _give_up(self, ask_id: int) -> None:
        self._m.listening.ending = False
        self._m.listening.rest()
        self._clear()
        self._desk.notify(TurnEnded("user", "superseded"))
        self._desk.answer(ask_id, False)
