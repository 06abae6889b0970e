"""The invariants of what is sent: nothing in vain, nothing twice, nothing forgotten."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET

from bargein import events
from bargein.core.inputs import Part
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.sim.invariants.facts import NEVER, Reply
from bargein.sim.invariants.sound import part_name


class NoFaultOfOurs(Invariant):
    """See `blame` for how a refusal is judged."""

    name = "I2"
    sentence = "No refusal that the client could have avoided with what it knew."

    def watches(self) -> Iterable[Watched]:
        return (("server_sent", events.Error, self._error),)

    def _error(self, entry: Entry, event: events.Error) -> None:
        refused = self.facts.refused[-1]
        if refused.blame == "ours":
            about = events.type_of(refused.sent.event) if refused.sent else "nothing"
            self.fail(f"{about}: {event.error.message}")


class NothingWholeIsTouched(Invariant):
    """A part counts as known to be whole once its item's `done` has arrived."""

    name = "P4"
    sentence = (
        "A completed part that was wholly heard keeps its transcript, and nothing is told twice."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._told: set[tuple[str, int, int]] = set()
        self._cancelled: set[object] = set()
        self._of_completed: list[tuple[int, Part]] = []

    def watches(self) -> Iterable[Watched]:
        return (
            ("client_sent", events.ConversationItemTruncate, self._truncate),
            ("client_sent", events.ResponseCancel, self._cancel),
        )

    def _truncate(self, entry: Entry, event: events.ConversationItemTruncate) -> None:
        key = (event.item_id, event.content_index, event.audio_end_ms)
        if key in self._told:
            self.fail(f"truncate {event.item_id} to {event.audio_end_ms} ms is sent twice")
        self._told.add(key)
        facts = self.facts
        done = facts.items_done.get(event.item_id)
        if done is None or done.number >= facts.seen or done.status != "completed":
            return
        part = Part(facts.owners[event.item_id], event.item_id, event.content_index)
        self._of_completed.append((entry.number, part))

    def _cancel(self, entry: Entry, event: events.ResponseCancel) -> None:
        if event.response_id is not UNSET:
            if event.response_id in self._cancelled:
                self.fail(f"{event.response_id} is cancelled twice")
            self._cancelled.add(event.response_id)

    def finish(self, final: Final) -> None:
        if not self.options.exact:
            return
        refused = {r.sent.number for r in self.facts.refused if r.sent is not None}
        for number, part in self._of_completed:
            spoken = self.facts.parts.get(part)
            if spoken is None or number in refused:
                continue
            if final.truth.heard.get(part, 0) == spoken.made:
                self.fail(f"{part_name(part)} was wholly heard and is truncated")


class TheCutEnds(Invariant):
    """Excused: a socket that took nothing at some time since the cut, a pipe that died."""

    name = "rule 9"
    sentence = "A cut response that the server does not end by itself is cancelled."

    def watches(self) -> Iterable[Watched]:
        return (("client_got", events.ResponseDone, self._done),)

    def _done(self, entry: Entry, event: events.ResponseDone) -> None:
        self._judge(self.facts.replies[event.response.id])

    def finish(self, final: Final) -> None:
        if final.lost:
            return
        for reply in self.facts.replies.values():
            if reply.done_place == NEVER and reply.created_place != NEVER:
                self._judge(reply)

    def _judge(self, reply: Reply) -> None:
        if not reply.in_band or reply.vad_closed != NEVER or reply.cancel_place != NEVER:
            return
        cut_place = self.facts.first_cut(reply)
        if cut_place != NEVER and not self.facts.could_not_send(cut_place):
            self.fail(f"{reply.id} was cut while it was open, and went on")


class ForgottenBeforeTheNext(Invariant):
    """Excused: a player whose first word is not its last."""

    name = "rule 5"
    sentence = "What was not heard is deleted before the next reply is asked for."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._creates: list[int] = []

    def watches(self) -> Iterable[Watched]:
        if not self.options.exact:
            return ()
        return (
            ("client_sent", events.ConversationItemDelete, self._delete),
            ("client_sent", events.ResponseCreate, self._create),
        )

    def _create(self, entry: Entry, event: events.ResponseCreate) -> None:
        if asks_for_a_reply(event):
            self._creates.append(self.facts.place)

    def _delete(self, entry: Entry, event: events.ConversationItemDelete) -> None:
        facts = self.facts
        reply = facts.replies.get(facts.owners.get(event.item_id, ""))
        if reply is None or not self._creates:
            return
        if self._creates[-1] > max(facts.first_cut(reply), reply.done_place):
            self.fail(f"{event.item_id} is deleted behind a response.create")


def asks_for_a_reply(event: events.ResponseCreate) -> bool:
    """It is to be part of the default conversation."""
    params = event.response
    return not isinstance(params, events.ResponseParams) or params.conversation != "none"
