"""The invariants of telling the service what was heard: when, what, and what follows a refusal."""

from __future__ import annotations

from collections.abc import Iterable

from bargein import events
from bargein.core import commands, notices
from bargein.core.faults import shorter
from bargein.core.inputs import Part
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.sim.invariants.facts import Sent, Spoken
from bargein.sim.invariants.sending import asks_for_a_reply
from bargein.sim.invariants.sound import part_name
from bargein.units import ms_floor


class StopThenTell(Invariant):
    """The service is told before a message is added that had to wait for the stop.

    Excused: a part that the player had reported as heard to its end; what the application
    deletes by itself; a player that cannot tell, or that has not answered for 200 ms."""

    name = "rule 2"
    sentence = "Nothing is told of a part before the player has said how much of it was heard."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._added_place = -1

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("client_sent", events.ConversationItemTruncate, cls._truncate),
            ("client_sent", events.ConversationItemDelete, cls._delete),
            ("client_sent", events.ConversationItemCreate, cls._add),
        )

    def _add(self, entry: Entry, event: events.ConversationItemCreate) -> None:
        self._added_place = self.facts.place

    def _truncate(self, entry: Entry, event: events.ConversationItemTruncate) -> None:
        if event.item_id not in self.facts.foreign:
            if self._added_place > self.facts.batch_place:
                self.fail(f"{event.item_id} is truncated behind a message that waited for it")
            spoken = self.facts.spoken(event.item_id, event.content_index)
            if spoken is not None:
                self._judge(spoken)

    def _delete(self, entry: Entry, event: events.ConversationItemDelete) -> None:
        if event.item_id not in self.facts.foreign:
            for spoken in self.facts.spoken_of(event.item_id):
                self._judge(spoken)

    def _judge(self, spoken: Spoken) -> None:
        facts = self.facts
        if not spoken.given or not facts.player_knows:
            return
        margin = self.options.margin_samples
        # One that is off may never count to the end; how far, one of several may not tell.
        if margin is None or (spoken.finished and spoken.reported + margin >= spoken.given):
            return
        stop = facts.stop_after(spoken.given_place)
        if stop is None:
            self.fail(f"{part_name(spoken.part)} is told of while it plays")
        elif stop.open(facts.time_us):
            self.fail(f"{part_name(spoken.part)} is told of before {stop.cut_id} is answered")


class NothingNewUntilSilent(Invariant):
    """Excused: a player that cannot tell, or that has not answered for 200 ms: it is not waited
    for; what was decided before, and waited for the socket."""

    name = "rule 7"
    sentence = "Until a stop is answered nothing is played, stopped again, added or asked for."

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("command", commands.Play, cls._play),
            ("command", commands.StopPlayback, cls._stop),
            ("client_sent", events.ConversationItemCreate, cls._add),
            ("client_sent", events.ResponseCreate, cls._create),
        )

    def _stop(self, entry: Entry, command: commands.StopPlayback) -> None:
        for stop in self.facts.stops.values():
            if stop.cut_id != command.cut_id and stop.open(entry.time_us):
                self.fail(f"{command.cut_id} stops before {stop.cut_id} is answered")

    def _add(self, entry: Entry, event: events.ConversationItemCreate) -> None:
        stop = self.facts.stopping
        drained = self.facts.blocked_place == self.facts.batch_place
        if stop is not None and not drained:
            self.fail(f"an item is added before {stop.cut_id} is answered")

    def _play(self, entry: Entry, command: commands.Play) -> None:
        stop = self.facts.stopping
        if stop is not None:
            self.fail(f"{part_name(command.part)} is played before {stop.cut_id} is answered")

    def _create(self, entry: Entry, event: events.ResponseCreate) -> None:
        stop = self.facts.stopping
        if stop is not None and asks_for_a_reply(event):
            self.fail(f"a reply is asked for before {stop.cut_id} is answered")


