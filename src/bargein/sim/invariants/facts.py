"""What has happened so far, by what it is about: who sent what, who could have known what, what
became of every response, item and part. Kept up entry by entry.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bargein import events
from bargein.core.inputs import Part
from bargein.core.notices import Asker
from bargein.sim.options import WORD_US, Options

if TYPE_CHECKING:
    from bargein.sim.invariants.blame import Blame

NEVER = 1 << 60
"""The number of a message that was never sent, and the place of one that never came."""


@dataclass(slots=True)
class Sent:
    """A message of the client. `seen`: it knew the server's messages below this number."""

    place: int
    number: int
    event: events.ClientEvent
    seen: int
    time_us: int = 0


@dataclass(slots=True)
class Reply:
    """A response. Numbers are those of the server's messages about it, places are where in the log
    the client got them.

    `asked`: the client's message that made it; None if a turn of the user did, whose
    `speech_stopped` and `committed` then have these numbers. `vad_closed`: the `speech_started`
    that ended it, as the settings then in effect told everybody. `asked_place`: where the client
    sent the create, or learned of the turn. `cancel_place`: where the client sent a cancel.
    """

    id: str
    in_band: bool
    created: int
    created_place: int = NEVER
    done: int = NEVER
    done_place: int = NEVER
    asked: Sent | None = None
    stopped: int | None = None
    committed: int | None = None
    asked_place: int = NEVER
    vad_closed: int = NEVER
    cancel_place: int = NEVER
    cancel_us: int = 0


@dataclass(slots=True)
class Spoken:
    """An audio part, in samples: `made` by the server, `received` by the client, `given` to the
    player. `reported`: the player's last word of what was heard; `begun_place` and `given_place`
    are where the first and the last sound was given to it."""

    part: Part
    in_band: bool
    made: int = 0
    received: int = 0
    given: int = 0
    reported: int = 0
    first_place: int = NEVER
    begun_place: int = -1
    given_place: int = -1
    finished: bool = False


@dataclass(slots=True)
class Stop:
    """A stop of the player. It is `waited` for if the player can tell what was heard: until its
    answer, and no longer than 200 ms."""

    cut_id: str
    place: int
    batch_place: int
    time_us: int
    waited: bool
    answered_place: int = NEVER
    answers: int = 0

    def open(self, now_us: int) -> bool:
        """Its answer is still waited for."""
        due_us = self.time_us + WORD_US
        return self.waited and self.answered_place == NEVER and now_us < due_us


@dataclass(slots=True)
class Refused:
    """An error of the server, and the client's message that it answers, if it answers one."""

    event: events.Error
    number: int
    sent: Sent | None
    blame: Blame = "theirs"


@dataclass(slots=True)
class ItemDone:
    """`response.output_item.done`: its number, and how the item ended."""

    number: int
    status: object


@dataclass(slots=True)
class Editing:
    """An edit that is not answered. `wished` are the items that it names, `seen` those that the
    application knew of."""

    ask_id: int
    wished: tuple[str, ...]
    delete: frozenset[str]
    seen: frozenset[str]
    place: int

    def may_delete(self, item_id: str, *, spoken: bool) -> bool:
        """It is left out; or it may be made anew elsewhere, which what was spoken is not."""
        if item_id in self.delete:
            return True
        return item_id in self.seen and not (spoken and item_id in self.wished)


