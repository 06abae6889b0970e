"""All orders of a scene are played, each once, and each can be played again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import factorial, prod

import pytest
from tests.sim.naive_client import NaiveClient

from bargein.core import asks
from bargein.sim.choices import TapeSource
from bargein.sim.orders.enumeration import Order, orders, play
from bargein.sim.orders.scene import SPEAKS, Ask, Passes, Scene, spoken
from bargein.sim.orders.scenes import SCENES
from bargein.sim.telling.story import tell


def scripts_of(*lengths: int) -> Scene:
    """Nothing but so many scripts of so many acts, which have nothing to do with each other."""
    scripts = tuple(tuple(Passes(1) for _ in range(length)) for length in lengths)
    return Scene("free", "Time passes.", scripts, holds=(), events=sum(lengths))


def channels(order: Order) -> tuple[str, ...]:
    return tuple(channel for channel, _ in order.chosen)


@pytest.mark.parametrize("lengths", [(1,), (3,), (1, 1), (2, 2, 2), (1, 1, 1, 1, 1), (4, 2)])
def test_free_channels_have_as_many_orders_as_there_are_ways_to_shuffle_them(
    lengths: Sequence[int],
) -> None:
    played = list(orders(scripts_of(*lengths)))

    expected = factorial(sum(lengths)) // prod(factorial(length) for length in lengths)
    assert len(played) == len({channels(order) for order in played}) == expected
    assert sum((order.share for order in played), Fraction(0)) == 1


def test_five_scripts_of_six_acts_are_three_hundred_and_sixty_orders() -> None:
    scene = SCENES["all-at-once"]

    assert [len(script) for script in scene.scripts] == [2, 1, 1, 1, 1]
    assert sum(1 for _ in orders(scene)) == 360


def test_no_more_is_chosen_than_the_scene_allows_and_the_rest_goes_on_plainly() -> None:
    scene = replace(scripts_of(2, 2, 2), events=2)

    played = list(orders(scene))

    assert len(played) == 9
    assert {len(order.chosen) for order in played} == {2}
    assert all(order.violations == () for order in played)


def test_an_order_can_be_played_again_from_its_tape() -> None:
    scene = SCENES["two-askers"]
    for order in list(orders(scene))[::7]:
        again = play(scene, TapeSource(order.tape))

        assert again.names == order.names
        assert again.history == order.history


def test_without_a_choice_what_is_under_way_comes_before_what_is_new() -> None:
    order = play(SCENES["two-askers"], TapeSource({}))

    assert order.names[:3] == (
        "down: response.created",
        "down: response.output_audio.delta",
        (
            "down: response.output_audio.delta + response.output_audio.done"
            " + response.output_item.done + response.done"
        ),
    )
    assert order.names[3] == "script 1: 96 ms of speech"


def test_a_broken_promise_is_told_with_its_scene_its_order_and_its_story() -> None:
    scene = Scene(
        "naive",
        "The user speaks while a reply is heard.",
        prelude=(Ask(asks.Respond()),),
        scripts=((SPEAKS,),),
        scores=(spoken((160,)),),
    )

    broken = [order for order in orders(scene, make_client=NaiveClient) if order.violations]

    story = broken[0].story()
    assert story.startswith("scene naive: The user speaks while a reply is heard.\n1. script 1: ")
    assert tell(broken[0].history) in story
    assert f"{broken[0].violations[0].invariant} BROKEN: " in story
