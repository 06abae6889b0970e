"""The invariants of the end: what must hold once the faults have stopped and the user is silent."""

from __future__ import annotations

from collections.abc import Iterable

from bargein.core import asks, commands, inputs, notices
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.units import US_PER_MS


class ComesToRest(Invariant):
    """Faults stop, the user is silent, and ten seconds pass."""

    name = "liveness"
    sentence = "In the end nothing is armed, owed or held: asks, cuts and turns have their answers."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._asked: dict[int, asks.Ask] = {}
        self._answered: set[int] = set()
        self._open_cuts: dict[str, None] = {}

    def watches(self) -> Iterable[Watched]:
        return (
            ("input", inputs.Asked, self._ask),
            ("command", commands.Answer, self._answer),
            ("notice", notices.Interruption, self._interruption),
            ("notice", notices.InterruptionSettled, self._settlement),
        )

    def _ask(self, entry: Entry, asked: inputs.Asked) -> None:
        self._asked[asked.ask_id] = asked.ask

    def _answer(self, entry: Entry, answer: commands.Answer) -> None:
        self._answered.add(answer.ask_id)

    def _interruption(self, entry: Entry, told: notices.Interruption) -> None:
        self._open_cuts[told.cut_id] = None

    def _settlement(self, entry: Entry, settled: notices.InterruptionSettled) -> None:
        self._open_cuts.pop(settled.cut_id, None)

    def finish(self, final: Final) -> None:
        if self.facts.broken:
            return
        if not final.quiet:
            self.fail("the world does not come to rest")
            return
        if final.deadline_us is not None:
            self.fail(f"a timer is armed for {final.deadline_us / US_PER_MS:.0f} ms")
        for ask_id, ask in self._asked.items():
            if ask_id not in self._answered:
                self.fail(f"ask {ask_id} ({type(ask).__name__}) has no answer")
        for cut_id in self._open_cuts:
            self.fail(f"{cut_id} is told and never settled")
        if not final.lost and not final.left:
            self._owed_replies()

    def _owed_replies(self) -> None:
        """The last turn of the user under `create_response` is followed by a response."""
        facts = self.facts
        if not facts.commits:
            return
        last, place = facts.commits[-1]
        if not facts.known_to_create(last):
            return
        if any(reply.in_band and reply.created > last for reply in facts.replies.values()):
            return
        if not facts.cuts or facts.cuts[-1] <= place:
            self.fail("the last turn of the user was never answered")
