"""Words heard: which words of a spoken part sounded up to a sample. Pure.

1. Text and sound come on lanes of their own, and nothing on the wire ties a word to a sample
   (protocol.md §5). So the pauses of the sound are matched with the punctuation of the text, and
   between two matches the words share the time of the voice by how long they take to say.
2. It is causal: text and sound that came so far are used. The text runs ahead of the sound; until
   both are whole the pace is unknown, so several are tried, and the one under which most pauses
   fall where the text has punctuation is believed.
3. A word was heard if all of it was.
4. Nothing is computed until somebody asks. Without pauses the words share the time by their length.

The constants were fitted on one half of the cuts of `scripts/words_heard.py`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import log

from bargein.core.loudness import Loudness
from bargein.core.pronounced import Pronounced, pronounced

SYLLABLES_PER_S = 7.4
"""The usual pace of the voice without its pauses, in the weights of `pronounced`."""
PACES = tuple(0.55 * 1.09**step for step in range(15))
"""What is tried, of the usual pace: down to a half, up to twice."""

_PAUSE_MS = 90
"""Shorter silences are within words: the closure before a p or a t."""
_PAUSE_LEVELS = 5
"""So far (by 4.5 dB each) is a pause below the loud tenth of the part."""

# Costs of a match; only their proportions count.
_STRETCH = 6.0
"""Of a phrase at another pace than the others."""
_UNUSUAL = 0.6
"""Of a pace that is unusual."""
_UNBROKEN_STRONG, _UNBROKEN_WEAK = 1.6, 0.4
"""Of punctuation without a pause."""
_UNEXPECTED_PER_S = 12.0
"""Of a pause without punctuation."""
_BEHIND = 4.0
"""Of sound that has overtaken the text."""
_REACH = 8
"""How many punctuation marks, and pauses, may lie between two matches."""
_LONG_PHRASE = 12.0
"""Syllables beyond which a phrase tells the pace no better."""


@dataclass(frozen=True, slots=True)
class Voiced:
    """Where the voice is, in samples: its pauses, by their first sample and the one behind them,
    and how much of the voice lies before each."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    before: tuple[int, ...]
    total: int

    def at(self, sample: int) -> int:
        """How much of the voice lies before the sample."""
        index = bisect_right(self.starts, sample) - 1
        if index < 0:
            return sample
        return self.before[index] + max(0, sample - self.stops[index])


