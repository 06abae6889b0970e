"""Play every order of what happens in small scenes.

A scene is a conversation of at most six events that come over several ways: the service's messages,
the client's, the player's answers, the user's voice, what the application asks. Each way keeps its
own order; between them, all orders are played and judged by the promises of the simulator.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
import msgspec

from bargein.errors import LocalValueError
from bargein.sim.orders.enumeration import Order, orders
from bargein.sim.orders.scene import Scene
from bargein.sim.orders.scenes import SCENES

_WIDTH = max(map(len, SCENES))


class _Played(msgspec.Struct, kw_only=True):
    """What came of one scene."""

    scene: str
    sentence: str
    scenarios: tuple[int, ...]
    orders: int
    broken: list[dict[str, object]]
    story: str


@click.command("orders")
@click.argument("names", nargs=-1, metavar="[SCENE]...")
@click.option("--list", "listing", is_flag=True, help="Name the scenes and play nothing.")
@click.option("--all", "everything", is_flag=True, help="In a story, leave nothing out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(names: tuple[str, ...], listing: bool, everything: bool, as_json: bool) -> None:
    """Play every order of small scenes; all of them, or those named.

    Exits with 1 if a promise is broken in one of them.
    """
    chosen = _chosen(names)
    if listing:
        for scene in chosen:
            click.echo(f"{scene.name:<{_WIDTH}}  {scene.sentence}")
        return
    played: list[_Played] = []
    for scene in chosen:
        played.append(_play(scene, everything=everything))
        if not as_json:
            _tell(played[-1])
    count = sum(one.orders for one in played)
    broken = sum(len(one.broken) for one in played)
    if as_json:
        click.echo(msgspec.json.encode({"orders": count, "broken": broken, "scenes": played}))
    else:
        click.echo(f"{count} orders of {len(played)} scenes: {broken} broke a promise")
    if broken:
        sys.exit(1)


def _chosen(names: Sequence[str]) -> list[Scene]:
    for name in names:
        if name not in SCENES:
            words = name.split("-")
            near = [known for known in SCENES if any(word in known for word in words)]
            raise LocalValueError(
                f"{name}: no scene has this name; there are {', '.join(near[:5] or SCENES)}; "
                "`bargein sim orders --list` names them all"
            )
    return [SCENES[name] for name in dict.fromkeys(names or SCENES)]


def _play(scene: Scene, *, everything: bool) -> _Played:
    played = _Played(
        scene=scene.name,
        sentence=scene.sentence,
        scenarios=scene.scenarios,
        orders=0,
        broken=[],
        story="",
    )
    for order in orders(scene):
        played.orders += 1
        if order.violations:
            played.broken.append(_broken(order))
            # The first one is told, the others are listed.
            played.story = played.story or order.story(everything=everything)
    return played


def _broken(order: Order) -> dict[str, object]:
    return {"order": order.names, "tape": order.tape, "violations": order.violations}


def _tell(played: _Played) -> None:
    verdict = f"{len(played.broken)} BROKEN" if played.broken else "all kept"
    click.echo(f"{played.scene:<{_WIDTH}}  {played.orders:>4} orders  {verdict}")
    if played.story:
        click.echo(f"\n{played.story}\n")
