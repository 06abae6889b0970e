"""The invariants of sound and memory: what is heard, kept, and never heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bargein import events
from bargein.core import commands, notices
from bargein.core.inputs import Part
from bargein.server.model.memory import RememberedItem
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.sim.invariants.facts import NEVER, Reply, Spoken
from bargein.units import AudioFormat


class MemoryIsHearing(Invariant):
    """To a millisecond, the server's grid of lengths and the player's margin: at the end, and as
    soon as a record says that it is so.

    Excused: what the application deletes by itself; a player that cannot tell or breaks its word,
    and at the end a pipe that died. Where the server truncates nothing, parts that were cut of
    items that could not be deleted; where it deletes nothing, items of which nothing was heard or
    shown. Where it cancels nothing, a reply that still runs when the application leaves. By its
    error, the first word of a player that corrects itself: what it deletes or cuts too short cannot
    be put back, and after the close nobody is there to hear the better word. A service that owns
    playback keeps what left it (W4).
    """

    name = "I1"
    sentence = "What the service remembers of each spoken part is what the ear got."

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (("notice", notices.InterruptionSettled, cls._settled),)

    def _settled(self, entry: Entry, record: notices.InterruptionSettled) -> None:
        witness = self.scene.witness
        if witness is None or record.exactness not in ("exact", "within"):
            return
        if self.options.webrtc:
            return
        stop = self.facts.stops.get(record.cut_id)
        early = stop is not None and stop.answers < 2
        memory = {item.id: item for item in witness.memory}
        for told in record.parts:
            part = Part(told.response_id, told.item_id, told.content_index)
            spoken = self.facts.parts.get(part)
            if spoken is not None:
                self._judge(spoken, witness.heard, memory.get(part.item_id), early=early)

    def finish(self, final: Final) -> None:
        if final.lost or self.options.webrtc:
            return
        memory = {item.id: item for item in final.memory}

        def heard_of(part: Part) -> int:
            return final.truth.heard.get(part, 0)

        for part, spoken in self.facts.parts.items():
            if final.left and (not spoken.received or self._runs_on(spoken)):
                continue
            self._judge(spoken, heard_of, memory.get(part.item_id), early=final.left)

    def _runs_on(self, spoken: Spoken) -> bool:
        reply = self.facts.replies.get(spoken.part.response_id)
        return not self.options.obeys_cancel and (reply is None or reply.done_place == NEVER)

    def _untouched(self, item: RememberedItem | None, heard_of: Callable[[Part], int]) -> bool:
        """Nothing of the item was heard or can have been read: it is deleted, not truncated."""
        if item is None:
            return True
        if item.id in self.facts.shown:
            return False
        heard = (heard_of(spoken.part) for spoken in self.facts.spoken_of(item.id))
        return all(samples <= self._unheard for samples in heard)

    @property
    def _unheard(self) -> int:
        """So many samples are nothing: less than a millisecond, or within the player's margin."""
        return max(self.options.margin_samples or 0, self.options.format.rate // 1_000 - 1)

    def _judge(
        self,
        spoken: Spoken,
        heard_of: Callable[[Part], int],
        item: RememberedItem | None,
        *,
        early: bool,
    ) -> None:
        options, part = self.options, spoken.part
        heard = heard_of(part)
        margin = options.margin_samples
        if margin is None or not spoken.in_band or part.item_id in self.facts.foreign:
            return
        remembered, whole = kept_of(item, part)
        if heard <= self._unheard and self._untouched(item, heard_of):
            # By its margin, or at first, the player may have said that something was heard.
            off = margin or options.first_word_off_samples
            if not options.obeys_delete or (off and not options.obeys_truncate):
                return
        elif heard < spoken.made and not options.obeys_truncate:
            return
        rate = options.format.rate
        grid_ms = options.lengths_grid_ms if options.lengths_grid_ms > 1 else 0
        unit = (1 + grid_ms) * rate // 1_000
        lost = options.first_word_off_samples
        # A part is left whole where the player's count, itself off by its margin, comes within
        # the margin of its end.
        most = unit + (2 if whole else 1) * (margin + (lost if early else 0))
        if not -(unit + margin + lost) <= remembered - heard <= most:
            self.fail(
                f"{part_name(part)}: heard {in_ms(heard, options.format)}, "
                f"kept {in_ms(remembered, options.format)}, "
                f"received {in_ms(spoken.received, options.format)}, "
                f"made {in_ms(spoken.made, options.format)}"
            )


class SilenceAfterStop(Invariant):
    """What the card still plays out counts as heard already when it answers.

    A response is cut if it was known when the stop was commanded.
    """

    name = "I3"
    sentence = "After PlaybackStopped nothing more is heard of what was cut."

    def finish(self, final: Final) -> None:
        facts, truth = self.facts, final.truth
        for cut_id, committed in truth.committed_at_stop.items():
            stop = facts.stops.get(cut_id)
            stop_place = stop.place if stop is not None else 0
            for part, heard in truth.heard.items():
                spoken, reply = facts.parts.get(part), facts.replies.get(part.response_id)
                # Of a call no sound is in the events.
                known = spoken is not None or self.options.webrtc
                if not known or reply is None or not reply.in_band:
                    continue
                before = committed.get(part, 0)
                if reply.created_place < stop_place and heard > before:
                    more = in_ms(heard - before, self.options.format)
                    self.fail(
                        f"{more} more of {part_name(part)} were heard after the stop {cut_id}"
                    )


class TheUnbornStaySilent(Invariant):
    """A cut is speech under the policy *cut*, a press, a typed message, `interrupt()`."""

    name = "I4"
    sentence = "What was cut before it was born is never heard."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._unborn: dict[str, Reply] = {}

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("client_got", events.ResponseCreated, cls._created),
            ("command", commands.Play, cls._play),
        )

    def _created(self, entry: Entry, event: events.ResponseCreated) -> None:
        reply = self.facts.replies[event.response.id]
        if reply.in_band and self.facts.first_cut(reply) < reply.created_place:
            self._unborn[reply.id] = reply

    def _play(self, entry: Entry, command: commands.Play) -> None:
        reply = self._unborn.pop(command.part.response_id, None)
        if reply is not None:
            self.fail(f"{reply.id} was asked for and cut before it was created, and is played")


class OrderOfSound(Invariant):
    """Pieces out of their place are found by the card as they are heard, and by what they say."""

    name = "I5"
    sentence = "Parts are heard in the order of their arrival, each from its first sample on."

    def finish(self, final: Final) -> None:
        parts = self.facts.parts
        begun = [
            parts[part].first_place
            for part in final.truth.order
            if part in parts and parts[part].in_band
        ]
        if begun != sorted(begun):
            self.fail("a part that arrived later was heard earlier")


def kept_of(item: RememberedItem | None, part: Part) -> tuple[int, bool]:
    """The samples that the service remembers, and whether nobody truncated them."""
    if item is None or part.content_index >= len(item.parts):
        return 0, False
    remembered = item.parts[part.content_index]
    return remembered.kept_samples, not remembered.truncated


def part_name(part: Part) -> str:
    return f"{part.item_id}[{part.content_index}]"


def in_ms(samples: int, sound_format: AudioFormat) -> str:
    return f"{samples * 1_000 / sound_format.rate:.2f} ms"
