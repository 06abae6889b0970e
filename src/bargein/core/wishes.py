"""What an edit wishes of the conversation, and the least that must be sent for it.

1. A wish is the list of the items that the conversation is to have, in their order. An item that
   is there is named by its id (`item_reference`); what is described is new, unless an item that
   the wish does not name says exactly the same: then that one is meant (`matching.py`).
2. What the wish leaves out is deleted if whoever wished knew of it and could have written it down.
   Kept, and told, are items that came later or are still being made, a user's speech without a
   transcript, what only the service makes, and a call that had no output yet. To delete one of
   these it must be named (`delete`).
3. A call and its output stay or go together: no output is left without its call, and none is taken
   from a call that stays, unless the wish has another one. What goes for that reason is told.
4. As many items as possible stay where they are. One that the wish has elsewhere is deleted and
   made anew under another id. What cannot be made anew (sound, an image, what was cut) stays, and
   the others move around it; where that is no way to the wish, it is refused before anything is
   sent.
5. A new item names an item before it that stays, or the start: so it does not matter in which order
   deletes and creates arrive, and a create that is refused takes no other with it. Around new calls
   each new item names the one before it, because an output can only follow its call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from msgspec.structs import replace

from bargein import events
from bargein.core.conversation import ROOT
from bargein.core.creatable import check_new
from bargein.core.edited import Difference, Why
from bargein.core.items import ItemView
from bargein.core.matching import Says, described, heaviest, made_anew, says
from bargein.errors import LocalProtocolError, LocalValueError

CANDIDATES_LIMIT = 32
"""Of items that all say the same, so many of the newest are looked at."""


@dataclass(frozen=True, slots=True)
class New:
    """An item to create, behind another one or at the start. `instead_of`: the item that it is
    made anew from; `entry` is its place in the wish."""

    item: events.Item
    item_id: str
    previous_item_id: str
    entry: int
    instead_of: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The least that must be sent, in an order in which all of it is right."""

    deletes: tuple[str, ...] = ()
    creates: tuple[New, ...] = ()
    differences: tuple[Difference, ...] = ()


def check(wish: Sequence[events.Item], delete: Iterable[str] = ()) -> None:
    """What is wrong with a wish by itself, whatever the conversation.

    Raises `LocalValueError` naming the entry and the way out.
    """
    named: set[str] = set()
    for entry, item in enumerate(wish):
        item_id = getattr(item, "id", None)
        where = f"wished[{entry}]"
        if isinstance(item_id, str):
            if item_id in named:
                raise LocalValueError(f"{where}: {item_id!r} is in the list twice; an item is once")
            named.add(item_id)
        if isinstance(item, events.ItemReference):
            if not isinstance(item_id, str):
                raise LocalValueError(f"{where}: id: missing; an item is named by its id")
        else:
            check_new(where, item)
    for item_id in delete:
        if item_id in named:
            raise LocalValueError(f"edit: {item_id!r} is wished and to be deleted; say one of both")


def plan(
    items: Sequence[ItemView],
    wish: Sequence[events.Item],
    *,
    delete: Set[str] = frozenset(),
    seen: Set[str] | None = None,
    new_id: Callable[[], str],
) -> Plan:
    """The least that must be sent so that the conversation, which has these items, is as wished.

    `seen` are the ids that whoever wished knew of; None: all that are there. Items that are
    `going` count as gone, items that are `coming` as not there yet. Raises `LocalProtocolError`
    naming the item and the way out where there is no way.
    """
    check(wish, delete)
    return _Planning(items, wish, delete, seen, new_id).plan()


