"""The invariants of what is sent: nothing in vain, nothing twice, nothing forgotten."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from bargein import events
from bargein.sim.invariants.blame import blame
from bargein.sim.invariants.cuts import cut_places, first_cut_of
from bargein.sim.invariants.facts import NEVER, Facts, Reply, Sent
from bargein.sim.invariants.sound import part_name


class NoFaultOfOurs:
    """See `blame` for how a refusal is judged."""

    name = "I2"
    sentence = "No refusal that the client could have avoided with what it knew."

    def failures(self, facts: Facts) -> Iterator[str]:
        for refused in facts.refused:
            if blame(facts, refused) == "ours":
                about = events.type_of(refused.sent.event) if refused.sent else "nothing"
                yield f"{about}: {refused.event.error.message}"


class NothingWholeIsTouched:
    """A part counts as known to be whole once its item's `done` has arrived."""

    name = "P4"
    sentence = (
        "A completed part that was wholly heard keeps its transcript, and nothing is told twice."
    )

    def failures(self, facts: Facts) -> Iterator[str]:
        options = facts.history.options
        heard = facts.history.final.truth.heard
        told: set[tuple[str, int, int]] = set()
        refused = {r.sent.number for r in facts.refused if r.sent is not None}
        cancelled: set[object] = set()
        for sent in facts.sent:
            event = sent.event
            if isinstance(event, events.ConversationItemTruncate):
                key = (event.item_id, event.content_index, event.audio_end_ms)
                if key in told:
                    yield f"truncate {event.item_id} to {event.audio_end_ms} ms is sent twice"
                told.add(key)
                done = facts.items_done.get(event.item_id)
                if not options.exact or done is None or done.number >= sent.seen:
                    continue
                if done.status != "completed" or sent.number in refused:
                    continue
                for part, spoken in facts.parts.items():
                    place = (part.item_id, part.content_index)
                    if place == key[:2] and heard.get(part, 0) == spoken.made:
                        yield f"{part_name(part)} was wholly heard and is truncated"
            elif isinstance(event, events.ResponseCancel) and event.response_id is not UNSET:
                if event.response_id in cancelled:
                    yield f"{event.response_id} is cancelled twice"
                cancelled.add(event.response_id)


class TheCutEnds:
    """Excused: a socket that took nothing for a while, a pipe that died."""

    name = "rule 9"
    sentence = "A cut response that the server does not end by itself is cancelled."

    def failures(self, facts: Facts) -> Iterator[str]:
        history = facts.history
        if history.options.blocks or history.final.lost:
            return
        places = cut_places(history)
        cancelled = {
            sent.event.response_id
            for sent in facts.sent
            if isinstance(sent.event, events.ResponseCancel)
        }
        for reply in facts.replies.values():
            cut_place = first_cut_of(facts, reply, places)
            if not reply.in_band or cut_place == NEVER or reply.created_place == NEVER:
                continue
            if reply.vad_closed == NEVER and reply.id not in cancelled:
                yield f"{reply.id} was cut while it was open, and went on"


class ForgottenBeforeTheNext:
    """Excused: a player whose first word is not its last."""

    name = "rule 5"
    sentence = "What was not heard is deleted before the next reply is asked for."

    def failures(self, facts: Facts) -> Iterator[str]:
        if not facts.history.options.exact:
            return
        places = cut_places(facts.history)
        owners = {part.item_id: facts.replies[part.response_id] for part in facts.parts}
        creates = [sent for sent in facts.sent if _asks_for_a_reply(sent)]
        for sent in facts.sent:
            if not isinstance(sent.event, events.ConversationItemDelete):
                continue
            reply = owners.get(sent.event.item_id)
            if reply is not None and _asked_between(facts, reply, sent, creates, places):
                yield f"{sent.event.item_id} is deleted behind a response.create"


def _asked_between(
    facts: Facts, reply: Reply, delete: Sent, creates: list[Sent], places: list[int]
) -> bool:
    """A create went out when the cut response was over, and its item not yet deleted."""
    cut_place = first_cut_of(facts, reply, places)
    begins = max(cut_place, reply.done_place)
    return any(begins < create.place < delete.place for create in creates)


def _asks_for_a_reply(sent: Sent) -> bool:
    if not isinstance(sent.event, events.ResponseCreate):
        return False
    params = sent.event.response
    return not isinstance(params, events.ResponseParams) or params.conversation != "none"
