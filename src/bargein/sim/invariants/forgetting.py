"""The invariants of what the service is to forget: all that was not heard, once, and in time."""

from __future__ import annotations

from collections.abc import Iterable

from bargein import events
from bargein.core import notices
from bargein.deadlines import Timer
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.sim.invariants.facts import Reply
from bargein.sim.invariants.sending import asks_for_a_reply
from bargein.units import US_PER_MS


class ForgottenBeforeTheNext(Invariant):
    """An item may still grow until its end or that of its response has come; a delete waits for it,
    until 1 s after the cut was told at most.

    Excused: what the application deletes by itself. In the order of a delete or truncate and the
    next create: a player whose first word is not its last, a truncate that was refused before, a
    server that cancels nothing, whose reply may run on beyond the 5 s for which the next one waits.
    At the end: the same, and a pipe that died or was closed, a server that deletes nothing, and one
    that owns playback: it keeps what left it.
    """

    name = "rule 5"
    sentence = (
        "What was neither heard nor shown is deleted, whole, before the next reply is asked for."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._creates: list[int] = []
        self._over: set[str] = set()
        self._told_us: dict[str, int] = {}
        self._told_place: dict[str, int] = {}
        self._held_us: dict[str, int] = {}
        self._cuts: list[tuple[int, int]] = []
        self._first_word_is_last = self.options.exact and self.options.obeys_cancel

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("client_got", events.ConversationItemAdded, cls._item_added),
            ("client_got", events.ConversationItemDone, cls._item_done),
            ("client_sent", events.ConversationItemTruncate, cls._truncate),
            ("client_sent", events.ConversationItemDelete, cls._delete),
            ("client_sent", events.ResponseCreate, cls._create),
            ("notice", notices.Interruption, cls._told),
        )

    def _item_added(self, entry: Entry, event: events.ConversationItemAdded) -> None:
        self._held_us[str(event.item.id)] = entry.time_us

    def _item_done(self, entry: Entry, event: events.ConversationItemDone) -> None:
        self._over.add(str(event.item.id))

    def _told(self, entry: Entry, record: notices.Interruption) -> None:
        self._cuts.append((self.facts.place, entry.time_us))
        for response_id in record.response_ids:
            self._told_us.setdefault(response_id, entry.time_us)
            self._told_place.setdefault(response_id, self.facts.place)

    def _create(self, entry: Entry, event: events.ResponseCreate) -> None:
        if asks_for_a_reply(event):
            self._creates.append(self.facts.place)

    def _delete(self, entry: Entry, event: events.ConversationItemDelete) -> None:
        facts, item_id = self.facts, event.item_id
        reply = facts.replies.get(facts.owners.get(item_id, ""))
        if reply is None or item_id in facts.foreign:
            return
        if self._is_behind_a_create(reply):
            self.fail(f"{item_id} is deleted behind a response.create")
        if item_id in facts.shown:
            self.fail(f"{item_id} is deleted, and the user has read of it")
        if not (self._is_over(item_id, reply) or self._was_waited_for(reply, entry.time_us)):
            self.fail(f"{item_id} is deleted while it may still grow")
        if not facts.player_knows and self.options.card_changes is None:
            if any(spoken.given for spoken in facts.spoken_of(item_id)):
                self.fail(f"{item_id} is deleted on the word of a player that cannot tell")
        self._in_time(item_id, reply, entry.time_us)

    def _in_time(self, item_id: str, reply: Reply, now_us: int) -> None:
        told_us, held_us = self._told_us.get(reply.id), self._held_us.get(item_id)
        if told_us is None or held_us is None or not self._first_word_is_last:
            return
        due_us = max(told_us + Timer.ITEM_OVER.lasts_us, held_us)
        if now_us > due_us and not self.facts.could_not_send(self._told_place[reply.id]):
            self.fail(f"{item_id} is deleted {(now_us - due_us) / US_PER_MS:.0f} ms too late")

    def _truncate(self, entry: Entry, event: events.ConversationItemTruncate) -> None:
        facts = self.facts
        reply = facts.replies.get(facts.owners.get(event.item_id, ""))
        if reply is None or event.item_id in facts.foreign or self._was_refused(event):
            return
        if self._is_behind_a_create(reply):
            self.fail(f"{event.item_id} is truncated behind a response.create")

    def _is_behind_a_create(self, reply: Reply) -> bool:
        if not self._creates or not self._first_word_is_last:
            return False
        return self._creates[-1] > max(self.facts.first_cut(reply), reply.done_place)

    def _was_refused(self, event: events.ConversationItemTruncate) -> bool:
        place = (event.item_id, event.content_index)
        return any(
            refused.sent is not None
            and isinstance(refused.sent.event, events.ConversationItemTruncate)
            and (refused.sent.event.item_id, refused.sent.event.content_index) == place
            for refused in self.facts.refused
        )

    def _is_over(self, item_id: str, reply: Reply) -> bool:
        done = self.facts.items_done.get(item_id)
        if done is not None and done.number < self.facts.seen:
            return True
        return item_id in self._over or reply.done_place < self.facts.place

    def _was_waited_for(self, reply: Reply, now_us: int) -> bool:
        told_us = self._told_us.get(reply.id)
        if told_us is None:
            # It was born after its cut was told.
            cuts = (time_us for place, time_us in self._cuts if place > reply.asked_place)
            told_us = next(cuts, None)
        return told_us is not None and now_us >= told_us + Timer.ITEM_OVER.lasts_us

    def finish(self, final: Final) -> None:
        if final.lost or final.left or not self.options.obeys_delete or self.options.webrtc:
            return
        if not self._first_word_is_last:
            return
        facts = self.facts
        for item in final.memory:
            response_id = facts.owners.get(item.id, "")
            if item.kind != "message" or response_id not in self._told_us or item.id in facts.shown:
                continue
            parts = facts.spoken_of(item.id)
            if not any(final.truth.heard.get(spoken.part, 0) for spoken in parts):
                self.fail(f"{item.id} was cut and neither heard nor shown, and is remembered")
