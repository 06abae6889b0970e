"""How a virtual sound card behaves. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, assert_never

from bargein.audio.base import Accuracy, Exact, Unknown, Within
from bargein.audio.resample import checked_rate
from bargein.errors import LocalValueError
from bargein.units import US_PER_S

_MAX_FADE_US = 5_000


def margin_of(accuracy: Accuracy) -> int | None:
    """How far counts of this accuracy may be off, in samples; None where nobody can tell."""
    match accuracy:
        case Exact():
            return 0
        case Within(samples=samples):
            return samples
        case Unknown():
            return None
        case _:
            assert_never(accuracy)


@dataclass(frozen=True, slots=True)
class CardSettings:
    """How a virtual card behaves. The defaults are a good desktop card.

    `error_samples` (at the sound's rate) is added to every reported count, within 0 and what
    arrived: it must be 0 for `Exact` and inside the promise for `Within`. `first_error_samples`
    is the error of the first answer to a stop, put right by a second one `correction_delay_us`
    later. `answer_delay_us` None: stops and holds are never answered. Every `miss_every`-th block
    (0: none) the computer is late, and the card plays a block of silence. Progress is told once in
    `report_every_us` (0: with each block), the end of a mark at once.
    """

    rate: int = 24_000
    block: int = 480
    latency_us: int = 40_000
    on_stop: Literal["drain", "discard"] = "drain"
    fade_us: int = 5_000
    accuracy: Accuracy = field(default_factory=Exact)
    error_samples: int = 0
    answer_delay_us: int | None = 0
    correction_delay_us: int | None = None
    first_error_samples: int = 0
    rate_error_ppm: int = 0
    miss_every: int = 0
    report_every_us: int = 0
    limit_s: int = 600

    def __post_init__(self) -> None:
        """Raises `LocalValueError` naming the setting that cannot be."""
        checked_rate(self.rate, "rate")
        _demand("block", self.block, 1, 1 << 16)
        _demand("latency_us", self.latency_us, 0, 10 * US_PER_S)
        _demand("fade_us", self.fade_us, 0, _MAX_FADE_US)
        _demand("rate_error_ppm", self.rate_error_ppm, -100_000, 100_000)
        _demand("miss_every", self.miss_every, 0, 1 << 30)
        _demand("report_every_us", self.report_every_us, 0, US_PER_S)
        _demand("limit_s", self.limit_s, 1, 86_400)
        _demand("answer_delay_us", self.answer_delay_us or 0, 0, 3_600 * US_PER_S)
        _demand("correction_delay_us", self.correction_delay_us or 0, 0, 3_600 * US_PER_S)
        if self.on_stop not in ("drain", "discard"):
            raise LocalValueError(f"on_stop: {self.on_stop!r}; give 'drain' or 'discard'")
        allowed = margin_of(self.accuracy)
        if allowed is not None and abs(self.error_samples) > allowed:
            raise LocalValueError(
                f"error_samples: {self.error_samples} breaks the promise {self.accuracy}; "
                f"give at most {allowed}, or another accuracy"
            )
        if self.first_error_samples and self.correction_delay_us is None:
            raise LocalValueError(
                f"first_error_samples: {self.first_error_samples} is never put right; "
                "give correction_delay_us too"
            )


def _demand(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise LocalValueError(f"{name}: {value}; give {least} to {most}")
