"""What came of all stories: the verdict, and the whole as plain values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from bargein.lab.ab.measure import MOST_AFTER_MS, Figures
from bargein.lab.ab.scenario import Scenario, Story
from bargein.lab.ab.stage import WHO, Transport, Who

FORMAT = "bargein-ab/1"
Verdict: TypeAlias = Literal["stops", "does not stop", "not shown"]
NAMES: Mapping[Transport, str] = {"websocket": "WebSocket", "webrtc": "WebRTC"}
_DRAWN = ("before", "after", "other", "user")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All figures, in the order of the stories; of each, its clients and transports."""

    scenario: Scenario
    figures: tuple[Figures, ...]

    def of(self, story: Story) -> tuple[Figures, ...]:
        """Those of one story."""
        return tuple(each for each in self.figures if each.story == story.name)

    @property
    def verdict(self) -> Verdict:
        """On this library's client alone; the naive one is there to be compared with."""
        ours = [each for each in self.figures if each.who == "bargein"]
        if any(each.unmet is None and (not each.stops or faults_of_ours(each)) for each in ours):
            return "does not stop"
        return "stops" if ours and not any(each.unmet for each in ours) else "not shown"

    @property
    def ok(self) -> bool:
        return self.verdict == "stops"


def faults_of_ours(figures: Figures) -> list[str]:
    """Refusals that the client says it could have avoided."""
    faults = (figures.record or {}).get("faults", [])
    return [str(fault.get("code")) for fault in faults if fault.get("blame") == "ours"]


def worst_ms(figures: tuple[Figures, ...], who: Who, transport: Transport) -> float | None:
    """The longest time from a stop to silence."""
    found = [
        each.stop_to_silence_ms
        for each in figures
        if each.who == who
        and each.transport == transport
        and each.unmet is None
        and each.stop_to_silence_ms is not None
    ]
    return max(found, default=None)


def sentence(report: Report) -> str:
    """The verdict in a line."""
    ours = [worst_ms(report.figures, "bargein", transport) for transport in NAMES]
    known = [each for each in ours if each is not None]
    if report.verdict == "stops":
        return (
            f"bargein is silent {max(known):.0f} ms after each stop, or sooner, over both "
            f"transports (two frames are {MOST_AFTER_MS} ms)."
        )
    if report.verdict == "does not stop":
        loud = [
            f"{each.story} over {NAMES[each.transport]}"
            for each in report.figures
            if each.who == "bargein"
            and each.unmet is None
            and (not each.stops or faults_of_ours(each))
        ]
        return f"bargein did not stop as it must: {', '.join(loud)}."
    unmet = next((one for one in report.figures if one.who == "bargein" and one.unmet), None)
    if unmet is None:
        return "Not shown: nothing was played."
    return f"Not shown: {unmet.story} over {NAMES[unmet.transport]}: {unmet.unmet}."


def naive_sentence(report: Report) -> str:
    """What the naive client does."""
    told = [
        f"{worst / 1_000:.1f} s over {name}"
        for transport, name in NAMES.items()
        if (worst := worst_ms(report.figures, "naive", transport)) is not None
    ]
    return f"The naive client goes on for up to {' and '.join(told)}." if told else ""


def file_of(figures: Figures) -> str:
    """The name of the run's sound."""
    return f"{figures.story}-{figures.transport}-{figures.who}.wav"


def as_json(report: Report, about: Mapping[str, Any]) -> dict[str, Any]:
    """The whole as plain JSON values; `about` (versions, service) comes first."""
    return {
        "format": FORMAT,
        **about,
        "ok": report.ok,
        "verdict": report.verdict,
        "says": [sentence(report), naive_sentence(report)],
        "scenario": msgspec.to_builtins(report.scenario),
        "runs": [_run(each) for each in report.figures],
    }


def _run(figures: Figures) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(figures)
    values = {name: value for name, value in values.items() if name not in _DRAWN}
    return {**values, "stops": figures.stops, "sound": file_of(figures)}


def in_order(figures: tuple[Figures, ...]) -> list[Figures]:
    """Side by side: each client's transports beside each other."""
    return [
        each
        for who in WHO
        for transport in NAMES
        for each in figures
        if (each.who, each.transport) == (who, transport)
    ]
