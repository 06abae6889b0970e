"""A response, from `created` to `done`.

1. What is about a response that is over is ignored; what is about one whose beginning we never saw
   begins it: other vendors leave events out (protocol.md §8).
2. Nothing of a cut response is shown or played.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bargein import events
from bargein.core.listening import format_of
from bargein.core.notices import Pruned, Transcript, TurnStarted, UsageReported
from bargein.core.responses import Reply
from bargein.core.usage import usage_of
from bargein.core.utterances import SpokenItem
from bargein.deadlines import Timer
from bargein.units import AudioFormat

if TYPE_CHECKING:
    from bargein.core.machine import Machine


def created(machine: Machine, event: events.ResponseCreated) -> None:
    """A response began: what does it answer, and was that cut before?"""
    response = event.response
    if response.id in machine.ended or response.id in machine.responses.replies:
        return
    responses = machine.responses
    create = responses.answered_by(response, default=response.conversation_id is not None)
    if create is not None:
        machine.desk.deadlines.stop(Timer.CREATED, create.key)
        asked = machine.faults.oldest(events.ResponseCreate, create.key)
        if asked is not None:
            machine.faults.forget(asked)
    reply = responses.begun(
        response, _format_of(machine, response), machine.conversation.coming_ids
    )
    if reply.default:
        machine.desk.deadlines.stop(Timer.TURN_ANSWERED, "")
    if reply.default and reply.cut_id is None:
        reply.ask_ids += machine.calls.batches.created(machine.conversation.coming_ids)
    if reply.default and (create is None or create.plain):
        reply.told = machine.pruning.begun(machine.conversation.ids)
    was_cut = reply.cut_id is not None
    if not was_cut and machine.leaving is not None:
        # Nobody will hear it: the service is not left with words that were never said. Before it is
        # told of, since what sounds beside it may have to be stopped, and the stop comes first.
        machine.cut("leave")
    machine.desk.notify(TurnStarted("assistant", None, reply.response_id, reply.ask_ids))
    if was_cut:
        machine.cuts.born(reply)
    elif reply.given_up and machine.leaving is None:
        machine.give_up(reply)
    if machine.spending is not None and create is None:
        machine.spending.born()


def _format_of(machine: Machine, response: events.Response | None) -> AudioFormat:
    session = machine.effective
    default = format_of(_output_format(session.audio), AudioFormat.PCM)
    return format_of(_output_format(response.audio), default) if response else default


def _reply(machine: Machine, response_id: str) -> Reply | None:
    reply = machine.responses.replies.get(response_id)
    if reply is None and response_id not in machine.ended:
        reply = machine.responses.unknown(response_id, _format_of(machine, None))
        machine.desk.notify(TurnStarted("assistant", None, response_id))
    return reply


def output_item_added(machine: Machine, event: events.ResponseOutputItemAdded) -> None:
    """An item of the response began."""
    reply = _reply(machine, event.response_id)
    item_id = event.item.id
    machine.calls.hosted.begun(event.item, event.response_id)
    message = isinstance(event.item, events.MessageItem)
    if reply is not None and isinstance(item_id, str) and message:
        _spoken(machine, reply, item_id)


def _spoken(machine: Machine, reply: Reply, item_id: str) -> SpokenItem:
    new = item_id not in machine.ledger.items
    item = machine.ledger.item(reply.response_id, item_id, in_conversation=reply.default)
    if new:
        item.held = item_id in machine.conversation
        machine.cuts.saw(item, reply)
    return item


def output_item_done(machine: Machine, event: events.ResponseOutputItemDone) -> None:
    """An item of the response is whole."""
    item_id = event.item.id
    if isinstance(item_id, str):
        machine.conversation.done(item_id, event.item)
        item_over(machine, item_id, event.item)
    reply = machine.responses.replies.get(event.response_id)
    _called(machine, event.item, event.response_id, reply)


def _called(machine: Machine, item: events.Item, response_id: str, reply: Reply | None) -> None:
    machine.calls.seen(item, response_id, reply)
    machine.calls.hosted.requested(item, response_id)
    machine.calls.hosted.ended(item, response_id)


def remote_arguments_done(machine: Machine, event: events.ResponseMcpCallArgumentsDone) -> None:
    """The arguments of a call that the service makes are whole."""
    machine.calls.hosted.has_arguments(event.item_id, event.arguments)


def item_over(machine: Machine, item_id: str, item: events.Item) -> None:
    """Nothing more of the item will come."""
    spoken = machine.ledger.items.get(item_id)
    if spoken is None:
        return
    spoken.over = True
    spoken.completed = getattr(item, "status", None) == "completed"
    for utterance in spoken.parts.values():
        utterance.made()


def content_part_added(machine: Machine, event: events.ResponseContentPartAdded) -> None:
    """A part of the item began."""
    reply = _reply(machine, event.response_id)
    if reply is not None:
        item = _spoken(machine, reply, event.item_id)
        if isinstance(event.part, events.AudioPart | events.OutputAudio):
            machine.buffer.expects(reply, item, event.content_index)


def content_part_done(machine: Machine, event: events.ResponseContentPartDone) -> None:
    """The part is whole."""
    _audio_over(machine, event.item_id, event.content_index)


def audio_delta(machine: Machine, event: events.ResponseOutputAudioDelta) -> None:
    """Sound of a part."""
    reply = _reply(machine, event.response_id)
    if reply is None or machine.buffer.owned:
        # Where the service owns playback, what is to be heard comes as media.
        return
    item = _spoken(machine, reply, event.item_id)
    machine.meter.spoke(len(event.delta), reply.audio_format)
    _unheard(machine, reply, item, event.content_index)
    if not machine.conversation.announced and reply.default:
        # A server that never says `added` holds what it speaks.
        item.held = True
    machine.ledger.arrived(
        item,
        event.content_index,
        event.delta,
        reply.audio_format,
        cut=reply.cut_id is not None,
    )


def audio_done(machine: Machine, event: events.ResponseOutputAudioDone) -> None:
    """No more sound of the part will come."""
    _audio_over(machine, event.item_id, event.content_index)


def _audio_over(machine: Machine, item_id: str, content_index: int) -> None:
    item = machine.ledger.items.get(item_id)
    utterance = item.parts.get(content_index) if item is not None else None
    if utterance is not None and not utterance.paced:
        utterance.audio_over = True
        machine.conversation.sounded(item_id, content_index, "output_audio", utterance.received_ms)


def transcript_delta(machine: Machine, event: events.ResponseOutputAudioTranscriptDelta) -> None:
    """Words of a spoken part."""
    reply = _reply(machine, event.response_id)
    if reply is None:
        return
    item = _spoken(machine, reply, event.item_id)
    index = event.content_index
    item.texts[index] = item.texts.get(index, "") + event.delta
    _unheard(machine, reply, item, index)
    machine.buffer.expects(reply, item, index)
    _assistant_text(machine, reply, event.item_id, index, "output_audio", event.delta, final=False)


def transcript_done(machine: Machine, event: events.ResponseOutputAudioTranscriptDone) -> None:
    """All words of a spoken part."""
    reply = _reply(machine, event.response_id)
    if reply is None:
        return
    item = _spoken(machine, reply, event.item_id)
    item.texts[event.content_index] = event.transcript
    _unheard(machine, reply, item, event.content_index)
    machine.buffer.expects(reply, item, event.content_index)
    # Final for the application when it was heard, not when it was made.
    machine.conversation.heard_text(
        event.item_id, event.content_index, "output_audio", event.transcript, final=True
    )


def _unheard(machine: Machine, reply: Reply, item: SpokenItem, index: int) -> None:
    """A part of a cut response that has no sound yet: what it says is never heard (rule 11)."""
    if reply.cut_id is not None and index not in item.parts:
        machine.conversation.unheard(item.item_id, index)


def text_delta(machine: Machine, event: events.ResponseOutputTextDelta) -> None:
    """Text of a written part."""
    reply = _reply(machine, event.response_id)
    if reply is None:
        return
    item = _spoken(machine, reply, event.item_id)
    item.shown = item.shown or (bool(event.delta) and reply.cut_id is None)
    _assistant_text(
        machine, reply, event.item_id, event.content_index, "output_text", event.delta, final=False
    )


def text_done(machine: Machine, event: events.ResponseOutputTextDone) -> None:
    """All text of a written part."""
    reply = _reply(machine, event.response_id)
    if reply is None:
        return
    item = _spoken(machine, reply, event.item_id)
    item.shown = item.shown or (bool(event.text) and reply.cut_id is None)
    _assistant_text(
        machine, reply, event.item_id, event.content_index, "output_text", event.text, final=True
    )


def _assistant_text(
    machine: Machine, reply: Reply, item_id: str, index: int, kind: str, text: str, *, final: bool
) -> None:
    if not final:
        reply.texts.append(text)
    machine.conversation.heard_text(item_id, index, kind, text, final=final)
    if reply.cut_id is None:
        machine.desk.notify(Transcript("assistant", item_id, text, final, index))


def done(machine: Machine, event: events.ResponseDone) -> None:
    """The response is over."""
    response = event.response
    reply = _reply(machine, response.id)
    if reply is None or reply.done:
        # It was waited for long enough, and it cost what it cost.
        _count(machine, event)
        return
    for output in response.output:
        item_id = output.id
        if isinstance(item_id, str):
            machine.conversation.done(item_id, output)
            item_over(machine, item_id, output)
        _called(machine, output, response.id, reply)
    _cancel_answered(machine, response)
    machine.finish(reply, response.status or "completed")
    if reply.default and reply.status == "completed":
        machine.calls.ended_well()
    machine.calls.hosted.over(reply, by_service=True)
    _count(machine, event)
    _left_out(machine, reply, event)
    details = response.status_details
    error = details.error if isinstance(details, events.StatusDetails) else None
    if isinstance(error, events.StatusError):
        code = error.code if isinstance(error.code, str) else None
        message = error.message if isinstance(error.message, str) else "the response failed"
        machine.fault("theirs", code, message, about="response")


def _count(machine: Machine, event: events.ResponseDone) -> None:
    response_id, usage = event.response.id, usage_of(event)
    if usage is not None and machine.meter.responded(response_id, usage):
        machine.desk.notify(UsageReported(response_id, usage))


def _left_out(machine: Machine, reply: Reply, event: events.ResponseDone) -> None:
    usage = usage_of(event)
    if reply.told is None or usage is None or not isinstance(usage.input_tokens, int):
        return
    items = machine.conversation.items if machine.pruning.shrinks(usage.input_tokens) else ()
    found = machine.pruning.measured(reply.told, usage.input_tokens, items)
    if found is not None:
        machine.conversation.leave_out(found.item_ids)
        machine.desk.notify(Pruned("left_out", found.item_ids, found.tokens))


def _cancel_answered(machine: Machine, response: events.Response) -> None:
    """`response.done` is a cancel's answer; where it is not of our making, a refusal comes too.

    That one is absorbed whenever it comes: a link can stall for longer than any of our waits. A
    service that cannot cancel may have ended the response by itself, in these words: a refusal
    that comes after it still teaches.
    """
    cancel = machine.faults.oldest(events.ResponseCancel, response.id)
    if cancel is None:
        return
    details = response.status_details
    if isinstance(details, events.StatusDetails) and details.reason == "client_cancelled":
        cancel.overdue = True


def _output_format(audio: object) -> object:
    return getattr(getattr(audio, "output", None), "format", None)
