"""The picture of a session: who spoke, what was received, heard and kept, and when. Pure.

1. One time axis, seconds since the card was opened. On top the microphone and the ear, below them a
   row for each spoken part, then what went over the wire. Enlarged beneath: each interruption
   (`closeup`).
2. A part's bars begin where its first sample was heard. *Received* is drawn as long as it would
   have sounded, so what reaches beyond *heard* is what nobody heard.
"""

from __future__ import annotations

from bargein import events
from bargein.lab import palette
from bargein.lab.closeup import HEIGHT as CLOSEUP_HEIGHT
from bargein.lab.closeup import closeup
from bargein.lab.drawing import Axis, waveform
from bargein.lab.figures import RATE, PartFigures, ms_of
from bargein.lab.observed import Observed, OnWire
from bargein.lab.plan import Plan
from bargein.lab.report import Report
from bargein.lab.svg import document, element, fitted, group, label, line, polygon, rect, width_of

WIDTH = 1_200
_LEFT, _RIGHT = 136, 24
_HEADER = 146
_VOICE = 58
_ROW = 50
_WIRE = 26
_CLOSEUPS_A_ROW = 2
_GAP = 16


def timeline(observed: Observed, report: Report, plan: Plan) -> str:
    """The SVG file's text."""
    axis = Axis(0, max(1, observed.end_us), _LEFT, WIDTH - _RIGHT)
    voices_y = _HEADER
    parts_y = voices_y + 2 * _VOICE + 8
    wire_y = parts_y + _ROW * len(report.parts) + 6
    axis_y = wire_y + 2 * _WIRE + 4
    closeups_y = axis_y + 40
    rows = -(-len(report.interruptions) // _CLOSEUPS_A_ROW)
    height = closeups_y + rows * (CLOSEUP_HEIGHT + _GAP) + 8
    return document(
        WIDTH,
        height,
        _header(report, plan),
        _grid(axis, voices_y - 6, axis_y),
        _cuts(report, axis, voices_y - 6, axis_y),
        _voices(observed, axis, voices_y),
        *(
            _part(observed, axis, part, number, parts_y + _ROW * (number - 1))
            for number, part in enumerate(report.parts, 1)
        ),
        _wire(observed, axis, wire_y),
        *_closeups(observed, report, closeups_y),
        title="What was received, heard and kept of a spoken conversation",
        about=_about(report),
    )


def _about(report: Report) -> str:
    sentences = [
        f"Interruption {row.number} at {row.at_ms / 1_000:.2f} s: heard {row.heard_ms:.2f} ms, "
        f"kept {'unknown' if row.kept_ms is None else f'{row.kept_ms:.2f} ms'}."
        for row in report.interruptions
    ]
    return " ".join([*sentences, *(f"{p.name}: {p.figure}." for p in report.promises)])


def _header(report: Report, plan: Plan) -> str:
    count = len(report.interruptions)
    times = {1: "once", 2: "twice"}.get(count, f"{count} times")
    if report.verdict == "kept":
        head = f"Interrupted {times}: the service remembers what was heard, to the millisecond"
    elif report.verdict == "broken":
        broken = ", ".join(promise.name for promise in report.promises if not promise.kept)
        head = f"Interrupted {times}; broken: {broken}"
    else:
        head = f"Not shown: {report.unmet}"
    figures = " · ".join(promise.brief for promise in report.promises[:4])
    card = plan.card
    block_ms = card.block * 1_000 / card.rate
    setting = (
        f"virtual card: blocks of {card.block} samples ({block_ms:.1f} ms), "
        f"output latency {card.latency_us // 1_000} ms, a stop {card.on_stop}s what it holds "
        f"· seed {plan.seed}"
    )
    room = WIDTH - 48
    return group(
        label(24, 34, fitted(head, room, 21), font_size=20, font_weight=600),
        label(24, 55, fitted(figures, room, 12.5), font_size=12.5, fill=palette.QUIET),
        label(24, 73, fitted(setting, room, 12), font_size=12, fill=palette.QUIET),
        _legend(24, 86),
    )


def _legend(x: float, y: float) -> str:
    """One row about sound, one about the wire."""
    sound = (
        (rect(0, 2, 22, 9, fill=palette.USER, rx=2), "the user's voice"),
        (rect(0, 2, 22, 9, fill=palette.ASSISTANT, rx=2), "the assistant, heard"),
        (_ghost(0, 2, 22, 9), "received, never heard"),
        (rect(0, 4, 22, 5, fill=palette.KEPT, rx=1), "kept by the service"),
        (_cut_line(11, 0, 13), "the player is stopped"),
    )
    wire = (
        (_arrival(11, 7), "sound arrives"),
        (_mark("edge", 11, 7, palette.QUIET), "response created, done"),
        (_mark("from", 11, 7, palette.USER), "speech_started"),
        (_mark("to", 11, 7, palette.KEPT), "truncate, delete, cancel"),
        (_mark("from", 11, 7, palette.KEPT), "acknowledged"),
    )
    drawn = []
    for row, entries in enumerate((sound, wire)):
        for column, (swatch, text) in enumerate(entries):
            left, top = x + column * 182, y + row * 18
            drawn.append(group(swatch, transform=f"translate({left:.1f} {top:.1f})"))
            drawn.append(label(left + 28, top + 11, text, font_size=11, fill=palette.QUIET))
    return group(*drawn)


def _grid(axis: Axis, top: float, bottom: float) -> str:
    step_us = axis.step_us(least_px=38)
    lines = []
    for at_us in range(0, axis.end_us + 1, step_us):
        x = axis.x(at_us)
        lines.append(line(x, top, x, bottom, stroke=palette.GRID))
        text = f"{at_us / 1e6:g} s"
        lines.append(
            label(x, bottom + 15, text, font_size=11, fill=palette.QUIET, text_anchor="middle")
        )
    return group(*lines)


def _lane(y: float, name: str, below: str = "") -> str:
    return group(
        label(24, y, name, font_size=12, font_weight=600),
        label(24, y + 14, below, font_size=10.5, fill=palette.QUIET) if below else "",
    )


def _voices(observed: Observed, axis: Axis, y: float) -> str:
    middle = y + 38
    ear = y + _VOICE + 28
    drawn = [
        _lane(middle, "user", "microphone"),
        _lane(ear, "assistant", "at the ear"),
        line(axis.left, middle, axis.right, middle, stroke=palette.GRID),
        line(axis.left, ear, axis.right, ear, stroke=palette.GRID),
        waveform(observed.microphone, axis, middle, 18, palette.USER),
        waveform(observed.ear, axis, ear, 24, palette.ASSISTANT),
    ]
    for index, spoken in enumerate(observed.spoken):
        after = observed.spoken[index + 1 :]
        until_us = after[0].start_us if after else axis.end_us
        x = axis.x(spoken.start_us)
        text = fitted(f"“{spoken.text}”", axis.x(until_us) - x - 8, 11.5)
        tip = f"the user, {spoken.start_us / 1e6:.2f} to {spoken.end_us / 1e6:.2f} s: {spoken.text}"
        drawn.append(group(label(x, y + 13, text, font_size=11.5, fill=palette.USER), tip=tip))
    return group(*drawn)


def _part(observed: Observed, axis: Axis, part: PartFigures, number: int, y: float) -> str:
    """The three bars of a part, under the words that say how long they are."""
    spans = [span for span in observed.spans if span.part == part.part]
    drawn = [_lane(y + 27, f"reply {number}", _done_about(part))]
    start_us = spans[0].start_us if spans else _arrival_us(observed, part)
    x = axis.x(start_us)

    def right(samples: int) -> float:
        return axis.x(start_us + samples * 1_000_000 // RATE)

    figures = (
        f"received {part.received_samples / RATE:.2f} s · heard {ms_of(part.heard_samples):.2f} ms"
        f" · kept {_kept_text(part)}"
    )
    end = right(part.received_samples)
    # Beyond the axis' end the bar is cut: it says nothing more there.
    shown = min(end, axis.right)
    drawn.append(
        group(_ghost(x, y + 18, shown - x, 13, open_end=end > shown), tip=f"received: {figures}")
    )
    for span in spans:
        left = axis.x(span.start_us)
        bar = rect(left, y + 18, axis.x(span.end_us) - left, 13, fill=palette.ASSISTANT, rx=2)
        tip = (
            f"heard: samples {span.first_sample} to {span.first_sample + span.samples}, "
            f"{span.start_us / 1e6:.3f} to {span.end_us / 1e6:.3f} s: “{part.heard_text}”"
        )
        drawn.append(group(bar, tip=tip))
    kept = right(part.kept_samples or 0)
    bars = rect(x, y + 34, kept - x, 6, fill=palette.KEPT, rx=1)
    edge = line(kept, y + 31, kept, y + 43, stroke=palette.KEPT, stroke_width=2)
    drawn.append(group(bars, edge, tip=f"kept: {_kept_text(part)} ({part.kept_from})"))
    wide = width_of(figures, 11.5)
    left = min(x, axis.right - wide)
    drawn.append(rect(left - 3, y + 2, wide + 6, 14, fill="#ffffff", fill_opacity=0.8))
    drawn.append(label(left, y + 13, figures, font_size=11.5))
    return group(*drawn)


def _done_about(part: PartFigures) -> str:
    if part.sent_ms is not None:
        return f"{part.sent} {part.sent_ms} ms"
    return part.sent or "left alone"


def _kept_text(part: PartFigures) -> str:
    return "unknown" if part.kept_samples is None else f"{ms_of(part.kept_samples):.2f} ms"


def _arrival_us(observed: Observed, part: PartFigures) -> int:
    for seen in observed.wire:
        event = seen.event
        if isinstance(event, events.ResponseOutputAudioDelta) and event.item_id == part.item_id:
            return seen.at_us
    return 0


def _ghost(x: float, y: float, width: float, height: float, *, open_end: bool = False) -> str:
    edge = {"fill": "none", "stroke": palette.GHOST_EDGE, "stroke_dasharray": "3 2"}
    if not open_end:
        return rect(x, y, width, height, rx=2, **{**edge, "fill": palette.GHOST})
    end = x + width
    return group(
        rect(x, y, width, height, fill=palette.GHOST),
        element("path", d=f"M{end:.2f} {y:.2f}H{x:.2f}V{y + height:.2f}H{end:.2f}", **edge),
    )


def _wire(observed: Observed, axis: Axis, y: float) -> str:
    """Two lanes: what came from the service, and what was sent to it."""
    drawn = [
        _lane(y + 15, "from the service"),
        _lane(y + _WIRE + 15, "to the service"),
        rect(axis.left, y + 2, axis.right - axis.left, _WIRE - 6, fill=palette.PANEL, rx=3),
        rect(axis.left, y + _WIRE + 2, axis.right - axis.left, _WIRE - 6, fill=palette.PANEL, rx=3),
    ]
    marks = []
    for seen in observed.wire:
        if isinstance(seen.event, events.ResponseOutputAudioDelta):
            drawn.append(_arrival(axis.x(seen.at_us), y + 12))
        elif (mark := _mark_of(seen, axis, y)) is not None:
            marks.append(mark)
    return group(*drawn, *marks)


def _mark_of(seen: OnWire, axis: Axis, y: float) -> str | None:
    x, above, below = axis.x(seen.at_us), y + 12, y + _WIRE + 12
    at = f"{seen.at_us / 1e6:.3f} s"
    match seen.event:
        case events.InputAudioBufferSpeechStarted():
            return _mark("from", x, above, palette.USER, f"{at} speech_started")
        case events.ConversationItemTruncated(audio_end_ms=ms):
            return _mark("from", x, above, palette.KEPT, f"{at} conversation.item.truncated {ms}")
        case events.ConversationItemDeleted():
            return _mark("from", x, above, palette.KEPT, f"{at} conversation.item.deleted")
        case events.ResponseCreated():
            return _mark("edge", x, above, palette.QUIET, f"{at} response.created")
        case events.ResponseDone(response=response):
            return _mark("edge", x, above, palette.QUIET, f"{at} response.done {response.status}")
        case events.Error(error=error):
            return _mark("from", x, above, palette.CUT, f"{at} error: {error.message}")
        case events.ConversationItemTruncate(audio_end_ms=ms):
            return _mark("to", x, below, palette.KEPT, f"{at} conversation.item.truncate {ms}")
        case events.ConversationItemDelete():
            return _mark("to", x, below, palette.KEPT, f"{at} conversation.item.delete")
        case events.ResponseCancel():
            return _mark("to", x, below, palette.KEPT, f"{at} response.cancel")
        case _:
            return None


def _arrival(x: float, y: float) -> str:
    return line(x, y - 5, x, y + 5, stroke=palette.ASSISTANT, stroke_opacity=0.5)


def _mark(kind: str, x: float, y: float, colour: str, tip: str | None = None) -> str:
    """`from`: a triangle that comes down; `to`: one that goes up; `edge`: a diamond."""
    shapes = {
        "from": ((x - 5, y - 5), (x + 5, y - 5), (x, y + 5)),
        "to": ((x - 5, y + 5), (x + 5, y + 5), (x, y - 5)),
        "edge": ((x, y - 5), (x + 3.5, y), (x, y + 5), (x - 3.5, y)),
    }
    return group(polygon(shapes[kind], fill=colour, stroke="#ffffff", stroke_width=0.8), tip=tip)


def _cuts(report: Report, axis: Axis, top: float, bottom: float) -> str:
    drawn = []
    for row in report.interruptions:
        x = axis.x(int(row.at_ms * 1_000))
        tip = f"interruption {row.number} at {row.at_ms / 1_000:.3f} s, {row.exactness}"
        badge = element("circle", cx=x, cy=top - 6, r=8, fill=palette.CUT)
        number = label(
            x,
            top - 2,
            str(row.number),
            font_size=11,
            font_weight=600,
            fill="#ffffff",
            text_anchor="middle",
        )
        drawn.append(group(_cut_line(x, top, bottom), badge, number, tip=tip))
    return group(*drawn)


def _cut_line(x: float, top: float, bottom: float) -> str:
    return line(x, top, x, bottom, stroke=palette.CUT, stroke_width=1.5, stroke_dasharray="4 3")


def _closeups(observed: Observed, report: Report, y: float) -> list[str]:
    width = (WIDTH - 48 - _GAP * (_CLOSEUPS_A_ROW - 1)) / _CLOSEUPS_A_ROW
    drawn = []
    for index, row in enumerate(report.interruptions):
        left = 24 + (index % _CLOSEUPS_A_ROW) * (width + _GAP)
        top = y + (index // _CLOSEUPS_A_ROW) * (CLOSEUP_HEIGHT + _GAP)
        drawn.append(closeup(observed, row, left, top, width))
    return drawn
