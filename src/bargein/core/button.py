"""The button of push-to-talk: what a press and a release do, in the order of `listening.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bargein import events
from bargein.core.faults import Sent
from bargein.core.notices import TurnEnded, TurnStarted
from bargein.core.responses import Create

if TYPE_CHECKING:
    from bargein.core.machine import Machine


class Button:
    """One for each machine."""

    __slots__ = ("_desk", "_m", "_releasing")

    def __init__(self, machine: Machine) -> None:
        self._m = machine
        self._desk = machine.desk
        self._releasing: int | None = None
        """The ask to release that waits for the stop's answer."""

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
        if machine.listening.pressed or machine.listening.waiting:
            self._desk.fail(ask_id, "push-to-talk is pressed already; release it first", "local")
            return
        machine.cut("push_to_talk")
        machine.listening.press()
        self._desk.notify(TurnStarted("user"))
        self._desk.answer(ask_id)

    def listen(self) -> None:
        """The stop is answered and settled: clear the buffer, then let the microphone in."""
        machine = self._m
        self._desk.send(events.InputAudioBufferClear(event_id=self._desk.new_id("evt")))
        for audio in machine.listening.listen():
            machine.send_audio(audio)
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

    def _released(self, ask_id: int) -> None:
        machine = self._m
        self._releasing = None
        # Once the session is leaving the microphone is not listened to: half a turn is none.
        if machine.leaving is None and machine.listening.enough():
            commit = events.InputAudioBufferCommit(event_id=self._desk.new_id("evt"))
            said_ms = machine.listening.said_ms
            memory = Sent(commit, commit.event_id or "", "commit", sound_ms=said_ms)
            machine.faults.remember(memory)
            self._desk.send(commit)
            key = self._desk.new_id("create")
            machine.responses.held.append(Create(key, None, [ask_id], plain=True))
            self._desk.notify(TurnEnded("user"))
            self._desk.answer(ask_id, True)
        else:
            self._desk.send(events.InputAudioBufferClear(event_id=self._desk.new_id("evt")))
            self._desk.notify(TurnEnded("user", "superseded"))
            self._desk.answer(ask_id, False)
