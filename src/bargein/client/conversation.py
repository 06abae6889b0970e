"""The conversation as the session shows it: to be read at any time, and to be edited.

What an edit may name: items that are there (themselves, or their ids), new items as the service
writes them (a mapping with a `type`), and messages as chat models take them (without one).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, overload

from bargein import events
from bargein.client.config import client_event
from bargein.core import asks
from bargein.core.edited import Edited
from bargein.core.items import ItemView
from bargein.core.messages import MARK, Message, items_of, messages
from bargein.core.readable import to_json, to_markdown
from bargein.core.wishes import check
from bargein.driver.ports import Mirror
from bargein.errors import LocalValueError

Wished: TypeAlias = "ItemView | str | events.Item | Mapping[str, Any]"


class Conversation(Sequence[ItemView]):
    """The items as the service has them, in order, as far as it has told us.

    It is read anew at every access; `items` is what stays as it was when it was read.
    """

    def __init__(self, mirror: Mirror, ask: Callable[[asks.Ask], asyncio.Future[Any]]) -> None:
        self._mirror = mirror
        self._ask = ask

    @property
    def items(self) -> tuple[ItemView, ...]:
        """The items now; those that are still coming stand where they were asked to be."""
        return self._mirror.conversation.items

    @overload
    def __getitem__(self, place: int) -> ItemView: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[ItemView, ...]: ...
    def __getitem__(self, place: int | slice) -> ItemView | tuple[ItemView, ...]:
        return self.items[place]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[ItemView]:
        return iter(self.items)

    def messages(self, *, mark: str = MARK) -> list[Message]:
        """As messages that a chat model takes, or a file, or `edit` of another session.

        Calls stand with their outputs; of a cut item the content is the words heard, and `mark`.
        What is being deleted is left out (`core/messages.py`).
        """
        return messages(self.items, mark=mark)

    def to_json(self, *, indent: int = 2) -> str:
        """All that is known of every item; `bargein.core.readable.from_json` reads it back."""
        return to_json(self.items, indent=indent)

    def to_markdown(self) -> str:
        """For people: a paragraph an item, with what was spoken, cut and called."""
        return to_markdown(self.items)

    def __repr__(self) -> str:
        return f"<Conversation of {len(self)} items>"

    def edit(
        self, wished: Iterable[Wished], *, delete: Iterable[ItemView | str] = ()
    ) -> Coroutine[Any, Any, Edited]:
        """Have the conversation as it is wished, by the least difference; await what it returns.

        `wished` is all that is to be there, in order: items of this conversation or their ids, and
        new items. What it leaves out is deleted, but for what came after this call, is still being
        made, was said by the user and not transcribed, or is made by the service alone, and but for
        calls without an output: to delete one of these, name it in `delete`. A call and its output
        leave together.

        The edit begins when nothing else changes the conversation, within 10 s, and ends when the
        service has acknowledged all of it; `Edited.differences` tells where the conversation is not
        as wished, and why. Whoever stops waiting does not stop the edit.

        Raises `LocalValueError` for a list that cannot be; when awaited, `LocalProtocolError` where
        nothing was sent because an item that was spoken cannot be put elsewhere or the service
        deletes nothing, `DeadlineExceeded` where it could not begin, `TransportError` where the
        session ended first.
        """
        items = self.items
        known = {item.id for item in items}
        wish = _wish(wished, known)
        named = tuple(_id_of(f"delete[{n}]", one, known) for n, one in enumerate(_list(delete)))
        check(wish, named)
        # Asked here and not when it is awaited: what comes between is not to be taken for known.
        return _awaited(self._ask(asks.Edit(wish, named, tuple(item.id for item in items))))


async def _awaited(answer: asyncio.Future[Any]) -> Edited:
    edited: Edited = await answer
    return edited


def _list(given: Iterable[Any]) -> list[Any]:
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise LocalValueError(f"edit: a {type(given).__name__}; give a list of items")
    return list(given)


def _wish(wished: Iterable[Wished], known: set[str]) -> tuple[events.Item, ...]:
    found: list[events.Item] = []
    told: list[Mapping[str, Any]] = []
    entries = _list(wished)
    for place, entry in enumerate(entries):
        if isinstance(entry, Mapping) and "type" not in entry:
            # With those behind it: an output is told behind its call.
            told.append(entry)
            continue
        found += _told(told, place)
        told = []
        where = f"wished[{place}]"
        match entry:
            case (
                events.MessageItem()
                | events.FunctionCallItem()
                | events.FunctionCallOutputItem()
                | events.ItemReference()
            ):
                found.append(entry)
            case Mapping():
                found.append(_item(where, entry))
            case _:
                found.append(events.ItemReference(id=_id_of(where, entry, known)))
    return (*found, *_told(told, len(entries)))


def _told(told: list[Mapping[str, Any]], end: int) -> tuple[events.Item, ...]:
    try:
        return items_of(told)
    except LocalValueError as error:
        raise LocalValueError(f"wished[{end - len(told)}] and behind: {error}") from None


def _item(where: str, raw: Mapping[str, Any]) -> events.Item:
    try:
        event = client_event({"type": "conversation.item.create", "item": dict(raw)})
    except LocalValueError as error:
        raise LocalValueError(f"{where}: {error}") from None
    assert isinstance(event, events.ConversationItemCreate), "it has that type"
    return event.item


def _id_of(where: str, item: object, known: set[str]) -> str:
    match item:
        case ItemView(id=item_id):
            return item_id
        case str() if item in known:
            return item
        case str():
            raise LocalValueError(
                f"{where}: no item has the id {item!r}; for a new one give "
                '{"role": "user", "content": "…"}'
            )
        case _:
            raise LocalValueError(
                f"{where}: a {type(item).__name__}; give an item of the conversation, its id, or "
                "a new item as a mapping"
            )
