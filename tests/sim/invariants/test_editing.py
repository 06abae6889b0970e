"""What an edit may do, and what it may say that it has done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest
from tests.sim.invariants.telling import details
from tests.sim.tale import Tale, begun

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.edited import Difference, Edited
from bargein.core.items import ContentView, ItemView
from bargein.server.model.memory import RememberedItem
from bargein.sim.history import Entry
from bargein.units import US_PER_S


def view(item_id: str, text: str = "Hello.", **fields: str) -> ItemView:
    kind, status = fields.get("type", "message"), fields.get("status", "completed")
    content = (ContentView("input_text", text),) if kind == "message" else ()
    call_id = fields.get("call_id")
    return ItemView(item_id, kind, "user", "there", status, content, call_id)


def held(*item_ids: str) -> tuple[RememberedItem, ...]:
    return tuple(
        RememberedItem(
            id=item_id,
            kind="message",
            role="user",
            status="completed",
            parts=(),
            call_id="",
            name="",
            arguments="",
            output="",
        )
        for item_id in item_ids
    )


def asked(tale: Tale, wish: str, *, seen: str = "a b c", delete: str = "", ask_id: int = 1) -> None:
    """The application wishes these items, and `+` is a new one."""
    note = events.MessageItem(role="system", content=(events.InputText(text="Note."),))
    items: list[events.Item] = [
        note if item_id == "+" else events.ItemReference(id=item_id) for item_id in wish.split()
    ]
    ask = asks.Edit(tuple(items), tuple(delete.split()), tuple(seen.split()))
    tale.write("input", inputs.Asked(ask_id, ask))


def deletes(tale: Tale, item_id: str, *, answered: bool = True) -> None:
    tale.client(events.ConversationItemDelete(item_id=item_id))
    if answered:
        tale.told(events.ConversationItemDeleted(event_id="e", item_id=item_id))


def creates(tale: Tale, item_id: str, *, previous: str = "root", answered: bool = True) -> None:
    item = events.MessageItem(id=item_id, role="system", content=(events.InputText(text="Note."),))
    tale.client(events.ConversationItemCreate(item=item, previous_item_id=previous))
    if answered:
        before = None if previous == "root" else previous
        tale.told(events.ConversationItemAdded(event_id="e", previous_item_id=before, item=item))


def done(tale: Tale, answer: Edited, ask_id: int = 1) -> None:
    tale.write("command", commands.Answer(ask_id, answer))


def wrong(tale: Tale, mirror: Sequence[ItemView], memory: str | None = None) -> list[str]:
    """What is wrong with the edits, where the session shows that."""
    ids = [item.id for item in mirror] if memory is None else memory.split()
    return details(tale.judged(mirror=tuple(mirror), memory=held(*ids)), "edits")


def test_an_edit_that_does_what_it_says_is_right() -> None:
    tale = begun()
    asked(tale, "+ b c")
    deletes(tale, "a")
    creates(tale, "n")
    done(tale, Edited(created=("n",), deleted=("a",)))
    assert wrong(tale, [view("n"), view("b"), view("c")]) == []


@pytest.mark.parametrize("answered", [True, False])
def test_an_edit_does_not_begin_while_something_is_unanswered(answered: bool) -> None:
    tale = begun()
    deletes(tale, "x", answered=answered)
    asked(tale, "b c")
    deletes(tale, "a")
    done(tale, Edited(deleted=("a",)))
    late = [] if answered else ["a is edited while x is unanswered"]
    assert wrong(tale, [view("b"), view("c")]) == late


def test_what_it_says_to_have_deleted_is_gone() -> None:
    tale = begun()
    asked(tale, "b c")
    deletes(tale, "a")
    done(tale, Edited(deleted=("a",)))
    there = "ask 1: a is told as deleted, and is there"
    assert there in wrong(tale, [view("a"), view("b"), view("c")])
    assert wrong(tale, [view("b"), view("c")], "a b c") == [there]


def test_what_it_says_to_have_created_is_there() -> None:
    tale = begun()
    asked(tale, "a b c +")
    creates(tale, "n", previous="c")
    done(tale, Edited(created=("n",)))
    rest = [view("a"), view("b"), view("c")]
    assert wrong(tale, rest) == ["ask 1: n is wished, and neither there nor told"]
    assert wrong(tale, [*rest, view("n")], "a b c") == [
        "ask 1: n is wished and told, and the service has it not"
    ]


def test_what_it_says_it_has_sent() -> None:
    tale = begun()
    asked(tale, "b c")
    done(tale, Edited(deleted=("a",)))
    assert wrong(tale, [view("b"), view("c")]) == [
        "ask 1 says that it did what was never sent",
    ]


def test_items_stand_in_the_order_of_the_wish() -> None:
    tale = begun()
    asked(tale, "b a c")
    done(tale, Edited())
    assert wrong(tale, [view("a"), view("b"), view("c")]) == [
        "ask 1: the items stand in another order than in the wish"
    ]


def test_nothing_is_made_anew_that_could_stay() -> None:
    tale = begun()
    asked(tale, "a b c")
    deletes(tale, "b")
    creates(tale, "n", previous="a")
    done(tale, Edited(moved={"b": "n"}))
    assert wrong(tale, [view("a"), view("n"), view("c")]) == [
        "ask 1: b is made anew, and could have stayed"
    ]


@pytest.mark.parametrize("why", ["no_text", None])
def test_what_is_left_out_is_gone_or_told(why: str | None) -> None:
    tale = begun()
    asked(tale, "b c")
    done(tale, Edited(differences=(Difference("a", "no_text"),) if why else ()))
    untold = [] if why else ["ask 1: a is not wished, and neither gone nor told"]
    assert wrong(tale, [view("a"), view("b"), view("c")]) == untold


@pytest.mark.parametrize(
    ("item", "against"),
    [
        (view("a", ""), "has no words"),
        (view("a", status="in_progress"), "is still being made"),
        (view("a", type="mcp_list_tools"), "is of the service's making"),
        (view("a", type="function_call", call_id="c1"), "is a call without an output"),
        (view("a"), ""),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_what_could_not_be_wished_is_deleted_by_name_only(
    item: ItemView, against: str, named: bool
) -> None:
    tale = begun()
    asked(tale, "b c", delete="a" if named else "")
    deletes(tale, "a")
    done(tale, Edited(deleted=("a",)))
    # The witness shows one mirror all the time, so the item is there in the end, too.
    found = [one for one in wrong(tale, [item, view("b"), view("c")], "b c") if "ask" not in one]
    told = [f"a {against}, was not named, and is deleted"]
    assert found == (told if against and not named else [])


def test_what_came_later_is_not_deleted() -> None:
    tale = begun()
    asked(tale, "b c", seen="b c")
    deletes(tale, "a")
    done(tale, Edited(deleted=("a",)))
    assert wrong(tale, [view("b"), view("c")]) == ["a came later than the wish, and is deleted"]


def test_edits_are_done_in_their_order() -> None:
    tale = begun()
    asked(tale, "a b c")
    asked(tale, "a b c", ask_id=2)
    done(tale, Edited(), 2)
    done(tale, Edited())
    assert wrong(tale, [view("a"), view("b"), view("c")]) == ["ask 2 is done before ask 1"]


@pytest.mark.parametrize(("after_s", "broken"), [(28, 1), (26, 0)])
def test_an_edit_is_given_up_in_time(after_s: int, broken: int) -> None:
    tale = begun()
    asked(tale, "b c")
    lost = commands.Answer(1, None, "It is over.", "lost")
    tale.entries.append(Entry(len(tale.entries) + after_s * US_PER_S, "command", lost))
    assert wrong(tale, [view("b"), view("c")]) == ["ask 1 waited without end"][:broken]


def test_no_output_is_left_without_its_call() -> None:
    tale = begun()
    call = events.FunctionCallItem(id="a", name="weather", call_id="c1", arguments="{}")
    tale.told(events.ConversationItemAdded(event_id="e", previous_item_id=None, item=call))
    asked(tale, "b")
    deletes(tale, "a")
    done(tale, Edited(deleted=("a",), differences=(Difference("o", "came_later"),)))
    output = view("o", type="function_call_output", call_id="c1")
    assert wrong(tale, [view("b"), output]) == ["ask 1: o has lost its call a"]


@pytest.mark.parametrize("why", ["refused", "unconfirmed"])
@pytest.mark.parametrize(("gone", "there"), [("a", "o"), ("o", "a")])
def test_what_the_service_did_not_delete_may_stand_alone(
    gone: str, there: str, why: Literal["refused", "unconfirmed"]
) -> None:
    tale = begun()
    call = events.FunctionCallItem(id="a", name="weather", call_id="c1", arguments="{}")
    output = events.FunctionCallOutputItem(id="o", call_id="c1", output="sunny")
    for item in (call, output):
        tale.told(events.ConversationItemAdded(event_id="e", previous_item_id=None, item=item))
    asked(tale, "b")
    deletes(tale, "a")
    deletes(tale, "o")
    done(tale, Edited(deleted=(gone,), differences=(Difference(there, why),)))
    kinds: dict[str, Literal["function_call", "function_call_output"]] = {
        "a": "function_call",
        "o": "function_call_output",
    }
    left = view(there, type=kinds[there], call_id="c1")
    assert wrong(tale, [view("b"), left]) == []
