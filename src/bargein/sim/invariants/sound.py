"""The invariants of sound and memory: what is heard, kept, and never heard."""

from __future__ import annotations

from collections.abc import Iterable

from bargein import events
from bargein.core import commands
from bargein.core.inputs import Part
from bargein.server.model.memory import RememberedItem
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.sim.invariants.facts import Reply
from bargein.units import AudioFormat


class MemoryIsHearing(Invariant):
    """Excused: a player that cannot tell, a server that cannot truncate, a pipe that died."""

    name = "I1"
    sentence = "What the service remembers of each spoken part is what the ear got."

    def finish(self, final: Final) -> None:
        options = self.options
        margin = options.margin_samples
        if margin is None or not options.obeys_truncate or final.lost:
            return
        kept = {item.id: item for item in final.memory}
        rate = options.format.rate
        grid_ms = options.lengths_grid_ms if options.lengths_grid_ms > 1 else 0
        unit = (1 + grid_ms) * rate // 1_000
        # What was deleted or cut too short on the first word of a player cannot be put back, and
        # after the close nobody is there to hear its better word.
        lost = abs(options.card.first_error_samples)
        unheard = lost if final.left else 0
        for part, spoken in self.facts.parts.items():
            if not spoken.in_band or (final.left and not spoken.received):
                continue
            heard = final.truth.heard.get(part, 0)
            remembered, whole = kept_of(kept.get(part.item_id), part)
            # A part is left whole where the player's count, itself off by its margin, comes within
            # the margin of its end.
            most = unit + (2 if whole else 1) * (margin + unheard)
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
            stop_place = facts.stop_places.get(cut_id, 0)
            for part, heard in truth.heard.items():
                spoken, reply = facts.parts.get(part), facts.replies.get(part.response_id)
                if spoken is None or reply is None or not spoken.in_band:
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

    def watches(self) -> Iterable[Watched]:
        return (
            ("client_got", events.ResponseCreated, self._created),
            ("command", commands.Play, self._play),
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


class Bounds(Invariant):
    """What machines may not do is written down as it happens."""

    name = "I9"
    sentence = (
        "Nothing raises, no deadline is in the past, the stop comes first, no sound of the dead."
    )

    def watches(self) -> Iterable[Watched]:
        return (("broken", str, self._broken),)

    def _broken(self, entry: Entry, what: str) -> None:
        self.fail(what)

    def finish(self, final: Final) -> None:
        late = final.truth.late_samples
        if late:
            self.fail(f"{in_ms(late, self.options.format)} of sound were given to stopped parts")


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
