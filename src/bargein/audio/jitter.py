"""From packets that come when they like to frames that are due in time. Pure.

1. A frame is due at its own time on the sender's clock plus the shortest way seen of late plus a
   reserve. The reserve is the lateness seen in the last second (but for one stray), 20 ms at
   least: a packet that never came has no lateness, so a loss does not lengthen the delay. While
   nothing comes nothing is forgotten: the network is behind a pause what it was before it, and the
   first frames, of which one may overtake another, are a reply's first word.
2. What is not there when it is due is made up: from the packet behind it where that carries a copy
   (FEC), else by concealment, for 60 ms at most. A pause of the sender is no loss: there the
   timestamps go on and the sequence numbers do not (RFC 3550, section 5.1). Packets that were held
   up and come all at once are played, and none of them is made up as well.
3. Where the delay is longer than wanted a frame is left out, one in three at most; where it is
   shorter a frame is made up. So a delay of 300 ms is back at the reserve within a second, and
   two clocks that drift apart cost a frame now and then.
4. It holds so many packets and no more, and counts whatever it drops.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from bargein.errors import LocalValueError
from bargein.units import US_PER_MS, US_PER_S

LEAST_RESERVE_US = 20 * US_PER_MS
MOST_RESERVE_US = 200 * US_PER_MS
MADE_UP_FRAMES = 3
"""Of a loss without end so many frames are made up, then it is silent."""
SKIP_ONE_IN = 3
_BASE_WINDOW_US = 4 * US_PER_S
_RESERVE_WINDOW_US = 1 * US_PER_S
_FLOW_US = 100 * US_PER_MS
"""What is longer than this between two packets is a pause."""
_JUMP_US = 5 * US_PER_S
"""A packet whose way differs so much from that of the last one begins another stream."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A frame that came. `position` is its timestamp, which does not wrap here."""

    position: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Missing:
    """A frame to make up: from the packet behind it where that is here, else by concealment."""

    position: int
    next_payload: bytes | None = None


@dataclass(slots=True)
class _Held:
    sequence: int
    payload: bytes


