"""An interruption, from the ask to the last acknowledgement: one cut, one record.

 2. Stop, then tell: `StopPlayback` is the first command of a cut, and nothing is truncated before
    the player has answered it. Until then no newer response is played.
 9. A cancel names an open response of this pipe, once. None after `response.done`, none where the
    service's own turn detection cancels it.
15. An ask during a cut joins it. What it finds beside the cut is cut with it while the stop is
    unanswered, and is a cut of its own afterwards.

A later, better answer to the stop corrects the record, and a smaller one is truncated once more.
What is sent for a cut and how it is answered is in `settlement.py`.
"""

from __future__ import annotations

from collections import deque

from bargein.core.commands import StopPlayback
from bargein.core.conversation import Conversation
from bargein.core.cut import Cut
from bargein.core.desk import Desk
from bargein.core.faults import Sent
from bargein.core.heard_words import HeardWords
from bargein.core.inputs import PlaybackStopped
from bargein.core.ledger import Ledger
from bargein.core.notices import Asker
from bargein.core.output_buffer import OutputBuffer
from bargein.core.responses import Reply, Responses
from bargein.core.settlement import Settlement
from bargein.core.utterances import SpokenItem, Utterance
from bargein.deadlines import Timer

SETTLED_LIMIT = 8
"""Settled cuts that a late, better answer of the player can still correct."""


