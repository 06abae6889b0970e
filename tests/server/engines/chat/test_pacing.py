"""Words placed in sound whose voice does not say where they are."""

from __future__ import annotations

from bargein.server.engines.chat.pacing import Pace, Placing

RATE = 24_000


def placing(text: str, pace: Pace | None = None, start: int = 0) -> Placing:
    return Placing(text, start_sample=start, rate=RATE, pace=pace or Pace(), opens_part=start == 0)


def test_at_the_end_every_word_has_a_place_and_the_last_ends_with_the_sound() -> None:
    words = list(placing("One two, three.", start=100).ended(24_100))
    assert [word.text for word in words] == [" One", " two,", " three."]
    assert words[0].start_sample == 100 and words[-1].end_sample == 24_100
    assert [word.end_sample for word in words[:-1]] == [word.start_sample for word in words[1:]]


def test_long_words_and_pauses_take_longer() -> None:
    a, extraordinary, b, c = placing("a extraordinary b, c").ended(RATE)
    lengths = [word.end_sample - word.start_sample for word in (a, extraordinary, b, c)]
    assert lengths[1] > lengths[2] > lengths[0] == lengths[3]


def test_words_are_told_as_the_sound_reaches_them_and_never_move() -> None:
    made = placing("Once upon a time there was a fox by the sea.")
    early = list(made.reached(RATE))
    assert 1 < len(early) < 11
    assert all(word.end_sample <= RATE for word in early)
    late = list(made.ended(4 * RATE))
    assert late[0].start_sample == early[-1].end_sample
    assert len(early) + len(late) == 11 and late[-1].end_sample == 4 * RATE


def test_the_last_word_waits_for_the_end_however_long_the_sound() -> None:
    made = placing("One two.")
    assert [word.text for word in made.reached(100 * RATE)] == ["One"]
    assert [word.text for word in made.ended(100 * RATE)] == [" two."]


def test_sound_that_ends_early_ends_its_words_with_it() -> None:
    made = placing("One two three four.")
    told = [*made.reached(RATE // 2), *made.ended(RATE // 2)]
    assert len(told) == 4 and told[-1].end_sample == RATE // 2


def test_the_pace_is_learned() -> None:
    slow = Pace()
    text = "Once upon a time there was a fox."
    for _ in range(8):
        list(placing(text, slow).ended(8 * RATE))
    assert len(list(placing(text, slow).reached(RATE))) < len(list(placing(text).reached(RATE)))


def test_nothing_is_said_of_no_words() -> None:
    assert list(placing("").ended(RATE)) == []
