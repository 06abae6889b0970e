"""What the simulated driver does with commands, and what it writes down as broken."""

from __future__ import annotations

from bargein import events
from bargein.core import commands, inputs
from bargein.core.commands import Command
from bargein.core.conversation import Conversation
from bargein.core.notices import Notice
from bargein.sim.actors.card import SimCard
from bargein.sim.actors.client import SimClient
from bargein.sim.log import Log
from bargein.sim.moments import Moments
from bargein.sim.options import Options
from bargein.sim.world import World
from bargein.units import AudioFormat


class _Scripted:
    """Answers every input with the next list of commands."""

    def __init__(self, *answers: list[Command]) -> None:
        self._answers = list(answers)
        self.given: list[inputs.Input] = []
        self.deadline_us: int | None = None
        self.conversation = Conversation()

    def handle(self, happened: inputs.Input, /, *, now_us: int) -> list[Command]:
        self.given.append(happened)
        return self._answers.pop(0) if self._answers else []


class _Stage:
    def __init__(self, machine: _Scripted) -> None:
        self.world = World()
        self.log = Log(self.world)
        self.sent: list[events.ClientEvent] = []
        self.closes = 0
        self.formats: list[AudioFormat] = []
        self.client = SimClient(
            machine, world=self.world, log=self.log, send=self._send, close=self._close
        )
        card = SimCard(
            Options(),
            world=self.world,
            log=self.log,
            moments=Moments(self.world),
            report=self.client.give,
        )
        self.client.attach(card, self)

    def _send(self, message: tuple[int, events.ClientEvent]) -> int:
        self.sent.append(message[1])
        return 0

    def _close(self) -> None:
        self.closes += 1

    def answered(self, answer: commands.Answer) -> None: ...

    def notified(self, notice: Notice) -> None: ...

    def use_format(self, sound_format: AudioFormat) -> None:
        self.formats.append(sound_format)

    def mute(self, muted: bool) -> None: ...

    @property
    def broken(self) -> list[object]:
        return [entry.what for entry in self.log.entries if entry.kind == "broken"]


def test_commands_are_done_in_their_order() -> None:
    clear = events.InputAudioBufferClear()
    made: list[Command] = [
        commands.UseInputFormat(AudioFormat.PCMU),
        commands.SendAudio(b"\0\0"),
        commands.Send(clear),
        commands.Close(),
    ]
    stage = _Stage(_Scripted(made))

    stage.client.give(inputs.Tick())

    assert stage.formats == [AudioFormat.PCMU]
    assert stage.sent == [events.InputAudioBufferAppend(audio=b"\0\0"), clear]
    assert stage.closes == 1 and stage.client.closed
    assert stage.broken == []


def test_a_stop_that_is_not_first_is_broken() -> None:
    clear = commands.Send(events.InputAudioBufferClear())
    stage = _Stage(_Scripted([clear, commands.StopPlayback("cut")]))

    stage.client.give(inputs.Tick())

    assert stage.broken == ["the stop is command 2 of 2"]


def test_what_is_sent_behind_the_close_is_broken_and_does_not_leave() -> None:
    stage = _Stage(_Scripted([commands.Close(), commands.SendAudio(b"\0\0")]))

    stage.client.give(inputs.Tick())

    assert stage.broken == ["input_audio_buffer.append is sent on a closed pipe"]
    assert stage.sent == []


def test_the_deadline_brings_a_tick() -> None:
    machine = _Scripted()
    machine.deadline_us = 5_000
    stage = _Stage(machine)
    stage.client.give(inputs.PipeOpened())
    machine.deadline_us = 9_000
    stage.client.give(inputs.Drained())
    machine.deadline_us = None

    stage.world.run(20_000, at_most=10)

    assert [type(happened).__name__ for happened in machine.given] == [
        "PipeOpened", "Drained", "Tick",
    ]  # fmt: skip
    assert stage.log.entries[-1].time_us == 9_000
