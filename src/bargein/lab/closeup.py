"""One interruption, enlarged: from the user's first sound to the last word about it. Pure.

Beneath the voices stand the words, those that were heard and those that were not; beneath them the
steps, in the order they happened, with their time since the user's first sound.
"""

from __future__ import annotations

from bargein import events
from bargein.core.inputs import Part
from bargein.lab import palette
from bargein.lab.drawing import Axis, gain_of, waveform
from bargein.lab.figures import RATE
from bargein.lab.observed import Observed, PartWords
from bargein.lab.report import Row, voice_before
from bargein.lab.svg import element, fitted, group, label, line, rect, width_of

_STEPS = 8
_TEXT = 11.5
_LEAST_WORD_PX = 14
_STEP = 17
_MARGIN_US = 160_000
_LEAST_US = 900_000
_WATCHING_US = 250_000
HEIGHT = 168 + _STEPS * _STEP

Step = tuple[int, str, str]
"""When, what, and its colour."""


def closeup(observed: Observed, row: Row, left: float, top: float, width: float) -> str:
    """A panel of `HEIGHT`."""
    steps = steps_of(observed, row)[:_STEPS]
    zero_us = steps[0][0]
    axis = _axis(steps, left + 14, left + width - 14)
    user, ear, words = top + 52, top + 92, top + 130
    ladder = top + 150
    mine = {part.part for part in row.parts}
    stop_x = axis.x(int(row.at_ms * 1_000))
    return group(
        rect(left, top, width, HEIGHT, fill=palette.PANEL, stroke=palette.GRID, rx=6),
        label(left + 14, top + 21, f"Interruption {row.number}", font_size=13.5, font_weight=600),
        label(
            left + width - 14,
            top + 21,
            fitted(_summary(row), width - 150, 11.5),
            font_size=11.5,
            fill=palette.QUIET,
            text_anchor="end",
        ),
        line(axis.left, user, axis.right, user, stroke=palette.GRID),
        line(axis.left, ear, axis.right, ear, stroke=palette.GRID),
        waveform(
            observed.microphone, axis, user, 15, palette.USER, gain=gain_of(observed.microphone)
        ),
        waveform(observed.ear, axis, ear, 17, palette.ASSISTANT, gain=gain_of(observed.ear)),
        line(
            stop_x,
            top + 32,
            stop_x,
            words + 6,
            stroke=palette.CUT,
            stroke_width=1.5,
            stroke_dasharray="4 3",
        ),
        *(_words(observed, each, axis, words) for each in observed.words if each.part in mine),
        *_ladder(steps, zero_us, axis, ladder),
        _ruler(axis, zero_us, top + HEIGHT - 8),
    )


def _summary(row: Row) -> str:
    kept = "unknown" if row.kept_ms is None else f"{row.kept_ms:.2f} ms"
    sent = ", ".join(row.sent) or "nothing"
    return f"heard {row.heard_ms:.2f} ms · sent {sent} · kept {kept} · {row.exactness}"


def steps_of(observed: Observed, row: Row) -> list[Step]:
    """What happened, in order; the first is the user's first sound, or else the stop."""
    asked_us = int(row.at_ms * 1_000)
    mine = {part.part for part in row.parts}
    items = {part.item_id for part in row.parts}
    responses = {part.response_id for part in row.parts}
    steps: list[Step] = []
    voice = voice_before(observed, asked_us)
    if voice is not None and "speech" in row.askers:
        steps.append((voice.start_us, "the user's first sound", palette.USER))
        if (started := _speech_started(observed, asked_us)) is not None:
            steps.append(started)
    for stop in observed.stops:
        if stop.cut_id == row.cut_id and stop.answered_us is not None:
            told = sum(count for part, count in stop.heard_samples if part in mine)
            text = f"player stopped at {_grouped(told)} samples"
            steps.append((stop.answered_us, text, palette.CUT))
    last_us = max((span.end_us for span in observed.spans if span.part in mine), default=None)
    if last_us is not None:
        steps.append((last_us, "last sound at the ear", palette.ASSISTANT))
    for seen in observed.wire:
        step = _wire_step(seen.event, items, responses)
        if step is not None and seen.at_us >= asked_us - 1_000_000:
            steps.append((seen.at_us, *step))
    return sorted(steps, key=lambda step: step[0]) or [(asked_us, "player stopped", palette.CUT)]


def _speech_started(observed: Observed, asked_us: int) -> Step | None:
    """The news that asked for the stop; whoever watches reads it a little after the player."""
    seen_us = [
        seen.at_us
        for seen in observed.wire
        if isinstance(seen.event, events.InputAudioBufferSpeechStarted)
        and seen.at_us <= asked_us + _WATCHING_US
    ]
    return (min(seen_us[-1], asked_us), "speech_started", palette.USER) if seen_us else None


