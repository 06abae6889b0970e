"""A recorded session: what its client sent, what the service answered, and what our server must be
told so that it can say the same things. Nothing here knows which recording it reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from bargein.server.engines.scenario import Scenario

RECORDINGS = Path(__file__).parents[1] / "recordings"
TRANSCRIPTION = "conversation.item.input_audio_transcription"

Frame: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """What the user said in a recording, and where: a turn as the service's detector saw it."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class Recording:
    """`interactions` are in order; `sent` says whether the client's."""

    interactions: tuple[tuple[bool, Frame], ...]

    @property
    def sent(self) -> list[Frame]:
        return [frame for sent, frame in self.interactions if sent]

    @property
    def received(self) -> list[Frame]:
        return [frame for sent, frame in self.interactions if not sent]

    @property
    def model(self) -> str:
        return str(self.received[0]["session"]["model"])

    @property
    def turns(self) -> list[Turn]:
        """The turns of the user that were spoken."""
        words = {
            one["item_id"]: one["transcript"] for one in self._told(f"{TRANSCRIPTION}.completed")
        }
        starts = self._told("input_audio_buffer.speech_started")
        ends = self._told("input_audio_buffer.speech_stopped")
        return [
            Turn(words.get(start["item_id"], ""), start["audio_start_ms"], end["audio_end_ms"])
            for start, end in zip(starts, ends, strict=True)
        ]

    @property
    def turn_detection(self) -> Frame:
        """As it was in effect while the user spoke."""
        (*_, last) = self._told("session.created"), *self._told("session.updated")
        detection: Frame = last["session"]["audio"]["input"]["turn_detection"]
        return detection

    def scenario(self) -> Scenario:
        """The replies that the recorded service gave, said as fast as may be."""
        quick = {"speed": 1_000, "first_event_after_ms": 0, "first_audio_after_ms": 0}
        values: Frame = {**quick, "text_delta_every_ms": 0, "replies": []}
        for done in self._told("response.done"):
            outputs = [_output(item) for item in done["response"]["output"]]
            values["replies"].append({"outputs": outputs})
        if heard := [turn.text for turn in self.turns if turn.text]:
            values["hears"] = heard
        return Scenario.of(values)

    def _told(self, type: str) -> list[Frame]:
        return [frame for frame in self.received if frame["type"] == type]


def _output(item: Frame) -> Frame:
    """An item of a response as a scenario has it."""
    if item["type"] == "function_call":
        return {"call": item["name"], "arguments": item["arguments"]}
    parts = [
        {"say": part["transcript"]} if part["type"] == "output_audio" else {"write": part["text"]}
        for part in item["content"]
    ]
    return {"parts": parts, **({"phase": item["phase"]} if "phase" in item else {})}


def interactions(path: Path) -> list[Frame]:
    found: list[Frame] = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["interactions"]
    return found


def load(path: Path) -> Recording:
    frames = interactions(path)
    return Recording(tuple((frame["direction"] == "sent", frame["data"]) for frame in frames))


def openai_files() -> Iterator[Path]:
    """The files of OpenAI's own service over WebSocket."""
    yield from sorted(RECORDINGS.glob("openai_ws__*.yaml"))
    yield from sorted(RECORDINGS.glob("parity_ws__*openai-current.yaml"))


def has_frames(path: Path) -> bool:
    """Whether frames were recorded, or only requests of HTTP."""
    return any("direction" in each for each in interactions(path))


def types(frames: Iterable[Frame]) -> list[str]:
    return [str(frame["type"]) for frame in frames]