def voiced(levels: bytes, ends: Sequence[int], rate: int, samples: int) -> Voiced:
    """The pauses of a part of so many samples. Frame i has `levels[i]` and ends at `ends[i]`."""
    starts: list[int] = []
    stops: list[int] = []
    before: list[int] = []
    voice = behind = position = 0
    loud = sorted(levels)[len(levels) * 9 // 10] if levels else 0
    quiet = bytes(level + _PAUSE_LEVELS <= loud for level in levels)
    while (first := quiet.find(1, position)) >= 0:
        position = quiet.find(0, first)
        if position < 0:
            position = len(quiet)
        start, stop = ends[first - 1] if first else 0, ends[position - 1]
        if stop - start >= _PAUSE_MS * rate // 1_000:
            voice += start - behind
            behind = stop
            starts.append(start)
            stops.append(stop)
            before.append(voice)
    return Voiced(tuple(starts), tuple(stops), tuple(before), voice + samples - behind)


@dataclass(frozen=True, slots=True)
class Knot:
    """A place where text and voice were matched, in syllables and in samples of the voice."""

    said: float
    voice: float


class Timeline:
    """Where the words of a part end, as far as its text and sound tell."""

    __slots__ = ("_ends", "_text", "_voiced", "_words")

    def __init__(self, text: str, sound: Voiced, rate: int, *, whole: bool) -> None:
        """`whole`: neither text nor sound will grow."""
        self._text = text
        words = pronounced(text)
        self._words = words
        self._voiced = sound
        self._ends = _word_ends(words, sound, rate, whole=whole)

    def heard(self, samples: int) -> str:
        """The words that ended within the first samples."""
        if samples <= 0:
            return ""
        # A sample of grace: the shares of a whole part may not add up to the last bit.
        count = bisect_right(self._ends, self._voiced.at(samples) + 1)
        return self._text[: self._words.ends[count - 1]] if count else ""


def timeline(
    text: str, loudness: Loudness | None, rate: int, samples: int, *, whole: bool
) -> Timeline:
    """Of a part of which so much came. Without `loudness` the words share by length alone."""
    levels, ends = (b"", ()) if loudness is None else loudness.frames()
    return Timeline(text, voiced(levels, ends, rate, samples), rate, whole=whole)


def _word_ends(words: Pronounced, sound: Voiced, rate: int, *, whole: bool) -> list[float]:
    """For each word, how much of the voice there is up to its end."""
    length = words.said[-1] if words.said else 0.0
    if not length or not sound.total:
        return [0.0] * len(words.said)
    if whole:
        pace = sound.total / length
        return _spread(words, _Matching(words, sound, rate, whole=True).at(pace)[1], pace)
    matching = _Matching(words, sound, rate, whole=False)
    found = []
    for factor in PACES:
        pace = rate / SYLLABLES_PER_S / factor
        cost, knots = matching.at(pace)
        found.append((cost + _UNUSUAL * (4 * log(factor)) ** 2, pace, knots))
    _, pace, knots = min(found, key=lambda each: each[0])
    if len(knots) > 2:
        # What was matched tells the pace of what comes behind it.
        pace = (pace + 2 * knots[-1].voice / knots[-1].said) / 3
    return _spread(words, knots, pace)


@dataclass(frozen=True, slots=True)
class _Node:
    """A match of mark and pause, and the least cost of all up to it."""

    mark: int
    pause: int
    knot: Knot
    cost: float
    back: _Node | None


class _Matching:
    """Punctuation of the text and pauses of the sound, in order; some of either find no partner."""

    __slots__ = (
        "_end",
        "_mark_costs",
        "_marks",
        "_pause_costs",
        "_pauses",
        "_total",
        "_whole",
    )

    def __init__(self, words: Pronounced, sound: Voiced, rate: int, *, whole: bool) -> None:
        self._whole = whole
        self._end, self._total = words.said[-1], sound.total
        marks = [
            (words.said[each.word], _UNBROKEN_STRONG if each.strong else _UNBROKEN_WEAK)
            for each in words.breaks
            if not whole or words.said[each.word] < self._end
        ]
        pauses = [
            (before, _UNEXPECTED_PER_S * (stop - start) / rate)
            for start, stop, before in zip(sound.starts, sound.stops, sound.before, strict=True)
            if 0 < before and (not whole or before < sound.total)
        ]
        self._marks = [said for said, _ in marks]
        self._pauses = [before for before, _ in pauses]
        # Sums, so that a difference is what is passed over between two matches.
        self._mark_costs = list(accumulate((cost for _, cost in marks), initial=0.0))
        self._pause_costs = list(accumulate((cost for _, cost in pauses), initial=0.0))

    def at(self, pace: float) -> tuple[float, list[Knot]]:
        """The cost of the best match at that pace (samples a syllable), and its knots in order,
        from the beginning on."""
        nodes = [_Node(-1, -1, Knot(0.0, 0.0), 0.0, None)]
        oldest = 0
        for pause, voice in enumerate(self._pauses):
            while nodes[oldest].pause < pause - _REACH and oldest + 1 < len(nodes):
                oldest += 1
            near = nodes[oldest:]
            # A mark that is far from here at this pace is no partner.
            low = bisect_left(self._marks, voice / pace * 0.6 - 2)
            high = bisect_right(self._marks, voice / pace * 1.6 + 4)
            for mark in range(low, high):
                node = self._best(near, mark, pause, pace)
                if node is not None:
                    nodes.append(node)
        cost, last = min(
            ((self._ended(node, pace), node) for node in nodes), key=lambda each: each[0]
        )
        knots = [Knot(self._end, self._total)] if self._whole else []
        matched: _Node | None = last
        while matched is not None:
            knots.append(matched.knot)
            matched = matched.back
        return cost, knots[::-1]

    def _best(self, near: list[_Node], mark: int, pause: int, pace: float) -> _Node | None:
        said, voice = self._marks[mark], self._pauses[pause]
        best: _Node | None = None
        least = float("inf")
        for node in near:
            if not mark - _REACH <= node.mark < mark:
                continue
            cost = (
                node.cost
                + self._mark_costs[mark]
                - self._mark_costs[node.mark + 1]
                + self._pause_costs[pause]
                - self._pause_costs[node.pause + 1]
            )
            if cost < least:
                cost += _stretch(said - node.knot.said, voice - node.knot.voice, pace)
                if cost < least:
                    best, least = node, cost
        return best and _Node(mark, pause, Knot(said, voice), least, best)

    def _ended(self, node: _Node, pace: float) -> float:
        """The cost of all, if that was the last match."""
        cost = node.cost + self._pause_costs[-1] - self._pause_costs[node.pause + 1]
        said, voice = self._end - node.knot.said, self._total - node.knot.voice
        if self._whole:
            passed = self._mark_costs[-1] - self._mark_costs[node.mark + 1]
            return cost + passed + _stretch(said, voice, pace)
        reached = node.knot.said + voice / pace
        passed_marks = max(bisect_right(self._marks, reached - 0.5), node.mark + 1)
        cost += self._mark_costs[passed_marks] - self._mark_costs[node.mark + 1]
        if reached > self._end:
            cost += _STRETCH * _BEHIND * log(reached / self._end) ** 2
        return cost


def _stretch(said: float, voice: float, pace: float) -> float:
    if said <= 0 or voice <= 0:
        return 99.0
    return float(_STRETCH * log(voice / (said * pace)) ** 2 * min(said, _LONG_PHRASE) ** 0.5)


def _spread(words: Pronounced, knots: list[Knot], pace: float) -> list[float]:
    """The words between two knots share the voice between them; behind the last, by the pace."""
    ends: list[float] = []
    for knot, after in pairwise(knots):
        share = (after.voice - knot.voice) / (after.said - knot.said)
        while len(ends) < len(words.said) and words.said[len(ends)] <= after.said:
            ends.append(knot.voice + (words.said[len(ends)] - knot.said) * share)
    last = knots[-1]
    ends += (last.voice + (said - last.said) * pace for said in words.said[len(ends) :])
    return ends
