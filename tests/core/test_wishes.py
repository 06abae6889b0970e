"""What an edit wishes, and the least that is sent for it: rules 1 to 5 of `core/wishes.py`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bargein import events
from bargein.core.edited import Difference
from bargein.core.items import ContentView, ItemView, State
from bargein.core.matching import described, says
from bargein.core.messages import items_of, messages
from bargein.core.wishes import Plan, plan
from bargein.errors import LocalProtocolError


def said(item_id: str, text: str, role: str = "user", kind: str = "", **how: object) -> ItemView:
    """A message of one part."""
    kind = kind or ("output_text" if role == "assistant" else "input_text")
    state: State = "there"
    part = ContentView(kind, text, cut=bool(how.get("cut")))
    status = str(how.get("status", "completed"))
    return ItemView(item_id, "message", role, state, status, (part,))


heard = partial(said, kind="input_audio")
spoken = partial(said, role="assistant", kind="output_audio")


def call(item_id: str, call_id: str) -> ItemView:
    return ItemView(
        item_id, "function_call", None, "there", "completed", (), call_id, "weather", "{}"
    )


def output(item_id: str, call_id: str, text: str = "rain") -> ItemView:
    return ItemView(item_id, "function_call_output", None, "there", None, (), call_id, None, text)


def ref(item_id: str) -> events.Item:
    return events.ItemReference(id=item_id)


def new(text: str, role: str = "user", item_id: str | None = None) -> events.Item:
    part = events.OutputText(text=text) if role == "assistant" else events.InputText(text=text)
    item = events.MessageItem(role=role, content=(part,))
    return item if item_id is None else events.MessageItem(id=item_id, role=role, content=(part,))


def new_output(call_id: str, text: str = "rain") -> events.Item:
    return events.FunctionCallOutputItem(call_id=call_id, output=text)


def new_call(call_id: str) -> events.Item:
    return events.FunctionCallItem(call_id=call_id, name="weather", arguments="{}")


@dataclass
class Service:
    """A conversation that does what it is told, and refuses what the service refuses."""

    order: list[str]
    calls: set[str] = field(default_factory=set)

    def create(self, item: events.Item, item_id: str, previous: str) -> None:
        assert item_id not in self.order, f"{item_id} exists"
        if isinstance(item, events.FunctionCallOutputItem):
            assert item.call_id in self.calls, f"{item.call_id} is no call"
        if isinstance(item, events.FunctionCallItem):
            self.calls.add(str(item.call_id))
        place = 0 if previous == "root" else self.order.index(previous) + 1
        self.order.insert(place, item_id)

    def delete(self, item_id: str) -> None:
        self.order.remove(item_id)


def planned(
    items: Sequence[ItemView],
    wish: Iterable[events.Item],
    delete: Iterable[str] = (),
    seen: Iterable[str] | None = None,
) -> Plan:
    ids = (f"new{number}" for number in itertools.count())
    known = None if seen is None else frozenset(seen)
    return plan(items, tuple(wish), delete=frozenset(delete), seen=known, new_id=lambda: next(ids))


def after(items: Sequence[ItemView], made: Plan, *, deletes_last: bool = False) -> list[str]:
    """The conversation when the plan is done. Deletes may overtake creates, or not."""
    calls = {str(item.call_id) for item in items if item.type == "function_call"}
    service = Service([item.id for item in items], calls)
    if not deletes_last:
        for item_id in made.deletes:
            service.delete(item_id)
    for each in made.creates:
        service.create(each.item, each.item_id, each.previous_item_id)
    if deletes_last:
        for item_id in made.deletes:
            service.delete(item_id)
    return service.order


def edited(
    items: Sequence[ItemView],
    wish: Iterable[events.Item],
    delete: Iterable[str] = (),
    seen: Iterable[str] | None = None,
) -> tuple[list[str], Plan]:
    made = planned(items, wish, delete, seen)
    order = after(items, made)
    assert order == after(items, made, deletes_last=True)
    return order, made


TALK = [said("a", "A"), said("b", "B"), said("c", "C"), said("d", "D")]


# Rule 1: what is meant.


def test_what_the_wish_names_stays_and_what_it_leaves_out_is_deleted() -> None:
    order, made = edited(TALK, [ref("c"), ref("d")])
    assert order == ["c", "d"]
    assert (made.deletes, made.creates, made.differences) == (("a", "b"), (), ())


def test_a_wish_for_what_is_there_sends_nothing() -> None:
    assert planned(TALK, [ref("a"), ref("b"), ref("c"), ref("d")]) == Plan()


def test_what_is_described_and_there_already_is_not_sent_again() -> None:
    order, made = edited(TALK, [new("B"), new("E"), new("D")])
    assert order == ["b", "new0", "d"]
    assert made.deletes == ("a", "c")


def test_words_that_were_spoken_are_the_same_words() -> None:
    talk = [heard("u", "Hello."), spoken("r", "Hello there.")]
    assert planned(talk, [new("Hello."), new("Hello there.", "assistant")]) == Plan()


def test_what_is_named_is_not_meant_a_second_time() -> None:
    order, _ = edited(TALK, [*map(ref, "abcd"), new("A")])
    assert order == ["a", "b", "c", "d", "new0"]


def test_of_items_that_say_the_same_those_are_meant_that_can_stay() -> None:
    talk = [said("x", "Yes."), said("a", "A"), said("y", "Yes."), said("b", "B")]
    order, made = edited(talk, [new("A"), new("Yes."), new("B")])
    assert (order, made.deletes) == (["a", "y", "b"], ("x",))


def test_an_item_that_is_to_have_an_id_of_its_own_is_a_new_one() -> None:
    order, _ = edited(TALK, [*map(ref, "bcd"), new("A", item_id="mine")])
    assert order == ["b", "c", "d", "mine"]


def test_messages_that_are_given_back_change_nothing() -> None:
    mcp = ItemView(
        "m", "mcp_call", None, "there", None, (), None, "find", "{}", "library", "a book"
    )
    talk = [
        heard("u1", ""),
        spoken("r1", "Once upon", cut=True, status="incomplete"),
        heard("u2", "Go on."),
        call("c", "c1"),
        output("o", "c1"),
        mcp,
        spoken("r2", "It rains."),
    ]
    assert planned(talk, items_of(messages(talk))) == Plan()


# Rule 2: what is kept.


def test_a_users_speech_without_a_transcript_is_kept() -> None:
    talk = [heard("u1", ""), spoken("r1", "One."), heard("u2", "Two?"), spoken("r2", "Two.")]
    order, made = edited(talk, [new("Two.", "assistant")])
    assert order == ["u1", "r2"]
    assert made.differences == (Difference("u1", "no_text"),)


def test_it_goes_when_it_is_named() -> None:
    talk = [heard("u1", ""), spoken("r1", "One."), heard("u2", "Two?")]
    order, made = edited(talk, [ref("u2")], delete=["u1"])
    assert (order, made.deletes, made.differences) == (["u2"], ("u1", "r1"), ())


def test_what_nobody_knew_of_is_kept() -> None:
    order, made = edited(TALK, [ref("a")], seen=["a", "b", "c"])
    assert order == ["a", "d"]
    assert made.differences == (Difference("d", "came_later"),)


def test_what_is_still_being_made_is_kept() -> None:
    talk = [said("a", "A"), spoken("r", "Once", status="in_progress")]
    order, made = edited(talk, [ref("a")])
    assert order == ["a", "r"]
    assert made.differences == (Difference("r", "being_made"),)


def test_what_only_the_service_makes_is_kept() -> None:
    tools = ItemView("t", "mcp_list_tools", None, "there", None)
    order, made = edited([tools, *TALK], [ref("a")])
    assert order == ["t", "a"]
    assert made.differences == (Difference("t", "service_made"),)


def test_a_call_that_is_not_answered_yet_is_kept() -> None:
    order, made = edited([said("a", "A"), call("c", "c1")], [ref("a")])
    assert order == ["a", "c"]
    assert made.differences == (Difference("c", "unanswered"),)


def test_a_call_is_not_answered_if_its_output_came_later() -> None:
    talk = [said("a", "A"), call("c", "c1"), output("o", "c1")]
    order, made = edited(talk, [ref("a")], seen=["a", "c"])
    assert order == ["a", "c", "o"]
    assert {one.why for one in made.differences} == {"unanswered", "came_later"}


def test_what_is_gone_meanwhile_is_told() -> None:
    going = ItemView("g", "message", "assistant", "going", "incomplete")
    made = planned([*TALK, going], [*map(ref, "abcd"), ref("g"), ref("z")])
    assert made == Plan(differences=(Difference("g", "gone"), Difference("z", "gone")))


def test_what_has_not_come_is_neither_deleted_nor_named() -> None:
    coming = ItemView("x", "message", "user", "coming", None)
    made = planned([*TALK, coming], [*map(ref, "abcd"), ref("x"), new("E")])
    assert made.differences == (Difference("x", "unconfirmed"),)
    assert [each.previous_item_id for each in made.creates] == ["d"]


# Rule 3: calls and outputs.


def test_an_output_goes_with_its_call() -> None:
    talk = [said("a", "A"), call("c", "c1"), output("o", "c1"), said("b", "B")]
    order, made = edited(talk, [ref("o"), ref("b")])
    assert order == ["b"]
    assert made.differences == (Difference("o", "paired"),)


def test_a_call_goes_with_its_output() -> None:
    talk = [call("c", "c1"), output("o", "c1"), said("b", "B")]
    order, made = edited(talk, [ref("c"), ref("b")])
    assert order == ["b"]
    assert made.differences == (Difference("c", "paired"),)


def test_an_output_can_be_replaced() -> None:
    talk = [call("c", "c1"), output("o", "c1", "a long text"), said("b", "B")]
    order, made = edited(talk, [ref("c"), new_output("c1", "short"), ref("b")])
    assert order == ["c", "new0", "b"]
    assert (made.deletes, made.differences) == (("o",), ())


def test_a_call_that_is_deleted_by_name_takes_even_an_output_that_came_later() -> None:
    talk = [said("a", "A"), call("c", "c1"), output("o", "c1")]
    order, made = edited(talk, [ref("a")], delete=["c"], seen=["a", "c"])
    assert order == ["a"]
    assert made.differences == (Difference("o", "paired"),)


def test_an_output_that_was_an_orphan_before_stays_where_it_is() -> None:
    assert planned([output("o", "c1")], [ref("o")]) == Plan()


def test_a_restored_call_is_created_before_its_output() -> None:
    order, _ = edited(TALK, [*map(ref, "abcd"), new("E"), new_call("c9"), new_output("c9")])
    assert order == ["a", "b", "c", "d", "new0", "new1", "new2"]


def test_an_output_of_a_call_that_is_not_wished_is_refused() -> None:
    for talk in (TALK, [*TALK, call("c", "c9")]):
        with pytest.raises(
            LocalProtocolError, match=r"wished\[1\]: call_id: the wish has no call 'c9'"
        ):
            planned(talk, [ref("a"), new_output("c9")])


def test_an_output_is_given_to_a_call_that_has_none() -> None:
    order, _ = edited([call("c", "c1"), said("a", "A")], [ref("c"), new_output("c1"), ref("a")])
    assert order == ["c", "new0", "a"]


def test_an_output_before_its_call_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="stands before its call"):
        planned([call("c", "c1"), output("o", "c1")], [ref("o"), ref("c")])


# Rule 4: as many as possible stay.


def test_one_item_that_moved_is_made_anew_and_the_others_stay() -> None:
    order, made = edited(TALK, [ref("d"), ref("a"), ref("b"), ref("c")])
    assert order == ["new0", "a", "b", "c"]
    assert made.deletes == ("d",)
    assert [(each.instead_of, each.previous_item_id) for each in made.creates] == [("d", "root")]


def test_the_others_move_around_what_cannot_be_made_anew() -> None:
    talk = [spoken("r", "Once."), said("a", "A"), said("b", "B")]
    order, made = edited(talk, [ref("a"), ref("b"), ref("r")])
    assert made.deletes == ("a", "b")
    assert order[-1] == "r"


def test_two_things_spoken_cannot_change_places() -> None:
    talk = [spoken("r", "Once."), spoken("s", "Twice.")]
    with pytest.raises(LocalProtocolError, match=r"'\w' cannot be put elsewhere.*leave it out"):
        planned(talk, [ref("s"), ref("r")])


@pytest.mark.parametrize(
    "item",
    [
        spoken("r", "Once."),
        heard("u", "Hello."),
        said("t", "Text", "assistant", cut=True),
        said("t", "Text", "assistant", status="incomplete"),
        said("i", "", "user", kind="input_image"),
        ItemView("l", "mcp_list_tools", None, "there", None),
    ],
)
def test_what_was_spoken_shown_or_cut_is_not_made_anew(item: ItemView) -> None:
    _, made = edited([item, said("a", "A")], [ref("a"), ref(item.id)])
    assert item.id not in made.deletes


# Rule 5: places.


def test_new_items_stand_where_the_wish_has_them() -> None:
    order, _ = edited(TALK, [new("1"), ref("a"), new("2"), new("3"), ref("c"), ref("d"), new("4")])
    assert order == ["new0", "a", "new1", "new2", "c", "d", "new3"]


def test_a_create_that_is_refused_takes_no_other_with_it() -> None:
    made = planned(TALK, [*map(ref, "abcd"), new("1"), new("2"), new("3")])
    there = {"a", "b", "c", "d", "root"}
    assert {each.previous_item_id for each in made.creates} <= there


def test_an_empty_wish_empties_the_conversation() -> None:
    assert edited(TALK, [])[0] == []


# What is wrong.


def test_a_new_item_cannot_have_the_id_of_one_that_is_there() -> None:
    with pytest.raises(LocalProtocolError, match="there is an item with the id 'a'"):
        planned(TALK, [new("x", item_id="a")])


# Any wish for any conversation.

_TEXTS = ("A", "B", "C")


def _least(items: Sequence[ItemView], wish: Sequence[events.Item]) -> int:
    """Messages that are needed, by the plain table of the longest common subsequence."""
    named = {item.id for item in wish if isinstance(item, events.ItemReference)}

    def same(entry: events.Item, item: ItemView) -> bool:
        if isinstance(entry, events.ItemReference):
            return entry.id == item.id
        return item.id not in named and described(entry) in says(item)

    longest = [[0] * (len(items) + 1) for _ in range(len(wish) + 1)]
    for i, entry in enumerate(wish):
        for j, item in enumerate(items):
            more = longest[i][j] + 1 if same(entry, item) else 0
            longest[i + 1][j + 1] = max(longest[i][j + 1], longest[i + 1][j], more)
    stay = longest[-1][-1]
    return len(items) - stay + len(wish) - stay


def _text(item: events.Item) -> str:
    said = described(item)
    assert said is not None, "all are text"
    return said[-1]


@st.composite
def edits(draw: st.DrawFn) -> tuple[list[ItemView], list[events.Item]]:
    texts = draw(st.lists(st.sampled_from(_TEXTS), max_size=7))
    items = [said(f"i{number}", text) for number, text in enumerate(texts)]
    named = draw(st.permutations(items))[: draw(st.integers(0, len(items)))]
    wish = [ref(item.id) for item in named]
    for text in draw(st.lists(st.sampled_from((*_TEXTS, "D")), max_size=4)):
        wish.insert(draw(st.integers(0, len(wish))), new(text))
    return items, wish


@settings(max_examples=300, deadline=None)
@given(edits())
def test_any_wish_comes_true_with_the_least_number_of_messages(
    case: tuple[list[ItemView], list[events.Item]],
) -> None:
    items, wish = case
    order, made = edited(items, wish)
    texts = {item.id: item.text for item in items}
    for each in made.creates:
        texts[each.item_id] = _text(each.item)
    wished = [texts[str(one.id)] if one.id else _text(one) for one in wish]
    assert [texts[item_id] for item_id in order] == wished
    assert len(made.deletes) + len(made.creates) == _least(items, wish)
