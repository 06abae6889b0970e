"""What follows from the records, recomputed after every input, in the order of the promises.

1. What was cut is settled first: the service is told before anything new begins.
2. Then what had to wait for a stop: typed messages, and the microphone after a press; and edits,
   which wait for more.
3. Then sound, then the ends of replies, then the next response (rules 7 and 13), then the floor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bargein.core.notices import Dropped, Floor, FloorChanged, Transcript
from bargein.core.responses import Create, Reply

if TYPE_CHECKING:
    from bargein.core.machine import Machine

ENDED_LIMIT = 256
"""Ids of responses that are over; what still comes of them is ignored."""


def recompute(machine: Machine) -> None:
    # Most inputs change nothing here, so what there is to do is asked before it is called.
    cuts, ledger, responses = machine.cuts, machine.ledger, machine.responses
    if cuts.open:
        machine.buffer.told()
        cuts.advance()
    machine.buffer.told()
    if (machine.after_stop or machine.listening.waiting) and not cuts.stopping:
        _after_stop(machine)
    if machine.edits.waiting:
        machine.edits.advance()
    machine.desk.commands.extend(ledger.flow())
    if ledger.dropped_samples:
        machine.desk.notify(Dropped("playback", ledger.dropped_samples))
        ledger.dropped_samples = 0
    if responses.replies:
        _end_replies(machine)
    if machine.spending is not None:
        machine.spending.look()
    owed = responses.held or responses.turns or machine.calls.batches.owed
    if owed and not machine.ending and not machine.is_spent:
        _ask_for_responses(machine)
    _tell_floor(machine)
    if machine.leaving is not None and not cuts.open:
        machine.leave()


def _after_stop(machine: Machine) -> None:
    """What had to wait for the player's answer: typed messages, then the microphone."""
    if machine.after_stop:
        for event in machine.after_stop:
            machine.desk.send(event)
        machine.after_stop.clear()
    if machine.listening.waiting:
        machine.button.listen()


def _end_replies(machine: Machine) -> None:
    for reply in list(machine.responses.replies.values()):
        _tell_heard(machine, reply)
        if not reply.done:
            continue
        cut = machine.cuts.of(reply.cut_id)
        if cut is not None:
            if not cut.stopping:
                _end(machine, reply)
            continue
        if reply.cut_id is None and not _heard_out(machine, reply):
            continue
        _end(machine, reply)
        if reply.cut_id is None and not machine.ending and _cut_short(machine, reply):
            machine.cuts.by_service(reply)
            machine.cuts.advance()
        else:
            _forget(machine, reply)


def _end(machine: Machine, reply: Reply) -> None:
    if not reply.ended:
        reply.ended = True
        ask_ids = () if machine.calls.batches.goes_on(reply) else reply.ask_ids
        machine.end_turn(reply.status, ask_ids, reply)


def _heard_out(machine: Machine, reply: Reply) -> bool:
    for item in machine.ledger.items.values():
        if item.response_id == reply.response_id:
            for part in item.parts.values():
                if not part.played_out:
                    return False
    return True


def _cut_short(machine: Machine, reply: Reply) -> bool:
    """Heard to the end of what came, and that is less than the service may remember."""
    items = [
        item for item in machine.ledger.items.values() if item.response_id == reply.response_id
    ]
    if not reply.default or machine.buffer.owned:
        # Where the service owns the queue, it keeps what left it.
        return False
    if any(part.clipped for item in items for part in item.parts.values()):
        return True
    # Of an item that was only read there is nothing to cut.
    spoken = (item for item in items if item.parts or not item.shown)
    return reply.status == "cancelled" and not all(item.completed for item in spoken)


def _tell_heard(machine: Machine, reply: Reply) -> None:
    """The words of a spoken part are final when it was heard to its end."""
    if reply.cut_id is not None:
        return
    for item in machine.ledger.items.values():
        if item.response_id != reply.response_id or not item.over:
            continue
        for index, part in item.parts.items():
            if not part.told and part.played_out:
                part.told = True
                text = item.texts.get(index, "")
                machine.desk.notify(Transcript("assistant", item.item_id, text, True, index))


def _forget(machine: Machine, reply: Reply) -> None:
    del machine.responses.replies[reply.response_id]
    for item in [
        item for item in machine.ledger.items.values() if item.response_id == reply.response_id
    ]:
        machine.ledger.forget(item)
    while len(machine.ended) >= ENDED_LIMIT:
        del machine.ended[next(iter(machine.ended))]
    machine.ended[reply.response_id] = None


def _ask_for_responses(machine: Machine) -> None:
    responses = machine.responses
    owes = machine.calls.batches.owes
    refused = bool(responses.turns) and responses.turns[-1].refused
    if refused and _floor_is_free(machine) and not responses.held:
        turns, responses.turns = responses.turns, []
        if turns[-1].cut_id is None:
            responses.held.append(Create(machine.desk.new_id("create"), None, [], plain=True))
    if owes and not responses.held and not responses.turns and _floor_is_free(machine):
        responses.held.append(machine.calls.batches.create())
    free = (
        machine.connected
        and not machine.desk.outbox.blocked
        and not machine.listening.turn_is_due
        and not machine.cuts.undecided
        and (not responses.turns or refused)
    )
    while (create := responses.next_to_send(free=free)) is not None:
        responses.held.remove(create)
        machine.requests.send_create(create)


def _floor_is_free(machine: Machine) -> bool:
    return (
        not machine.listening.turn_is_due
        and not machine.cuts.undecided
        and machine.responses.open_default is None
        and not machine.responses.asking
        and not machine.ledger.sounding
        and not machine.buffer.sounding
    )


def _tell_floor(machine: Machine) -> None:
    floor: Floor = "nobody"
    if machine.listening.user_speaks:
        floor = "user"
    elif machine.buffer.sounds_elsewhere:
        floor = "assistant"
    else:
        for part in machine.ledger.utterances.values():
            if part.heard_samples and not part.cut and not part.played_out:
                floor = "assistant"
                break
    if floor != machine.floor:
        machine.floor = floor
        machine.desk.notify(FloorChanged(floor))
