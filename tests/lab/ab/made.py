"""Runs as they might have been seen, to be measured and drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from bargein.lab.ab.scenario import Scenario, Story
from bargein.lab.ab.stage import HeardPiece, Run
from bargein.lab.ab.witness import Passed
from bargein.units import US_PER_MS

RATE = 24_000
STORY = Story(name="report", about="a story", listen_ms=500, stop="button")
SCENARIO = Scenario(stories=(STORY,), story="Once upon a time.", about="One story.")


def came(at_ms: int, type: str, *, sound_bytes: int = 0, **brief: Any) -> Passed:
    return Passed(at_ms * US_PER_MS, "received", type, brief, sound_bytes)


def sent(at_ms: int, type: str, **brief: Any) -> Passed:
    return Passed(at_ms * US_PER_MS, "sent", type, brief)


def piece(
    at_ms: int, length_ms: int, response_id: str = "resp_1", level: int = 1_000
) -> HeardPiece:
    """Sound at the ear, of one loudness."""
    return HeardPiece(
        at_ms * RATE // 1_000, response_id, np.full(length_ms * RATE // 1_000, level, np.int16)
    )


def a_run(*heard: HeardPiece, wire: tuple[Passed, ...] = (), **given: Any) -> Run:
    """Stopped at 2,000 ms, whatever was heard."""
    end = max((each.frame + len(each.pcm) for each in heard), default=0)
    sound = np.zeros((end, 2), np.int16)
    for each in heard:
        sound[each.frame : each.frame + len(each.pcm), 1] = each.pcm
    begun = (came(900, "response.created", response_id="resp_1"),)
    fields: dict[str, Any] = {
        "story": STORY,
        "transport": "websocket",
        "who": "bargein",
        "stop_us": 2_000 * US_PER_MS,
        **given,
    }
    return Run(wire=begun + wire, heard=heard, sound=sound, **fields)
