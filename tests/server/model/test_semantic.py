"""Turns that end when the user has finished: by his words, by his voice, never later than they
may."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from bargein.server.engines.espeak import speak
from bargein.server.engines.weights import silero_weights
from bargein.server.model.semantic import (
    LONGEST_MS,
    SHORTEST_MS,
    SemanticTurns,
    finished,
    silence_ms,
)
from bargein.server.model.vad import (
    FRAME_MS,
    FRAME_SAMPLES,
    EnergyVad,
    Pcm,
    SileroVad,
    SpeechStopped,
    TurnDetector,
    TurnSettings,
)

RATE = 16_000


@pytest.mark.parametrize(
    "words",
    [
        "I would like to know about the",
        "First we go there and",
        "So, um",
        "Well,",
        "I want to go to uh...",
        "because I\u2019m",
    ],
)
def test_words_that_want_more_make_it_wait(words: str) -> None:
    assert finished(words, 1.0) <= 0.1


@pytest.mark.parametrize(
    "words", ["Stop.", "What are you looking for?", "Go away!", "\u4f60\u597d\u3002"]
)
def test_a_full_stop_is_one_however_it_sounds(words: str) -> None:
    assert finished(words, 0.0) >= 0.9


def test_words_without_a_stop_leave_it_to_the_voice() -> None:
    assert finished("tell me a story", 0.0) < finished("tell me a story", 1.0)
    assert finished("tell me a story", 0.0) > finished("", 0.0)


def test_without_words_the_voice_decides_and_without_both_it_is_open() -> None:
    assert finished("", 0.0) < finished("", None) < finished("", 1.0)
    assert finished("  ... ", None) == finished("", None), "no word was said"


@pytest.mark.parametrize(
    ("eagerness", "longest_ms"),
    [("low", 8_000), ("medium", 4_000), ("auto", 4_000), ("high", 2_000)],
)
def test_the_longest_waits_are_the_services(eagerness: str, longest_ms: int) -> None:
    assert silence_ms(eagerness, 0.0) == longest_ms
    waits = [silence_ms(eagerness, likelihood / 20) for likelihood in range(21)]
    assert waits == sorted(waits, reverse=True)
    assert waits[-1] - SHORTEST_MS[eagerness] < FRAME_MS


def test_who_is_eager_waits_less_for_the_same() -> None:
    for likelihood in (0.0, 0.5, 1.0):
        waits = [silence_ms(eagerness, likelihood) for eagerness in ("low", "medium", "high")]
        assert waits == sorted(waits, reverse=True) and len(set(waits)) == 3


def tone(ms: int) -> Pcm:
    wave = np.sin(2 * np.pi * 300 * np.arange(RATE * ms // 1_000) / RATE)
    return np.asarray(8_000 * wave).astype(np.int16)


def quiet(ms: int) -> Pcm:
    return np.zeros(RATE * ms // 1_000, np.int16)


def turns(
    words: Callable[[], str], eagerness: str = "medium", *, hears: bool = False
) -> SemanticTurns:
    settings = TurnSettings(silence_duration_ms=LONGEST_MS[eagerness])
    detector = TurnDetector(SileroVad(silero_weights()) if hears else EnergyVad(), settings)
    return SemanticTurns(detector, eagerness, words)


def waited_ms(
    made: SemanticTurns, speech: Pcm, *, chunk: int = FRAME_SAMPLES, since: int = 0
) -> int:
    """From the end of the speech to the end of the turn. `since`: samples that were fed before."""
    pcm = np.concatenate([quiet(512), speech, quiet(9_000)])
    decided = []
    for start in range(0, len(pcm), chunk):
        decided += made.feed(pcm[start : start + chunk])
    stops = [event.audio_end_ms for event in decided if isinstance(event, SpeechStopped)]
    return stops[0] - (512 + (since + len(speech)) * 1_000 // RATE)


def test_a_turn_waits_as_its_words_say() -> None:
    unfinished = waited_ms(turns(lambda: "I want the"), tone(640))
    ended = waited_ms(turns(lambda: "I want the cake."), tone(640))
    assert unfinished == silence_ms("medium", 0.1) > 3_000
    assert ended == silence_ms("medium", 0.95) < 600


def test_words_that_come_in_the_pause_end_it() -> None:
    said = [""]
    made = turns(lambda: said[0])
    pcm = np.concatenate([tone(640), quiet(960)])
    assert not any(isinstance(event, SpeechStopped) for event in made.feed(pcm))
    said[0] = "That is all."
    (stopped,) = made.feed(quiet(FRAME_MS))
    assert isinstance(stopped, SpeechStopped)


def test_how_the_sound_is_cut_changes_nothing() -> None:
    waits = {waited_ms(turns(lambda: ""), tone(700), chunk=chunk) for chunk in (100, 512, 7_777)}
    assert len(waits) == 1


def test_each_turn_is_judged_by_itself() -> None:
    made = turns(lambda: "")
    statement = spoken("Please stop for a moment.")
    first = waited_ms(made, statement)
    since = len(statement) + len(quiet(512)) + len(quiet(9_000))
    second = waited_ms(made, tone(640), since=since)
    assert abs(second - waited_ms(turns(lambda: ""), tone(640))) <= FRAME_MS < abs(second - first)


@cache
def spoken(text: str, words: int | None = None, voice: str = "en-us") -> Pcm:
    """Synthetic speech at 16 kHz; after so many words, it breaks off."""
    speech = speak(text, voice=voice, words_per_minute=165)
    end = speech.words[words - 1].end_sample if words else len(speech.pcm)
    pcm = speech.pcm[:end]
    # Two thirds of 24 kHz; a plain average is filter enough for a voice's pitch.
    positions = np.arange(int(len(pcm) * 2 / 3)) * 1.5
    made = np.interp(positions, np.arange(len(pcm)), pcm)
    loud = np.nonzero(np.abs(made) > 150)[0]
    end = int(loud[-1]) + 1
    return np.asarray(made[:end]).astype(np.int16)


STATEMENTS = (
    "I would like to know about the weather in Lisbon.",
    "Please stop for a moment.",
    "We met him last year in Berlin.",
    "Turn on the lights in the kitchen.",
)
BROKEN_OFF = (
    ("I want to order a pizza with some cheese and olives.", 8),
    ("He said that the train would be late again.", 3),
    ("Please remind me to call the doctor on Monday.", 6),
    ("I was walking in the park when it started to rain.", 6),
)


@pytest.mark.parametrize("voice", ["en-us", "en-us+f3", "en-gb-x-rp+m1"])
def test_a_statement_is_answered_sooner_than_what_breaks_off(voice: str) -> None:
    """By the voice alone, as the server's own detector hears it."""

    def wait(text: str, words: int | None = None) -> int:
        return waited_ms(turns(lambda: "", hears=True), spoken(text, words, voice))

    ended = sorted(wait(text) for text in STATEMENTS)
    open_ended = sorted(wait(text, words) for text, words in BROKEN_OFF)
    assert ended[1] + 300 < open_ended[2], (ended, open_ended)
    assert open_ended[-1] <= LONGEST_MS["medium"] + 200
