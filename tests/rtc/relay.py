"""A relay of UDP between two peers on loopback that behaves like a poor network, from a seed.

1. It stands before whoever answers: its own ports take the place of the answer's candidates
   (`Relay.rewritten`). Each address that sends to it is one client, with a socket of its own
   towards the answering peer, as behind a NAT; there the client is known by that socket. The
   offer's candidates lead nowhere then: our server does not use them.
2. What becomes of a packet is decided by `Fates`, which is pure: the seed, the direction, the kind
   of the packet and its number among its kind. So the same seed gives the same losses, however the
   peers' packets fall between each other. Nothing is delayed or lost before `begin`.
3. What was carried and what was lost is counted by direction and kind.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Direction: TypeAlias = Literal["up", "down"]
"""`up`: from the client to the service."""
Kind: TypeAlias = Literal["media", "events", "paths"]
"""RTP and RTCP; DTLS, and so the data channel; STUN."""
Address: TypeAlias = tuple[str, int]

_CANDIDATE = re.compile(r"^(a=candidate:\S+ \d+ udp \d+ )(\S+) (\d+)( typ host.*)$", re.I | re.M)


@dataclass(frozen=True, slots=True)
class Weather:
    """What the network does. Each way on its own; a burst takes `burst_packets` in the mean."""

    delay_ms: int = 0
    reorder_ms: int = 0
    """Every packet is later by 0 to so many milliseconds, drawn, so that later ones overtake."""
    loss: float = 0.0
    burst_packets: float = 3.0


CLEAR = Weather()


class Fates:
    """The fates of one direction's packets of one kind, in order."""

    def __init__(self, weather: Weather, seed: int, direction: Direction, kind: Kind) -> None:
        self._weather = weather
        self._draw = random.Random(f"{seed} {direction} {kind}")
        self._is_losing = False

    def next(self) -> int | None:
        """By how many microseconds the next packet is late; None: it is lost.

        Two states with the same mean loss as `loss`: in a burst all is lost, outside nothing.
        """
        weather = self._weather
        ends = 1 / weather.burst_packets
        begins = ends * weather.loss / (1 - weather.loss) if weather.loss else 0.0
        chance, late = self._draw.random(), self._draw.random()
        self._is_losing = chance >= ends if self._is_losing else chance < begins
        if self._is_losing:
            return None
        return weather.delay_ms * 1_000 + round(late * weather.reorder_ms * 1_000)


def kind_of(packet: bytes) -> Kind:
    """By its first byte (RFC 7983)."""
    first = packet[0] if packet else 0
    if first < 4:
        return "paths"
    return "events" if first < 64 else "media"


class _Port(asyncio.DatagramProtocol):
    def __init__(self, came: Any) -> None:
        self._came = came

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._came(data, addr)

    def error_received(self, exc: Exception) -> None:
        """A peer that has gone: loopback says so, a network would not."""


class Relay:
    """Use `a_relay`. `carried` and `lost` count by direction and kind."""

    def __init__(self, weather: Weather, seed: int) -> None:
        self._weather, self._seed = weather, seed
        self._fates: dict[tuple[Direction, Kind], Fates] | None = None
        self._ports: list[asyncio.DatagramTransport] = []
        self._towards: dict[tuple[Address, Address], asyncio.Task[asyncio.DatagramTransport]] = {}
        self._late: set[asyncio.TimerHandle] = set()
        self._closed = False
        self.carried: Counter[tuple[Direction, Kind]] = Counter()
        self.lost: Counter[tuple[Direction, Kind]] = Counter()

    def begin(self) -> None:
        """From now on the weather is as it was ordered, from the seed's first draw."""
        self._fates = {
            (direction, kind): Fates(self._weather, self._seed, direction, kind)
            for direction in ("up", "down")
            for kind in ("media", "events")
        }

    async def rewritten(self, answer: str) -> str:
        """The answer's SDP with a port of the relay in place of each candidate."""
        places: dict[Address, Address] = {}
        for found in _CANDIDATE.finditer(answer):
            behind = (found[2], int(found[3]))
            if behind not in places and ":" not in found[2]:
                places[behind] = await self._before(behind)

        def in_place(found: re.Match[str]) -> str:
            place = places.get((found[2], int(found[3])))
            return "" if place is None else f"{found[1]}{place[0]} {place[1]}{found[4]}"

        assert places, "the answer has candidates"
        return _CANDIDATE.sub(in_place, answer)

    def close(self) -> None:
        """Carry nothing more."""
        self._closed = True
        for timer in self._late:
            timer.cancel()
        for towards in self._towards.values():
            if towards.done() and not towards.cancelled():
                towards.result().close()
            towards.cancel()
        for port in self._ports:
            port.close()

    async def _before(self, behind: Address) -> Address:
        """A port that leads to the peer behind it."""

        def from_client(packet: bytes, client: Address) -> None:
            self._carry("up", packet, lambda: self._send_up(port, client, behind, packet))

        port = await _bound(from_client)
        self._ports.append(port)
        place: Address = port.get_extra_info("sockname")[:2]
        return place

    def _send_up(
        self, port: asyncio.DatagramTransport, client: Address, behind: Address, packet: bytes
    ) -> None:
        """From the client's own socket, which is made with its first packet."""
        towards = self._towards.get((client, behind))
        if towards is None:

            def from_service(answer: bytes, _: Address) -> None:
                self._carry("down", answer, lambda: port.sendto(answer, client))

            towards = asyncio.create_task(_bound(from_service))
            self._towards[client, behind] = towards

        def on(made: asyncio.Task[asyncio.DatagramTransport]) -> None:
            if not self._closed and not made.cancelled():
                made.result().sendto(packet, behind)

        if towards.done():
            on(towards)
        else:
            towards.add_done_callback(on)

    def _carry(self, direction: Direction, packet: bytes, send: Any) -> None:
        kind = kind_of(packet)
        self.carried[direction, kind] += 1
        fates = None if self._fates is None else self._fates.get((direction, kind))
        late_us = 0 if fates is None else fates.next()
        if late_us is None:
            self.lost[direction, kind] += 1
        elif late_us == 0:
            send()
        else:
            self._later(late_us, send)

    def _later(self, late_us: int, send: Any) -> None:
        def due() -> None:
            self._late.discard(timer)
            send()

        timer = asyncio.get_running_loop().call_later(late_us / 1e6, due)
        self._late.add(timer)


async def _bound(came: Any) -> asyncio.DatagramTransport:
    loop = asyncio.get_running_loop()
    port, _ = await loop.create_datagram_endpoint(lambda: _Port(came), ("127.0.0.1", 0))
    return port


@asynccontextmanager
async def a_relay(weather: Weather = CLEAR, seed: int = 1) -> AsyncIterator[Relay]:
    """A relay until the block ends."""
    relay = Relay(weather, seed)
    try:
        yield relay
    finally:
        relay.close()
