"""All orders of a scene, each played to its end and judged by the promises of every episode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from bargein import events
from bargein.core.machine import Machine
from bargein.sim.actors.client import MakeClient
from bargein.sim.choices import Choices, Source, Tape
from bargein.sim.history import History
from bargein.sim.invariants.judge import Violation
from bargein.sim.orders.odometer import OdometerSource
from bargein.sim.orders.scene import Ask, Edits, Passes, Scene, Sound
from bargein.sim.orders.server import Piece
from bargein.sim.orders.stage import OrderStage
from bargein.sim.sweeping import swept
from bargein.sim.telling.story import tell


@dataclass(frozen=True, slots=True)
class Order:
    """One order of a scene and what came of it. `share`: of all orders, were every choice fair."""

    scene: Scene
    tape: Tape
    chosen: tuple[tuple[str, list[object]], ...]
    history: History
    violations: tuple[Violation, ...]
    share: Fraction = Fraction(1)

    @property
    def names(self) -> tuple[str, ...]:
        """What happened, in its order, as words."""
        return tuple(f"{channel}: {_named(went)}" for channel, went in self.chosen)

    def story(self, *, everything: bool = False) -> str:
        """The scene's sentence, the order, the table, and the promises that were broken."""
        lines = [f"scene {self.scene.name}: {self.scene.sentence}"]
        lines += [f"{place}. {name}" for place, name in enumerate(self.names, start=1)]
        lines += ["", tell(self.history, everything=everything), ""]
        for violation in self.violations:
            lines += [
                f"{violation.invariant} BROKEN: {violation.sentence}",
                f"   {violation.detail}",
            ]
        return "\n".join(lines)


def play(scene: Scene, source: Source, *, make_client: MakeClient = Machine) -> Order:
    """One order, chosen by the source. Without a choice everything goes on plainly."""
    choices = Choices(source)
    stage = OrderStage(scene, choices, make_client)
    history = stage.play()
    violations = tuple(stage.judge.violations)
    return Order(scene, choices.tape, tuple(stage.order), history, violations)


def orders(scene: Scene, *, make_client: MakeClient = Machine) -> Iterator[Order]:
    """Every order of the scene, once."""
    return swept(_orders(scene, make_client))


def _orders(scene: Scene, make_client: MakeClient) -> Iterator[Order]:
    source = OdometerSource()
    more = True
    while more:
        order = play(scene, source, make_client=make_client)
        yield replace(order, share=source.share)
        more = source.advance()


_FILLING = (
    events.RateLimitsUpdated,
    events.ConversationItemAdded,
    events.ConversationItemDone,
    events.ResponseContentPartAdded,
    events.ResponseContentPartDone,
    events.ResponseOutputItemAdded,
    events.ResponseOutputAudioTranscriptDelta,
    events.ResponseOutputAudioTranscriptDone,
)


def _named(went: list[object]) -> str:
    told = [_name(one) for one in went if not _fills(one)]
    return " + ".join(told or [_name(one) for one in went])


def _fills(one: object) -> bool:
    return isinstance(one, tuple) and isinstance(one[1], _FILLING)


def _name(one: object) -> str:
    match one:
        case None:
            return "close"
        case str():
            return f"output of {one}"
        case (int(), event) if isinstance(event, events.Shape):
            return events.type_of(event)
        case Piece(produced=produced):
            return " ".join(type(step.action).__name__ for step in produced.steps) or "the end"
        case Ask(ask=ask):
            return type(ask).__name__
        case Sound(ms=ms, loud=loud):
            return f"{ms} ms of {'speech' if loud else 'silence'}"
        case Edits(change=change):
            return f"Edit: {change}"
        case Passes(ms=ms):
            return f"{ms} ms pass"
        case _:
            return type(one).__name__
