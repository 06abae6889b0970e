"""The invariants of what is asked for: which reply answers it, and what nobody may take away."""

from __future__ import annotations

from collections.abc import Iterable

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.sim.history import Entry
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.sim.invariants.facts import NEVER, Reply
from bargein.sim.invariants.sending import asks_for_a_reply, key_of

_NO_ASK = -1
"""An output of a call, or its news, is under way as a message is, and no ask made it."""


class TheNextReplyAnswers(Invariant):
    """A reply that nobody asked for is owed: the service did not answer a turn.

    Excused: a request while an item is under way, for which a reply may have begun too early, and
    one beside a reply that was given up. From waiting for silence: a player whose counts are off;
    from not being asked for: where tools of the session's own may be owed one as well.
    """

    name = "rule 13"
    sentence = (
        "A reply answers all that waits for one and was there when it began; one that is owed is "
        "asked for once, in silence, and not if the turn was cut."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._asked: dict[int, asks.Ask] = {}
        self._coming: dict[str, int] = {}
        self._waiting: dict[int, str] = {}
        self._given_up_place = self._committed_place = -1
        self._sent: dict[int, tuple[bool, bool]] = {}
        self._first: dict[str, int] = {}
        self._keys: dict[str, int] = {}

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("input", inputs.Asked, cls._ask),
            ("command", commands.Answer, cls._answer),
            ("client_sent", events.ConversationItemCreate, cls._item_sent),
            ("client_got", events.ConversationItemAdded, cls._added),
            ("client_got", events.InputAudioBufferCommitted, cls._committed),
            ("client_got", events.ResponseCreated, cls._created),
            ("client_sent", events.ResponseCreate, cls._create),
            ("client_sent", events.ConversationItemCreate, cls._put),
            ("notice", notices.TurnStarted, cls._started),
            ("notice", notices.TurnEnded, cls._ended),
        )

    def _ask(self, entry: Entry, asked: inputs.Asked) -> None:
        match asked.ask:
            case asks.SendEvent(event=events.ConversationItemCreate(item=item)):
                self._coming[str(item.id)] = asked.ask_id
            case asks.SendEvent(event=events.ResponseCancel()) | asks.CancelReply():
                self._given_up_place = self.facts.place
            case _:
                self._asked[asked.ask_id] = asked.ask

    def _answer(self, entry: Entry, answer: commands.Answer) -> None:
        ask = self._asked.get(answer.ask_id)
        if ask is None or answer.error is not None:
            return
        match ask:
            case asks.Say(reply=reply):
                self._coming[str(answer.value)] = answer.ask_id
                if reply:
                    self._waiting[answer.ask_id] = ""
            case asks.Respond(params=params) if params in (None, events.ResponseParams()):
                self._waiting[answer.ask_id] = str(answer.value)
                self._keys[str(answer.value)] = answer.ask_id
            case asks.Release() if answer.value is True:
                self._waiting[answer.ask_id] = ""
            case _:
                pass

    def _item_sent(self, entry: Entry, event: events.ConversationItemCreate) -> None:
        self._coming.setdefault(str(event.item.id), _NO_ASK)

    def _put(self, entry: Entry, event: events.ConversationItemCreate) -> None:
        if isinstance(event.previous_item_id, str):
            # An edit's, too, where it is not told beforehand.
            self._coming.setdefault(str(event.item.id), 0)

    def _added(self, entry: Entry, event: events.ConversationItemAdded) -> None:
        self._coming.pop(str(event.item.id), None)

    def _committed(self, entry: Entry, event: events.InputAudioBufferCommitted) -> None:
        self._committed_place = self.facts.place

    def _created(self, entry: Entry, event: events.ResponseCreated) -> None:
        reply = self.facts.replies[event.response.id]
        if not reply.in_band or self._coming or self.facts.first_cut(reply) != NEVER:
            return
        waited = tuple(self._waiting)
        if waited and self._given_up_place < min(reply.asked_place, reply.created_place):
            self.scene.afterwards(lambda: self._must_be_answered(reply, waited))

    def _must_be_answered(self, reply: Reply, waited: tuple[int, ...]) -> None:
        for ask_id in waited:
            if ask_id in self._waiting:
                self.fail(f"{reply.id} has begun and does not answer ask {ask_id}, which waited")

    def _create(self, entry: Entry, event: events.ResponseCreate) -> None:
        if not asks_for_a_reply(event):
            return
        facts = self.facts
        key = key_of(event)
        keys = {key: ask_id for ask_id, key in self._waiting.items() if key}
        first = next((ask_id for ask_id, key in self._waiting.items() if not key), None)
        self._waiting.pop(keys.get(key, first or 0), None)
        last_cut = facts.cuts[-1] if facts.cuts else -1
        if key and last_cut > self._first.setdefault(key, facts.place):
            self.fail(f"the create {key} was cut and is sent once more")
        self._sent[entry.number] = (self._sounds(), last_cut > self._committed_place)

    def _sounds(self) -> bool:
        if not self.options.exact or self.scene.witness is None:
            return False
        stops = self.facts.stops
        stopped = next(reversed(stops.values())).place if stops else -1
        return any(
            spoken.given > spoken.reported and spoken.begun_place > stopped
            for spoken in self.facts.parts.values()
        )

    def _started(self, entry: Entry, notice: notices.TurnStarted) -> None:
        if notice.response_id is None:
            return
        for ask_id in notice.ask_ids:
            self._waiting.pop(ask_id, None)
            if ask_id in self._coming.values():
                self.fail(f"{notice.response_id} answers ask {ask_id} and began before its message")
        reply = self.facts.replies.get(notice.response_id)
        if reply is not None and reply.asked is not None:
            made_for = self._keys.get(key_of(reply.asked.event))
            if made_for is not None and made_for not in notice.ask_ids:
                self.fail(f"{reply.id} was made for ask {made_for} and does not answer it")
        if not notice.ask_ids and reply is not None and reply.in_band and reply.asked is not None:
            sounded, cut = self._sent.get(reply.asked.number, (False, False))
            if sounded:
                self.fail(f"{reply.id} was owed and asked for while another reply sounded")
            if cut and self.options.own_tools is None and not self.options.servers:
                self.fail(f"{reply.id} was owed to a turn that was cut, and asked for")

    def _ended(self, entry: Entry, notice: notices.TurnEnded) -> None:
        for ask_id in notice.ask_ids:
            self._waiting.pop(ask_id, None)


