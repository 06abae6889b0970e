"""How long the words of a text take to say, in syllables. Pure.

1. A word is what spaces part; where a script has no spaces, a character. Its syllables are its
   groups of vowels; consonants take their time too, and so does the word as such.
2. Numbers are longer than they are written, and letters are said one by one in "USB".
3. Behind punctuation there may be a pause, and a word before it is drawn out.

The weights were fitted, see `words.py`. English is counted best; another language is counted by its
vowels, which is enough for shares of a phrase.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD_WEIGHT = 0.3
_CONSONANT_WEIGHT = 0.1
_FINAL_WEIGHT = 0.5
"""Of a word before punctuation, in syllables."""

_UNSPACED = "\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}][^\w\s]*|[^\s{_UNSPACED}]+")
_GREEK = r"\u03b1\u03b5\u03b7\u03b9\u03bf\u03c5\u03c9"
_CYRILLIC = r"\u0430\u0435\u0438\u043e\u0443\u044b\u044d\u044e\u044f"
_VOWELS = re.compile(f"[aeiouyáàâäãåæéèêëíìîïóòôöõøœúùûüýÿ{_GREEK}{_CYRILLIC}]+", re.IGNORECASE)
_WIDE_STRONG, _WIDE_WEAK = r"\u3002\uff01\uff1f", r"\uff0c\u3001"
_CLOSING = "['\")\\]”’»]*$"
_STRONG = re.compile(rf"[.!?…:;{_WIDE_STRONG}]{_CLOSING}")
_WEAK = re.compile(rf"[,{_WIDE_WEAK})\u2013\u2014-]{_CLOSING}")
_DIGITS = re.compile(r"\d{1,3}(?:,\d{3})+|\d+")
_DIGIT_SYLLABLES = (2, 1, 1, 1, 1, 1, 1, 2, 1, 1)


@dataclass(frozen=True, slots=True)
class Break:
    """Punctuation behind the word with that index; strong at the end of a sentence."""

    word: int
    strong: bool


@dataclass(frozen=True, slots=True)
class Pronounced:
    """For each word of a text where it ends, in characters, and how much is said up to there, in
    syllables."""

    ends: tuple[int, ...]
    said: tuple[float, ...]
    breaks: tuple[Break, ...]


def pronounced(text: str) -> Pronounced:
    """How the text is said."""
    ends: list[int] = []
    said: list[float] = []
    breaks: list[Break] = []
    total = 0.0
    for index, match in enumerate(_WORD.finditer(text)):
        word = match.group()
        total += syllables(word)
        strong = _STRONG.search(word) is not None
        if strong or _WEAK.search(word):
            breaks.append(Break(index, strong))
            total += _FINAL_WEIGHT
        ends.append(match.end())
        said.append(total)
    return Pronounced(tuple(ends), tuple(said), tuple(breaks))


def syllables(word: str) -> float:
    """How long the word is, in syllables of no consonants."""
    letters = sum(map(str.isalpha, word))
    length = sum(_number(found.replace(",", "")) for found in _DIGITS.findall(word))
    if letters:
        length += _spelled(word, letters)
    return length + _WORD_WEIGHT if length else 0.0


def _spelled(word: str, letters: int) -> float:
    if 1 < letters <= 4 and word.isupper():
        return letters
    groups = _VOWELS.findall(word)
    count = len(groups)
    stem = word.rstrip(".,;:!?'\"").lower()
    # A final e is silent, unless it is all there is; so is that of "asked", not that of "wanted".
    silent = (stem.endswith("e") and not stem.endswith("le") and groups[-1:] in (["e"], ["E"])) or (
        stem.endswith("ed") and stem[-3:-2] not in ("t", "d")
    )
    if silent and count > 1:
        count -= 1
    consonants = letters - sum(map(len, groups))
    return max(1, count) + _CONSONANT_WEIGHT * consonants


def _number(digits: str) -> float:
    """The syllables of a number that is read in English."""
    if len(digits) > 9:
        return 1.3 * len(digits)
    value = int(digits)
    for size in (1_000_000, 1_000, 100):
        if value >= size:
            rest = value % size
            return _number(str(value // size)) + 2 + (_number(str(rest)) if rest else 0)
    if value < 10:
        return _DIGIT_SYLLABLES[value]
    if value < 20:
        return 2
    return 2 + (_DIGIT_SYLLABLES[value % 10] if value % 10 else 0)
