"""Whose fault a refusal is, judged with what the world knows.

1. *ours*: the client could have avoided it with what it had received, its own messages and its
   settings. Settings are knowledge: under `interrupt_response` a `speech_started` says that the
   response is over.
2. *crossing*: a message of the server that was under way when the client sent made the sending
   wrong, and nothing that had arrived told of it.
3. *application*: it sent by itself what may fail, an item behind one that a cut deletes.
4. *theirs*: the server's undisclosed state, at its first refusal. Once that has arrived it is
   known, and the next one is ours.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from bargein import events
from bargein.deadlines import Timer
from bargein.sim.actors.service import REFUSED_CODE
from bargein.sim.invariants.facts import NEVER, Facts, Refused, Reply, Sent

Blame: TypeAlias = Literal["ours", "crossing", "theirs", "automatic", "application"]
"""*automatic*: the server refused its own automatic response; nobody sent anything wrong."""

_OPTIONAL = (
    events.ConversationItemTruncate,
    events.ConversationItemDelete,
    events.ResponseCancel,
)
"""What some servers do not do."""


def blame(facts: Facts, refused: Refused) -> Blame:
    """Judge one error of the server."""
    code = refused.event.error.code
    sent = refused.sent
    if sent is None:
        return "automatic" if code == "conversation_already_has_active_response" else "theirs"
    if code == REFUSED_CODE and isinstance(sent.event, _OPTIONAL):
        return _undisclosed(facts, refused, sent)
    match sent.event:
        case events.ResponseCancel(response_id=str(response_id)):
            return _cancel(facts, sent, response_id)
        case events.ResponseCreate() if code == "conversation_already_has_active_response":
            return _create(facts, refused, sent)
        case events.ConversationItemTruncate() if code == "invalid_value":
            if facts.options.lengths_grid_ms == 1:
                return "ours"
            return _undisclosed(facts, refused, sent)
        case events.ConversationItemCreate(item=events.McpApprovalResponseItem() as answer):
            return _consent(facts, sent, answer.approval_request_id)
        case events.ConversationItemCreate(item=item, previous_item_id=str(previous)):
            # What was said may be gone by then, by a cut: it knows that, an edit has to.
            by_itself = item.id in facts.placed and previous in facts.owners
            return "application" if by_itself else "ours"
        case events.ConversationItemCreate(item=events.FunctionCallOutputItem(call_id=call_id)):
            # It has deleted the call by name, and answers it.
            by_itself = call_id in facts.answering and call_id in facts.edited_calls
            return "application" if by_itself else "ours"
        case _:
            return "ours"


def _consent(facts: Facts, sent: Sent, request_id: str) -> Blame:
    """A crossing if the call had ended, and the client could not know."""
    item_id = facts.approved_items.get(request_id, "")
    done, reply = facts.items_done.get(item_id), facts.replies.get(facts.owners.get(item_id, ""))
    if done is None or reply is None or done.number < sent.seen:
        return "ours"
    # What it has cancelled it takes for over, until no end has come in time.
    waits = sent.time_us - reply.cancel_us < Timer.RESPONSE_OVER.lasts_us
    cancelled = facts.options.obeys_cancel and reply.cancel_place < sent.place and waits
    known = cancelled or reply.vad_closed < sent.seen
    return "ours" if known else "crossing"


def _cancel(facts: Facts, sent: Sent, response_id: str) -> Blame:
    reply = facts.replies.get(response_id)
    if reply is None or reply.done == NEVER or reply.done < sent.seen:
        return "ours"
    if reply.vad_closed < sent.seen:
        return "ours"
    return "ours" if reply.cancel_place < sent.place else "crossing"


def _create(facts: Facts, refused: Refused, sent: Sent) -> Blame:
    """A crossing if the response in the way was unknown, not asked for and not to be expected."""
    for reply in facts.replies.values():
        if reply.in_band and reply.created < refused.number < reply.done:
            # Under `create_response` the end of the user's turn says that a reply will come.
            ended = reply.stopped is not None and reply.stopped < sent.seen
            expected = ended and facts.known_to_create(sent.seen)
            avoidable = reply.created < sent.seen or _is_waited_for(reply, sent) or expected
            avoidable = avoidable or _was_told(facts, reply, sent)
            return "ours" if avoidable else "crossing"
    return "ours"


def _is_waited_for(reply: Reply, sent: Sent) -> bool:
    """It was asked for, and not so long ago that it has to be taken for lost."""
    asked = reply.asked
    return asked is not None and sent.time_us - asked.time_us < Timer.CREATED.lasts_us


def _was_told(facts: Facts, reply: Reply, sent: Sent) -> bool:
    """A create was refused for the sake of this response already, and the refusal had come."""
    return any(
        reply.created < earlier.number < sent.seen
        and earlier.sent is not None
        and isinstance(earlier.sent.event, events.ResponseCreate)
        for earlier in facts.refused
    )


def _undisclosed(facts: Facts, refused: Refused, sent: Sent) -> Blame:
    """The server does not do this, or not so finely: known if it was told, or refused before."""
    if facts.options.declared:
        return "ours"
    for earlier in facts.refused:
        if earlier.sent is None or earlier.number >= sent.seen:
            continue
        same_code = earlier.event.error.code == refused.event.error.code
        if same_code and type(earlier.sent.event) is type(sent.event):
            return "ours"
    return "theirs"