class TruncateSaysTheLastWord(Invariant):
    """On a coarser grid of lengths it may say less, as far as the grid or a refusal demands.

    Excused: what waited for the socket, and says what was known when it was decided; what the
    application truncates by itself; what a player that cannot tell, or breaks its word, says
    behind a stop, which does not count.
    """

    name = "rule 10"
    sentence = (
        "A truncate says the player's last word in whole milliseconds, and no more than came."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._limits: dict[Part, int] = {}

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("client_got", events.Error, cls._error),
            ("client_sent", events.ConversationItemTruncate, cls._truncate),
        )

    def _error(self, entry: Entry, event: events.Error) -> None:
        numbers = shorter(event.error.message)
        spoken = self.facts.refused_part(entry.number)
        if numbers is not None and spoken is not None:
            self._limits[spoken.part] = numbers.has_ms

    def _truncate(self, entry: Entry, event: events.ConversationItemTruncate) -> None:
        facts = self.facts
        spoken = facts.spoken(event.item_id, event.content_index)
        drained = facts.blocked_place == facts.batch_place
        if spoken is None or drained or event.item_id in facts.foreign:
            return
        if self.options.margin_samples is None and facts.stop_after(spoken.given_place):
            return
        rate = self.options.format.rate
        heard_ms = ms_floor(min(spoken.reported, spoken.given, spoken.received), rate)
        grid_ms = self.options.lengths_grid_ms
        length_ms = ms_floor(spoken.received, rate) // grid_ms * grid_ms
        limit_ms = self._limits.get(spoken.part, heard_ms)
        if event.audio_end_ms not in (heard_ms, min(heard_ms, length_ms), min(heard_ms, limit_ms)):
            self.fail(
                f"{part_name(spoken.part)} is truncated to {event.audio_end_ms} ms; the player "
                f"said {heard_ms} ms of {ms_floor(spoken.received, rate)} ms"
            )


class TooLongIsSaidOnceMore(Invariant):
    """A part of a completed item that was heard so far, or farther, is well as it is.

    Excused: an item that is deleted afterwards, a pipe that died or was closed before; a refusal
    that comes after the record has said that the truncate is unconfirmed.
    """

    name = "rule 12"
    sentence = "A truncate that is refused as longer than X is sent once more, at X or less."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._owed: dict[tuple[str, int], tuple[int, Sent]] = {}
        self._lowest: dict[tuple[str, int], Sent] = {}
        self._unconfirmed: set[tuple[str, int]] = set()

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("client_got", events.Error, cls._error),
            ("client_sent", events.ConversationItemTruncate, cls._truncate),
            ("client_sent", events.ConversationItemDelete, cls._delete),
            ("notice", notices.InterruptionSettled, cls._settled),
        )

    def _error(self, entry: Entry, event: events.Error) -> None:
        numbers = shorter(event.error.message)
        refused = self.facts.refused_number(entry.number)
        if numbers is None or refused is None or refused.sent is None:
            return
        asked = refused.sent.event
        if not isinstance(asked, events.ConversationItemTruncate):
            return
        if asked.item_id in self.facts.foreign:
            return
        key = (asked.item_id, asked.content_index)
        if key in self._unconfirmed:
            return
        last = self._lowest.get(key)
        if last is not None and last.number > refused.sent.number:
            # What was sent meanwhile says less already.
            event_after = last.event
            assert isinstance(event_after, events.ConversationItemTruncate)
            if event_after.audio_end_ms <= numbers.has_ms:
                return
        self._owed[key] = (numbers.has_ms, refused.sent)

    def _truncate(self, entry: Entry, event: events.ConversationItemTruncate) -> None:
        key = (event.item_id, event.content_index)
        self._lowest[key] = self.facts.sent[entry.number]
        owed = self._owed.get(key)
        if owed is not None and self._heard_ms(key) >= owed[0]:
            if self.facts.known_completed(event.item_id):
                self.fail(f"{event.item_id} is truncated again and was heard to its end")
        if owed is not None and event.audio_end_ms <= owed[0]:
            del self._owed[key]

    def _delete(self, entry: Entry, event: events.ConversationItemDelete) -> None:
        for key in [key for key in self._owed if key[0] == event.item_id]:
            del self._owed[key]

    def _settled(self, entry: Entry, record: notices.InterruptionSettled) -> None:
        if record.exactness == "lost":
            return
        for part in record.parts:
            key = (part.item_id, part.content_index)
            if part.answer == "unconfirmed":
                self._unconfirmed.add(key)
            owed = self._owed.pop(key, None)
            if owed is not None:
                self._judge(key, owed[0])

    def finish(self, final: Final) -> None:
        if not final.lost and not final.left:
            for key, (has_ms, _) in self._owed.items():
                self._judge(key, has_ms)

    def _judge(self, key: tuple[str, int], has_ms: int) -> None:
        facts = self.facts
        spoken = facts.spoken(*key)
        if spoken is None:
            return
        if self._heard_ms(key) < has_ms or not facts.known_completed(key[0]):
            self.fail(f"{part_name(spoken.part)} is not truncated to the {has_ms} ms that it has")

    def _heard_ms(self, key: tuple[str, int]) -> int:
        spoken = self.facts.spoken(*key)
        if spoken is None:
            return -1
        return ms_floor(min(spoken.reported, spoken.received), self.options.format.rate)
