"""What the session asks of a loudspeaker and of a microphone.

1. A Player is the only one who knows what was heard. It counts samples per *mark* (an opaque key
   that it is given with the sound) in the rate the sound came with; it never computes a position
   from a wall clock. A device may use its own DAC clock.
2. All calls of the session are non-blocking. What happened comes back as a report, from any
   thread, so that sound cards, telephone marks and browsers fit without another interface.
3. `Stopped` is final. Nothing of the marks it names is heard beyond its counts, even if the card
   still drains: what will drain, and the fade, is in the counts already.
4. A Player is one voice. Where several voices share a card, a stop discards this voice only.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import msgspec

Mark: TypeAlias = Hashable
"""Names one spoken content part; the player only compares it."""


@dataclass(frozen=True, slots=True)
class Exact:
    """Counts are exact: what they say was heard was heard, to the sample."""


@dataclass(frozen=True, slots=True)
class Within:
    """Counts may be off by so many samples, either way, at the rate of the sound."""

    samples: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """The player cannot tell; its counts are estimates. Nothing is deleted on its word."""


Accuracy: TypeAlias = Exact | Within | Unknown


class Rendered(msgspec.Struct, frozen=True, gc=False):
    """Progress:

    so much of each mark was heard so far. Counts never fall. Sent at most once a block.
    """

    heard_samples: Mapping[Mark, int]


class Held(msgspec.Struct, frozen=True, gc=False):
    """The answer to `hold`: silence from here on; the counts stand until `resume` or `stop`."""

    cut_id: str
    heard_samples: Mapping[Mark, int]


class Stopped(msgspec.Struct, frozen=True, gc=False):
    """The answer to `stop`: final counts of every mark that was played and is not settled yet.

    Settled is what an earlier `Stopped` named, or a `Rendered` told as wholly heard; so a stop
    that was never answered is made good by the next one. Of the marks named, nothing more is told.
    `margin_samples` is how far the counts may be off; 0 for an exact player, None where it cannot
    tell. A card that learns better later reports the same `cut_id` again: that is a correction.
    """

    cut_id: str
    heard_samples: Mapping[Mark, int]
    margin_samples: int | None = 0


class Changed(msgspec.Struct, frozen=True, gc=False):
    """The device under the player changed (unplugged, switched);

    its accuracy may be another one now.
    """

    accuracy: Accuracy
    detail: str = ""


class Starved(msgspec.Struct, frozen=True, gc=False):
    """The card asked for more than there was: so many samples of silence were heard in between."""

    samples: int


Report: TypeAlias = Rendered | Held | Stopped | Changed | Starved
ReportSink: TypeAlias = Callable[[Report], None]
SoundSink: TypeAlias = Callable[[bytes, int], None]


class Player(Protocol):
    """One voice on a loudspeaker. Attach before the first `play`; every call returns at once."""

    @property
    def accuracy(self) -> Accuracy:
        """How good the counts are."""

    def attach(self, report: ReportSink) -> None:
        """Give the place for reports. It is called from any thread and must not block."""

    def play(self, mark: Mark, pcm: bytes, rate: int) -> None:
        """Queue 16-bit little-endian mono sound at `rate` behind all that is queued.

        Sound of a mark that was stopped or finished is dropped and counted. The counts of a mark
        are in samples at `rate`, which must be the same for all the sound of one mark. The queue
        is bounded: from the first sample that does not fit on, the mark's sound is dropped, and a
        `Changed` with the same accuracy says so. Raises `LocalValueError` for half a sample and
        for another rate, `DeviceError` once closed.
        """

    def finish(self, mark: Mark) -> None:
        """Say that no more sound of this mark will come: what a resampler holds back is let out."""

    def hold(self, cut_id: str) -> None:
        """Fall silent within one block and keep the queue. Answered by `Held`."""

    def resume(self) -> None:
        """Go on at the very sample where `hold` stopped. Without a hold it does nothing."""

    def stop(self, cut_id: str) -> None:
        """Fall silent within one block, drop the queue, answer with `Stopped`.

        Idempotent per `cut_id`.
        """

    def close(self) -> None:
        """Release the device. Reports may still come while it closes, none after it returned."""


class Recorder(Protocol):
    """One microphone. Sound arrives at the sink from any thread."""

    def attach(self, sink: SoundSink) -> None:
        """Give the place for sound: 16-bit little-endian mono bytes and their rate."""

    def start(self) -> None:
        """Begin to capture. Raises `DeviceError` where the device cannot."""

    def mute(self, muted: bool) -> None:
        """Deliver silence of the same length instead of sound, so that the audio clock goes on."""

    def stop(self) -> None:
        """End for good. Nothing reaches the sink after it returned."""
