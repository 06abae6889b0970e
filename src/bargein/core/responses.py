"""Responses: which are open, which were asked for, which are owed, and when the next may be asked
for.

 7. One response at a time in the default conversation: `response.create` waits for `response.done`
    (5 s at most after a cancel), carries an id in its metadata, and is recognised by it, else by
    order.
 8. A cut remembers requests, never a flag: our unanswered creates and the turns committed under
    `create_response`. Each memory ends with its `created` (then cancelled by id, its audio never
    heard) or with its error. Of several turns that wait, a response answers all: the newest says
    whether it is cut.
13. Reply debt: one create is owed while a committed turn was added after the last
    `response.created`; any later default-conversation response pays it. We ask only when the floor
    is free, and only when the service said that it could not answer by itself, or was given time
    to.

Out-of-band responses (`conversation: "none"`) wait for nobody and nobody waits for them.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from bargein import events
from bargein.core.pruning import Told
from bargein.units import AudioFormat

METADATA_KEY = "bargein"
METADATA_LIMIT = 16
ATTEMPTS_LIMIT = 4
UNSEEN = "unseen"
"""The key of the wait for an active response that we have not seen."""


@dataclass(slots=True, eq=False)
class Create:
    """A response that was asked for, by the application, by a released button or by a debt."""

    key: str
    params: events.ResponseParams | None
    ask_ids: list[int]
    plain: bool
    """It asks for nothing in particular, so any response of the default conversation answers it."""
    items: frozenset[str] = frozenset()
    """Items of ours that it is to answer: a response begun before they were added does not."""
    attempts: int = 0
    cut_id: str | None = None
    given_up: bool = False
    """Out of band, and cancelled before it was created."""
    paid: bool = False
    """A debt that a response of the service's own has paid while the create was under way: if it
    crossed that response, it is not sent again."""

    @property
    def out_of_band(self) -> bool:
        """It does not write to the default conversation."""
        return self.params is not None and self.params.conversation == "none"

    def event(self, event_id: str) -> events.ResponseCreate:
        """As it goes out, with our key among its metadata where there is room."""
        params = self.params or events.ResponseParams()
        metadata = dict(params.metadata) if isinstance(params.metadata, dict) else {}
        if len(metadata) < METADATA_LIMIT:
            metadata[METADATA_KEY] = self.key
        fields = {
            name: getattr(params, name) for name in params.__struct_fields__ if name != "metadata"
        }
        params = events.ResponseParams(metadata=metadata, **fields)
        return events.ResponseCreate(event_id=event_id, response=params)


@dataclass(slots=True, eq=False)
class Turn:
    """A turn of the user that the service answers by itself."""

    item_id: str
    refused: bool = False
    cut_id: str | None = None


@dataclass(slots=True, eq=False)
class Reply:
    """A response that the service has begun."""

    response_id: str
    default: bool
    audio_format: AudioFormat
    ask_ids: tuple[int, ...] = ()
    done: bool = False
    status: str = "in_progress"
    cut_id: str | None = None
    given_up: bool = False
    service_cancels: bool = False
    """The service's own turn detection has cancelled it, or is about to."""
    cancel_sent: bool = False
    ended: bool = False
    """Its turn is over for the application: done, and heard to its end or cut."""
    texts: list[str] = field(default_factory=list)
    told: Told | None = None
    """What the model was told, where the reply has no parameters of its own."""