def _wire_step(event: object, items: set[str], responses: set[str]) -> tuple[str, str] | None:
    match event:
        case events.ConversationItemTruncate(item_id=item_id, audio_end_ms=ms) if item_id in items:
            return f"truncate to {ms} ms sent", palette.KEPT
        case events.ConversationItemDelete(item_id=item_id) if item_id in items:
            return "delete sent", palette.KEPT
        case events.ResponseCancel(response_id=str(name)) if name in responses:
            return "cancel sent", palette.KEPT
        case events.ConversationItemTruncated(item_id=item_id) if item_id in items:
            return "truncated: acknowledged", palette.KEPT
        case events.ConversationItemDeleted(item_id=item_id) if item_id in items:
            return "deleted: acknowledged", palette.KEPT
        case events.ResponseDone(response=response) if response.id in responses:
            return f"response.done: {response.status}", palette.QUIET
        case _:
            return None


def _axis(steps: list[Step], left: float, right: float) -> Axis:
    start_us, end_us = steps[0][0] - _MARGIN_US, steps[-1][0] + _MARGIN_US
    missing_us = max(0, _LEAST_US - (end_us - start_us))
    # More room behind than before: the words that nobody heard are there.
    start_us -= missing_us * 2 // 5
    return Axis(start_us, end_us + missing_us * 3 // 5, left, right)


def _words(observed: Observed, each: PartWords, axis: Axis, y: float) -> str:
    spans = [span for span in observed.spans if span.part == each.part]
    heard = sum(span.samples for span in spans)
    drawn = []
    for text, start, end in each.words:
        left, right = (
            axis.x(_place_us(observed, each.part, start)),
            axis.x(_place_us(observed, each.part, end)),
        )
        if right < axis.left + 4 or left > axis.right - 4:
            continue
        left, right = max(left, axis.left), min(right, axis.right)
        heard_x = min(max(axis.x(_place_us(observed, each.part, heard)), left), right)
        tip = text if end <= heard else f"{text}: {'cut here' if start < heard else 'never heard'}"
        colour = palette.ASSISTANT if start < heard else palette.FAINT
        # A word of which the window shows a sliver has its line only.
        written = right - left >= _LEAST_WORD_PX and label(
            (left + right) / 2,
            y,
            fitted(text, right - left + 4, _TEXT),
            font_size=_TEXT,
            fill=colour,
            text_anchor="middle",
        )
        drawn.append(
            group(
                line(left, y - 13, min(heard_x, right - 2), y - 13, stroke=palette.ASSISTANT)
                if heard_x > left
                else "",
                line(
                    heard_x, y - 13, right - 2, y - 13, stroke=palette.FAINT, stroke_dasharray="2 2"
                )
                if heard_x < right - 2
                else "",
                written or "",
                tip=tip if each.exact else f"{tip} (place estimated)",
            )
        )
    return group(*drawn)


def _place_us(observed: Observed, part: Part, sample: int) -> float:
    """When that sample was heard; behind the last one, when it would have been."""
    at_us = 0.0
    for span in observed.spans:
        if span.part == part and span.first_sample <= sample:
            at_us = span.start_us + (sample - span.first_sample) * 1e6 / RATE
    return at_us


def _ladder(steps: list[Step], zero_us: int, axis: Axis, y: float) -> list[str]:
    drawn = []
    for index, (at_us, what, colour) in enumerate(steps):
        x, row_y = axis.x(at_us), y + index * _STEP + 8
        text = f"+{(at_us - zero_us) / 1_000:.1f} ms  {what}" if at_us != zero_us else what
        wide = width_of(text, _TEXT)
        ahead = x + 10 + wide < axis.right or axis.right - x > x - axis.left
        drawn.append(
            group(
                line(x, y - 4, x, row_y, stroke=colour, stroke_opacity=0.35),
                element("circle", cx=x, cy=row_y, r=3.5, fill=colour),
                label(
                    x + 9 if ahead else x - 9,
                    row_y + 4,
                    text,
                    font_size=_TEXT,
                    text_anchor=None if ahead else "end",
                ),
                tip=f"{at_us / 1e6:.4f} s: {what}",
            )
        )
    return drawn


def _ruler(axis: Axis, zero_us: int, y: float) -> str:
    step_us = axis.step_us(least_px=60)
    first = -(-(axis.start_us - zero_us) // step_us)
    last = (axis.end_us - zero_us) // step_us
    drawn = []
    for number in range(first, last + 1):
        at_us = number * step_us
        x = axis.x(zero_us + at_us)
        drawn.append(line(x, y - 14, x, y - 10, stroke=palette.FAINT))
        if axis.left + 14 < x < axis.right - 14:
            drawn.append(
                label(
                    x,
                    y,
                    f"{at_us // 1_000} ms",
                    font_size=10,
                    fill=palette.QUIET,
                    text_anchor="middle",
                )
            )
    return group(*drawn)


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")
