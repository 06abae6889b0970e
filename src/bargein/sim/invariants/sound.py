"""The invariants of sound and memory: what is heard, kept, and never heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bargein.core import commands
from bargein.core.inputs import Part
from bargein.server.model.memory import RememberedItem
from bargein.sim.invariants.cuts import asked_place, cut_places
from bargein.sim.invariants.facts import NEVER, Facts
from bargein.units import AudioFormat


class MemoryIsHearing:
    """Excused: a player that cannot tell, a server that cannot truncate, a pipe that died."""

    name = "I1"
    sentence = "What the service remembers of each spoken part is what the ear got."

    def failures(self, facts: Facts) -> Iterator[str]:
        history = facts.history
        options, final = history.options, history.final
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
        for part, spoken in facts.parts.items():
            if not spoken.in_band or (final.left and not spoken.received):
                continue
            heard = final.truth.heard.get(part, 0)
            remembered, whole = _kept(kept.get(part.item_id), part)
            # A part is left whole where the player's count, itself off by its margin, comes within
            # the margin of its end.
            most = unit + (2 if whole else 1) * (margin + unheard)
            if not -(unit + margin + lost) <= remembered - heard <= most:
                yield (
                    f"{part_name(part)}: heard {in_ms(heard, options.format)}, "
                    f"kept {in_ms(remembered, options.format)}, "
                    f"received {in_ms(spoken.received, options.format)}, "
                    f"made {in_ms(spoken.made, options.format)}"
                )


class SilenceAfterStop:
    """What the card still plays out counts as heard already when it answers.

    A response is cut if it was known when the stop was commanded.
    """

    name = "I3"
    sentence = "After PlaybackStopped nothing more is heard of what was cut."

    def failures(self, facts: Facts) -> Iterator[str]:
        truth = facts.history.final.truth
        stop_places: dict[str, int] = {}
        for place, entry in enumerate(facts.history.entries):
            if isinstance(entry.what, commands.StopPlayback):
                stop_places.setdefault(entry.what.cut_id, place)
        for cut_id, committed in truth.committed_at_stop.items():
            stop_place = stop_places.get(cut_id, 0)
            for part, heard in truth.heard.items():
                spoken, reply = facts.parts.get(part), facts.replies.get(part.response_id)
                if spoken is None or reply is None or not spoken.in_band:
                    continue
                before = committed.get(part, 0)
                if reply.created_place < stop_place and heard > before:
                    more = in_ms(heard - before, facts.history.options.format)
                    yield f"{more} more of {part_name(part)} were heard after the stop {cut_id}"


class TheUnbornStaySilent:
    """A cut is speech under the policy *cut*, a press, a typed message, `interrupt()`."""

    name = "I4"
    sentence = "What was cut before it was born is never heard."

    def failures(self, facts: Facts) -> Iterator[str]:
        heard: Counter[str] = Counter()
        for part, samples in facts.history.final.truth.heard.items():
            heard[part.response_id] += samples
        cuts = cut_places(facts.history)
        if not cuts:
            return
        for reply in facts.replies.values():
            asked_from = asked_place(facts, reply)
            if not reply.in_band or not heard[reply.id] or asked_from == NEVER:
                continue
            for cut_place in cuts:
                if asked_from < cut_place < reply.created_place:
                    sound = in_ms(heard[reply.id], facts.history.options.format)
                    yield f"{reply.id} was asked for and cut before it was created; {sound} heard"
                    break


class OrderOfSound:
    """Pieces out of their place are found by the card as they are heard, and by what they say."""

    name = "I5"
    sentence = "Parts are heard in the order of their arrival, each from its first sample on."

    def failures(self, facts: Facts) -> Iterator[str]:
        begun = [
            facts.first_deltas.get(part, NEVER)
            for part in facts.history.final.truth.order
            if part in facts.parts and facts.parts[part].in_band
        ]
        if begun != sorted(begun):
            yield "a part that arrived later was heard earlier"


class Bounds:
    """What machines may not do is written down as it happens."""

    name = "I9"
    sentence = (
        "Nothing raises, no deadline is in the past, the stop comes first, no sound of the dead."
    )

    def failures(self, facts: Facts) -> Iterator[str]:
        for entry in facts.history.entries:
            if entry.kind == "broken":
                yield str(entry.what)
        late = facts.history.final.truth.late_samples
        if late:
            sound = in_ms(late, facts.history.options.format)
            yield f"{sound} of sound were given to stopped parts"


def _kept(item: RememberedItem | None, part: Part) -> tuple[int, bool]:
    """The samples that the service remembers, and whether nobody truncated them."""
    if item is None or part.content_index >= len(item.parts):
        return 0, False
    remembered = item.parts[part.content_index]
    return remembered.kept_samples, not remembered.truncated


def part_name(part: Part) -> str:
    return f"{part.item_id}[{part.content_index}]"


def in_ms(samples: int, sound_format: AudioFormat) -> str:
    return f"{samples * 1_000 / sound_format.rate:.2f} ms"