class JitterBuffer:
    """`push` what arrives, `pop` what is due until there is nothing.

    `rate` is that of the timestamps, `frame_samples` the length of every packet's sound at it.
    Times are microseconds of one monotonic clock. Raises `LocalValueError` for numbers below 1.
    """

    __slots__ = (
        "_ages",
        "_base",
        "_came_us",
        "_due_us",
        "_frame_us",
        "_held",
        "_last_sequence",
        "_limit",
        "_made_up",
        "_newest",
        "_next",
        "_paused_us",
        "_since_skip",
        "_ways",
        "doubled",
        "frame_samples",
        "late",
        "lost",
        "overflowed",
        "rate",
        "skipped",
        "stretched",
    )

    def __init__(
        self, *, rate: int = 48_000, frame_samples: int = 960, limit_packets: int = 50
    ) -> None:
        for name, value in (("rate", rate), ("frame_samples", frame_samples)):
            if value < 1:
                raise LocalValueError(f"{name}: {value}; give at least 1")
        if limit_packets < 1:
            raise LocalValueError(f"limit_packets: {limit_packets}; give at least 1")
        self.rate, self.frame_samples = rate, frame_samples
        self._limit = limit_packets
        self._frame_us = frame_samples * US_PER_S // rate
        self._held: dict[int, _Held] = {}
        self._newest: tuple[int, int] | None = None
        """Position and sequence of the furthest packet, neither of which wraps here."""
        self._last_sequence: int | None = None
        """That of the packet popped last."""
        self._next: int | None = None
        """The position that is due next; None while nothing sounds."""
        self._due_us = 0
        self._made_up = 0
        self._since_skip = 0
        self._base: deque[tuple[int, int]] = deque()
        """Arrivals with their ways, falling: the first is the shortest way of late."""
        self._ages: deque[tuple[int, int]] = deque()
        """Arrivals with their ways, in the last second. Their times leave out the pauses."""
        self._ways: list[int] = []
        """The same ways, rising: the greatest are looked at for every frame."""
        self._came_us: int | None = None
        self._paused_us = 0
        """When the last packet came, and how long all pauses were."""
        self.late = 0
        """Packets that came when their time was over."""
        self.doubled = 0
        self.overflowed = 0
        """Packets for which there was no room."""
        self.skipped = 0
        """Frames left out to catch up."""
        self.stretched = 0
        """Frames made up to fall back."""
        self.lost = 0
        """Packets that were not there when they were due: some of them are `late`, too."""

    @property
    def deadline_us(self) -> int | None:
        """When `pop` has something; None while nothing is held and nothing sounds."""
        if self._next is not None:
            return self._due_us
        return self._wanted_us(min(self._held)) if self._held else None

    @property
    def delay_us(self) -> int:
        """The reserve that is wanted now: how much later than it could be a frame is due."""
        if not self._ages:
            return LEAST_RESERVE_US
        shortest = self._base[0][1]
        # All but one stray are waited for; where there is one way only, that one is.
        longest = self._ways[max(0, len(self._ways) - 2)]
        return min(MOST_RESERVE_US, max(LEAST_RESERVE_US, longest - shortest))

    @property
    def held(self) -> int:
        """Packets that wait."""
        return len(self._held)

    def push(self, sequence: int, timestamp: int, payload: bytes, now_us: int) -> None:
        """A packet arrived, with its sequence number (16 bits) and timestamp (32 bits)."""
        position, number = self._unwrapped(sequence, timestamp)
        if self._is_jump(position, now_us):
            self._restart()
            position, number = timestamp, sequence
        if self._newest is None or position > self._newest[0]:
            self._newest = position, number
        self._took(position, now_us)
        if position in self._held:
            self.doubled += 1
        elif self._is_over(position, number):
            self.late += 1
        else:
            self._held[position] = _Held(number, payload)
            if len(self._held) > self._limit:
                self._make_room()

    def pop(self, now_us: int) -> Packet | Missing | None:
        """The next frame that is due by now; None while there is none."""
        while True:
            if self._next is None and not self._begin(now_us):
                return None
            if now_us < self._due_us or self._next is None:
                return None
            excess_us = self._due_us - self._wanted_us(self._next)
            if self._next in self._held:
                if excess_us >= self._frame_us and self._since_skip >= SKIP_ONE_IN - 1:
                    self._skip()
                    continue
                if excess_us <= -self._frame_us:
                    self.stretched += 1
                    self._due_us += self._frame_us
                    return Missing(self._next)
                return self._take()
            if now_us - self._due_us > MADE_UP_FRAMES * self._frame_us:
                # Whoever pops was late himself: it has been silent, and nothing is to be made up.
                self._next = None
                continue
            found = self._make_up()
            if found is not None:
                return found

    def flush(self) -> int:
        """Drop what is held; what comes later is played as ever. Returns how many frames."""
        dropped = len(self._held)
        if self._held:
            furthest = max(self._held)
            self._last_sequence = self._held[furthest].sequence
            if self._next is not None:
                self._due_us += (furthest - self._next) * US_PER_S // self.rate + self._frame_us
                self._next = furthest + self.frame_samples
        self._held.clear()
        return dropped

    def _begin(self, now_us: int) -> bool:
        """Nothing sounds: the first that is held begins when it is due."""
        if not self._held:
            return False
        first = min(self._held)
        due_us = self._wanted_us(first)
        if now_us < due_us:
            return False
        # What is overdue begins now: those behind it, which come in the same burst, are in time.
        self._next, self._due_us = first, now_us if now_us - due_us >= self._frame_us else due_us
        self._made_up = self._since_skip = 0
        return True

    def _take(self) -> Packet:
        assert self._next is not None
        position = self._next
        held = self._held.pop(position)
        self.lost += self._lost_before(held.sequence)
        self._last_sequence = held.sequence
        self._made_up = 0
        self._since_skip += 1
        self._advance()
        return Packet(position, held.payload)

    def _skip(self) -> None:
        assert self._next is not None
        self._last_sequence = self._held.pop(self._next).sequence
        self._next += self.frame_samples
        self._since_skip = 0
        self.skipped += 1

    def _make_up(self) -> Missing | None:
        """What is due is not here. None: it is a pause, or was made up for long enough."""
        assert self._next is not None
        behind = min((at for at in self._held if at > self._next), default=None)
        if behind is not None:
            lost = self._lost_before(self._held[behind].sequence)
            if lost <= self._made_up:
                self._next = None
                return None
        if self._made_up >= MADE_UP_FRAMES:
            self._next = None
            return None
        position = self._next
        copy = self._held.get(position + self.frame_samples)
        self._made_up += 1
        self._advance()
        return Missing(position, None if copy is None else copy.payload)

    def _lost_before(self, sequence: int) -> int:
        """How many packets lie between the last one that was popped and this one."""
        return sequence - 1 - self._last_sequence if self._last_sequence is not None else 0

    def _advance(self) -> None:
        assert self._next is not None
        self._next += self.frame_samples
        self._due_us += self._frame_us

    def _wanted_us(self, position: int) -> int:
        shortest = self._base[0][1] if self._base else 0
        return position * US_PER_S // self.rate + shortest + self.delay_us

    def _took(self, position: int, now_us: int) -> None:
        """So long was its way, up to a constant."""
        way = now_us - position * US_PER_S // self.rate
        if self._came_us is not None:
            self._paused_us += max(0, now_us - self._came_us - _FLOW_US)
        self._came_us = now_us
        flowed_us = now_us - self._paused_us
        while self._base and self._base[-1][1] >= way:
            self._base.pop()
        self._base.append((flowed_us, way))
        while self._base[0][0] < flowed_us - _BASE_WINDOW_US:
            self._base.popleft()
        self._ages.append((flowed_us, way))
        insort(self._ways, way)
        while self._ages[0][0] < flowed_us - _RESERVE_WINDOW_US:
            _, gone = self._ages.popleft()
            del self._ways[bisect_left(self._ways, gone)]

    def _unwrapped(self, sequence: int, timestamp: int) -> tuple[int, int]:
        if self._newest is None:
            return timestamp, sequence
        position, number = self._newest
        return (
            position + _signed(timestamp - position, 32),
            number + _signed(sequence - number, 16),
        )

    def _is_jump(self, position: int, now_us: int) -> bool:
        """A pause takes as long here as there; what is seconds off is another sender's time."""
        if not self._base:
            return False
        way = now_us - position * US_PER_S // self.rate
        return abs(way - self._base[-1][1]) > _JUMP_US

    def _restart(self) -> None:
        self.overflowed += len(self._held)
        self._held.clear()
        self._newest = self._last_sequence = self._next = None
        self._base.clear()
        self._ages.clear()
        self._ways.clear()

    def _is_over(self, position: int, number: int) -> bool:
        if self._next is not None:
            return position < self._next
        return self._last_sequence is not None and number <= self._last_sequence

    def _make_room(self) -> None:
        """The oldest goes; what sounds next is what is left."""
        first = min(self._held)
        held = self._held.pop(first)
        self.overflowed += 1
        self._last_sequence = held.sequence
        self._next = None


