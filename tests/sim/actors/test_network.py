"""Links: late, jittery, stalled, and always in order."""

from __future__ import annotations

from bargein.sim.actors.network import Link, LinkOptions
from bargein.sim.choices import Choices, SeedSource, TapeSource
from bargein.sim.world import World


class _Far:
    def __init__(self, options: LinkOptions, choices: Choices) -> None:
        self.world = World()
        self.got: list[tuple[int, int]] = []
        self.link: Link[int] = Link(
            "up",
            options,
            world=self.world,
            choices=choices,
            deliver=lambda message: self.got.append((self.world.now_us, message)),
            size_of=lambda message: message,
        )


def test_messages_keep_their_order_whatever_is_drawn() -> None:
    options = LinkOptions(base_us=10_000, jitter_us=50_000, stall_one_in=10, stall_us=2_000_000)
    far = _Far(options, Choices(SeedSource(1)))
    promised = []
    for number in range(300):
        # mypy infers no type for a lambda that binds the loop's variable by a default.
        far.world.at(number * 1_000, lambda n=number: promised.append(far.link.send(n)))  # type: ignore[misc]

    far.world.run(10_000_000, at_most=10_000)

    assert [number for _, number in far.got] == list(range(300))
    assert [time_us for time_us, _ in far.got] == promised
    assert far.link.stalls > 10


def test_the_plain_link_delays_by_its_base_and_nothing_else() -> None:
    options = LinkOptions(base_us=10_000, jitter_us=50_000, stall_one_in=2, stall_us=2_000_000)
    far = _Far(options, Choices(TapeSource({})))

    assert far.link.send(1) == 10_000


def test_a_calm_link_has_no_faults_any_more() -> None:
    options = LinkOptions(base_us=10_000, jitter_us=50_000, stall_one_in=1, stall_us=2_000_000)
    far = _Far(options, Choices(SeedSource(3)))
    far.link.calm()

    assert far.link.send(1) == 10_000
    assert far.link.stalls == 0


def test_a_closed_link_loses_what_is_under_way() -> None:
    far = _Far(LinkOptions(base_us=10), Choices(TapeSource({})))
    far.link.send(1)
    far.link.close()
    far.link.send(2)

    far.world.run(100, at_most=10)

    assert far.got == []
    assert far.link.under_way == 0


def _sized(options: LinkOptions, *sizes: int) -> tuple[list[tuple[int, int]], list[int], World]:
    """Send messages of these sizes at once: what arrived and when, and when the link broke."""
    world = World()
    got: list[tuple[int, int]] = []
    broke: list[int] = []
    link: Link[int] = Link(
        "up",
        options,
        world=world,
        choices=Choices(TapeSource({})),
        deliver=lambda size: got.append((world.now_us, size)),
        size_of=lambda size: size,
        broken=lambda: broke.append(world.now_us),
    )
    for size in sizes:
        link.send(size)
    world.run(10_000_000, at_most=100)
    return got, broke, world


def test_a_link_with_a_rate_takes_its_time_for_every_byte() -> None:
    got, broke, _ = _sized(LinkOptions(base_us=10_000, bytes_per_s=1_000), 500, 250)

    assert got == [(510_000, 500), (760_000, 250)]
    assert broke == []


def test_a_message_with_the_byte_at_which_the_link_breaks_never_arrives() -> None:
    options = LinkOptions(base_us=10_000, bytes_per_s=1_000, breaks_at_byte=600)

    got, broke, _ = _sized(options, 500, 250, 250)

    assert got == [(510_000, 500)]
    assert broke == [610_000]


def test_the_end_of_a_link_that_breaks_is_under_way_until_it_is_told() -> None:
    far = _Far(LinkOptions(base_us=10, breaks_at_byte=1), Choices(TapeSource({})))
    far.link.send(1)
    before = far.link.under_way

    far.world.run(100, at_most=10)

    assert (before, far.link.under_way) == (1, 0)


def test_nothing_is_under_way_on_a_closed_link_though_it_would_break() -> None:
    far = _Far(LinkOptions(base_us=10, breaks_at_byte=1), Choices(TapeSource({})))
    far.link.close()
    far.link.send(1)
    assert far.link.under_way == 0


def test_a_calm_link_does_not_break() -> None:
    far = _Far(LinkOptions(base_us=10, breaks_at_byte=1), Choices(TapeSource({})))
    far.link.calm()
    far.link.send(1)

    far.world.run(100, at_most=10)

    assert far.got == [(10, 1)]


def test_what_is_done_behind_the_messages_is_not_done_on_a_closed_link() -> None:
    far = _Far(LinkOptions(base_us=10), Choices(TapeSource({})))
    far.link.send(1)
    far.link.behind(lambda: far.got.append((far.world.now_us, 2)))
    far.world.run(100, at_most=10)
    far.link.behind(lambda: far.got.append((far.world.now_us, 3)))
    far.link.close()
    far.world.run(200, at_most=10)

    assert far.got == [(10, 1), (10, 2)]
