"""Which items of a wish are items of the conversation, and which of them can stay where they are.

1. An item that the wish describes, and does not name, is one that says the same: the same role and
   text, the same call, the same output for it. Of an item that was cut, or has no words, it also
   says what `messages.py` makes of it, so that messages find their items again.
2. Of all ways to let items stay, each in the order of both lists, the heaviest is taken: that is
   the longest, and one that leaves what cannot be made anew in its place wherever there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import UNSET

from bargein import events
from bargein.core.items import ItemView
from bargein.core.messages import content_of

Says: TypeAlias = tuple[str, ...]

_TEXT_KINDS = ("input_text", "output_text", "text")
_IMAGE_KIND = "input_image"


def says(item: ItemView) -> set[Says]:
    """What the item says, as far as text can say it."""
    match item.type:
        case "message":
            has_image = any(part.kind == _IMAGE_KIND for part in item.content)
            texts = {content_of(item), "" if has_image else item.text} - {""}
            return {("message", item.role or "", text) for text in texts}
        case "function_call":
            return {("function_call", item.call_id or "", item.name or "", item.payload or "")}
        case "function_call_output":
            return {("function_call_output", item.call_id or "", item.payload or "")}
        case _:
            return set()


def described(item: events.Item) -> Says | None:
    """What a new item says, where it says it in text alone."""
    match item:
        case events.MessageItem(role=role, content=content):
            parts = [
                part.text
                for part in content
                if isinstance(part, events.InputText | events.OutputText)
            ]
            whole = len(parts) == len(content) and any(parts)
            return ("message", role, "".join(parts)) if whole else None
        case events.FunctionCallItem(call_id=str(call_id), name=name, arguments=arguments):
            return "function_call", call_id, name, arguments
        case events.FunctionCallOutputItem(call_id=call_id, output=output):
            return "function_call_output", call_id, output
        case _:
            return None


def made_anew(item: ItemView, item_id: str) -> events.Item | None:
    """The same item under another id; None for what was spoken or shown, cut, or is not whole
    (protocol.md §2.2: what a client can create)."""
    if item.status not in (None, "completed"):
        return None
    match item.type:
        case "message" if item.content and item.role in ("user", "system", "assistant"):
            if any(part.cut or part.kind not in _TEXT_KINDS for part in item.content):
                return None
            text = events.OutputText if item.role == "assistant" else events.InputText
            content = tuple(text(text=part.text) for part in item.content)
            phase = UNSET if item.phase is None else item.phase
            return events.MessageItem(id=item_id, role=item.role, content=content, phase=phase)
        case "function_call" if item.call_id and item.name:
            return events.FunctionCallItem(
                id=item_id, call_id=item.call_id, name=item.name, arguments=item.payload or ""
            )
        case "function_call_output" if item.call_id:
            return events.FunctionCallOutputItem(
                id=item_id, call_id=item.call_id, output=item.payload or ""
            )
        case _:
            return None


class _Heaviest:
    """The heaviest chain that ends before a place, for rising chains (a Fenwick tree)."""

    __slots__ = ("_tree",)

    def __init__(self, width: int) -> None:
        self._tree = [(0, -1)] * (width + 1)

    def before(self, place: int) -> tuple[int, int]:
        """Its weight, and its last link."""
        best = (0, -1)
        while place > 0:
            if self._tree[place][0] > best[0]:
                best = self._tree[place]
            place &= place - 1
        return best

    def put(self, place: int, weight: int, link: int) -> None:
        """A chain of that weight ends at the place."""
        place += 1
        while place < len(self._tree):
            if weight > self._tree[place][0]:
                self._tree[place] = weight, link
            place += place & -place


def heaviest(candidates: Sequence[Sequence[int]], weights: Sequence[int]) -> dict[int, int]:
    """For each entry, one of its candidate places or none, so that the places rise with the
    entries and the sum of the weights is largest. Gives the place by the entry.

    Takes time in the number of candidates times its logarithm.
    """
    width = 1 + max((place for places in candidates for place in places), default=-1)
    chains = _Heaviest(width)
    links: list[tuple[int, int, int]] = []
    for entry, places in enumerate(candidates):
        # From the last to the first: so no chain holds an entry twice.
        for place in sorted(places, reverse=True):
            weight, link = chains.before(place)
            chains.put(place, weight + weights[entry], len(links))
            links.append((entry, place, link))
    found: dict[int, int] = {}
    _, link = chains.before(width)
    while link >= 0:
        entry, place, link = links[link]
        found[entry] = place
    return found
