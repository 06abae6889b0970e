"""The invariants of the end: what must hold once the faults have stopped and the user is silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bargein.core import asks, commands, inputs, notices
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.units import US_PER_MS, ms_floor


class MirrorIsTheServers(Invariant):
    """Excused: a server that acknowledges nothing, a pipe that died or was closed."""

    name = "I6"
    sentence = "When quiet, the client's conversation is the server's, in ids, order and lengths."

    def finish(self, final: Final) -> None:
        if final.lost or final.left or not self.options.acknowledges:
            return
        mirror = [item.id for item in final.mirror]
        memory = [item.id for item in final.memory]
        if mirror != memory:
            self.fail(f"the mirror has {_short(mirror)}, the server {_short(memory)}")
            return
        for item, remembered in zip(final.mirror, final.memory, strict=True):
            if item.state in ("coming", "going"):
                self.fail(f"{item.id} is still {item.state}")
            for content, part in zip(item.content, remembered.parts, strict=False):
                kept_ms = ms_floor(part.kept_samples, part.format.rate)
                if part.truncated and content.kept_ms != kept_ms:
                    self.fail(
                        f"{item.id}: the mirror keeps {content.kept_ms} ms, the server {kept_ms}"
                    )


class ComesToRest(Invariant):
    """Faults stop, the user is silent, and ten seconds pass."""

    name = "liveness"
    sentence = "In the end nothing is armed, owed or held: asks, cuts and turns have their answers."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._asked: dict[int, asks.Ask] = {}
        self._answers: Counter[int] = Counter()
        self._told: Counter[str] = Counter()
        self._settled: Counter[str] = Counter()

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
        self._answers[answer.ask_id] += 1

    def _interruption(self, entry: Entry, told: notices.Interruption) -> None:
        self._told[told.cut_id] += 1

    def _settlement(self, entry: Entry, settled: notices.InterruptionSettled) -> None:
        self._settled[settled.cut_id] += 1

    def finish(self, final: Final) -> None:
        if self.facts.broken:
            return
        if not final.quiet:
            self.fail("the world does not come to rest")
            return
        if final.deadline_us is not None:
            self.fail(f"a timer is armed for {final.deadline_us / US_PER_MS:.0f} ms")
        for ask_id, ask in self._asked.items():
            answers = self._answers[ask_id]
            if answers != 1:
                self.fail(f"ask {ask_id} ({type(ask).__name__}) has {answers} answers")
        for cut_id in sorted(self._told.keys() | self._settled.keys()):
            told, settled = self._told[cut_id], self._settled[cut_id]
            if told != 1 or settled < 1:
                self.fail(f"{cut_id} is told {told} times and settled {settled} times")
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


def _short(ids: list[str]) -> str:
    return " ".join(item_id[-6:] for item_id in ids) or "nothing"