def _signed(difference: int, bits: int) -> int:
    """The difference of two numbers that wrap, by the shorter way."""
    half = 1 << (bits - 1)
    return (difference + half) % (1 << bits) - half


class Decoder(Protocol):
    """What makes sound of packets, in their order: each call gives one frame of PCM16."""

    def decode(self, payload: bytes) -> bytes:
        """The frame of this packet."""

    def recover(self, next_payload: bytes) -> bytes:
        """The frame before this packet, from the copy that this one carries."""

    def conceal(self) -> bytes:
        """A frame in place of one that is lost."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of sound at its place in the stream; `made_up` where its packet was not there."""

    position: int
    pcm: bytes
    made_up: bool = False


class Playout:
    """A jitter buffer with its decoder."""

    __slots__ = ("_decoder", "buffer")

    def __init__(self, buffer: JitterBuffer, decoder: Decoder) -> None:
        self.buffer = buffer
        self._decoder = decoder

    def take(self, now_us: int) -> list[Frame]:
        """All frames that are due by now, in order."""
        frames: list[Frame] = []
        while (found := self.buffer.pop(now_us)) is not None:
            match found:
                case Packet(position=position, payload=payload):
                    frames.append(Frame(position, self._decoder.decode(payload)))
                case Missing(position=position, next_payload=None):
                    frames.append(Frame(position, self._decoder.conceal(), made_up=True))
                case Missing(position=position, next_payload=bytes() as payload):
                    frames.append(Frame(position, self._decoder.recover(payload), made_up=True))
        return frames
