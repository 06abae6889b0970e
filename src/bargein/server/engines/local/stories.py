"""Stories of any length, made of parts. Pure: the same number and hero tell the same story.

1. A story is an endless row of sentences: an opening, adventures, an ending, and if somebody still
   wants to know what came then, another chapter of the same kind.
2. A place in a story is a count of its words: what was heard is the first so many words, and it
   goes on at the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bargein.server.engines.local import lexicon

_COMPANIONS = (
    *("an old ferryman", "a girl with a red umbrella", "a lame goose", "a sleepy giant"),
    *("a quarrelsome crow", "a lost soldier", "a very small bear", "a blind fiddler"),
    *("a boy who sold apples", "a grumpy miller", "a swan that could not swim"),
)
_TROUBLES = (
    *("whose boat had lost its rudder", "who had forgotten the way home"),
    *("who had not slept for seven nights", "who was afraid of the wind"),
    *("whose supper had been stolen", "who could not find the right word for a song"),
    *("whose cart was stuck in the mud",),
)
_HELPS = (
    *("stayed and helped until the evening", "sat down, listened, and had a good idea"),
    *("shared the last piece of bread", "fetched a rope and pulled with all might"),
    *("sang a quiet song, and that was enough", "looked under every stone and every leaf"),
    *("told a story, and everybody laughed again", "worked the whole night without a word"),
)
_HINTS = (
    *("Follow the water, it never lies", "Look for a light that does not move"),
    *("Go where the wild geese go", "Ask the one who does not answer"),
    *("Count the bridges and turn back at the third", "Listen for a bell under the snow"),
    *("Walk until the road begins to sing", "Do not trust the shorter way"),
    *("Wait for the moon, and then be quick",),
)
_WEATHERS = (
    *("It began to rain", "The sun came out", "A cold wind rose", "The fog was thick"),
    *("The stars were bright", "Snow fell without a sound", "Far away there was thunder"),
)
_CHAPTER_SPAN = 1_000
"""By so much the parts of a chapter are apart from those of the one before it."""


def _article(noun: str) -> str:
    return f"an {noun}" if noun[:1] in "aeiou" else f"a {noun}"


@dataclass(frozen=True, slots=True)
class Story:
    """A story. `hero` is a noun ("fox") or, capitalized, a name; `episodes` are its adventures."""

    number: int
    hero: str
    episodes: int

    @property
    def thing(self) -> str:
        """What is lost."""
        return _pick(lexicon.THINGS, self.number, 3)

    @property
    def title(self) -> str:
        return f"{self._the} and the {self.thing}"

    @property
    def _the(self) -> str:
        return self.hero if self.hero[:1].isupper() else f"the {self.hero}"

    def sentences(self) -> Iterator[tuple[str, ...]]:
        """All sentences as words, chapter after chapter, without end."""
        chapter = 0
        while True:
            for text in self._chapter(chapter):
                yield tuple(text.split())
            chapter += 1

    def from_word(self, position: int) -> Iterator[str]:
        """The rest of the chapter in which this word is, by sentences, beginning with it.

        A chapter that was told to its end is followed by the next one.
        """
        chapter, passed = 0, 0
        while True:
            begun = False
            for text in self._chapter(chapter):
                words = text.split()
                if passed + len(words) > position:
                    begun = True
                    yield " ".join(words[max(0, position - passed) :])
                passed += len(words)
            if begun:
                return
            chapter += 1

    def agrees(self, position: int, words: tuple[str, ...]) -> bool:
        """Whether the story has just these words from there on."""
        passed, index = 0, 0
        for sentence in self.sentences():
            for word in sentence:
                if passed >= position:
                    if index == len(words):
                        return True
                    if word != words[index]:
                        return False
                    index += 1
                passed += 1
        raise AssertionError("a story has no end")

    def _chapter(self, chapter: int) -> Iterator[str]:
        first = self.number + chapter * _CHAPTER_SPAN
        if chapter == 0:
            yield from self._opening()
        else:
            yield f"But that was not all that happened to {self._the}."
            yield f"When the {_place(first)} was green again, there was a knock at the door."
        for episode in range(self.episodes if chapter == 0 else max(1, self.episodes)):
            yield from self._adventure(first + episode + 1)
        yield from self._ending(chapter)

    def _opening(self) -> Iterator[str]:
        place = _place(self.number)
        who = self.hero if self.hero[:1].isupper() else _article(self.hero)
        yield f"Once upon a time, near {_article(place)}, there lived {who}."
        yield f"Every evening {self._the} looked at the old {self.thing} above the door."
        yield f"But one morning the {self.thing} was gone, and nobody had seen who took it."
        yield f"So {self._the} packed some bread, closed the door, and went to look for it."

    def _adventure(self, part: int) -> Iterator[str]:
        place, weather = _place(part), _pick(_WEATHERS, part, 2)
        companion, trouble = _pick(_COMPANIONS, part, 4), _pick(_TROUBLES, part, 3)
        yield f"{weather} when {self._the} came to {_article(place)}."
        yield f"There stood {companion} {trouble}."
        yield f"{_upper(self._the)} {_pick(_HELPS, part, 3)}."
        yield f"{_pick(_HINTS, part, 5)}, was the answer, and that was worth more than gold."

    def _ending(self, chapter: int) -> Iterator[str]:
        place = _place(self.number + chapter * _CHAPTER_SPAN + 5)
        if chapter == 0:
            yield f"At last, behind the {place}, something shone in the grass: the {self.thing}!"
            yield f"{_upper(self._the)} carried it home and hung it above the door again."
        else:
            yield f"And from the {place} they all walked home together."
        yield f"And that is the story of {self.title}."


def _pick(parts: tuple[str, ...], number: int, step: int) -> str:
    """Steps have no divisor in common with the length, so that all parts come before one again."""
    return parts[number * step % len(parts)]


def _place(number: int) -> str:
    return _pick(lexicon.PLACES, number, 5)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
