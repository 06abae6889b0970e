"""What the parts of the machine share: the time, the exit, the ids and the timers."""

from __future__ import annotations

from bargein import events
from bargein.core import commands
from bargein.core.notices import Notice
from bargein.core.outbox import Outbox
from bargein.deadlines import Deadlines


class Desk:
    """One for each machine. What is put here during `handle` is what `handle` returns, in order."""

    __slots__ = ("_count", "_seed", "commands", "deadlines", "now_us", "outbox")

    def __init__(self, id_seed: str, microphone_limit_ms: int) -> None:
        self.now_us = 0
        self.commands: list[commands.Command] = []
        self.deadlines = Deadlines()
        self.outbox = Outbox(microphone_limit_ms)
        self._seed = id_seed
        self._count = 0

    def new_id(self, prefix: str) -> str:
        """An id of ours: unique in this session, distinct from other sessions by the seed."""
        self._count += 1
        return f"{prefix}_{self._seed}_{self._count:x}"

    def do(self, command: commands.Command) -> None:
        """Have it done, behind everything that was put here before."""
        self.commands.append(command)

    def notify(self, notice: Notice) -> None:
        """Tell the application."""
        self.commands.append(commands.Notify(notice))

    def answer(self, ask_id: int | None, value: object = None) -> None:
        """End the application's ask well; without an id nobody asked."""
        if ask_id is not None:
            self.commands.append(commands.Answer(ask_id, value))

    def fail(self, ask_id: int | None, error: str, kind: str, code: str | None = None) -> None:
        """End the application's ask with an error."""
        if ask_id is not None:
            self.commands.append(commands.Answer(ask_id, None, error, kind, code))

    def send(self, event: events.ClientEvent) -> None:
        """Send in the order of `outbox.py`."""
        self.commands.extend(self.outbox.put(event))
