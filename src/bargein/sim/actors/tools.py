"""The tools of a session that answers its calls itself, and the application that approves them.

A tool returns, fails, takes longer than it may, or never comes to an end. One that is cancelled may
say something all the same: a thread cannot be stopped.
"""

from __future__ import annotations

from collections.abc import Callable

from bargein.core import commands, inputs
from bargein.sim.choices import Choices
from bargein.sim.world import World
from bargein.units import US_PER_MS


class SimTools:
    """What the client's commands about calls reach. `give` hands an input to the client."""

    def __init__(
        self, *, world: World, choices: Choices, give: Callable[[inputs.Input], None]
    ) -> None:
        self._world = world
        self._choices = choices
        self._give = give
        self._calls = 0
        self._cancelled: set[str] = set()
        self._under_way = 0

    @property
    def busy(self) -> bool:
        """Whether a tool will still say something."""
        return self._under_way > 0

    def ask(self, command: commands.AskApproval) -> None:
        """The application thinks about it, and decides; it does not where it was withdrawn."""
        stream = self._next("approval")
        granted = not self._choices.rarely(stream, 3)
        delay_ms = self._choices.draw(stream, 0, 5_000)
        answer = inputs.ToolApproved(command.call_id, granted)
        self._after(delay_ms, command.call_id, answer, stubborn=False)

    def run(self, command: commands.RunTool) -> None:
        """It begins to run."""
        stream = self._next("run")
        outcome = self._choices.pick(stream, ("returns", "returns", "fails", "hangs"))
        delay_ms = self._choices.draw(stream, 0, 4_000)
        if self._choices.rarely(f"{stream}.long", 4):
            delay_ms += self._choices.draw(f"{stream}.long", 0, 8_000)
        if outcome == "hangs":
            return
        failed = outcome == "fails"
        output = '{"error": "no such city"}' if failed else '{"rain": true}'
        stubborn = self._choices.rarely(f"{stream}.stubborn", 2)
        answer = inputs.ToolReturned(command.call_id, output, failed)
        self._after(delay_ms, command.call_id, answer, stubborn=stubborn)

    def cancel(self, command: commands.CancelTool) -> None:
        """It is not wanted any more."""
        self._cancelled.add(command.call_id)

    def _next(self, what: str) -> str:
        self._calls += 1
        return f"own_tools/{self._calls}.{what}"

    def _after(self, delay_ms: int, call_id: str, answer: inputs.Input, *, stubborn: bool) -> None:
        self._under_way += 1

        def report() -> None:
            self._under_way -= 1
            if stubborn or call_id not in self._cancelled:
                self._give(answer)

        self._world.after(delay_ms * US_PER_MS, report)
