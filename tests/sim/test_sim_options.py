"""The worlds that are drawn."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from bargein.audio.base import Accuracy, Exact, Unknown, Within
from bargein.audio.card_settings import CardSettings
from bargein.sim.choices import Choices, SeedSource, TapeSource
from bargein.sim.options import CardChange, Options, draw_options


def _drawn(count: int) -> list[Options]:
    return [draw_options(Choices(SeedSource(seed))) for seed in range(count)]


def test_the_plainest_world_is_the_default_one() -> None:
    assert draw_options(Choices(TapeSource({}))) == Options()


def test_the_client_keeps_talking_only_where_the_server_lets_it() -> None:
    drawn = _drawn(500)
    talking = [options for options in drawn if options.barge_in == "keep_talking"]

    assert len(talking) >= 20
    assert all(o.turns == "manual" or not o.interrupt_response for o in talking)


def test_all_kinds_of_worlds_are_met() -> None:
    drawn = _drawn(500)

    assert {options.turns for options in drawn} == {"server_vad", "semantic_vad", "manual"}
    assert {options.format.value for options in drawn} == {"audio/pcm", "audio/pcmu", "audio/pcma"}
    assert {options.card.on_stop for options in drawn} == {"drain", "discard"}
    assert {type(options.card.accuracy) for options in drawn} == {Exact, Within, Unknown}
    assert min(options.card.block for options in drawn) == 240
    assert max(options.card.block for options in drawn) == 2_048
    assert max(options.card.latency_us for options in drawn) > 240_000
    assert max(options.down.base_us for options in drawn) > 250_000


def test_most_worlds_can_be_held_to_the_sample() -> None:
    exact = Counter(options.exact and options.obeys_truncate for options in _drawn(500))

    assert exact[True] > 350


@pytest.mark.parametrize(
    ("accuracy", "delay_us", "margin"),
    [
        (Exact(), 0, 0),
        (Within(48), 150_000, 48),
        (Unknown(), 0, None),
        (Exact(), 200_000, None),
        (Exact(), None, None),
    ],
)
def test_a_player_with_two_devices_is_worth_as_little_as_the_worse_one(
    accuracy: Accuracy, delay_us: int | None, margin: int | None
) -> None:
    card = CardSettings(accuracy=accuracy, answer_delay_us=delay_us)
    drains = CardSettings(block=480, latency_us=100_000)

    for first, second in ((card, drains), (drains, card)):
        options = replace(Options(), card=first, card_changes=CardChange(1_000, second))
        assert options.margin_samples == margin
        assert not options.exact
    # What the lost device held was promised and never heard: 100 ms and a block of 20 ms.
    assert options.first_word_off_samples == 24 * 120 + 1
    assert replace(Options(), card=drains).first_word_off_samples == 0


@pytest.mark.parametrize(
    ("accuracy", "delay_us", "margin"),
    [
        (Exact(), 0, 0),
        (Within(48), 150_000, 48),
        (Unknown(), 0, None),
        (Exact(), 200_000, None),
        (Exact(), None, None),
    ],
)
def test_a_player_that_breaks_its_word_is_worth_as_little_as_one_that_cannot_tell(
    accuracy: Accuracy, delay_us: int | None, margin: int | None
) -> None:
    card = CardSettings(accuracy=accuracy, answer_delay_us=delay_us)

    assert replace(Options(), card=card).margin_samples == margin
