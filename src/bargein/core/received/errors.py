"""Refusals: what each means for the event it refuses, and whose doing it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bargein import events
from bargein.core.faults import Sent
from bargein.core.notices import Blame, Pruned
from bargein.core.received.items import gone
from bargein.core.responses import ATTEMPTS_LIMIT, UNSEEN
from bargein.core.settlement import GONE
from bargein.deadlines import Timer

if TYPE_CHECKING:
    from bargein.core.machine import Machine

MISSING = (*GONE, "item_retrieve_invalid_item_id")
"""The service does not hold the item that was named."""


def error(machine: Machine, event: events.Error) -> None:
    """Something was refused, or broke."""
    body = event.error
    if _is_refused_turn(machine, body):
        for turn in machine.responses.turns:
            turn.refused = True
        machine.fault("crossing", None, body.message)
        return
    memory = machine.faults.match(body)
    code = body.code if isinstance(body.code, str) else None
    param = body.param if isinstance(body.param, str) else None
    if memory is None:
        machine.fault("theirs", code, body.message, param=param)
        return
    about = events.type_of(memory.event)
    machine.desk.deadlines.stop(Timer.SETTLEMENT, memory.event_id)
    machine.desk.deadlines.stop(Timer.ACKNOWLEDGED, memory.event_id)
    blame = _refused(machine, memory, body)
    _pruned(machine, memory, body)
    machine.desk.fail(memory.ask_id, body.message, "refused", code)
    machine.fault(blame, code, body.message, param=param, about=about)
    for create in machine.responses.refused:
        # Behind the fault, which says why.
        machine.end_turn("refused", tuple(create.ask_ids))
    machine.responses.refused.clear()
    if memory.key == "connect":
        machine.close("the session was refused")


def _is_refused_turn(machine: Machine, body: events.ErrorBody) -> bool:
    """The service could not answer a turn by itself: a response was active (scenario 53)."""
    return (
        _names_active(body)
        and not isinstance(body.event_id, str)
        and any(not turn.refused for turn in machine.responses.turns)
    )


def _refused(machine: Machine, memory: Sent, body: events.ErrorBody) -> Blame:
    match memory.event:
        case events.ConversationItemTruncate() | events.ConversationItemDelete():
            found = machine.cuts.find(memory)
            if memory.by_application:
                return _application_refused(machine, memory, body)
            if found is not None:
                cut, item = found
                return machine.settlement.refused(cut.sent, memory, item, body, exact=cut.exact)
        case events.ResponseCancel():
            reply = machine.responses.replies.get(memory.key)
            blame = machine.settlement.cancel_refused(memory, reply, body)
            if reply is not None and not reply.done and not machine.capabilities.cancel:
                machine.calls.hosted.goes_on(reply)
            return blame
        case events.ResponseCreate():
            return _create_refused(machine, memory, body)
        case events.ConversationItemCreate():
            machine.conversation.not_coming(memory.key)
            machine.calls.batches.refused(memory.key)
            machine.edits.refused(memory, body)
            if machine.calls.hosted.crossed(memory.event.item):
                return "crossing"
        case events.InputAudioBufferCommit():
            return "application" if memory.by_application else "ours"
        case _:
            pass
    return "application" if memory.by_application or memory.ask_id is not None else "theirs"


def _pruned(machine: Machine, memory: Sent, body: events.ErrorBody) -> None:
    """The service does not know an item that it had, and that nobody was deleting."""
    match memory.event:
        case events.ConversationItemCreate(previous_item_id=str(item_id)):
            missing = body.code == "item_create_invalid_previous_item_id"
        case (
            events.ConversationItemTruncate(item_id=item_id)
            | events.ConversationItemRetrieve(item_id=item_id)
        ):
            missing = body.code in MISSING
        case _:
            return
    conversation = machine.conversation
    if missing and item_id in conversation and not conversation.is_going(item_id):
        conversation.deleted(item_id)
        machine.pruning.changed(item_id)
        machine.desk.notify(Pruned("deleted", (item_id,)))


def _application_refused(machine: Machine, memory: Sent, body: events.ErrorBody) -> Blame:
    """A truncate or delete of the application's own, or a delete of its edit, did not happen."""
    if isinstance(memory.event, events.ConversationItemDelete):
        item = machine.ledger.items.get(memory.key)
        if body.code in GONE:
            # That is what was wanted.
            gone(machine, memory.key)
        else:
            # The item is ours to settle again.
            machine.conversation.staying(memory.key)
            if item is not None:
                item.going = False
    return machine.edits.refused(memory, body) or "application"


def _create_refused(machine: Machine, memory: Sent, body: events.ErrorBody) -> Blame:
    """Already active: a response of the service's own crossed ours. It is asked for again, unless
    it was a debt, which that response has paid (rule 13)."""
    responses = machine.responses
    create = next((sent for sent in responses.sent if sent.key == memory.key), None)
    if create is None:
        return "theirs"
    responses.sent.remove(create)
    machine.desk.deadlines.stop(Timer.CREATED, create.key)
    crossed = _names_active(body)
    if create.cut_id is not None:
        machine.end_turn("superseded", tuple(create.ask_ids))
        return "crossing" if crossed else "theirs"
    if crossed and create.paid:
        return "crossing"
    if crossed and create.attempts < ATTEMPTS_LIMIT:
        responses.held.insert(0, create)
        if responses.open_default is None:
            # The response that is active is on its way to us, or it never comes.
            responses.unseen_active = True
            machine.desk.deadlines.arm(Timer.TURN_ANSWERED, UNSEEN, machine.desk.now_us)
        return "crossing"
    responses.refused.append(create)
    return "application" if create.ask_ids else "theirs"


def _names_active(body: events.ErrorBody) -> bool:
    """A response was active; the older dialect says so without a code (protocol.md §6.2)."""
    return (
        body.code == "conversation_already_has_active_response"
        or "already has an active response" in body.message
    )
