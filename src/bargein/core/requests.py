"""What the application asks for. A request that the protocol forbids is refused here, before
anything is sent.

1. Each ask is answered once. `say` and `respond` are answered when they are accepted; what becomes
   of the reply is told by `TurnStarted` and `TurnEnded`, which name the ask.
2. What the application sends by itself keeps our rules of order: a create is held, a bare cancel
   becomes a cut with the response's id, a truncate or delete of its own is passed on and is its own
   business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, assert_never

from bargein import events
from bargein.core import asks
from bargein.core.commands import HoldPlayback, MuteMicrophone, ResumePlayback
from bargein.core.faults import Sent
from bargein.core.responses import Create
from bargein.core.wishes import New
from bargein.deadlines import Timer

if TYPE_CHECKING:
    from bargein.core.machine import Machine

Event = TypeVar("Event", bound=events.ClientEvent)


@dataclass(frozen=True, slots=True)
class Leaving:
    """The session is to end when what was cut is settled; `ask_id` waits for it."""

    ask_id: int | None
    reason: str = ""


class Requests:
    """The handlers of the application's asks."""

    __slots__ = ("_desk", "_m")

    def __init__(self, machine: Machine) -> None:
        self._m = machine
        self._desk = machine.desk

    def handle(self, ask_id: int, ask: asks.Ask) -> None:
        """One ask."""
        if self._m.ending and not isinstance(ask, asks.Leave):
            self._desk.fail(ask_id, "the session has ended", "lost")
            return
        spending = self._m.spending
        if spending is not None and spending.refuses(ask):
            self._desk.fail(ask_id, f"{spending.reason}, and the session is ending", "local")
            return
        match ask:
            case asks.Say():
                self._say(ask_id, ask)
            case asks.Respond():
                self._respond(ask_id, ask.params)
            case asks.Interrupt():
                if self._m.cut("interrupt", ask_id=ask_id) is None:
                    self._desk.answer(ask_id)
            case asks.CancelReply():
                self._cancel_reply(ask_id, ask.reply_ask_id)
            case asks.Press():
                self._m.button.press(ask_id)
            case asks.Release():
                self._m.button.release(ask_id)
            case asks.Hold():
                self._hold(ask_id)
            case asks.Resume():
                self._resume(ask_id)
            case asks.Mute():
                self._desk.do(MuteMicrophone(ask.muted))
                self._desk.answer(ask_id)
            case asks.Update():
                self._remembered(self._update(ask.session), "session", ask_id)
            case asks.SendEvent():
                self._send(ask_id, ask.event)
            case asks.Edit():
                self._m.edits.ask(ask_id, ask)
            case asks.Leave():
                self._leave(ask_id)
            case _:
                assert_never(ask)

    def _say(self, ask_id: int, say: asks.Say) -> None:
        if say.reply:
            # The same as a voice barge-in, then the message, then the request for an answer.
            self._m.cut("typed")
        item_id = self._desk.new_id("item")
        item = events.MessageItem(
            id=item_id, role="user", content=(events.InputText(text=say.text),)
        )
        self._create_item(events.ConversationItemCreate(item=item), item_id, by_application=False)
        if say.reply:
            key = self._desk.new_id("create")
            awaited = frozenset({item_id})
            create = Create(key, None, [ask_id], plain=True, items=awaited)
            self._m.responses.held.append(create)
        self._desk.answer(ask_id, item_id)

    def _create_item(
        self, create: events.ConversationItemCreate, item_id: str, *, by_application: bool
    ) -> None:
        memory = self._coming(create, item_id, by_application=by_application)
        self._m.after_stop.append(memory.event)

    def _coming(
        self, create: events.ConversationItemCreate, item_id: str, *, by_application: bool
    ) -> Sent:
        event = create
        if event.event_id is None:
            event = _with_id(create, self._desk.new_id("evt"))
        self._m.conversation.coming(item_id, event.item, create.previous_item_id)
        memory = Sent(event, event.event_id or "", item_id, by_application=by_application)
        self._m.faults.remember(memory)
        self._desk.deadlines.arm(Timer.ACKNOWLEDGED, memory.event_id, self._desk.now_us)
        return memory

    def put_item(self, new: New) -> Sent:
        """Add an item of the application's in its place, now."""
        create = events.ConversationItemCreate(previous_item_id=new.previous_item_id, item=new.item)
        memory = self._coming(create, new.item_id, by_application=True)
        self._desk.send(memory.event)
        return memory

    def delete_item(self, event: events.ConversationItemDelete) -> Sent:
        """Delete it for the application, now. It is going already: a cut does not delete or
        truncate it once more (scenario 24)."""
        event = _with_id(event, event.event_id or self._desk.new_id("evt"))
        memory = Sent(event, event.event_id or "", event.item_id, by_application=True)
        self._m.conversation.going(event.item_id)
        item = self._m.ledger.items.get(event.item_id) or self._m.cuts.item(event.item_id)
        if item is not None:
            item.going = True
        self._m.faults.remember(memory)
        self._desk.deadlines.arm(Timer.SETTLEMENT, memory.event_id, self._desk.now_us)
        self._desk.send(event)
        return memory

    def add_item(self, item: events.Item) -> None:
        """Add an item of the machine's own, under the id that it has."""
        assert isinstance(item.id, str), "it has one"
        create = events.ConversationItemCreate(item=item)
        self._create_item(create, item.id, by_application=False)

    def take_back_item(self, item_id: str) -> None:
        """An item of the machine's own is not wanted any more: if it waits, it never leaves."""
        machine = self._m
        event = machine.desk.outbox.withdraw_item(item_id)
        for waiting in machine.after_stop:
            if isinstance(waiting, events.ConversationItemCreate) and waiting.item.id == item_id:
                event = waiting
        if event is None:
            return
        if event in machine.after_stop:
            machine.after_stop.remove(event)
        memory = machine.faults.oldest(events.ConversationItemCreate, item_id)
        if memory is not None:
            machine.faults.forget(memory)
            self._desk.deadlines.stop(Timer.ACKNOWLEDGED, memory.event_id)
        machine.conversation.not_coming(item_id)
        machine.calls.batches.refused(item_id)

    def _respond(self, ask_id: int, params: events.ResponseParams | None) -> None:
        plain = params is None or params == events.ResponseParams()
        key = self._desk.new_id("create")
        awaited = frozenset(self._m.conversation.coming_ids)
        create = Create(key, params, [ask_id], plain=plain, items=awaited)
        self._m.responses.held.append(create)
        self._desk.answer(ask_id, key)

    def send_create(self, create: Create) -> None:
        """Its turn has come (rule 7)."""
        create.attempts += 1
        event = create.event(self._desk.new_id("evt"))
        self._m.responses.sent.append(create)
        self._m.faults.remember(Sent(event, event.event_id or "", create.key))
        self._desk.deadlines.arm(Timer.CREATED, create.key, self._desk.now_us)
        self._desk.send(event)

    def _cancel_reply(self, ask_id: int, reply_ask_id: int) -> None:
        machine = self._m
        responses = machine.responses
        if machine.calls.batches.give_up(reply_ask_id):
            self._desk.answer(ask_id)
            return
        for create in responses.held:
            if reply_ask_id in create.ask_ids:
                responses.held.remove(create)
                machine.end_turn("superseded", tuple(create.ask_ids))
                self._desk.answer(ask_id)
                return
        for create in responses.sent:
            if reply_ask_id in create.ask_ids and create.out_of_band:
                create.given_up = True
                self._desk.answer(ask_id)
                return
        asked = any(reply_ask_id in create.ask_ids for create in responses.sent)
        reply = next(
            (one for one in responses.replies.values() if reply_ask_id in one.ask_ids), None
        )
        if reply is not None and not reply.default:
            machine.give_up(reply)
        elif asked or (reply is not None and not reply.ended):
            if machine.cut("cancel", ask_id=ask_id, of_ask_id=reply_ask_id, bare=True) is not None:
                return
        self._desk.answer(ask_id)

    def _hold(self, ask_id: int) -> None:
        if self._m.buffer.owned:
            self._desk.fail(
                ask_id,
                "hold needs playback that is the client's own, and over WebRTC the service goes on "
                "sending; interrupt it, or connect by WebSocket",
                "local",
            )
            return
        if self._m.cuts.stopping or not self._m.ledger.sounding:
            self._desk.answer(ask_id)
            return
        cut_id = self._desk.new_id("hold")
        self._m.holding[cut_id] = ask_id
        self._desk.do(HoldPlayback(cut_id))
        self._m.ledger.paused = True
        self._desk.deadlines.arm(Timer.STOP_ANSWER, cut_id, self._desk.now_us)

    def _resume(self, ask_id: int) -> None:
        """What is not held needs no word: a stop has ended the hold, or nothing sounded."""
        if self._m.ledger.paused:
            self._m.ledger.paused = False
            self._desk.do(ResumePlayback())
        self._desk.answer(ask_id)

    def _update(self, session: events.AnySession) -> events.SessionUpdate:
        return events.SessionUpdate(event_id=self._desk.new_id("evt"), session=session)

    def _remembered(self, event: events.ClientEvent, key: str, ask_id: int | None) -> None:
        event_id = event.event_id or ""
        self._m.faults.remember(Sent(event, event_id, key, ask_id=ask_id, by_application=True))
        self._desk.deadlines.arm(Timer.ACKNOWLEDGED, event_id, self._desk.now_us)
        self._desk.send(event)

    def _send(self, ask_id: int, event: events.ClientEvent) -> None:
        match event:
            case events.ResponseCreate():
                params = event.response
                self._respond(ask_id, params if isinstance(params, events.ResponseParams) else None)
                return
            case events.ResponseCancel():
                self._send_cancel(ask_id, event)
                return
            case events.InputAudioBufferAppend():
                self._m.send_audio(event.audio)
            case events.SessionUpdate():
                self._remembered(self._update(event.session), "session", ask_id)
                return
            case events.ConversationItemCreate():
                if (why := self._m.calls.answers(event.item)) is not None:
                    self._desk.fail(ask_id, why, "local")
                    return
                self._send_item(event)
            case events.ConversationItemDelete() if self._m.conversation.is_going(event.item_id):
                # Its deletion is under way already, and a second one would be refused.
                pass
            case events.ConversationItemDelete():
                self.delete_item(event)
            case (
                events.ConversationItemTruncate()
                | events.ConversationItemRetrieve()
                | events.InputAudioBufferCommit()
                | events.InputAudioBufferClear()
                | events.OutputAudioBufferClear()
            ):
                event = _with_id(event, event.event_id or self._desk.new_id("evt"))
                key = getattr(event, "item_id", "")
                self._m.faults.remember(Sent(event, event.event_id or "", key, by_application=True))
                self._desk.send(event)
            case _:
                assert_never(event)
        self._desk.answer(ask_id)

    def _send_item(self, event: events.ConversationItemCreate) -> None:
        item_id = getattr(event.item, "id", None)
        if isinstance(item_id, str):
            self._create_item(event, item_id, by_application=True)
            return
        event = _with_id(event, event.event_id or self._desk.new_id("evt"))
        memory = Sent(event, event.event_id or "", "", by_application=True)
        self._m.faults.remember(memory)
        self._desk.deadlines.arm(Timer.ACKNOWLEDGED, memory.event_id, self._desk.now_us)
        self._m.after_stop.append(event)

    def _send_cancel(self, ask_id: int, event: events.ResponseCancel) -> None:
        replies = self._m.responses.replies
        reply = replies.get(event.response_id) if isinstance(event.response_id, str) else None
        if reply is not None and not reply.default and not reply.done:
            self._m.give_up(reply)
        elif self._m.cut("interrupt", ask_id=ask_id, bare=True) is not None:
            return
        else:
            self._desk.fail(ask_id, "no response is open, so there is nothing to cancel", "local")
            return
        self._desk.answer(ask_id)

    def _leave(self, ask_id: int) -> None:
        machine = self._m
        if machine.ending or machine.leaving is not None:
            self._desk.answer(ask_id)
            return
        self.leave(ask_id)

    def leave(self, ask_id: int | None, reason: str = "") -> None:
        """Fall silent, settle, and close with that reason."""
        self._m.leaving = Leaving(ask_id, reason)
        self._m.button.ended()
        self._m.cut("leave")
        self._desk.deadlines.arm(Timer.LEAVE, "", self._desk.now_us)


def _with_id(event: Event, event_id: str) -> Event:
    """The same event under an id, so that its refusal can be told from others."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return type(event)(**{**fields, "event_id": event_id})
