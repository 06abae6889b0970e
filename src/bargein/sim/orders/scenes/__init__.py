"""All scenes, by name."""

from __future__ import annotations

from collections.abc import Mapping

from bargein.sim.orders.scene import Scene
from bargein.sim.orders.scenes import cuts, edits, ends, replies, turns

SCENES: Mapping[str, Scene] = {
    scene.name: scene
    for scene in (
        *cuts.SCENES,
        *replies.SCENES,
        *turns.SCENES,
        *edits.SCENES,
        *ends.SCENES,
    )
}
