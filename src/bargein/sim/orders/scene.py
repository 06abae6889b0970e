"""A scene: a small conversation with a sentence, and what in it may happen in any order.

The prelude happens in its order. Then up to `events` events happen in every order that the
channels allow: each script is a channel, and so is each of `holds`. What is left over goes on
plainly: first what is under way, then the scripts, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bargein import events
from bargein.audio.card_settings import CardSettings
from bargein.core import asks
from bargein.server.model import score
from bargein.server.model.score import Step
from bargein.sim.actors.editor import Change
from bargein.sim.actors.engine import wire_sound
from bargein.sim.options import Options
from bargein.units import AudioFormat

Held: TypeAlias = Literal["down", "up", "player", "model", "tool"]
"""What waits for its turn: the server's messages, the client's, the player's answers to a stop, the
pieces of a reply that the model makes, the outputs of called functions."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The application asks. The ids of asks count from 1, in the order of prelude and scripts."""

    ask: asks.Ask


@dataclass(frozen=True, slots=True)
class Sound:
    """The microphone gives one chunk: the user's voice, or silence."""

    ms: int
    loud: bool = True


@dataclass(frozen=True, slots=True)
class Passes:
    """Time passes, and nothing that waits for its turn arrives."""

    ms: int


@dataclass(frozen=True, slots=True)
class Dies:
    """The pipe ends without a word."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """The socket takes no more, until `Drains`. Needs `Options.blocks`."""


@dataclass(frozen=True, slots=True)
class Drains:
    """The socket takes more again."""


@dataclass(frozen=True, slots=True)
class Deletes:
    """The application deletes that spoken item, counted from 0, if it is in the conversation as the
    client shows it."""

    item: int


@dataclass(frozen=True, slots=True)
class Edits:
    """The application edits the conversation so, by what the client shows of it at that time."""

    change: Change


@dataclass(frozen=True, slots=True)
class Holds:
    """From here on the channels wait for their turns; in a prelude only, where its end is late."""


@dataclass(frozen=True, slots=True)
class Says:
    """The model makes the next piece; in a prelude only."""


Act: TypeAlias = Ask | Sound | Passes | Blocks | Drains | Dies | Deletes | Edits | Holds | Says

Score: TypeAlias = tuple[tuple[Step, ...], ...]
"""A response in pieces; the last piece ends it. Each piece is sent in one breath."""

SPEAKS = Sound(96)
"""Enough to be a turn's beginning: three frames of the server's detector."""
FALLS_SILENT = Sound(288, loud=False)
"""Enough to be its end: more than the 200 ms of silence that end a turn here."""

NO_LATENCY = CardSettings(latency_us=0)


@dataclass(frozen=True, slots=True)
class Scene:
    """One small conversation. `scenarios`: the numbers of the event sequences in the project's list
    that are among its orders."""

    name: str
    sentence: str
    scripts: tuple[tuple[Act, ...], ...]
    prelude: tuple[Act, ...] = ()
    holds: tuple[Held, ...] = ("down", "player")
    scores: tuple[Score, ...] = ()
    options: Options = field(default_factory=lambda: Options(card=NO_LATENCY))
    begins: tuple[type, ...] = ()
    """Messages of the server that never travel with what was sent before them in one breath."""
    scenarios: tuple[int, ...] = ()
    events: int = 6


def spoken(
    *messages: Sequence[int],
    call: Literal["none", "before", "after"] = "none",
    end: score.Action | None = None,
    done_apart: bool = False,
) -> Score:
    """A response that says messages, each in pieces of so many ms. `end` replaces its completion.
    With `done_apart` its end is a piece of its own."""
    pieces = [piece for lengths in messages for piece in _message(lengths)]
    if call != "none":
        place = 0 if call == "before" else len(pieces)
        pieces.insert(place, _CALL)
    if end is not None:
        pieces.append((Step(end),))
    elif done_apart:
        pieces.append(())
    return tuple(pieces)


def _message(lengths: Sequence[int]) -> list[tuple[Step, ...]]:
    rate = AudioFormat.PCM.rate
    pieces: list[list[Step]] = []
    first = 0
    for ms in lengths:
        samples = rate * ms // 1_000
        pieces.append([Step(score.Sound(wire_sound(AudioFormat.PCM, first, samples)))])
        first += samples
    opening: list[score.Action] = [
        score.OpenMessage(),
        score.OpenPart("audio"),
        score.SayText("Once upon "),
    ]
    closing: list[score.Action] = [
        score.SayText("a time."),
        score.ClosePart(),
        score.CloseMessage(),
    ]
    pieces[0] = [*map(Step, opening), *pieces[0]]
    pieces[-1] += map(Step, closing)
    return [tuple(piece) for piece in pieces]


_CALL = (
    Step(score.OpenCall("weather")),
    Step(score.Arguments('{"city": "Bonn"}')),
    Step(score.CloseCall()),
)


def out_of_band() -> asks.Respond:
    """Ask for a reply that belongs to no conversation."""
    return asks.Respond(events.ResponseParams(conversation="none", output_modalities=("text",)))
