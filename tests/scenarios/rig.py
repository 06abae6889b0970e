"""A talk with the client's machine, told in sentences: the service, the player, the application and
the clock are the test; what the machine does is read as short lines.

1. Everything the service says is JSON and goes through the codec, so a test cannot say what the
   wire could not.
2. Time moves only by `pass_ms`, which ticks at every deadline on the way, as the driver does.
3. A `Watch` looks at every command. It is on in every test.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from tests.scenarios.watch import line
from tests.scenarios.wire import FALSE_VAD, SEMANTIC_VAD, SERVER_VAD, Wire

from bargein.capabilities import Capabilities
from bargein.core import asks, commands, inputs
from bargein.core.inputs import Heard, Part
from bargein.core.items import ItemView
from bargein.core.notices import Notice
from bargein.core.settings import Settings
from bargein.units import US_PER_MS, AudioFormat, samples_floor

N = TypeVar("N")

__all__ = ["FALSE_VAD", "SEMANTIC_VAD", "SERVER_VAD", "Talk"]


class Talk(Wire):
    """A session that stands, unless `connected` is false. `turns` is the turn detection."""

    def __init__(
        self,
        turns: dict[str, Any] | None = SERVER_VAD,
        *,
        audio: AudioFormat = AudioFormat.PCM,
        can: Capabilities | None = None,
        connected: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(turns, audio, Settings(**settings))
        self._read = 0
        self._asks = 0
        if connected:
            self.give(inputs.PipeOpened(can or Capabilities()))
            self.receive("session.created", session=self.session())
            self.sent()

    # In.

    def pass_ms(self, ms: float) -> None:
        """Let time pass."""
        end_us = self.now_us + round(ms * US_PER_MS)
        while (deadline_us := self.machine.deadline_us) is not None and deadline_us <= end_us:
            self.now_us = deadline_us
            self.give(inputs.Tick())
        self.now_us = end_us

    def ask(self, ask: asks.Ask) -> int:
        """The application asks. Returns the ask's id."""
        self._asks += 1
        self.give(inputs.Asked(self._asks, ask))
        return self._asks

    # The player.

    def speaking(self, response_id: str = "r1", item_id: str = "A", ms: float = 2_000) -> None:
        """A response that has sent so much of one spoken item."""
        self.response(response_id)
        self.item(item_id)
        self.part(item_id)
        self.delta(item_id, ms)

    def heard(self, item_id: str, ms: float, index: int = 0) -> None:
        """The ear got so much of the part by now."""
        self.give(inputs.Rendered((self._heard(item_id, ms, index),)))

    def _heard(self, item_id: str, ms: float, index: int = 0) -> Heard:
        part = Part(self._item_response[item_id], item_id, index)
        return Heard(part, round(ms * self.audio.rate / 1_000))

    def stopped(
        self,
        heard: dict[str, float] | Sequence[tuple[str, int, float]] = (),
        *,
        cut_id: str = "",
        margin: int | None = 0,
    ) -> None:
        """The player's answer to the latest stop: ms of each item's part 0, or (item, part, ms)."""
        counts = [(item, 0, ms) for item, ms in heard.items()] if isinstance(heard, dict) else heard
        answer = tuple(self._heard(item, ms, index) for item, index, ms in counts)
        self.give(inputs.PlaybackStopped(cut_id or self.stops[-1], answer, margin))

    def held(self, item_id: str, ms: float) -> None:
        """The player's answer to the latest hold."""
        cut_id = self.done_of(commands.HoldPlayback)[-1].cut_id
        self.give(inputs.PlaybackHeld(cut_id, (self._heard(item_id, ms),)))

    def cut_at(self, ms: float, item_id: str = "A") -> None:
        """The user speaks over the item, the player stops, and so much of it was heard."""
        self.heard(item_id, ms)
        self.speech_started()
        self.stopped({item_id: ms})

    def capture(self, ms: float, value: int = 1) -> None:
        """The microphone gives sound, in the session's input format."""
        samples = samples_floor(round(ms), self.audio.rate)
        self.give(inputs.Captured(bytes([value]) * (samples * self.audio.bytes_per_sample)))

    # Out.

    def sent(self) -> list[str]:
        """What was sent since this was read last, as short lines."""
        new, self._read = self.commands[self._read :], len(self.commands)
        lines: list[str] = []
        for command in new:
            match command:
                case commands.Send(event=event):
                    lines.append(line(event))
                case commands.SendAudio(audio=audio):
                    samples = self.audio.samples(len(audio))
                    lines.append(f"sound {samples * 1_000 // self.audio.rate}")
                case _:
                    pass
        return lines

    @property
    def stops(self) -> list[str]:
        """The cut ids of all stops so far."""
        return [one.cut_id for one in self.done_of(commands.StopPlayback)]

    def done_of(self, kind: type[N]) -> list[N]:
        """All commands of the kind so far."""
        return [command for command in self.commands if isinstance(command, kind)]

    def played_ms(self, item_id: str, index: int = 0) -> int:
        """How much of the part was given to the player so far."""
        part = Part(self._item_response[item_id], item_id, index)
        given = sum(
            one.format.samples(len(one.audio))
            for one in self.commands
            if isinstance(one, commands.Play) and one.part == part
        )
        return given * 1_000 // self.audio.rate

    def told(self, kind: type[N]) -> list[N]:
        """All notices of the kind so far."""
        return [notice for notice in self.notices if isinstance(notice, kind)]

    @property
    def notices(self) -> list[Notice]:
        """All notices so far."""
        return [one.notice for one in self.commands if isinstance(one, commands.Notify)]

    def answer(self, ask_id: int) -> commands.Answer | None:
        """The answer to the ask, if it has come."""
        return next(
            (
                one
                for one in self.commands
                if isinstance(one, commands.Answer) and one.ask_id == ask_id
            ),
            None,
        )

    @property
    def floor(self) -> str:
        """Who is being heard."""
        return self.machine.floor

    @property
    def mirror(self) -> list[str]:
        """The ids of the conversation, in order."""
        return [item.id for item in self.machine.conversation.items]

    def mirrored(self, item_id: str) -> ItemView:
        """One item of the conversation."""
        return next(item for item in self.machine.conversation.items if item.id == item_id)
