"""The client's machine in the simulated world: what its driver does, without a loop.

1. Commands are done in order before the next input. What answers a command comes back through
   the heap, never from inside.
2. What no machine may do (raise, leave a deadline in the past, stop the sound later than first)
   is written down as `broken`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, assert_never

from bargein import events
from bargein.core import commands, inputs
from bargein.core.items import ItemView
from bargein.core.notices import Notice
from bargein.core.settings import Settings
from bargein.sim.actors.card import SimCard
from bargein.sim.actors.tools import SimTools
from bargein.sim.log import Log
from bargein.sim.world import Alarm, World
from bargein.units import AudioFormat


class Mirror(Protocol):
    """The conversation as the client sees it."""

    @property
    def items(self) -> tuple[ItemView, ...]: ...


class ClientMachine(Protocol):
    """What is simulated: the shipping `core.machine.Machine`, or another one under test."""

    @property
    def deadline_us(self) -> int | None: ...

    def handle(self, happened: inputs.Input, /, *, now_us: int) -> list[commands.Command]: ...

    @property
    def conversation(self) -> Mirror: ...


MakeClient: TypeAlias = Callable[[Settings], ClientMachine]


class Surroundings(Protocol):
    """What the client's commands reach besides the card and the pipe."""

    def answered(self, answer: commands.Answer) -> None: ...

    def notified(self, notice: Notice) -> None: ...

    def use_format(self, sound_format: AudioFormat) -> None: ...

    def mute(self, muted: bool) -> None: ...


class SimClient:
    """`send` carries an event with its number; `close` ends the pipe behind all that was sent."""

    def __init__(
        self,
        machine: ClientMachine,
        *,
        world: World,
        log: Log,
        send: Callable[[tuple[int, events.ClientEvent]], int],
        close: Callable[[], None],
    ) -> None:
        self._machine = machine
        self._world = world
        self._log = log
        self._send_message = send
        self._close = close
        self._alarm = Alarm(world, lambda: self.give(inputs.Tick()))
        self._sent = 0
        self._card: SimCard | None = None
        self._surroundings: Surroundings | None = None
        self._tools: SimTools | None = None
        self.broken = False
        self.closed = False

    def attach(
        self, card: SimCard, surroundings: Surroundings, tools: SimTools | None = None
    ) -> None:
        """Give what reports to this client, before the first input."""
        self._card = card
        self._surroundings = surroundings
        self._tools = tools

    @property
    def deadline_us(self) -> int | None:
        """What the machine waits for."""
        return self._machine.deadline_us

    @property
    def mirror(self) -> tuple[ItemView, ...]:
        """Its conversation."""
        return self._machine.conversation.items

    def receive(self, message: tuple[int, events.ServerEvent]) -> None:
        """An event of the server has arrived."""
        number, event = message
        self._log.write("client_got", event, number)
        self._handle(inputs.Received(event))

    def give(self, input: inputs.Input) -> None:
        """Anything else has happened."""
        self._log.write("input", input)
        self._handle(input)

    def _handle(self, input: inputs.Input) -> None:
        if self.broken:
            return
        now_us = self._world.now_us
        try:
            made = self._machine.handle(input, now_us=now_us)
        except Exception as error:
            # The one place that must catch everything: that nothing is raised is what is checked.
            self._break(f"handle({type(input).__name__}) raised {type(error).__name__}: {error}")
            return
        for place, command in enumerate(made):
            if isinstance(command, commands.StopPlayback) and place:
                self._log.write("broken", f"the stop is command {place + 1} of {len(made)}")
            self._do(command)
        due_us = self._machine.deadline_us
        if due_us is not None and due_us < now_us:
            self._break(f"its deadline is {now_us - due_us} us in the past")
            return
        self._alarm.set(due_us)

    def _break(self, how: str) -> None:
        self._log.write("broken", how)
        self.broken = True
        self._alarm.set(None)

    def _do(self, command: commands.Command) -> None:
        card, surroundings = self._card, self._surroundings
        assert card is not None and surroundings is not None, "`attach` comes first"
        match command:
            case commands.SendAudio(audio=audio):
                self._send(events.InputAudioBufferAppend(audio=audio))
                return
            case commands.Send(event=event):
                self._send(event)
                return
        self._log.write("command", command)
        match command:
            case commands.Play():
                card.play(command)
            case commands.Notify(notice=notice):
                surroundings.notified(notice)
            case commands.FinishPlay(part=part):
                card.finish(part)
            case commands.StopPlayback(cut_id=cut_id):
                card.stop(cut_id)
            case commands.HoldPlayback(cut_id=cut_id):
                card.hold(cut_id)
            case commands.ResumePlayback():
                card.resume()
            case commands.UseInputFormat(format=sound_format):
                surroundings.use_format(sound_format)
            case commands.AskApproval() | commands.RunTool() | commands.CancelTool():
                self._call_tool(command)
            case commands.MuteMicrophone(muted=muted):
                surroundings.mute(muted)
            case commands.Answer():
                surroundings.answered(command)
            case commands.Close():
                self.closed = True
                self._close()
            case _:
                assert_never(command)

    def _call_tool(
        self, command: commands.AskApproval | commands.RunTool | commands.CancelTool
    ) -> None:
        assert self._tools is not None, "only a session that was given tools has commands for them"
        match command:
            case commands.AskApproval():
                self._tools.ask(command)
            case commands.RunTool():
                self._tools.run(command)
            case commands.CancelTool():
                self._tools.cancel(command)

    def _send(self, event: events.ClientEvent) -> None:
        if self.closed:
            self._log.write("broken", f"{events.type_of(event)} is sent on a closed pipe")
            return
        number = self._sent
        self._sent += 1
        self._log.write("client_sent", event, number)
        self._send_message((number, event))
