"""What the driver needs of its neighbours: the machine below, the application's side above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from bargein import events
from bargein.core import commands as cmd
from bargein.core import inputs as inp
from bargein.core.conversation import Conversation
from bargein.core.notices import Notice
from bargein.core.usage import UsageTotal

WireEvent: TypeAlias = "events.ClientEvent | events.ServerEvent | events.Unknown | events.Malformed"


@dataclass(frozen=True, slots=True)
class Passed:
    """An event on the wire: received and decoded, or sent (queued for the socket)."""

    direction: Literal["sent", "received"]
    event: WireEvent


class Record(Protocol):
    """Called with each input and what it led to, before its commands are done. May not block."""

    def __call__(
        self,
        now_us: int,
        input: inp.Input,
        commands: Sequence[cmd.Command] | None,
        raised: BaseException | None = None,
        /,
    ) -> None:
        """`commands` is None where the machine raised."""


class Core(Protocol):
    """The client's machine, as far as the driver needs it."""

    def handle(self, input: inp.Input, /, *, now_us: int) -> list[cmd.Command]:
        """What must be done about the input."""

    @property
    def deadline_us(self) -> int | None:
        """When a `Tick` is due, if nothing else happens."""


class Mirror(Protocol):
    """What may be read of the machine at any time."""

    @property
    def conversation(self) -> Conversation:
        """The conversation as the service has it."""

    @property
    def usage(self) -> UsageTotal:
        """What it has cost."""

    def words_heard(self, item_id: str) -> str:
        """The words of the item up to the last heard sample."""


class Outlet(Protocol):
    """Where the machine's words for the application go. Nothing here may block."""

    def answer(self, answer: cmd.Answer) -> None:
        """An ask has come to its end."""

    def notify(self, notice: Notice) -> None:
        """Something to tell."""

    def passed(self, direction: Literal["sent", "received"], event: WireEvent) -> None:
        """An event went through the pipe, or into its queue."""
