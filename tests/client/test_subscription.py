"""One listener's queue."""

from __future__ import annotations

import asyncio

import pytest
from tests.driver_rig import settle
from tests.virtual_loop import run

from bargein.client.subscription import Subscription
from bargein.core.notices import Dropped


def numbers(limit: int = 100) -> Subscription[int]:
    return Subscription(lambda element: isinstance(element, int), limit, "notices")


async def all_of(subscription: Subscription[int]) -> list[int | Dropped]:
    return [element async for element in subscription]


def test_what_is_not_wanted_is_not_queued() -> None:
    subscription = numbers()
    for element in (1, "two", 3):
        subscription.offer(element)  # type: ignore[arg-type]  # the board offers everything
    subscription.finish()
    assert run(all_of(subscription)) == [1, 3]


def test_the_oldest_beyond_the_bound_are_dropped_and_told_before_the_next_one() -> None:
    subscription = numbers(3)
    for n in range(10):
        subscription.offer(n)
    subscription.finish()
    assert run(all_of(subscription)) == [Dropped("notices", 7), 7, 8, 9]


def test_a_wait_that_is_cancelled_takes_nothing_with_it() -> None:
    async def main() -> None:
        subscription = numbers()
        for turns in range(6):
            waiting = asyncio.ensure_future(anext(subscription))
            await settle(turns)
            subscription.offer(turns)
            waiting.cancel()
            got = await asyncio.gather(waiting, return_exceptions=True)
            if isinstance(got[0], asyncio.CancelledError):
                assert await anext(subscription) == turns
            else:
                assert got[0] == turns

    run(main())


def test_a_failure_is_raised_behind_what_waited_and_is_then_known_to_be_told() -> None:
    async def main() -> None:
        told: list[bool] = []
        subscription = numbers()
        subscription.offer(1)
        subscription.finish(KeyError("x"), lambda: told.append(True))
        subscription.finish(None)
        assert await anext(subscription) == 1
        assert not told
        with pytest.raises(KeyError):
            await anext(subscription)
        assert told

    run(main())


def test_a_listener_that_closed_gets_the_end_and_nothing_more() -> None:
    async def main() -> None:
        with numbers() as subscription:
            subscription.offer(1)
            waiting = asyncio.ensure_future(all_of(subscription))
            await settle()
        subscription.offer(2)
        subscription.finish(KeyError())
        assert await waiting == [1]
        assert await all_of(subscription) == []

    run(main())


def test_two_tasks_on_one_subscription_share_its_elements() -> None:
    async def main() -> None:
        subscription = numbers()
        both = [asyncio.ensure_future(all_of(subscription)) for _ in range(2)]
        for n in range(50):
            subscription.offer(n)
            await settle(2)
        subscription.finish()
        one, other = [await each for each in both]
        assert sorted(n for n in one + other if isinstance(n, int)) == list(range(50))

    run(main())
