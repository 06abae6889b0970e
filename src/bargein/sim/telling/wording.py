"""What happened, in the few words that a story needs.

1. An id is as long as it takes to tell it from the others: `r1` is a response, `A` an item, `A[0]`
   its part with content index 0, `cut1` a cut, `call1` a function call. The names are given in the
   order of the telling.
2. What says nothing that another row does not say better has no words at all: None.
3. The wire's own names are used for what is on the wire, `conversation.` left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec import UNSET

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.inputs import Heard
from bargein.units import AudioFormat

_LETTERED = ("item", "msg")
_NAMED = {"resp": "r", "cut": "cut", "call": "call"}
_SILENT = (
    events.ConversationCreated,
    events.ConversationItemAdded,
    events.ConversationItemCreated,
    events.ConversationItemDone,
    events.InputAudioBufferAppend,
    events.InputAudioBufferClear,
    events.InputAudioBufferCleared,
    events.InputAudioBufferCommitted,
    events.RateLimitsUpdated,
    events.ResponseContentPartAdded,
    events.ResponseContentPartDone,
    events.ResponseFunctionCallArgumentsDelta,
    events.ResponseFunctionCallArgumentsDone,
    events.ResponseOutputAudioTranscriptDelta,
    events.ResponseOutputAudioTranscriptDone,
    events.ResponseOutputItemAdded,
    events.ResponseOutputTextDone,
    events.SessionCreated,
)
"""Steps of the ladder that its other steps imply, and what fills the page."""
_SPEAKING = ("conversation_already_has_active_response", "response_cancel_not_active")
"""Codes of errors that say what their message says."""


class Wording:
    """The words of one story. `sound_format` is that of the replies."""

    def __init__(self, sound_format: AudioFormat) -> None:
        self._format = sound_format
        self._names: dict[str, str] = {}
        self._count: Counter[str] = Counter()
        self._placed: set[str] = set()

    # -- on the wire -------------------------------------------------------------------------

    def event(self, event: object) -> str | None:
        """An event of either side."""
        if isinstance(event, _SILENT):
            return None
        match event:
            case events.Error(error=body):
                if body.code in _SPEAKING:
                    return f"error {body.code}"
                return f"error {body.code}: {self.shortened(body.message)}"
            case events.ResponseCreated(response=response):
                aside = "" if response.conversation_id else " (out of band)"
                return f"response.created {self.id(response.id)}{aside}"
            case events.ResponseDone(response=response):
                told = f"response.done {self.id(response.id)}: {response.status}"
                return told + self._not_named(response.output)
            case events.ResponseOutputAudioDone():
                return f"output_audio.done {self.part(event.item_id, event.content_index)}"
            case events.ResponseOutputItemDone(item=item):
                return self._item_done(item)
            case events.ConversationItemTruncate() | events.ConversationItemTruncated():
                part = self.part(event.item_id, event.content_index)
                return f"{_brief(event)} {part} to {event.audio_end_ms} ms"
            case events.ConversationItemCreate(item=item):
                return f"item.create {self._item(item)}".rstrip()
            case events.ResponseCreate(response=params):
                return "response.create" + _aside(params)
            case _ if isinstance(event, events.Shape | events.Unknown):
                return self._by_fields(event)
            case _:
                return self.shortened(repr(event))

    def sound(self, event: events.ResponseOutputAudioDelta) -> str:
        """Whose sound it is: its response is named the first time."""
        part = self.part(event.item_id, event.content_index)
        if part in self._placed:
            return part
        self._placed.add(part)
        return f"{part} ({self.id(event.response_id)})"

    def _by_fields(self, event: events.Shape | events.Unknown) -> str:
        names = [getattr(event, name, UNSET) for name in ("response_id", "item_id")]
        shown = [self.id(name) for name in names if isinstance(name, str)]
        return " ".join([_brief(event), *shown])

    def _not_named(self, output: object) -> str:
        """The items of a response of which nothing was told."""
        items = output if isinstance(output, tuple) else ()
        messages = [str(item.id) for item in items if isinstance(item, events.MessageItem)]
        new = [self.id(item_id) for item_id in messages if item_id not in self._names]
        return f", with {', '.join(new)}" if new else ""

    def _item_done(self, item: object) -> str:
        if isinstance(item, events.FunctionCallItem):
            return f"function call {self.id(str(item.call_id))} ({item.name})"
        if isinstance(item, events.MessageItem):
            return f"item {self.id(str(item.id))} {item.status}"
        return f"item {type(item).__name__}"

    def _item(self, item: object) -> str:
        if isinstance(item, events.FunctionCallOutputItem):
            return f"(output of {self.id(item.call_id)})"
        item_id = getattr(item, "id", UNSET)
        return self.id(item_id) if isinstance(item_id, str) else ""

    # -- on the client's side ----------------------------------------------------------------

    def ask(self, asked: inputs.Asked) -> str:
        """What the application asks for."""
        match asked.ask:
            case asks.Say(text=text, reply=reply):
                return f'types "{text}"' + ("" if reply else " and wants no reply")
            case asks.Respond(params=params):
                return "asks for a reply" + _aside(params)
            case asks.Interrupt():
                return "interrupts"
            case asks.CancelReply(reply_ask_id=ask_id):
                return f"cancels the reply of ask {ask_id}"
            case asks.Press():
                return "presses the button"
            case asks.Release():
                return "releases the button"
            case asks.Mute(muted=muted):
                return "mutes the microphone" if muted else "opens the microphone"
            case asks.Update(session=session):
                return f"updates the session: {_turns(session)}"
            case asks.SendEvent(event=event):
                return f"sends {self.event(event)}"
            case asks.Edit(wish=wish, delete=delete):
                return "edits: " + self._wish(wish, delete)
            case asks.Hold() | asks.Resume() | asks.Leave():
                return {"Hold": "pauses", "Resume": "resumes"}.get(
                    type(asked.ask).__name__, "leaves"
                )

    def _wish(self, wish: tuple[events.Item, ...], delete: tuple[str, ...]) -> str:
        """The items that are wished, `new` for what is described, and what is to be deleted."""
        wished = [
            self.id(str(item.id)) if isinstance(item, events.ItemReference) else "new"
            for item in wish
        ]
        named = ", without " + " ".join(map(self.id, delete)) if delete else ""
        return f"[{' '.join(wished)}]{named}"

    def command(self, command: object) -> str | None:
        """What the client does besides sending."""
        match command:
            case commands.StopPlayback(cut_id=cut_id):
                return f"stops the card ({self.id(cut_id)})"
            case commands.HoldPlayback(cut_id=cut_id):
                return f"holds the card ({self.id(cut_id)})"
            case commands.ResumePlayback():
                return "lets the card go on"
            case commands.Close():
                return "closes the pipe"
            case commands.Answer(ask_id=ask_id, error=str(error), kind=kind):
                return f"ask {ask_id} fails ({kind}): {self.shortened(error)}"
            case commands.Notify(notice=notice):
                return self._notice(notice)
            case _:
                return None

    def _notice(self, notice: object) -> str | None:
        match notice:
            case notices.InterruptionSettled(cut_id=cut_id, heard_ms=heard_ms, kept_ms=kept_ms):
                if not notice.parts:
                    return None
                kept = "unknown" if kept_ms is None else f"{kept_ms} ms"
                name = self.id(cut_id)
                return f"settles {name}: heard {heard_ms} ms, kept {kept} ({notice.exactness})"
            case notices.ToolCalled(call_id=call_id):
                return f"tells of {self.id(call_id)}"
            case notices.Dropped(what=what, count=count):
                return f"drops {count} of {what}"
            case notices.Raw(event_type=event_type):
                return f"passes on {event_type}"
            case _:
                return None

    def heard(self, counts: Iterable[Heard]) -> str:
        """The card's counts."""
        told = [
            f"{self.part(count.part.item_id, count.part.content_index)} {self.ms(count.samples)}"
            for count in counts
        ]
        return ", ".join(told)

    # -- names and lengths -------------------------------------------------------------------

    def ms(self, samples: int) -> str:
        """A length of the replies' sound."""
        return f"{samples * 1_000 / self._format.rate:.2f} ms"

    def samples(self, wire: bytes) -> int:
        """The samples in a delta."""
        return self._format.samples(len(wire))

    def part(self, item_id: str, content_index: int) -> str:
        """`A[0]`."""
        return f"{self.id(item_id)}[{content_index}]"

    def id(self, wire_id: str) -> str:
        """`item_…` becomes A, B, …; `resp_…` becomes r1, r2, …; an id of another kind stays."""
        name = self._names.get(wire_id)
        if name is None:
            prefix = wire_id.partition("_")[0]
            count = self._count[prefix]
            self._count[prefix] += 1
            if prefix in _LETTERED:
                name = chr(ord("A") + count % 26) + str(count // 26 or "")
            elif prefix in _NAMED:
                name = f"{_NAMED[prefix]}{count + 1}"
            else:
                name = wire_id
            self._names[wire_id] = name
        return name

    def shortened(self, text: str) -> str:
        """The text with the ids that were named by now."""
        for wire_id, name in self._names.items():
            text = text.replace(wire_id, name)
        return text


def _brief(event: events.Shape | events.Unknown) -> str:
    """The wire's name; the conversation is what most of them are about."""
    return events.type_of(event).removeprefix("conversation.")


def _aside(params: object) -> str:
    outside = isinstance(params, events.ResponseParams) and params.conversation == "none"
    return " (out of band)" if outside else ""


def _turns(session: events.Session) -> str:
    audio = session.audio
    given = audio.input if isinstance(audio, events.AudioConfig) else UNSET
    turns = given.turn_detection if isinstance(given, events.AudioInputConfig) else UNSET
    if not isinstance(turns, events.ServerVad | events.SemanticVad):
        return "turns by the button" if turns is None else "other settings"
    flags = ("interrupt_response", "create_response")
    return ", ".join(f"{name} {str(getattr(turns, name)).lower()}" for name in flags)
