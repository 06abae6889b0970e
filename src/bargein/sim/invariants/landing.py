"""The invariant of commands: each is legal where it lands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.inputs import Part
from bargein.sim.history import Entry
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.sim.invariants.sound import part_name

_SOUNDING = commands.Play, commands.HoldPlayback, commands.ResumePlayback
_LAST_WORDS = notices.Transcript, notices.TurnEnded, notices.FloorChanged
"""What can be told after `Lost`: the sound that had come is heard to its end."""


class CommandsAreLegal(Invariant):
    """What the player, the pipe, the microphone and the application can be told, and when."""

    name = "I8"
    sentence = "Each command is legal where it lands: at the player, on the pipe, for the ask."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._finished: set[Part] = set()
        self._silences: set[str] = set()
        self._holding = False
        self._open_asks: set[int] = set()
        self._open_updates: list[int] = []
        self._opened = self._configured = self._over = False

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        yield from (("client_sent", kind, cls._sent) for kind in get_args(events.ClientEvent))
        yield from (("command", kind, cls._sounding) for kind in _SOUNDING)
        yield from (
            ("input", inputs.PipeOpened, cls._pipe_opened),
            ("input", inputs.PipeClosed, cls._pipe_closed),
            ("client_got", events.SessionUpdated, cls._session_updated),
            ("client_sent", events.InputAudioBufferAppend, cls._append),
            ("command", commands.Play, cls._play),
            ("command", commands.FinishPlay, cls._finish),
            ("command", commands.StopPlayback, cls._stop),
            ("command", commands.HoldPlayback, cls._hold),
            ("command", commands.ResumePlayback, cls._resume),
            ("command", commands.Close, cls._close),
            ("command", commands.Notify, cls._notify),
            ("input", inputs.Asked, cls._asked),
            ("command", commands.Answer, cls._answer),
        )

    # -- the pipe ------------------------------------------------------------------------------

    def _pipe_opened(self, entry: Entry, opened: inputs.PipeOpened) -> None:
        self._opened = True

    def _pipe_closed(self, entry: Entry, closed: inputs.PipeClosed) -> None:
        self._opened = False

    def _session_updated(self, entry: Entry, event: events.SessionUpdated) -> None:
        self._configured = True

    def _sent(self, entry: Entry, event: events.ClientEvent) -> None:
        if not self._opened or self.facts.closed_place < self.facts.place:
            self.fail(f"{events.type_of(event)} is sent on a pipe that is not open")

    def _append(self, entry: Entry, event: events.InputAudioBufferAppend) -> None:
        if not self._configured:
            self.fail("sound is sent before the session is configured")

    def _close(self, entry: Entry, command: commands.Close) -> None:
        if self.facts.closed_place < self.facts.place:
            self.fail("the pipe is closed twice")

    # -- the player ----------------------------------------------------------------------------

    def _sounding(self, entry: Entry, command: commands.Command) -> None:
        if self._opened and self.facts.closed_place < self.facts.place:
            self.fail(f"{type(command).__name__} comes after the close")

    def _play(self, entry: Entry, command: commands.Play) -> None:
        self._sound_of(command.part, "played")

    def _finish(self, entry: Entry, command: commands.FinishPlay) -> None:
        self._sound_of(command.part, "finished")
        self._finished.add(command.part)

    def _sound_of(self, part: Part, how: str) -> None:
        if part in self._finished:
            self.fail(f"{part_name(part)} is {how} after it was finished")
        stop = next(reversed(self.facts.stops.values()), None)
        if stop is None:
            return
        reply = self.facts.replies.get(part.response_id)
        known = reply is not None and reply.in_band and reply.created_place < stop.place
        spoken = self.facts.parts.get(part)
        if known or (spoken is not None and -1 < spoken.begun_place < stop.place):
            self.fail(f"{part_name(part)} is {how} after the stop {stop.cut_id}")

    def _stop(self, entry: Entry, command: commands.StopPlayback) -> None:
        self._silence(command.cut_id)
        self._holding = False

    def _hold(self, entry: Entry, command: commands.HoldPlayback) -> None:
        self._silence(command.cut_id)
        self._holding = True

    def _resume(self, entry: Entry, command: commands.ResumePlayback) -> None:
        if not self._holding:
            self.fail("the player is to resume and was not held")
        self._holding = False

    def _silence(self, cut_id: str) -> None:
        if cut_id in self._silences:
            self.fail(f"the id {cut_id} is used for a second stop")
        self._silences.add(cut_id)

    # -- the application -----------------------------------------------------------------------

    def _asked(self, entry: Entry, asked: inputs.Asked) -> None:
        self._open_asks.add(asked.ask_id)
        if isinstance(asked.ask, asks.Update):
            self._open_updates.append(asked.ask_id)

    def _answer(self, entry: Entry, answer: commands.Answer) -> None:
        if answer.ask_id not in self._open_asks:
            self.fail(f"ask {answer.ask_id} is answered and is not open")
        self._open_asks.discard(answer.ask_id)
        if answer.ask_id in self._open_updates:
            if answer.error is None and answer.ask_id != self._open_updates[0]:
                self.fail(f"ask {answer.ask_id} is answered before {self._open_updates[0]}")
            self._open_updates.remove(answer.ask_id)

    def _notify(self, entry: Entry, command: commands.Notify) -> None:
        notice = command.notice
        if self._over and not isinstance(notice, _LAST_WORDS):
            self.fail(f"{type(notice).__name__} is told after the end of the session")
        if isinstance(notice, notices.Lost):
            self._over = True