class Responses:
    """The open responses, the requests under way, and the requests that wait."""

    __slots__ = ("held", "refused", "replies", "sent", "turns", "unseen_active")

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.held: list[Create] = []
        self.refused: list[Create] = []
        """Just now, and their askers are not told yet."""
        self.sent: list[Create] = []
        self.turns: list[Turn] = []
        self.unseen_active = False
        """The service refused a create for the sake of a response that we have not seen yet."""

    @property
    def open_default(self) -> Reply | None:
        """The response that writes to the default conversation now."""
        return next((reply for reply in self.replies.values() if self._blocks(reply)), None)

    @staticmethod
    def _blocks(reply: Reply) -> bool:
        return reply.default and not reply.done

    @property
    def asking(self) -> bool:
        """A create of the default conversation is under way and unanswered."""
        return any(not create.out_of_band for create in self.sent)

    def begun(
        self, response: events.Response, audio_format: AudioFormat, coming: Container[str]
    ) -> Reply:
        """`response.created`: recognise what it answers, and begin its record.

        `coming` are the items of ours that the service has not added yet.

        Its `cut_id` is that of the request it answers: then it was cut before it was born.
        """
        reply = Reply(response.id, _is_default(response), audio_format)
        self.replies[response.id] = reply
        create = self.answered_by(response, default=reply.default)
        answered = [create] if create else []
        if create is not None:
            self.sent.remove(create)
            reply.cut_id = create.cut_id
            reply.given_up = create.given_up
        if reply.default:
            self.unseen_active = False
            if create is None and self.turns:
                reply.cut_id = self.turns[-1].cut_id
            self.turns.clear()
            if reply.cut_id is None:
                # What waits and asks for nothing in particular is answered by this one too.
                paid = [held for held in self.held if self._is_answered(held, coming)]
                answered += paid
                self.held = [held for held in self.held if held not in paid]
                for sent in self.sent:
                    sent.paid = sent.paid or self._is_debt_paid(sent, coming)
        reply.ask_ids = tuple(ask_id for one in answered for ask_id in one.ask_ids)
        return reply

    @staticmethod
    def _is_answered(create: Create, coming: Container[str]) -> bool:
        return create.plain and not any(item in coming for item in create.items)

    def _is_debt_paid(self, create: Create, coming: Container[str]) -> bool:
        return not create.ask_ids and self._is_answered(create, coming)

    def answered_by(self, response: events.Response, *, default: bool) -> Create | None:
        metadata = response.metadata if isinstance(response.metadata, dict) else {}
        key = metadata.get(METADATA_KEY)
        if key is not None:
            return next((create for create in self.sent if create.key == key), None)
        if default and self.turns:
            return None
        candidates = [create for create in self.sent if create.out_of_band is not default]
        return candidates[0] if candidates else None

    def unknown(self, response_id: str, audio_format: AudioFormat) -> Reply:
        """A response whose `created` we never saw: taken for one of the default conversation."""
        self.unseen_active = False
        reply = Reply(response_id, True, audio_format)
        self.replies[response_id] = reply
        return reply

    def give_up(self, ask_id: int, cut_id: str) -> None:
        """One reply is not wanted; everything else that was asked for is."""
        for create in self.sent:
            if ask_id in create.ask_ids and create.cut_id is None:
                create.cut_id = cut_id

    def give_up_all(self, cut_id: str) -> list[Create]:
        """A cut: what was not asked for yet never is. Returns it; debts go without a word."""
        given_up, self.held = self.held, []
        for create in self.sent:
            if not create.out_of_band and create.cut_id is None:
                create.cut_id = cut_id
        for turn in self.turns:
            turn.cut_id = turn.cut_id or cut_id
        return given_up

    def uncut_requests(self, ask_id: int | None) -> bool:
        """Something was asked for that a cut would concern; with an ask, by that one."""
        if ask_id is not None:
            return any(ask_id in one.ask_ids and one.cut_id is None for one in self.sent)
        return (
            bool(self.held)
            or any(create.cut_id is None and not create.out_of_band for create in self.sent)
            or any(turn.cut_id is None for turn in self.turns)
        )

    def requests_of(self, cut_id: str) -> bool:
        """The cut still remembers a request that was neither born nor refused."""
        return any(create.cut_id == cut_id for create in self.sent) or any(
            turn.cut_id == cut_id for turn in self.turns
        )

    def next_to_send(self, *, free: bool) -> Create | None:
        """The create that may go out now. `free` is false while something must come first."""
        for create in self.held:
            if create.out_of_band:
                return create
        if not free or not self.held or self.asking or self.unseen_active:
            return None
        if self.open_default is not None:
            return None
        return self.held[0]


def _is_default(response: events.Response) -> bool:
    # Only an explicit null says that a response is outside the conversation (protocol.md §4.10);
    # other vendors leave the field out.
    return response.conversation_id is not None