class _Planning:
    """One plan in the making. Places are those in `held`, entries those in the wish."""

    def __init__(
        self,
        items: Sequence[ItemView],
        wish: Sequence[events.Item],
        delete: Set[str],
        seen: Set[str] | None,
        new_id: Callable[[], str],
    ) -> None:
        self._held = [item for item in items if item.state in ("there", "cut")]
        self._place = {item.id: place for place, item in enumerate(self._held)}
        self._coming = {item.id for item in items if item.state == "coming"}
        self._wish = wish
        self._delete = delete
        self._seen = seen
        self._new_id = new_id
        self._differences: list[Difference] = []
        self._refs: dict[int, int] = {}
        """Places of the items that are named, by their entries."""
        self._new: dict[int, events.Item] = {}
        """What is described, by its entry."""

    def plan(self) -> Plan:
        self._sort_out()
        stays = self._align()
        for entry in [entry for entry in self._new if entry in stays]:
            # It is there already.
            del self._new[entry]
        leaves = self._leaving(set(stays.values()))
        self._keep_pairs(stays, leaves)
        self._check_calls(stays)
        moved = {
            entry: self._anew(place)
            for entry, place in self._refs.items()
            if entry not in stays and place not in leaves
        }
        gone = leaves | {self._refs[entry] for entry in moved}
        return Plan(
            tuple(self._held[place].id for place in sorted(gone)),
            tuple(self._creates(stays, moved)),
            tuple(self._differences),
        )

    def _differs(self, item_id: str, why: Why) -> None:
        self._differences.append(Difference(item_id, why))

    def _sort_out(self) -> None:
        for entry, item in enumerate(self._wish):
            item_id = item.id
            if not isinstance(item, events.ItemReference):
                if item_id in self._place or item_id in self._coming:
                    raise LocalProtocolError(
                        f"wished[{entry}]: there is an item with the id {item_id!r}; name it by "
                        "its id alone, or leave the id out to have another one"
                    )
                self._describes(entry, item)
            elif (place := self._place.get(str(item_id))) is not None:
                self._refs[entry] = place
            else:
                self._differs(str(item_id), "unconfirmed" if item_id in self._coming else "gone")

    def _describes(self, entry: int, item: events.Item) -> None:
        """Messages tell the call of an MCP server's tool as a call and its output; it is one item,
        named by the id of the call."""
        call_id = getattr(item, "call_id", None)
        place = self._place.get(call_id) if isinstance(call_id, str) else None
        if place is None or self._held[place].type != "mcp_call":
            self._new[entry] = item
        elif isinstance(item, events.FunctionCallItem):
            self._refs[entry] = place

    # -- what stays in its place ---------------------------------------------------------------

    def _align(self) -> dict[int, int]:
        """By entry, the place where it is and stays (rules 1 and 4)."""
        named = set(self._refs.values())
        alike: dict[Says, list[int]] = {}
        for place, item in enumerate(self._held):
            if place not in named and self._is_open(item):
                for said in says(item):
                    alike.setdefault(said, []).append(place)
        heavy = len(self._wish) + 1
        candidates: list[Sequence[int]] = []
        weights: list[int] = []
        for entry in range(len(self._wish)):
            ref = self._refs.get(entry)
            if ref is not None:
                candidates.append((ref,))
                weights.append(1 if made_anew(self._held[ref], "") is not None else heavy)
            else:
                described_so = self._described(entry)
                known = alike.get(described_so, ()) if described_so else ()
                candidates.append(known[-CANDIDATES_LIMIT:])
                weights.append(1)
        return heaviest(candidates, weights)

    def _described(self, entry: int) -> Says | None:
        # What is to have an id of its own is not another item.
        item = self._new.get(entry)
        return None if item is None or isinstance(item.id, str) else described(item)

    def _is_open(self, item: ItemView) -> bool:
        """It may be the one that a new entry describes."""
        return self._knew(item) and item.id not in self._delete and item.status != "in_progress"

    def _knew(self, item: ItemView) -> bool:
        return self._seen is None or item.id in self._seen

    def _anew(self, place: int) -> events.Item:
        item = self._held[place]
        made = made_anew(item, self._new_id())
        if made is None:
            raise LocalProtocolError(
                f"edit: {item.id!r} cannot be put elsewhere: what was spoken, shown or cut cannot "
                "be made anew; leave it in its place, or leave it out and give its words as a new "
                "message"
            )
        return made

    # -- what leaves ---------------------------------------------------------------------------

    def _leaving(self, stay: Set[int]) -> set[int]:
        """Places of what the wish leaves out and nothing keeps (rule 2)."""
        wished = stay | set(self._refs.values())
        answered = {
            item.call_id
            for item in self._held
            if item.type == "function_call_output" and self._knew(item)
        }
        leaves: set[int] = set()
        for place, item in enumerate(self._held):
            if place in wished:
                continue
            why = None if item.id in self._delete else self._keeps(item, answered)
            if why is None:
                leaves.add(place)
            else:
                self._differs(item.id, why)
        return leaves

    def _keeps(self, item: ItemView, answered: Set[str | None]) -> Why | None:
        if not self._knew(item):
            return "came_later"
        if item.status == "in_progress":
            return "being_made"
        match item.type:
            case "message":
                return "no_text" if item.role == "user" and not item.text else None
            case "function_call":
                return None if item.call_id in answered else "unanswered"
            case "function_call_output":
                return None
            case _:
                return "service_made"

    def _keep_pairs(self, stays: dict[int, int], leaves: set[int]) -> None:
        """Rule 3: first outputs whose call leaves, then calls all of whose outputs leave."""
        called = {
            self._held[place].call_id
            for place in leaves
            if self._held[place].type == "function_call"
        }
        called -= {
            item.call_id for item in self._new.values() if isinstance(item, events.FunctionCallItem)
        }
        for place, item in enumerate(self._held):
            if item.type == "function_call_output" and item.call_id in called:
                self._leaves_too(place, stays, leaves)
        given = {
            item.call_id
            for item in self._new.values()
            if isinstance(item, events.FunctionCallOutputItem)
        }
        outputs: dict[str | None, list[int]] = {}
        for place, item in enumerate(self._held):
            if item.type == "function_call_output":
                outputs.setdefault(item.call_id, []).append(place)
        for place, item in enumerate(self._held):
            answers = outputs.get(item.call_id) if item.type == "function_call" else None
            if answers and item.call_id not in given and leaves.issuperset(answers):
                self._leaves_too(place, stays, leaves)

    def _leaves_too(self, place: int, stays: dict[int, int], leaves: set[int]) -> None:
        if place in leaves:
            return
        leaves.add(place)
        item_id = self._held[place].id
        self._differences = [one for one in self._differences if one.item_id != item_id]
        self._differs(item_id, "paired")
        for entry in [entry for entry, stay in stays.items() if stay == place]:
            del stays[entry]
        for entry in [entry for entry, ref in self._refs.items() if ref == place]:
            del self._refs[entry]

    def _check_calls(self, stays: dict[int, int]) -> None:
        """A wished output stands behind its call, and a new one is of a call that is wished."""
        wished: dict[object, int] = {}
        for entry in range(len(self._wish)):
            kind, call_id = self._call_of(entry, stays)
            if kind == "function_call":
                wished.setdefault(call_id, entry)
        for entry in range(len(self._wish)):
            kind, call_id = self._call_of(entry, stays)
            if kind != "function_call_output":
                continue
            if wished.get(call_id, -1) > entry:
                raise LocalProtocolError(
                    f"wished[{entry}]: the output of the call {call_id!r} stands before its "
                    "call; put it behind"
                )
            if entry in self._new and call_id not in wished:
                raise LocalProtocolError(
                    f"wished[{entry}]: call_id: the wish has no call {call_id!r}; put the item "
                    "of the call, or a new function_call, before its output"
                )

    def _call_of(self, entry: int, stays: Mapping[int, int]) -> tuple[str, object]:
        """Type and `call_id` of what the wish has there."""
        place = stays.get(entry, self._refs.get(entry))
        if place is not None:
            return self._held[place].type, self._held[place].call_id
        item = self._new.get(entry)
        if isinstance(item, events.FunctionCallItem | events.FunctionCallOutputItem):
            return events.type_of(item), item.call_id
        return "", None

    # -- what is new ---------------------------------------------------------------------------

    def _creates(self, stays: Mapping[int, int], moved: Mapping[int, events.Item]) -> Iterable[New]:
        """Rule 5."""
        anchor = ROOT
        run: list[tuple[int, events.Item]] = []
        for entry in range(len(self._wish)):
            place = stays.get(entry)
            if place is not None:
                yield from self._run(anchor, run)
                anchor, run = self._held[place].id, []
            elif entry in moved:
                run.append((entry, moved[entry]))
            elif entry in self._new:
                item = self._new[entry]
                if not isinstance(item.id, str):
                    item = _with_id(item, self._new_id())
                run.append((entry, item))
        yield from self._run(anchor, run)

    def _run(self, anchor: str, run: list[tuple[int, events.Item]]) -> Iterable[New]:
        chained = any(isinstance(item, events.FunctionCallItem) for _, item in run)
        for entry, item in run if chained else reversed(run):
            item_id = str(item.id)
            place = self._refs.get(entry)
            instead_of = None if place is None else self._held[place].id
            yield New(item, item_id, anchor, entry, instead_of)
            if chained:
                anchor = item_id


def _with_id(item: events.Item, item_id: str) -> events.Item:
    assert isinstance(item, events.ItemShape), "`check` lets no other through"
    return replace(item, id=item_id)
