"""The conversation, item by item, and the answers to what we did to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bargein import events
from bargein.core.faults import Sent
from bargein.core.notices import Pruned
from bargein.core.received.responses import item_over
from bargein.deadlines import Timer

if TYPE_CHECKING:
    from bargein.core.machine import Machine


def added(
    machine: Machine, event: events.ConversationItemAdded | events.ConversationItemCreated
) -> None:
    """The service holds the item."""
    item_id = event.item.id
    if not isinstance(item_id, str):
        return
    machine.conversation.added(item_id, event.item, event.previous_item_id)
    if not machine.conversation.is_last(item_id):
        machine.pruning.placed_before_the_end()
    memory = machine.faults.oldest(events.ConversationItemCreate, item_id)
    memory = memory or _nameless(machine, event.item)
    if memory is not None:
        machine.faults.forget(memory)
        machine.desk.deadlines.stop(Timer.ACKNOWLEDGED, memory.event_id)
    spoken = machine.ledger.items.get(item_id)
    if spoken is not None:
        spoken.held = True
    if memory is not None:
        machine.edits.answered(memory)


def _nameless(machine: Machine, item: events.Item) -> Sent | None:
    """The oldest create of the application's own whose item had no id and is of that kind: a
    call's output is known by its call."""
    for sent in machine.faults.open:
        create = sent.event
        if isinstance(create, events.ConversationItemCreate) and not sent.key:
            same_call = getattr(create.item, "call_id", None) == getattr(item, "call_id", None)
            if type(create.item) is type(item) and same_call:
                return sent
    return None


def done(machine: Machine, event: events.ConversationItemDone) -> None:
    """The item is whole."""
    item_id = event.item.id
    if isinstance(item_id, str):
        machine.conversation.done(item_id, event.item)
        item_over(machine, item_id, event.item)
        machine.calls.hosted.requested(event.item)
        machine.calls.hosted.ended(event.item)


def not_listed(machine: Machine, event: events.McpListToolsFailed) -> None:
    """The service could not have the tools of an MCP server: the model cannot call them."""
    label = machine.conversation.server_label_of(event.item_id)
    message = f"the tools of the MCP server {label!r} could not be listed"
    machine.fault("theirs", "mcp_list_tools_failed", message, about="session.update")


def retrieved(machine: Machine, event: events.ConversationItemRetrieved) -> None:
    """The item, as the service has it."""
    item_id = event.item.id
    if isinstance(item_id, str):
        machine.conversation.done(item_id, event.item)
        memory = machine.faults.oldest(events.ConversationItemRetrieve, item_id)
        if memory is not None:
            machine.faults.forget(memory)


def truncated(machine: Machine, event: events.ConversationItemTruncated) -> None:
    """The service keeps so much of the part."""
    machine.pruning.changed(event.item_id)
    if machine.buffer.owned:
        machine.buffer.truncated(event)
        return
    machine.conversation.truncated(event.item_id, event.content_index, event.audio_end_ms)
    for memory in machine.faults.open:
        request = memory.event
        if (
            isinstance(request, events.ConversationItemTruncate)
            and request.item_id == event.item_id
            and request.content_index == event.content_index
            and request.audio_end_ms == event.audio_end_ms
        ):
            machine.settlement.closed(memory)
            found = machine.cuts.find(memory)
            if found is not None and memory.part is not None:
                utterance = found[1].parts[memory.part.content_index]
                machine.settlement.truncated(utterance, event.audio_end_ms)
            return


def deleted(machine: Machine, event: events.ConversationItemDeleted) -> None:
    """The service holds the item no more."""
    memory = machine.faults.oldest(events.ConversationItemDelete, event.item_id)
    if memory is not None:
        machine.settlement.closed(memory)
    unasked = memory is None and event.item_id in machine.conversation
    gone(machine, event.item_id)
    if unasked:
        machine.desk.notify(Pruned("deleted", (event.item_id,)))
    if memory is not None:
        machine.edits.answered(memory)


def gone(machine: Machine, item_id: str) -> None:
    """The service holds the item no more."""
    machine.conversation.deleted(item_id)
    machine.pruning.changed(item_id)
    for cut in (*machine.cuts.open, *machine.cuts.settled):
        for item in cut.items:
            if item.item_id == item_id:
                machine.settlement.deleted(item)
    spoken = machine.ledger.items.get(item_id)
    if spoken is not None:
        # A later cut may take it in, and must find it answered.
        machine.settlement.deleted(spoken)
