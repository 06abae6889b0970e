"""The invariants of what is sent: nothing in vain, nothing twice, nothing forgotten."""

from __future__ import annotations

from collections.abc import Iterable

from bargein import events
from bargein.core import notices
from bargein.core.inputs import Part
from bargein.core.responses import ATTEMPTS_LIMIT, METADATA_KEY
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.sim.invariants.facts import NEVER, Refused, Reply, Sent
from bargein.sim.invariants.sound import part_name
from bargein.units import ms_floor

_NOT_TOLD = "crossing", "automatic"


class NoFaultOfOurs(Invariant):
    """See `blame` for how a refusal is judged. The application is told of none that crossed, and of
    none that would be the client's own. Excused: a create that crossed once too often; a
    server that ends replies by itself and says that the client had asked for it."""

    name = "I2"
    sentence = "No refusal that the client could have avoided with what it knew."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._refused: Refused | None = None
        self._refused_place = -1

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("server_sent", events.Error, cls._error),
            ("client_got", events.Error, cls._got_error),
            ("notice", notices.Fault, cls._fault),
        )

    def _got_error(self, entry: Entry, event: events.Error) -> None:
        self._refused = self.facts.refused_number(entry.number)
        self._refused_place = self.facts.batch_place

    def _error(self, entry: Entry, event: events.Error) -> None:
        refused = self.facts.refused[-1]
        if refused.blame == "ours":
            about = events.type_of(refused.sent.event) if refused.sent else "nothing"
            self.fail(f"{about}: {event.error.message}")

    def _fault(self, entry: Entry, fault: notices.Fault) -> None:
        if fault.blame == "crossing":
            self.fail(f"a crossing is told: {fault.message}")
        elif fault.blame == "ours":
            self.fail(f"the client blames itself: {fault.message}")
        elif self.options.moderates:
            return
        elif self._refused is not None and self._refused_place == self.facts.batch_place:
            blame = self._refused.blame
            if blame in _NOT_TOLD and not self._asked_often(self._refused.sent):
                self.fail(f"what is {blame} is told as {fault.blame}: {fault.message}")

    def _asked_often(self, refused: Sent | None) -> bool:
        """The same thing for the last time."""
        key = key_of(refused.event) if refused is not None else ""
        times = sum(key_of(sent.event) == key for sent in self.facts.sent.values())
        return bool(key) and times >= ATTEMPTS_LIMIT


class NothingWholeIsTouched(Invariant):
    """A part counts as known to be whole once its item's `done` has arrived. A response that the
    user's speech ends by itself, or that is known to be over, needs no cancel.

    Excused: what waited for the socket, and was decided before more was known; what the
    application sends by itself.
    """

    name = "P4"
    sentence = (
        "A completed part that was wholly heard keeps its transcript, and nothing is told twice "
        "or in vain."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._told: set[tuple[str, int, int]] = set()
        self._cancelled: set[object] = set()
        self._deleted: set[str] = set()
        self._of_completed: list[Part] = []

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("client_sent", events.ConversationItemTruncate, cls._truncate),
            ("client_sent", events.ConversationItemDelete, cls._delete),
            ("client_sent", events.ResponseCancel, cls._cancel),
        )

    def _truncate(self, entry: Entry, event: events.ConversationItemTruncate) -> None:
        key = (event.item_id, event.content_index, event.audio_end_ms)
        if key in self._told:
            self.fail(f"truncate {event.item_id} to {event.audio_end_ms} ms is sent twice")
        self._told.add(key)
        facts = self.facts
        if facts.blocked_place == facts.batch_place or event.item_id in facts.foreign:
            return
        if facts.known_completed(event.item_id):
            part = Part(facts.owners[event.item_id], event.item_id, event.content_index)
            self._of_completed.append(part)
            self._on_the_grid(part)

    def _on_the_grid(self, part: Part) -> None:
        """The client was told in which steps the server counts: to it, that is the whole part."""
        options, spoken = self.options, self.facts.parts.get(part)
        if spoken is None or not options.declared or options.lengths_grid_ms == 1:
            return
        rate, grid_ms = options.format.rate, options.lengths_grid_ms
        length_ms = ms_floor(spoken.received, rate) // grid_ms * grid_ms
        if ms_floor(min(spoken.reported, spoken.received), rate) >= length_ms:
            self.fail(f"{part_name(part)} was heard to the server's end of it and is truncated")

    def _delete(self, entry: Entry, event: events.ConversationItemDelete) -> None:
        if event.item_id in self._deleted:
            self.fail(f"{event.item_id} is deleted twice")
        self._deleted.add(event.item_id)

    def _cancel(self, entry: Entry, event: events.ResponseCancel) -> None:
        response_id = event.response_id
        if not isinstance(response_id, str):
            return
        if response_id in self._cancelled:
            self.fail(f"{response_id} is cancelled twice")
        self._cancelled.add(response_id)
        facts = self.facts
        reply = facts.replies.get(response_id)
        if reply is None or facts.blocked_place == facts.batch_place:
            return
        if reply.done_place < facts.place:
            self.fail(f"{response_id} is cancelled and was over")
        elif reply.vad_closed < facts.seen:
            self.fail(f"{response_id} is cancelled and had been ended by the user's speech")

    def finish(self, final: Final) -> None:
        if not self.options.exact:
            return
        for part in self._of_completed:
            spoken = self.facts.parts.get(part)
            if spoken is None:
                continue
            if final.truth.heard.get(part, 0) == spoken.made:
                self.fail(f"{part_name(part)} was wholly heard and is truncated")


class TheCutEnds(Invariant):
    """Excused: a socket that took nothing at some time since the cut, a pipe that died, a server
    that cancels nothing."""

    name = "rule 9"
    sentence = "A cut response that the server does not end by itself is cancelled."

    @property
    def watching(self) -> bool:
        return self.options.obeys_cancel

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (("client_got", events.ResponseDone, cls._done),)

    def _done(self, entry: Entry, event: events.ResponseDone) -> None:
        self._judge(self.facts.replies[event.response.id])

    def finish(self, final: Final) -> None:
        if final.lost or not self.options.obeys_cancel:
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


def asks_for_a_reply(event: events.ResponseCreate) -> bool:
    """It is to be part of the default conversation."""
    params = event.response
    return not isinstance(params, events.ResponseParams) or params.conversation != "none"


def key_of(event: events.ClientEvent) -> str:
    """The key by which the client knows the response again; empty where there is none."""
    params = event.response if isinstance(event, events.ResponseCreate) else None
    metadata = params.metadata if isinstance(params, events.ResponseParams) else None
    return str(metadata.get(METADATA_KEY, "")) if isinstance(metadata, dict) else ""