@dataclass(slots=True)
class Facts:
    """Everything, by what it is about."""

    options: Options
    place: int = -1
    """That of the entry that is being judged."""
    time_us: int = 0
    batch_place: int = -1
    """That of what the client was last told: it does now what follows from it."""
    seen: int = 0
    """The client knows the server's messages below this number."""
    sent: dict[int, Sent] = field(default_factory=dict)
    """By number; without the microphone's audio."""
    replies: dict[str, Reply] = field(default_factory=dict)
    parts: dict[Part, Spoken] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    """The response of each item that one made."""
    items_done: dict[str, ItemDone] = field(default_factory=dict)
    updates: list[tuple[int, bool, bool]] = field(default_factory=list)
    """`session.updated`: its number, and whether VAD then interrupts and creates."""
    commits: list[tuple[int, int]] = field(default_factory=list)
    """Number and place of each `committed` that no commit of the client caused."""
    cuts: list[int] = field(default_factory=list)
    """Where something asked for a cut: the user's speech under the policy *cut*, a press, a typed
    message, `interrupt()`, leaving."""
    cut_askers: list[tuple[int, Asker]] = field(default_factory=list)
    """The same places, and who asked."""
    stops: dict[str, Stop] = field(default_factory=dict)
    """The stops of the player, by `cut_id`, in order."""
    settling: list[tuple[str, str]] = field(default_factory=list)
    """What the client sent to settle a cut: the response it concerns, and the type; in order."""
    text_parts: set[tuple[str, int]] = field(default_factory=set)
    """Written parts, by item and content index."""
    shown: set[str] = field(default_factory=set)
    """Items with text that the application was given."""
    approved_items: dict[str, str] = field(default_factory=dict)
    """Calls of MCP servers that have ended, by the request for their approval."""
    foreign: set[str] = field(default_factory=set)
    """Items that the application itself truncates or deletes, by edits too."""
    placed: set[str] = field(default_factory=set)
    """Items that the application creates by events of its own."""
    answering: set[str] = field(default_factory=set)
    """Calls that the application has given an output."""
    edits: dict[int, Editing] = field(default_factory=dict)
    """The edits that are not answered, by their asks, in order: the first one may be under way."""
    call_of: dict[str, str] = field(default_factory=dict)
    """The `call_id` of each item that is a call or an output."""
    edited_calls: set[str] = field(default_factory=set)
    """Calls of which an edit has deleted something."""
    player_knows: bool = True
    """The player can tell what was heard."""
    blocked: bool = False
    """The socket takes nothing."""
    blocked_place: int = -1
    """The last place at which it took nothing, where it takes again."""
    closed_place: int = NEVER
    """Where the client closed the pipe, or it ended."""
    broken: bool = False
    """A machine did what none may do, and is not run any more."""
    met: Counter[str] = field(default_factory=Counter)
    """What happened, counted by name."""

    def known_completed(self, item_id: str) -> bool:
        """The client knows that the item is whole."""
        done = self.items_done.get(item_id)
        return done is not None and done.number < self.seen and done.status == "completed"

    def spoken(self, item_id: str, content_index: int) -> Spoken | None:
        """The audio part there, if it is one."""
        response_id = self.owners.get(item_id)
        if response_id is None:
            return None
        return self.parts.get(Part(response_id, item_id, content_index))

    def spoken_of(self, item_id: str) -> list[Spoken]:
        """The audio parts of the item."""
        return [spoken for part, spoken in self.parts.items() if part.item_id == item_id]

    def refused_number(self, number: int) -> Refused | None:
        """The server's error with that number."""
        return next((one for one in reversed(self.refused) if one.number == number), None)

    def refused_part(self, number: int) -> Spoken | None:
        """The part whose truncate the server's error with that number refuses."""
        refused = self.refused_number(number)
        if refused is None or refused.sent is None:
            return None
        asked = refused.sent.event
        if not isinstance(asked, events.ConversationItemTruncate):
            return None
        return self.spoken(asked.item_id, asked.content_index)

    @property
    def stopping(self) -> Stop | None:
        """The stop that the client waits for, if there is one."""
        # Only the last one can be open: an ask during a cut joins it.
        for stop in reversed(self.stops.values()):
            return stop if stop.open(self.time_us) else None
        return None

    def stop_after(self, place: int) -> Stop | None:
        """The first stop that was commanded after that place."""
        found = None
        for stop in reversed(self.stops.values()):
            if stop.place < place:
                break
            found = stop
        return found

    def first_cut(self, reply: Reply) -> int:
        """The first cut that had to concern the response: one that came while it was asked for or
        open. NEVER if none did."""
        begins = min(reply.asked_place, reply.created_place)
        index = bisect_right(self.cuts, begins)
        if index < len(self.cuts) and self.cuts[index] < reply.done_place:
            return self.cuts[index]
        return NEVER

    def could_not_send(self, since_place: int) -> bool:
        """The socket took nothing at some time after that place."""
        return self.blocked or self.blocked_place > since_place

    def known_to_create(self, seen: int) -> bool:
        """Whether the server replies to turns by itself, by the settings that the client knew when
        it had got the messages below that number."""
        for number, _, creates in reversed(self.updates):
            if number < seen:
                return creates
        return False
