"""What an invariant is, and what it may look at while the episode goes on.

1. An invariant says which entries it watches, by kind and by the type of `what`, for all worlds
   at once; it sees each of them once, as it is written, and after `Facts` has. In a world in which
   it is not `watching` it sees nothing.
2. It knows the world's truth, which the client does not. So what the client cannot hold in some
   world (a player that cannot tell, a server that refuses truncation) is excused by the invariant,
   by name, in its docstring, and no further.
3. Where only the client's side was recorded there is no `Witness`. What needs the truth of the
   moment is skipped then; the end is judged by what the player and the service have said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol, TypeAlias

from bargein.core.inputs import Part
from bargein.core.items import ItemView
from bargein.server.model.memory import RememberedItem
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.facts import Facts

WatchKind: TypeAlias = str
"""A `history.Kind`; or `notice` or `ask`, and then the type is that of the notice or ask."""
Handler: TypeAlias = Callable[[Any, Entry, Any], None]
"""A method, called with who watches, the entry and its `what`; of a notice or ask, with the notice
or ask itself."""
Watched: TypeAlias = tuple[WatchKind, type[Any], Handler]


class Witness(Protocol):
    """The truth now."""

    def heard(self, part: Part) -> int:
        """Samples of the part that were heard or that the card will still let out, if nothing more
        is given to it; 0 for a part that it never got."""
        ...

    @property
    def memory(self) -> tuple[RememberedItem, ...]:
        """What the server remembers."""
        ...

    @property
    def mirror(self) -> tuple[ItemView, ...]:
        """The conversation as the client sees it."""
        ...


class Scene(Protocol):
    """What the judge offers to an invariant."""

    facts: Facts
    witness: Witness | None

    def fail(self, invariant: Invariant, detail: str) -> None:
        """It does not hold, as of the entry that is being judged."""
        ...

    def afterwards(self, look: Callable[[], None]) -> None:
        """Look once more when the client has done all that follows from this entry."""
        ...


class Invariant:
    """`name` is that of docs/simulation.md; `sentence` says what must hold. One is made for each
    episode."""

    name: ClassVar[str]
    sentence: ClassVar[str]

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.facts = scene.facts
        self.options = scene.facts.options

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        """The entries that it wants to see."""
        return ()

    @property
    def watching(self) -> bool:
        """Whether there is anything for it to see in this world."""
        return True

    def finish(self, final: Final) -> None:
        """The episode has ended."""

    def fail(self, detail: str) -> None:
        """It does not hold."""
        self.scene.fail(self, detail)