class OnlyWhatWasCut(Invariant):
    """Excused: all that is made after the application has left or a budget is spent; a request that
    waited for the socket, and may have been cut meanwhile; a response whose sound the service says
    it has cleared: a clear may meet one that the client did not know of. A trace does not tell
    which turn made a response, so cancels are judged in the simulated world only.
    """

    name = "rule 15"
    sentence = (
        "What is not cut goes on: beside a reply that is given up all that was asked for, and out "
        "of band all but what is heard."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._keys: dict[int, str] = {}
        self._given_up: set[str] = set()
        self._waited: set[int] = set()
        self._given_up_place = self._left_place = -1
        self._giving_up: int | None = None
        self._giving_up_place = -1
        self._asides = 0
        self._cleared: set[str] = set()

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("client_got", events.OutputAudioBufferCleared, cls._clear),
            ("client_got", events.ConversationItemTruncated, cls._truncated),
            ("ask", asks.SendEvent, cls._send),
            ("ask", asks.CancelReply, cls._give_up),
            ("ask", asks.Leave, cls._leave),
            ("notice", notices.BudgetSpent, cls._leave),
            ("input", inputs.Asked, cls._ask),
            ("command", commands.Answer, cls._answer),
            ("notice", notices.TurnEnded, cls._ended),
            ("client_got", events.ResponseCreated, cls._created),
            ("client_sent", events.ResponseCreate, cls._create),
            ("client_sent", events.ResponseCancel, cls._cancel),
        )

    def _clear(self, entry: Entry, event: events.OutputAudioBufferCleared) -> None:
        self._cleared.add(event.response_id)

    def _truncated(self, entry: Entry, event: events.ConversationItemTruncated) -> None:
        """Over WebRTC: of what was cleared before it began, the service says no more than that."""
        if self.options.media is not None and not event.audio_end_ms:
            self._cleared.add(self.facts.owners.get(event.item_id, ""))

    def _send(self, entry: Entry, ask: asks.SendEvent) -> None:
        if isinstance(ask.event, events.ResponseCancel):
            self._given_up_place = self.facts.place

    def _leave(self, entry: Entry, end: asks.Leave | notices.BudgetSpent) -> None:
        self._left_place = self.facts.place

    def _give_up(self, entry: Entry, ask: asks.CancelReply) -> None:
        self._given_up_place = self._giving_up_place = self.facts.place
        self._giving_up = ask.reply_ask_id
        key = self._keys.get(ask.reply_ask_id)
        if key is not None:
            self._given_up.add(key)

    def _ask(self, entry: Entry, asked: inputs.Asked) -> None:
        ask = asked.ask
        if isinstance(ask, asks.Respond) and ask.params is not None:
            if ask.params.conversation == "none":
                self._keys[asked.ask_id] = ""
                so_far = self._asides
                self.scene.afterwards(lambda: self._must_be_sent(asked.ask_id, so_far))

    def _answer(self, entry: Entry, answer: commands.Answer) -> None:
        if answer.ask_id in self._keys:
            if answer.error is None:
                self._keys[answer.ask_id] = str(answer.value)
            else:
                del self._keys[answer.ask_id]

    def _must_be_sent(self, ask_id: int, so_far: int) -> None:
        facts = self.facts
        if self._asides > so_far or facts.blocked or facts.closed_place <= facts.place:
            return
        if ask_id in self._keys:
            self.fail(f"ask {ask_id} is out of band, and waits")

    def _create(self, entry: Entry, event: events.ResponseCreate) -> None:
        self._asides += not asks_for_a_reply(event)
        if self.facts.blocked_place == self.facts.batch_place:
            self._waited.add(entry.number)

    def _ended(self, entry: Entry, notice: notices.TurnEnded) -> None:
        if notice.status != "superseded" or self._giving_up_place < self.facts.batch_place:
            return
        if notice.ask_ids and self._giving_up not in notice.ask_ids:
            self.fail(f"ask {self._giving_up} was given up, and {notice.ask_ids} with it")

    def _created(self, entry: Entry, event: events.ResponseCreated) -> None:
        reply = self.facts.replies[event.response.id]
        if reply.in_band or reply.asked is None or not self.options.obeys_cancel:
            return
        if self._left_place >= 0:
            return
        if key_of(reply.asked.event) in self._given_up:
            self.scene.afterwards(lambda: self._must_end(reply))

    def _must_end(self, reply: Reply) -> None:
        facts = self.facts
        if reply.cancel_place == NEVER and not facts.blocked and facts.closed_place > facts.place:
            self.fail(f"{reply.id} was given up before it was created, and goes on")

    def _cancel(self, entry: Entry, event: events.ResponseCancel) -> None:
        facts = self.facts
        reply = facts.replies.get(str(event.response_id))
        if reply is None or self._left_place >= 0 or self.scene.witness is None:
            return
        if reply.asked is not None and reply.asked.number in self._waited:
            return
        if reply.id in self._cleared:
            return
        if self._given_up_place > min(reply.asked_place, reply.created_place):
            return
        if reply.in_band:
            cut = facts.first_cut(reply) != NEVER
        else:
            cut = bool(facts.cuts) and facts.cuts[-1] > reply.created_place
        if not cut:
            self.fail(f"{reply.id} is cancelled, and nobody has cut it")
