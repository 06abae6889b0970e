"""The answers that a card owes: when each is due, how sure it is, and what is asked only once."""

from __future__ import annotations

from bargein.audio.answers import Answers
from bargein.audio.base import Held, Mark, Stopped, Unknown, Within
from bargein.audio.card_settings import CardSettings
from bargein.audio.part import Part
from bargein.audio.voice import Voice


def test_of_answers_due_at_one_time_the_one_owed_first_is_given_first() -> None:
    answers = Answers(CardSettings())
    answers.hold("b", {}, 7)
    answers.stop("c", {}, {}, 7)
    answers.stop("a", {}, {}, 7)
    assert answers.next_us == 7
    assert answers.due(7) == [Held("b", {}), Stopped("c", {}), Stopped("a", {})]
    assert answers.next_us is None


def test_both_answers_of_a_card_that_learns_better_say_how_far_they_may_be_off() -> None:
    parts: dict[Mark, Part] = {"m": Part(Voice(24_000, 24_000, begin=900))}
    settings = CardSettings(
        accuracy=Within(10), correction_delay_us=1_000, first_error_samples=-240
    )
    answers = Answers(settings)
    answers.stop("cut", {"m": 500}, parts, 0)
    assert answers.due(999) == [Stopped("cut", {"m": 260}, 250)]
    assert answers.due(1_000) == [Stopped("cut", {"m": 500}, 10)]


def test_a_card_that_cannot_tell_cannot_tell_in_its_first_answer_either() -> None:
    parts: dict[Mark, Part] = {"m": Part(Voice(24_000, 24_000, begin=900))}
    settings = CardSettings(accuracy=Unknown(), correction_delay_us=1, first_error_samples=30)
    answers = Answers(settings)
    answers.stop("cut", {"m": 500}, parts, 0)
    assert answers.due(1) == [Stopped("cut", {"m": 530}, None), Stopped("cut", {"m": 500}, None)]


def test_the_correction_after_the_loss_of_a_device_says_how_far_it_may_be_off() -> None:
    answers = Answers(CardSettings(accuracy=Within(10)))
    assert answers.lose({"m": 4, "n": 5}, {"cut": {"m"}}) == [Stopped("cut", {"m": 4}, 10)]


def test_the_last_256_stops_are_known_and_the_oldest_is_forgotten_for_a_new_one() -> None:
    answers = Answers(CardSettings())
    ids = [f"cut_{n}" for n in range(256)]
    assert all(answers.is_new_stop(cut_id) for cut_id in ids)
    assert not any(answers.is_new_stop(cut_id) for cut_id in ids)
    assert answers.is_new_hold("cut_0")
    assert answers.is_new_stop("one more")
    assert not answers.is_new_stop("cut_1")
    assert answers.is_new_stop("cut_0")
