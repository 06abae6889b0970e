"""The application's edits: what they cross when they are asked for, and what comes of them."""

from __future__ import annotations

from bargein.core import asks, commands, inputs
from bargein.core.edited import Edited, Why
from bargein.sim.coverage import turns
from bargein.sim.coverage.scene import Scene
from bargein.sim.history import Entry

_KEPT: frozenset[Why] = frozenset(
    {"came_later", "being_made", "no_text", "service_made", "unanswered"}
)


def asked(scene: Scene, given: inputs.Asked, entry: Entry) -> None:
    """The application asks for something."""
    turns.asked(scene, given, entry)
    if isinstance(given.ask, asks.Edit) and not scene.left:
        _edit(scene)
        scene.edits[given.ask_id] = entry.time_us


def _edit(scene: Scene) -> None:
    races = scene.races
    if scene.stopping:
        races["edit while stopping"] += 1
    elif scene.unsettled:
        races["edit before the settlement"] += 1
    if scene.open_in_band:
        races["edit while a response is open"] += 1
    if any(item.unanswered > 0 for item in scene.items.values()):
        races["edit, truncate unanswered"] += 1
    if scene.edits:
        races["edit behind an edit"] += 1
    if scene.blocked:
        races["edit while the socket is full"] += 1


def answered(scene: Scene, command: commands.Answer, entry: Entry) -> None:
    """Some ask is answered."""
    turns.answered(scene, command, entry)
    asked_us = scene.edits.pop(command.ask_id, None)
    if asked_us is None:
        return
    rules = scene.rules
    match command:
        case commands.Answer(value=Edited() as done):
            _done(scene, done, waited=entry.time_us > asked_us)
        case commands.Answer(kind="local"):
            rules["edits 5: cannot be"] += 1
        case commands.Answer(kind="late"):
            rules["edits 5: too late"] += 1
        case commands.Answer(kind="lost"):
            rules["edits 5: lost"] += 1
        case _:
            pass


def _done(scene: Scene, done: Edited, *, waited: bool) -> None:
    rules = scene.rules
    changed = bool(done.created or done.deleted or done.moved)
    reasons = {difference.why for difference in done.differences}
    if changed:
        rules["edits 1: done"] += 1
    elif not waited and not reasons:
        rules["edits 1: no difference"] += 1
    rules["edits 4: refused"] += "refused" in reasons
    rules["edits 4: unconfirmed"] += "unconfirmed" in reasons
    rules["wishes 2: kept"] += bool(reasons & _KEPT)
    rules["wishes 2: gone meanwhile"] += "gone" in reasons
    rules["wishes 3: call and output"] += "paired" in reasons
    rules["wishes 4: made anew"] += bool(done.moved)
