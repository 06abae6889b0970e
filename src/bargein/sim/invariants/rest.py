"""The invariants of the end: what must hold once the faults have stopped and the user is silent."""

from __future__ import annotations

from collections.abc import Iterable

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.notices import Floor
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.units import US_PER_MS


class ComesToRest(Invariant):
    """Faults stop, the user is silent, and ten seconds pass.

    Excused, from giving up the floor: a user the end of whose speech was told as dropped; from
    ending: a reply that waits for that user, and one that the application held when the pipe died.
    """

    name = "liveness"
    sentence = "In the end nothing is armed, owed or held: asks, cuts and turns have their answers."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._asked: dict[int, asks.Ask] = {}
        self._answered: set[int] = set()
        self._owed: dict[int, None] = {}
        self._ended: dict[int, notices.TurnEnded] = {}
        self._turns: dict[str, None] = {}
        self._floor: Floor = "nobody"
        self._dropped = False
        self._open_cuts: dict[str, None] = {}
        self._held = False
        self._cancel_place = -1

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("input", inputs.Asked, cls._ask),
            ("command", commands.Answer, cls._answer),
            ("notice", notices.Interruption, cls._interruption),
            ("notice", notices.InterruptionSettled, cls._settlement),
            ("notice", notices.TurnStarted, cls._turn_started),
            ("notice", notices.TurnEnded, cls._turn_ended),
            ("notice", notices.FloorChanged, cls._floor_changed),
            ("notice", notices.Dropped, cls._drop),
            ("ask", asks.SendEvent, cls._send),
            ("command", commands.HoldPlayback, cls._hold),
            ("command", commands.ResumePlayback, cls._resume),
            ("command", commands.StopPlayback, cls._resume),
        )

    def _ask(self, entry: Entry, asked: inputs.Asked) -> None:
        self._asked[asked.ask_id] = asked.ask

    def _answer(self, entry: Entry, answer: commands.Answer) -> None:
        self._answered.add(answer.ask_id)
        if answer.error is None and self._asks_for_a_reply(answer):
            self._owed[answer.ask_id] = None

    def _asks_for_a_reply(self, answer: commands.Answer) -> bool:
        match self._asked.get(answer.ask_id):
            case asks.Say(reply=reply):
                return reply
            case asks.Release():
                return answer.value is True
            case ask:
                return isinstance(ask, asks.Respond)

    def _turn_started(self, entry: Entry, notice: notices.TurnStarted) -> None:
        if notice.response_id is not None:
            self._turns[notice.response_id] = None

    def _turn_ended(self, entry: Entry, notice: notices.TurnEnded) -> None:
        if notice.role == "user":
            return
        if notice.response_id is not None:
            if notice.response_id not in self._turns:
                self.fail(f"the turn of {notice.response_id} ends and is not open")
            self._turns.pop(notice.response_id, None)
        for ask_id in notice.ask_ids:
            if ask_id not in self._asked:
                self.fail(f"a turn ends for ask {ask_id}, which is none")
            elif self._ended.setdefault(ask_id, notice) is not notice:
                self.fail(f"the reply to ask {ask_id} ends twice")

    def _drop(self, entry: Entry, notice: notices.Dropped) -> None:
        self._dropped = self._dropped or notice.what == "microphone"

    def _floor_changed(self, entry: Entry, notice: notices.FloorChanged) -> None:
        self._floor = notice.floor

    def _interruption(self, entry: Entry, told: notices.Interruption) -> None:
        self._open_cuts[told.cut_id] = None

    def _settlement(self, entry: Entry, settled: notices.InterruptionSettled) -> None:
        self._open_cuts.pop(settled.cut_id, None)

    def _send(self, entry: Entry, ask: asks.SendEvent) -> None:
        if isinstance(ask.event, events.ResponseCancel):
            # A cancel of its own is a cut (requests 2).
            self._cancel_place = self.facts.place

    def _hold(self, entry: Entry, command: commands.HoldPlayback) -> None:
        self._held = True

    def _resume(
        self, entry: Entry, command: commands.ResumePlayback | commands.StopPlayback
    ) -> None:
        self._held = False

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
        waits_for_user = self._dropped and self._floor == "user"
        if not (final.lost and self._held) and not waits_for_user:
            for ask_id in self._owed:
                if ask_id not in self._ended:
                    self.fail(f"nobody is told how the reply to ask {ask_id} ended")
            for response_id in self._turns:
                self.fail(f"the turn of {response_id} does not end")
        if not final.lost and not final.left:
            if self._floor != "nobody" and not self._dropped:
                self.fail(f"{self._floor} has the floor")
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
        if max((*facts.cuts, self._cancel_place)) <= place:
            self.fail("the last turn of the user was never answered")
