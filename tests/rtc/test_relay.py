"""The tests' own network: its fates are pure, and it is as bad as it is ordered to be."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.client.test_webrtc_call import until
from tests.rtc.relay import Direction, Fates, Kind, Weather, a_relay, kind_of

ROUGH = Weather(delay_ms=150, reorder_ms=60, loss=0.05)


def fates(
    seed: int, direction: Direction = "down", kind: Kind = "media", weather: Weather = ROUGH
) -> list[int | None]:
    one = Fates(weather, seed, direction, kind)
    return [one.next() for _ in range(20_000)]


def test_the_same_seed_gives_the_same_fates_and_each_kind_has_its_own() -> None:
    assert fates(1) == fates(1)
    others = (fates(2), fates(1, "up"), fates(1, kind="events"))
    assert all(other != fates(1) for other in others)


def test_five_in_a_hundred_are_lost_three_at_a_time() -> None:
    is_lost = [late_us is None for late_us in fates(1)]
    bursts = sum(
        now and not before for before, now in zip([False, *is_lost], is_lost, strict=False)
    )
    assert 0.04 < sum(is_lost) / len(is_lost) < 0.06
    assert 2.5 < sum(is_lost) / bursts < 3.5


def test_what_arrives_is_late_by_the_delay_and_up_to_the_reordering() -> None:
    late = [late_us for late_us in fates(1) if late_us is not None]
    assert 150_000 <= min(late) < 151_000
    assert 209_000 < max(late) <= 210_000


def test_a_clear_day_does_nothing() -> None:
    assert set(fates(1, weather=Weather())) == {0}


@pytest.mark.parametrize(
    ("packet", "kind"),
    [(b"\x00\x01", "paths"), (b"\x16\xfe\xfd", "events"), (b"\x80\x6f", "media"), (b"", "paths")],
)
def test_a_packet_is_told_by_its_first_byte(packet: bytes, kind: Kind) -> None:
    assert kind_of(packet) == kind


async def test_it_stands_in_the_answer_in_place_of_each_candidate_it_can_reach() -> None:
    answer = (
        "a=candidate:1 1 udp 2130706431 127.0.0.1 5000 typ host\r\n"
        "a=candidate:2 1 udp 2130706430 ::1 5001 typ host\r\n"
        "a=end-of-candidates\r\n"
    )
    async with a_relay() as relay:
        told = await relay.rewritten(answer)
        before, _, port = told.splitlines()[0].removesuffix(" typ host").rpartition(" ")
        assert before == "a=candidate:1 1 udp 2130706431 127.0.0.1"
        assert port != "5000" and "::1" not in told and "a=end-of-candidates" in told


class _Peer(asyncio.DatagramProtocol):
    """Answers each packet to where it came from."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.came: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.came.put_nowait(data)
        if data.startswith(b"\x80ask"):
            self.transport.sendto(b"\x80answer", addr)


@pytest.mark.real_time
async def test_packets_go_through_both_ways_and_are_counted() -> None:
    loop = asyncio.get_running_loop()
    ends = [await loop.create_datagram_endpoint(_Peer, ("127.0.0.1", 0)) for _ in range(2)]
    (client_end, client), (service_end, _) = ends
    port = service_end.get_extra_info("sockname")[1]
    async with a_relay(Weather(loss=0.5, burst_packets=1), seed=1) as relay:
        told = await relay.rewritten(f"a=candidate:1 1 udp 1 127.0.0.1 {port} typ host\r\n")
        place = ("127.0.0.1", int(told.split()[5]))
        client_end.sendto(b"\x80ask", place)
        async with asyncio.timeout(5):
            assert await client.came.get() == b"\x80answer"
        relay.begin()
        client_end.sendto(b"\x80ask", place)
        await until(lambda: bool(relay.lost))
    assert (relay.carried["up", "media"], relay.lost["up", "media"]) == (2, 1)
    assert relay.carried["down", "media"] == 1
    client_end.close()
    service_end.close()
