"""Where the words of a reply sound. Pure.

Of the local server's replies it is known to the sample, because the same speech is made again. Of
others it is an estimate, by the share of the letters.
"""

from __future__ import annotations

from collections.abc import Sequence

from bargein.server.engines.espeak import Speech

LETTERS_PER_S = 15
"""Of ordinary English speech; used while it is not known how long the sound will be."""

TimedWord = tuple[str, int, int]
"""The word, its first sample, and the one behind its last."""


def timed_words(
    transcript: str, rate: int, received_samples: int, *, whole: bool, known: Sequence[Speech] = ()
) -> tuple[tuple[TimedWord, ...], bool]:
    """The words of a transcript, with their places at `rate`, and whether these are exact.

    `whole`: both the transcript and the sound are complete. A transcript that begins one of the
    `known` speeches has that speech's words, all of them.
    """
    written = transcript.split()
    for speech in known:
        if written and [word.text for word in speech.words[: len(written)]] == written:
            return tuple(
                (
                    word.text,
                    word.start_sample * rate // speech.rate,
                    word.end_sample * rate // speech.rate,
                )
                for word in speech.words
            ), True
    letters = max(1, len(" ".join(written)))
    total = received_samples if whole else letters * rate // LETTERS_PER_S
    words: list[TimedWord] = []
    said = 0
    for word in written:
        start = said
        said += len(word) + 1
        words.append(
            (word, start * total // max(1, letters), (said - 1) * total // max(1, letters))
        )
    return tuple(words), False


def heard_words(words: Sequence[TimedWord], heard_samples: int) -> str:
    """The words that were heard to their end."""
    return " ".join(text for text, _, end in words if end <= heard_samples)
