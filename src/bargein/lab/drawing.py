"""What the picture's panels share: a time axis, and the shape of sound. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bargein.lab.observed import Envelope
from bargein.lab.svg import element

_STEPS_US = (
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
)


@dataclass(frozen=True, slots=True)
class Axis:
    """Time to place: `start_us` is at `left`, `end_us` at `right`."""

    start_us: int
    end_us: int
    left: float
    right: float

    def x(self, at_us: float) -> float:
        """Where that moment is; it may lie outside."""
        share = (at_us - self.start_us) / (self.end_us - self.start_us)
        return self.left + share * (self.right - self.left)

    def step_us(self, least_px: float) -> int:
        """The finest round step whose marks are so far apart."""
        px_per_us = (self.right - self.left) / (self.end_us - self.start_us)
        return next((step for step in _STEPS_US if step * px_per_us >= least_px), _STEPS_US[-1])


def waveform(
    sound: Envelope, axis: Axis, middle: float, height: float, colour: str, *, gain: float = 0.0
) -> str:
    """The sound inside the axis as a shape about `middle`; the loudest of it has the full height,
    unless a `gain` says otherwise. Silence is left out."""
    gain = gain or gain_of(sound)
    first = max(0, axis.start_us // sound.step_us)
    last = min(len(sound.peaks), axis.end_us // sound.step_us + 1)
    path: list[str] = []
    run: list[tuple[float, float]] = []
    for index in range(first, last + 1):
        peak = sound.peaks[index] * gain if index < last else 0.0
        if peak > 0:
            x = axis.x((index + 0.5) * sound.step_us)
            run.append((min(max(x, axis.left), axis.right), peak * height))
        elif run:
            path.append(_shape(run, middle, axis, sound.step_us))
            run = []
    return element("path", d="".join(path) or "M0 0", fill=colour)


def gain_of(sound: Envelope) -> float:
    """What brings the loudest peak to 1."""
    return 1 / max(max(sound.peaks, default=0.0), 1e-9)


def _shape(run: list[tuple[float, float]], middle: float, axis: Axis, step_us: int) -> str:
    half = (axis.x(step_us) - axis.x(0)) / 2
    first, last = run[0][0] - half, run[-1][0] + half
    first, last = max(first, axis.left), min(last, axis.right)
    above = "".join(f"L{x:.1f} {middle - h:.1f}" for x, h in run)
    below = "".join(f"L{x:.1f} {middle + h:.1f}" for x, h in reversed(run))
    return f"M{first:.1f} {middle:.1f}{above}L{last:.1f} {middle:.1f}{below}Z"
