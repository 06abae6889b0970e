"""Where the words of spoken text are in its sound, for a voice that does not say. Pure.

1. A word takes time by its letters and digits, and a little more for itself; a mark that makes a
   speaker pause takes time too.
2. While the sound of a text still comes, its length is guessed from the pace of what was spoken
   before; when it is there, what is left of the words is fitted to it.
3. A word is told once the sound has reached its end, so its place never moves. Ends never go back,
   and the last word ends with the sound.
"""

from __future__ import annotations

from collections.abc import Iterator

from bargein.server.model.score import Word

_WORD_WEIGHT, _PAUSE_WEIGHT, _LONG_PAUSE_WEIGHT = 1.0, 2.0, 4.0
_WEIGHTS_PER_S = 16.0
"""English at 165 words a minute: 4.7 letters and one for the word itself."""
_MEMORY = 0.5
"""The share of a new measurement in the pace."""


class Pace:
    """How fast a voice speaks, learned from what it spoke."""

    def __init__(self) -> None:
        self.weights_per_s = _WEIGHTS_PER_S

    def learn(self, weight: float, seconds: float) -> None:
        if weight >= 8 and seconds > 0:
            measured = min(60.0, max(4.0, weight / seconds))
            self.weights_per_s += _MEMORY * (measured - self.weights_per_s)


class Placing:
    """The words of one text. `start_sample`: where its sound begins in the part."""

    def __init__(
        self, text: str, *, start_sample: int, rate: int, pace: Pace, opens_part: bool
    ) -> None:
        words = text.split()
        self._words = [
            word if opens_part and index == 0 else f" {word}" for index, word in enumerate(words)
        ]
        self._weights = [_weight(word) for word in words]
        self._start = self._at = start_sample
        self._rate = rate
        self._pace = pace
        self._told = 0

    @property
    def texts(self) -> tuple[str, ...]:
        """The words as deltas of the transcript: joined they are the text."""
        return tuple(self._words)

    def reached(self, sample: int) -> Iterator[Word]:
        """The words that end, as far as can be guessed, within the sound up to `sample`."""
        while self._told < len(self._words) - 1:
            samples = self._weights[self._told] / self._pace.weights_per_s * self._rate
            end = self._at + max(1, round(samples))
            if end > sample:
                return
            yield self._place(end)

    def ended(self, sample: int) -> Iterator[Word]:
        """The words that are left, fitted to the sound's end."""
        whole = sum(self._weights)
        self._pace.learn(whole, (sample - self._start) / self._rate)
        left = sum(self._weights[self._told :])
        at, passed = self._at, 0.0
        for weight in self._weights[self._told :]:
            passed += weight
            yield self._place(at + round((sample - at) * passed / left))

    def _place(self, end: int) -> Word:
        word = Word(self._words[self._told], self._at, end)
        self._at = end
        self._told += 1
        return word


def _weight(word: str) -> float:
    weight = _WORD_WEIGHT + sum(map(str.isalnum, word))
    if word.endswith((".", "!", "?", "…", ":")):
        return weight + _LONG_PAUSE_WEIGHT
    return weight + (_PAUSE_WEIGHT if word.endswith((",", ";", "–", "—")) else 0.0)
