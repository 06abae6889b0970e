"""A talk as a picture: who said what, when. Pure."""

from __future__ import annotations

from bargein.lab import palette, svg
from bargein.lab.conformance.seen import Frame, Seen

_WIDTH = 960
_LEFT = 150
_ROW = 26
_TOP = 44
_LANES = ("we send", "speech", "items", "response", "sound", "refused")
_MOST_LABELS = 14


def picture(title: str, seen: Seen) -> str:
    """An SVG. Each frame is a mark in its lane; where there is room it has its name."""
    frames = [frame for frame in seen.frames if frame.kind or frame.odd]
    end_us = max((frame.at_us for frame in frames), default=1) or 1
    height = _TOP + _ROW * (len(_LANES) + 1)
    marks = [
        _lane(number, name, [f for f in frames if _lane_of(f) == name], end_us)
        for number, name in enumerate(_LANES)
    ]
    axis = _axis(end_us, height)
    return svg.document(
        _WIDTH,
        height,
        svg.label(16, 24, title, font_weight="bold"),
        axis,
        *marks,
        title=title,
        about="Frames of one connection on the axis of time.",
    )


def _lane_of(frame: Frame) -> str:
    if frame.sent:
        return "we send"
    kind = frame.kind
    if kind == "error" or frame.odd:
        return "refused"
    if kind.startswith("input_audio_buffer."):
        return "speech"
    if kind.startswith("conversation."):
        return "items"
    if kind.startswith(("response.output_audio.", "response.output_text.")):
        return "sound"
    return "response"


_COLOURS = {
    "we send": palette.USER,
    "speech": palette.USER,
    "items": palette.KEPT,
    "response": palette.ASSISTANT,
    "sound": palette.ASSISTANT,
    "refused": palette.CUT,
}


def _x(at_us: int, end_us: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - 24) * at_us / end_us


def _lane(number: int, name: str, frames: list[Frame], end_us: int) -> str:
    y = _TOP + _ROW * number
    shapes = [
        svg.line(_LEFT, y + 12, _WIDTH - 24, y + 12, stroke=palette.GRID),
        svg.label(16, y + 16, name, fill=palette.QUIET),
    ]
    for frame in frames:
        x = _x(frame.at_us, end_us)
        shapes.append(
            svg.group(
                svg.rect(x - 1.5, y + 4, 3, 16, fill=_COLOURS[name]),
                tip=f"{frame.at_us / 1_000:.0f} ms {frame.name or frame.odd}",
            )
        )
    shapes += _labels(y, name, frames, end_us)
    return svg.group(*shapes)


def _labels(y: float, lane: str, frames: list[Frame], end_us: int) -> list[str]:
    """The names that fit, from the left."""
    found: list[str] = []
    free_x = 0.0
    for frame in frames:
        text = frame.name.removeprefix("input_audio_buffer.").removeprefix("conversation.")
        text = text.removeprefix("response.")
        x = _x(frame.at_us, end_us) + 4
        width = svg.width_of(text, 9)
        fits = x >= free_x and x + width < _WIDTH and len(found) < _MOST_LABELS
        if fits and not frame.kind.endswith(".delta"):
            found.append(svg.label(x, y + 9, text, font_size=9, fill=_COLOURS[lane]))
            free_x = x + width + 6
    return found


def _axis(end_us: int, height: float) -> str:
    step_ms = next(
        step
        for step in (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000)
        if end_us / 1_000 / step <= 12 or step == 60_000
    )
    marks = []
    for at_ms in range(0, end_us // 1_000 + 1, step_ms):
        x = _x(at_ms * 1_000, end_us)
        marks.append(svg.line(x, _TOP - 6, x, height - _ROW, stroke=palette.GRID))
        marks.append(
            svg.label(x, height - 10, f"{at_ms} ms", text_anchor="middle", fill=palette.FAINT)
        )
    return svg.group(*marks)
