"""Where the parts of the machine put what is to be done, in order."""

from __future__ import annotations

from bargein import events
from bargein.events.dialect import Dialect
from bargein.server.model.commands import Command, SendEvent
from bargein.server.model.ids import Ids
from bargein.server.model.refusal import Refusal
from bargein.server.model.rules import in_beta


class Outbox:
    """The commands of one `handle`, and the ids that what is sent needs."""

    def __init__(self, ids: Ids, *, errors_for_all: bool = False) -> None:
        self.ids = ids
        self.dialect: Dialect = "ga"
        self.now_us = 0
        """When what is done now happens."""
        self.asker: int | None = None
        """The pipe whose event is handled; None: nobody asked."""
        self.errors_for_all = errors_for_all
        self._commands: list[Command] = []

    def at(self, now_us: int) -> None:
        """Move to this moment."""
        self.now_us = now_us
        self.ids.at(now_us)

    def event_id(self) -> str:
        """The id of the next event."""
        return self.ids.mint("event")

    def send(self, event: events.ServerEvent, to: int | None = None) -> None:
        """To one pipe, or to all."""
        self._commands.append(SendEvent(event, to))

    def command(self, command: Command) -> None:
        self._commands.append(command)

    def refuse(self, refusal: Refusal, client_event_id: str | None) -> None:
        """Answer with an `error` whoever asked. `client_event_id` is None for what no event asked
        for."""
        if self.dialect == "beta":
            refusal = in_beta(refusal)
        self.send(
            events.Error(
                event_id=self.event_id(),
                error=events.ErrorBody(
                    type=refusal.type,
                    code=refusal.code,
                    message=refusal.message,
                    param=refusal.param,
                    event_id=client_event_id if refusal.names_event else None,
                ),
            ),
            None if self.errors_for_all else self.asker,
        )

    def take(self) -> list[Command]:
        """Everything since the last time."""
        commands, self._commands = self._commands, []
        return commands
