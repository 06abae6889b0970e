"""What time brings: every wait that came to its end, and what is done about it (`deadlines.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from bargein.core.responses import UNSEEN
from bargein.deadlines import Timer

if TYPE_CHECKING:
    from bargein.core.machine import Machine


ANSWERS = (
    Timer.SETTLEMENT,
    Timer.CREATED,
    Timer.ACKNOWLEDGED,
    Timer.RESPONSE_OVER,
    Timer.EDIT,
    Timer.MICROPHONE,
)
"""Waits for the service's answer to something that was sent, or is to be sent."""


def tick(machine: Machine) -> None:
    desk = machine.desk
    if machine.spending is not None:
        machine.spending.tick()
    for timer, key in desk.deadlines.expired(desk.now_us):
        if timer in ANSWERS and desk.outbox.blocked:
            # It may not have left yet. How long a socket may take nothing is for the pipe to say.
            desk.deadlines.arm(timer, key, desk.now_us)
            continue
        match timer:
            case Timer.STOP_ANSWER:
                machine.held(key)
                machine.cuts.overdue(key)
            case Timer.CLEARED:
                machine.buffer.not_cleared(key)
            case Timer.SOUND_OVER:
                machine.buffer.overdue(key)
            case Timer.ITEM_OVER:
                machine.cuts.item_overdue(key)
            case Timer.SETTLEMENT:
                _unsettled(machine, key)
            case Timer.RESPONSE_OVER:
                _response_overdue(machine, key)
            case Timer.CREATED:
                _never_created(machine, key)
            case Timer.TURN_ANSWERED if key == UNSEEN:
                machine.responses.unseen_active = False
            case Timer.TURN_ANSWERED:
                machine.listening.speech_items.clear()
                for turn in machine.responses.turns:
                    turn.refused = True
            case Timer.ACKNOWLEDGED:
                _unacknowledged(machine, key)
            case Timer.SESSION:
                machine.fault("theirs", None, "the service did not begin the session in time")
                machine.close("no session")
            case Timer.EDIT:
                machine.edits.overdue(key)
            case Timer.TOOL:
                machine.calls.overdue(key)
            case Timer.BUDGET:
                if machine.spending is not None:
                    machine.spending.overdue(key)
            case Timer.MICROPHONE:
                machine.button.open()
            case Timer.SAID:
                machine.button.said()
            case Timer.LEAVE:
                machine.leave()
            case _:
                assert_never(timer)


def _unsettled(machine: Machine, event_id: str) -> None:
    memory = next((sent for sent in machine.faults.open if sent.event_id == event_id), None)
    if memory is None:
        return
    memory.overdue = True
    found = machine.cuts.find(memory)
    # What the application deleted may be in no cut yet, and a later one must find it answered.
    item = machine.ledger.items.get(memory.key) if found is None else found[1]
    if item is not None:
        machine.settlement.unconfirmed(memory, item)
    machine.edits.unanswered(memory)


def _response_overdue(machine: Machine, response_id: str) -> None:
    reply = machine.responses.replies.get(response_id)
    if reply is not None and not reply.done:
        machine.finish(reply, "cancelled")
        machine.calls.hosted.over(reply, by_service=False)


def _never_created(machine: Machine, key: str) -> None:
    for create in list(machine.responses.sent):
        if create.key == key:
            machine.responses.sent.remove(create)
            machine.end_turn("unanswered", tuple(create.ask_ids))
            machine.fault("theirs", None, "no response.created came", about="response.create")


def _unacknowledged(machine: Machine, event_id: str) -> None:
    memory = next((sent for sent in machine.faults.open if sent.event_id == event_id), None)
    if memory is not None:
        machine.faults.forget(memory)
        machine.desk.fail(memory.ask_id, "the service did not answer in time", "late")
        machine.edits.unanswered(memory)