class Cuts:
    """All cuts that are not settled, and the last ones that are."""

    __slots__ = (
        "_buffer",
        "_desk",
        "_ledger",
        "_responses",
        "_settlement",
        "_words",
        "open",
        "settled",
    )

    def __init__(
        self,
        desk: Desk,
        ledger: Ledger,
        responses: Responses,
        conversation: Conversation,
        settlement: Settlement,
        buffer: OutputBuffer,
    ) -> None:
        self._buffer = buffer
        self._desk = desk
        self._ledger = ledger
        self._responses = responses
        self._settlement = settlement
        self._words = HeardWords(desk, conversation)
        self.open: list[Cut] = []
        self.settled: deque[Cut] = deque(maxlen=SETTLED_LIMIT)

    @property
    def stopping(self) -> bool:
        """A stop is not answered yet."""
        return bool(self.open) and any(cut.stopping for cut in self.open)

    @property
    def undecided(self) -> bool:
        """Something must still be sent for a cut before the next response is asked for."""
        return any(
            cut.stopping
            or cut.clearing
            or any(self._settlement.undecided(item) for item in cut.items)
            for cut in self.open
        )

    def begin(
        self,
        asker: Asker,
        *,
        service_cancels: bool = False,
        captured_us: int | None = None,
        ask_id: int | None = None,
        of_ask_id: int | None = None,
        player_knows: bool = True,
    ) -> Cut | None:
        """Cut what is heard, queued, being made and asked for. None if there is nothing of it.

        With `of_ask_id`, what was asked for beside that reply is still wanted. `service_cancels`
        says that the service's turn detection cancels the open response by itself. The ask with
        `ask_id` is answered after the stop.
        """
        replies = [reply for reply in self._responses.replies.values() if self._concerned(reply)]
        fresh = bool(replies) or self._responses.uncut_requests(of_ask_id)
        last = self.open[-1] if self.open else None
        if last is not None and (last.stopping or not fresh):
            cut = last
            if asker not in cut.askers:
                cut.askers.append(asker)
            cut.captured_us = cut.captured_us if cut.captured_us is not None else captured_us
        elif fresh:
            cut = self._opened(asker, captured_us)
            self._stop(cut, replies, player_knows=player_knows)
        else:
            return None
        self._take(cut, replies, service_cancels=service_cancels)
        self._buffer.cut(cut, asker)
        if of_ask_id is not None:
            self._responses.give_up(of_ask_id, cut.cut_id)
        else:
            for create in self._responses.give_up_all(cut.cut_id):
                self._settlement.superseded(create)
        if ask_id is not None:
            cut.ask_ids.append(ask_id)
        if cut.stopping and not (self._ledger.held_back or self._buffer.stands_in(cut)):
            self._stopped(cut)
        elif not cut.stopping:
            self._answer_asks(cut)
        return cut

    def _opened(self, asker: Asker, captured_us: int | None) -> Cut:
        cut = Cut(self._desk.new_id("cut"), self._desk.now_us, [asker], captured_us)
        # Where no stop is needed, the player's last report is its word.
        cut.margin_samples = self._ledger.margin_samples
        self.open.append(cut)
        return cut

    def _concerned(self, reply: Reply) -> bool:
        if reply.cut_id is not None or reply.ended:
            return False
        if reply.default and not reply.done:
            return True
        return any(
            not utterance.played_out or self._unsettled(item)
            for item in self._ledger.items.values()
            if item.response_id == reply.response_id
            for utterance in item.parts.values()
        )

    @staticmethod
    def _unsettled(item: SpokenItem) -> bool:
        return item.in_conversation and not item.completed

    def _stop(self, cut: Cut, replies: list[Reply], *, player_knows: bool) -> None:
        """Silence first. `held_back` says that the answer is awaited."""
        concerned = {reply.response_id for reply in replies}
        needed = any(
            part.given_samples and not (part.finished and part.heard_samples >= part.given_samples)
            for part in self._ledger.utterances.values()
            if part.part.response_id in concerned
        )
        if not needed:
            return
        self._desk.do(StopPlayback(cut.cut_id))
        self._ledger.paused = False
        if player_knows:
            self._ledger.held_back = True
            self._desk.deadlines.arm(Timer.STOP_ANSWER, cut.cut_id, self._desk.now_us)

    def _take(self, cut: Cut, replies: list[Reply], *, service_cancels: bool) -> None:
        for reply in replies:
            self.adopt(cut, reply)
        for reply in cut.replies:
            if service_cancels and reply.default and not reply.done:
                self._settlement.over(cut.sent, reply)
            if reply.done or reply.cancel_sent:
                continue
            if service_cancels and reply.default:
                reply.service_cancels = True
                self._desk.deadlines.arm(Timer.RESPONSE_OVER, reply.response_id, self._desk.now_us)
            elif not reply.service_cancels:
                self._settlement.cancel(cut.sent, reply)

    def by_service(self, reply: Reply) -> None:
        """The service cancelled the reply itself, and all that came of it was heard to the end.

        What it had made beyond that is in its memory and was never sent (scenario 52).
        """
        cut = self._opened("service", None)
        self.adopt(cut, reply)
        self._stopped(cut)

    def adopt(self, cut: Cut, reply: Reply) -> None:
        """The reply is part of the cut: nothing of it is played from here on."""
        reply.cut_id = cut.cut_id
        if reply not in cut.replies:
            cut.replies.append(reply)
        for item in self._ledger.items.values():
            if item.response_id == reply.response_id and item not in cut.items:
                cut.items.append(item)
        for utterance in cut.utterances:
            self._ledger.silence(utterance)

    def born(self, reply: Reply) -> None:
        """A response was created whose request a cut remembers: it is cancelled by id (rule 8)."""
        cut = self.of(reply.cut_id)
        if cut is None:
            reply.cut_id = None
            return
        self.adopt(cut, reply)
        self._settlement.cancel(cut.sent, reply)

    def of(self, cut_id: str | None) -> Cut | None:
        """The open cut with that id."""
        return next((cut for cut in self.open if cut.cut_id == cut_id), None)

    def saw(self, item: SpokenItem, reply: Reply) -> None:
        """An item of a cut reply was seen, perhaps for the first time (rule 3)."""
        cut = self.of(reply.cut_id)
        if cut is not None and item not in cut.items:
            cut.items.append(item)

    def stopped(self, answer: PlaybackStopped) -> None:
        """The player's answer to a stop; the second one to the same stop is a correction."""
        cut = next(
            (cut for cut in (*self.open, *self.settled) if cut.cut_id == answer.cut_id), None
        )
        if cut is None:
            return
        changed = self._ledger.stopped(cut.utterances, answer.heard)
        cut.margin_samples = answer.margin_samples
        for utterance in cut.utterances:
            utterance.margin_samples = answer.margin_samples
        if cut.stopping:
            self._stopped(cut)
            return
        if not changed:
            return
        if cut.record is None:
            # It had seemed that everything was heard, so nothing was told.
            cut.record = cut.interruption(self._desk.now_us)
            self._desk.notify(cut.record)
        for item in cut.items:
            for utterance in item.parts.values():
                if utterance in changed:
                    self._corrected(cut, item, utterance)
        if cut.settled:
            self.settled.remove(cut)
            cut.settled = False
            self.open.insert(0, cut)

    def _corrected(self, cut: Cut, item: SpokenItem, utterance: Utterance) -> None:
        self._words.keep_heard(item, utterance)
        self._settlement.correct(cut.sent, item, utterance, exact=cut.exact)

    def overdue(self, cut_id: str) -> None:
        """The player broke its word: its last report stands in for the answer, marked inexact."""
        cut = self.of(cut_id)
        if cut is not None and cut.stopping:
            cut.margin_samples = None
            self._ledger.stopped(cut.utterances, ())
            self._stopped(cut)

    def _stopped(self, cut: Cut) -> None:
        cut.stopping = False
        self._desk.deadlines.stop(Timer.STOP_ANSWER, cut.cut_id)
        self._ledger.held_back = self.stopping
        if self._is_moot(cut):
            self._undo(cut)
            return
        for utterance in cut.utterances:
            utterance.final = True
        # Tell the service first, then the application: the number is fresh.
        self._settle(cut)
        now_us = self._desk.now_us
        cut.record = cut.interruption(now_us)
        self._desk.notify(cut.record)
        for item in cut.items:
            self._words.told(item)
        for item in cut.items:
            self._words.unheard(item)
        self._answer_asks(cut)
        self._desk.deadlines.arm(Timer.ITEM_OVER, cut.cut_id, now_us)

    def _is_moot(self, cut: Cut) -> bool:
        """Everything had been said and heard when the stop came: nothing was interrupted."""
        return (
            all(reply.done and reply.default for reply in cut.replies)
            and all(
                item.completed
                and all(
                    item.kept_whole(part, self._settlement.grid_ms) for part in item.parts.values()
                )
                for item in cut.items
            )
            and not self._responses.requests_of(cut.cut_id)
            and not cut.sent
            and not (cut.clearing or cut.thrown_away)
        )

    def _undo(self, cut: Cut) -> None:
        """Nothing is told of it; a correction can still show that something was cut."""
        self.open.remove(cut)
        self.settled.append(cut)
        cut.settled = True
        for reply in cut.replies:
            reply.cut_id = None
        for utterance in cut.utterances:
            utterance.cut = utterance.final = False
            utterance.finished = utterance.stopped = True
            utterance.action, utterance.kept_ms = "none", utterance.received_ms
        self._answer_asks(cut)

    def _answer_asks(self, cut: Cut) -> None:
        for ask_id in cut.ask_ids:
            self._desk.answer(ask_id, cut.record)
        cut.ask_ids.clear()

    def over(self, reply: Reply) -> None:
        """The response is over."""
        cut = self.of(reply.cut_id)
        self._settlement.over(cut.sent if cut is not None else [], reply)

    def item_overdue(self, cut_id: str) -> None:
        """The ends of its items were waited for long enough."""
        cut = self.of(cut_id)
        if cut is not None:
            cut.impatient = True

    def advance(self) -> None:
        """Do for each cut what can be done now, and close the records that are complete."""
        for cut in list(self.open):
            if cut.clearing:
                self._buffer.advance(cut)
            if cut.stopping:
                continue
            self._settle(cut)
            if self._complete(cut):
                self._close(cut)

    def _settle(self, cut: Cut) -> None:
        for item in cut.items:
            item.over = item.over or (cut.impatient and self._settlement.may_cancel)
            self._settlement.settle(cut.sent, item, exact=cut.exact)

    def _complete(self, cut: Cut) -> bool:
        return (
            all(reply.done for reply in cut.replies)
            and not cut.clearing
            and not self._responses.requests_of(cut.cut_id)
            and not any(self._settlement.unanswered(item) for item in cut.items)
        )

    def _close(self, cut: Cut, *, lost: bool = False) -> None:
        self.open.remove(cut)
        self.settled.append(cut)
        cut.settled = True
        self._desk.deadlines.stop(Timer.ITEM_OVER, cut.cut_id)
        for item in cut.items:
            self._ledger.forget(item)
        self._desk.notify(cut.settlement(self._desk.now_us, lost=lost))

    def lost(self) -> None:
        """The pipe has ended: what is unanswered stays so (rule 14)."""
        for cut in list(self.open):
            if cut.stopping:
                # Nobody will be told of the stop's answer: what was last known stands for it.
                cut.stopping = False
                cut.margin_samples = None
                cut.record = cut.interruption(self._desk.now_us)
                self._desk.notify(cut.record)
                self._answer_asks(cut)
            self._close(cut, lost=True)
        # A better word of the player has nobody left to be told to.
        self.settled.clear()
        self._ledger.held_back = False

    def find(self, sent: Sent) -> tuple[Cut, SpokenItem] | None:
        """The cut and item that a truncate or delete was sent for."""
        return self._find(sent.key)

    def item(self, item_id: str) -> SpokenItem | None:
        """An item of a cut that is open, or can still be corrected."""
        found = self._find(item_id)
        return None if found is None else found[1]

    def _find(self, item_id: str) -> tuple[Cut, SpokenItem] | None:
        for cut in (*self.open, *self.settled):
            for item in cut.items:
                if item.item_id == item_id:
                    return cut, item
        return None
