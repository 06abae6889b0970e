"""A story as a picture: what the ear heard of both clients over both transports. Pure.

One axis, seconds from the stop. In each lane the reply up to the stop, what was still heard of it
after the stop, the reply that followed, and what was sent and came on the wire.
"""

from __future__ import annotations

from collections.abc import Sequence

from bargein.lab import palette
from bargein.lab.ab.measure import BEFORE_US, STEP_US, Figures, Line
from bargein.lab.ab.report import NAMES, in_order
from bargein.lab.ab.scenario import Story
from bargein.lab.ab.table import is_routine, ms
from bargein.lab.drawing import Axis, gain_of, waveform
from bargein.lab.observed import Envelope
from bargein.lab.svg import document, fitted, group, label, line, polygon, rect
from bargein.units import US_PER_S

WIDTH = 1_100
_LEFT, _RIGHT = 150, 24
_TOP = 92
_LANE = 92
_LEAST_AFTER_US = 3 * US_PER_S


def picture(story: Story, figures: Sequence[Figures]) -> str:
    """The SVG file's text."""
    runs = in_order(tuple(figures))
    steps = max((_steps(each) for each in runs), default=0)
    end_us = max(BEFORE_US + _LEAST_AFTER_US, steps * STEP_US)
    axis = Axis(0, end_us, _LEFT, WIDTH - _RIGHT)
    bottom = _TOP + _LANE * len(runs)
    return document(
        WIDTH,
        bottom + 34,
        label(24, 32, fitted(f"{story.name}: {story.about}", WIDTH - 48, 18), font_size=18),
        _legend(24, 46),
        _grid(axis, _TOP - 8, bottom),
        *(_lane(each, axis, _TOP + _LANE * number) for number, each in enumerate(runs)),
        _stop(axis, _TOP - 8, bottom),
        title=f"{story.name}: the same story over WebSocket and WebRTC",
        about=" ".join(f"{each.who} over {NAMES[each.transport]}: {_told(each)}." for each in runs),
    )


def _steps(figures: Figures) -> int:
    """How far there is something to see."""
    drawn = (figures.before, figures.after, figures.other, figures.user)
    return max((_last(each) for each in drawn), default=0) + 10


def _last(sound: Envelope) -> int:
    loud = [index for index, peak in enumerate(sound.peaks) if peak > 0]
    return loud[-1] + 1 if loud else 0


def _told(figures: Figures) -> str:
    if figures.unmet is not None:
        return figures.unmet
    return (
        f"silent {ms(figures.stop_to_silence_ms)} after the stop, {ms(figures.sound_after_ms)} of "
        f"sound after it · heard {ms(figures.heard_ms)}, left {ms(figures.left_ms)}, "
        f"kept {ms(figures.kept_ms)}"
    )


def _legend(x: float, y: float) -> str:
    entries = (
        (rect(0, 2, 22, 9, fill=palette.ASSISTANT, rx=2), "the reply, heard"),
        (rect(0, 2, 22, 9, fill=palette.CUT, rx=2), "heard after the stop"),
        (rect(0, 2, 22, 9, fill=palette.FAINT, rx=2), "the next reply"),
        (rect(0, 2, 22, 9, fill=palette.USER, rx=2), "the user"),
        (_mark(11, 7, "sent"), "sent"),
        (_mark(11, 7, "received"), "received"),
    )
    drawn = []
    for column, (swatch, text) in enumerate(entries):
        left = x + column * 160
        drawn.append(group(swatch, transform=f"translate({left:.1f} {y:.1f})"))
        drawn.append(label(left + 28, y + 11, text, font_size=11, fill=palette.QUIET))
    return group(*drawn)


def _grid(axis: Axis, top: float, bottom: float) -> str:
    step_us = axis.step_us(least_px=44)
    drawn = []
    first = -(BEFORE_US // step_us) * step_us
    for at_us in range(first, axis.end_us - BEFORE_US + 1, step_us):
        x = axis.x(at_us + BEFORE_US)
        drawn.append(line(x, top, x, bottom, stroke=palette.GRID))
        text = f"{at_us / 1e6:g} s"
        drawn.append(
            label(x, bottom + 16, text, font_size=11, fill=palette.QUIET, text_anchor="middle")
        )
    return group(*drawn)


def _stop(axis: Axis, top: float, bottom: float) -> str:
    x = axis.x(BEFORE_US)
    dashed = line(x, top, x, bottom, stroke=palette.CUT, stroke_width=1.5, stroke_dasharray="4 3")
    return group(dashed, label(x + 4, top + 4, "stop", font_size=11, fill=palette.CUT))


def _lane(figures: Figures, axis: Axis, y: float) -> str:
    middle = y + 44
    gain = min(gain_of(each) for each in (figures.before, figures.after, figures.other))
    colours = (
        (figures.before, palette.ASSISTANT),
        (figures.other, palette.FAINT),
        (figures.after, palette.CUT),
    )
    return group(
        label(24, middle - 4, figures.who, font_size=12.5, font_weight=600),
        label(24, middle + 11, NAMES[figures.transport], font_size=11.5, fill=palette.QUIET),
        line(axis.left, middle, axis.right, middle, stroke=palette.GRID),
        waveform(figures.user, axis, middle, 12, palette.USER),
        *(waveform(sound, axis, middle, 22, colour, gain=gain) for sound, colour in colours),
        label(axis.left + 2, y + 14, _told(figures), font_size=11.5),
        rect(axis.left, y + 70, axis.right - axis.left, 14, fill=palette.PANEL, rx=3),
        *(_event(each, axis, y + 77) for each in figures.events if not is_routine(each)),
    )


def _event(each: Line, axis: Axis, y: float) -> str:
    at_us = each.at_ms * 1_000 + BEFORE_US
    if not axis.start_us <= at_us <= axis.end_us:
        return ""
    tip = f"{each.at_ms:+d} ms, {each.direction}: {each.text}"
    return group(_mark(axis.x(at_us), y, each.direction, refused=each.text[:5] == "error"), tip=tip)


def _mark(x: float, y: float, direction: str, *, refused: bool = False) -> str:
    up = ((x - 4, y + 5), (x + 4, y + 5), (x, y - 5))
    down = ((x - 4, y - 5), (x + 4, y - 5), (x, y + 5))
    colour = palette.CUT if refused else palette.KEPT
    sent = direction == "sent"
    return polygon(
        up if sent else down, fill=colour if sent or refused else palette.QUIET, stroke="#ffffff"
    )
