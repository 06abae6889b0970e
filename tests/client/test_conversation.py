"""`session.conversation`: read at any time, and edited on the local server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.virtual_loop import run

import bargein
from bargein import events
from bargein.client.conversation import Conversation
from bargein.core import asks
from bargein.core.edited import Edited
from bargein.core.items import ContentView, ItemView
from bargein.errors import LocalValueError
from bargein.server.engines.scenario import Scenario
from bargein.server.serving import serve_local

SCENARIO = {"first_event_after_ms": 0, "replies": [{"outputs": [{"write": "Indeed."}]}]}
SUMMARY = {"role": "system", "content": "They have met."}


@asynccontextmanager
async def talked(*texts: str) -> AsyncIterator[bargein.Session]:
    """A session in which the user has typed these."""
    async with (
        serve_local(Scenario.of(SCENARIO)) as server,
        bargein.connect(url=server.url, api_key=server.api_key) as session,
    ):
        for text in texts:
            await (await session.say(text)).done()
        yield session
        faults = session.notices(bargein.Fault)
    assert [fault async for fault in faults] == []


def texts(session: bargein.Session) -> list[str]:
    return [item.text for item in session.conversation]


async def test_the_beginning_is_replaced_by_a_summary() -> None:
    async with talked("One", "Two") as session:
        talk = session.conversation
        first = talk[0].id
        edited = await talk.edit([SUMMARY, *talk[-2:]])
        assert texts(session) == ["They have met.", "Two", "Indeed."]
        assert [item.id for item in talk][:1] == list(edited.created)
        assert edited.deleted[0] == first
        assert edited.differences == ()
        assert await (await session.say("Three")).text() == "Indeed."


async def test_messages_are_a_wish_and_find_their_items_again() -> None:
    async with talked("One", "Two") as session:
        sent = session.events()
        messages: list[Any] = [
            {"role": "user", "content": "Two"},
            {"role": "assistant", "content": "Indeed."},
        ]
        edited = await session.conversation.edit(messages)
        assert (len(edited.deleted), edited.created) == (2, ())
        assert texts(session) == ["Two", "Indeed."]
        passed = [one.event async for one in _until_quiet(sent)]
        assert passed
        assert not [one for one in passed if isinstance(one, events.ConversationItemCreate)]


async def _until_quiet(
    subscription: bargein.Subscription[bargein.Passed],
) -> AsyncIterator[bargein.Passed]:
    while True:
        try:
            async with asyncio.timeout(0.05):
                one = await anext(subscription)
        except TimeoutError:
            return
        assert isinstance(one, bargein.Passed)
        yield one


async def test_two_edits_at_once_are_done_one_after_the_other() -> None:
    async with talked("One", "Two", "Three") as session:
        talk = session.conversation
        first, second = await asyncio.gather(talk.edit(talk[2:]), talk.edit(talk[4:]))
        assert (len(first.deleted), len(second.deleted)) == (2, 2)
        assert texts(session) == ["Three", "Indeed."]


async def test_who_stops_waiting_does_not_stop_the_edit() -> None:
    async with talked("One", "Two") as session:
        task = asyncio.create_task(session.conversation.edit(session.conversation[2:]))
        await asyncio.sleep(0)
        task.cancel()
        edited = await session.conversation.edit(session.conversation.items)
        assert [one.why for one in edited.differences] == ["gone", "gone"]
        assert texts(session) == ["Two", "Indeed."]


async def test_an_edit_after_the_end_fails() -> None:
    async with talked("One") as session:
        await session.close()
        with pytest.raises(bargein.TransportError):
            await session.conversation.edit([])


# What a wish is made of.


def view(item_id: str, text: str = "") -> ItemView:
    return ItemView(
        item_id, "message", "user", "there", "completed", (ContentView("input_text", text),)
    )


class Shown:
    """A mirror of two items, and what was asked."""

    def __init__(self) -> None:
        self.items: tuple[ItemView, ...] = (view("a", "A"), view("b", "B"))
        self.asked: list[asks.Ask] = []

    @property
    def conversation(self) -> Any:
        return self

    def ask(self, ask: asks.Ask) -> asyncio.Future[Any]:
        self.asked.append(ask)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        answer.set_result(Edited())
        return answer


def asked(wished: Any, delete: Any = ()) -> asks.Edit:
    """What an edit asks of the machine."""
    shown = Shown()

    async def main() -> None:
        conversation = Conversation(shown, shown.ask)  # type: ignore[arg-type]  # all it reads
        await conversation.edit(wished, delete=delete)

    run(main())
    (ask,) = shown.asked
    assert isinstance(ask, asks.Edit)
    return ask


def test_items_ids_and_new_items_are_a_wish() -> None:
    new = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "C"}]}
    message = events.MessageItem(role="user", content=(events.InputText(text="C"),))
    said = events.MessageItem(role="assistant", content=(events.OutputText(text="D"),))
    ask = asked([view("a"), "b", new, message, {"role": "assistant", "content": "D"}])
    refs = [events.ItemReference(id=item_id) for item_id in ("a", "b")]
    assert ask.wish == (*refs, message, message, said)
    assert ask.seen == ("a", "b")


def test_a_call_and_its_output_are_messages_that_stand_together() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    ]
    kinds = [events.type_of(item) for item in asked(["a", *messages, "b"]).wish]
    assert kinds == ["item_reference", "function_call", "function_call_output", "item_reference"]


def test_what_is_to_be_deleted_is_named_by_items_or_ids() -> None:
    assert asked([], delete=[view("a"), "b"]).delete == ("a", "b")


@pytest.mark.parametrize(
    ("wished", "delete", "message"),
    [
        ("a", (), "edit: a str; give a list of items"),
        ([1], (), "wished[0]: a int; give an item"),
        (["a", "x"], (), "wished[1]: no item has the id 'x'"),
        ([], ["x"], "delete[0]: no item has the id 'x'"),
        (["a"], ["a"], "'a' is wished and to be deleted"),
        (["a", "a"], (), "wished[1]: 'a' is in the list twice"),
        ([{"type": "message", "role": "user"}], (), "wished[0]: event: item.content: missing"),
        ([{"type": "poem"}], (), "wished[0]: type: 'poem'; an edit can create"),
        (["a", {"role": "poet", "content": "x"}], (), "wished[1] and behind: messages[0].role"),
        ([{"role": "user", "content": "x" * 256_001}], (), "wished[0]: content[0].text: 256001"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_at_once(wished: Any, delete: Any, message: str) -> None:
    with pytest.raises(LocalValueError, match=re.escape(message)):
        asked(wished, delete)


def test_it_is_read_like_a_list() -> None:
    shown = Shown()
    conversation = Conversation(shown, shown.ask)  # type: ignore[arg-type]  # all it reads
    assert (len(conversation), conversation[0].id, conversation[1:]) == (2, "a", shown.items[1:])
    assert list(conversation) == list(shown.items) == list(conversation.items)
    shown.items = shown.items[:1]
    assert len(conversation) == 1
    assert view("a", "A") in conversation
    assert repr(conversation) == "<Conversation of 1 items>"
