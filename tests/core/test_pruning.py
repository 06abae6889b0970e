"""What the service leaves out of a long conversation, as far as it lets on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.scenarios.rig import Talk

from bargein import events
from bargein.core import asks
from bargein.core.items import ItemView
from bargein.core.notices import Pruned
from bargein.core.pruning import MARKS_LIMIT, LeftOut, Pruning


def view(item_id: str, kind: str = "message", call_id: str | None = None) -> ItemView:
    return ItemView(item_id, kind, "user", "there", "completed", call_id=call_id)


class Model:
    """A service that tells its model the newest items that fit, and says how much that was."""

    def __init__(self, instructions: int) -> None:
        self.instructions = instructions
        self.items: list[ItemView] = []
        self.costs: dict[str, int] = {}
        self.left_out: set[str] = set()
        self.pruning = Pruning()
        self.claimed: set[str] = set()
        self._made = 0

    def add(self, cost: int, *, kind: str = "message", call_id: str | None = None) -> str:
        self._made += 1
        item_id = f"i{self._made}"
        self.items.append(view(item_id, kind, call_id))
        self.costs[item_id] = cost
        return item_id

    def place_first(self, cost: int) -> None:
        self.items.insert(0, self.items.pop() if self.add(cost) else self.items[0])
        self.pruning.placed_before_the_end()

    def delete(self, place: int) -> None:
        if self.items:
            item = self.items.pop(place % len(self.items))
            self.pruning.changed(item.id)

    def cut(self, place: int) -> None:
        if self.items:
            item = self.items[place % len(self.items)]
            self.costs[item.id] //= 2
            self.pruning.changed(item.id)

    def instruct(self, tokens: int) -> None:
        self.instructions = tokens
        self.pruning.changed()

    def reply(self, room: int) -> LeftOut | None:
        """The model is told what fits into the room, and the items say so."""
        told = self.pruning.begun([item.id for item in self.items])
        there = [item for item in self.items if item.id not in self.left_out]
        while there and sum(self.costs[item.id] for item in there) > room:
            gone = there.pop(0)
            self.left_out.add(gone.id)
            for item in list(there):
                if gone.type == "function_call" and item.call_id == gone.call_id:
                    there.remove(item)
                    self.left_out.add(item.id)
        tokens = self.instructions + sum(self.costs[item.id] for item in there)
        found = self.pruning.measured(told, tokens, tuple(self.items))
        if found is not None:
            self.claimed.update(found.item_ids)
            self.items = [replace(item, left_out=item.id in self.claimed) for item in self.items]
        return found


COST = st.integers(0, 12)
PLACE = st.integers(0, 30)
MOVE = st.one_of(
    st.tuples(st.just("add"), COST),
    st.tuples(st.just("add"), COST),
    st.tuples(st.just("reply"), st.integers(0, 60)),
    st.tuples(st.just("reply"), st.integers(0, 30)),
    st.tuples(st.just("call"), COST),
    st.tuples(st.just("output"), COST),
    st.tuples(st.just("delete"), PLACE),
    st.tuples(st.just("cut"), PLACE),
    st.tuples(st.just("place_first"), COST),
    st.tuples(st.just("instruct"), st.integers(0, 5)),
)


@settings(max_examples=1_500, deadline=None)
@given(st.integers(0, 3), st.lists(MOVE, max_size=40))
def test_what_is_shown_as_left_out_is_left_out(tokens: int, moves: list[tuple[str, int]]) -> None:
    model, calls = Model(tokens), 0
    for move, number in moves:
        match move:
            case "call":
                calls += 1
                model.add(number, kind="function_call", call_id=f"c{calls}")
            case "output":
                model.add(number, kind="function_call_output", call_id=f"c{calls}")
            case _:
                getattr(model, move)(number)
        assert model.claimed <= model.left_out


def test_what_was_told_before_and_no_longer_fits_is_shown_as_left_out() -> None:
    model = Model(2)
    first = [model.add(10), model.add(10)]
    assert model.reply(100) is None
    second = [model.add(20), model.add(20)]
    assert model.reply(100) is None
    behind = [model.add(5)]
    assert model.reply(30) == LeftOut(tuple(first), 62 - 27)
    fifth = [model.add(5)]
    assert model.reply(8) == LeftOut((), 27 - 7)
    model.add(20)
    assert model.reply(100) is None
    model.add(1)
    assert model.reply(1) == LeftOut((*second, *behind, *fifth), 27 - 3)


def test_a_reply_that_ended_before_anything_was_made_tells_nothing() -> None:
    pruning = Pruning()
    told = pruning.begun(["a"])
    assert pruning.measured(told, 50, (view("a"),)) is None
    assert pruning.measured(pruning.begun(["a", "b"]), 0, ()) is None
    found = pruning.measured(pruning.begun(["a", "b"]), 10, (view("a"), view("b")))
    assert found == LeftOut((), 40)


def test_the_memory_of_replies_is_bounded() -> None:
    pruning = Pruning()
    for number in range(MARKS_LIMIT + 10):
        pruning.measured(pruning.begun([str(number)]), 10 + number, ())
    assert len(pruning._marks) == MARKS_LIMIT


# In a session.


def written(talk: Talk, response_id: str, input_tokens: int, **fields: Any) -> None:
    """A reply, and how much the model was told for it."""
    talk.response(response_id, **fields)
    usage = {"total_tokens": input_tokens, "input_tokens": input_tokens, "output_tokens": 0}
    response = {"id": response_id, "status": "completed", "output": [], "usage": usage}
    talk.receive("response.done", response=response)


def typed(talk: Talk, item_id: str, previous: str | None) -> None:
    content = [{"type": "input_text", "text": "Hello?"}]
    item = {"id": item_id, "type": "message", "role": "user", "content": content}
    talk.receive("conversation.item.added", item=item, previous_item_id=previous)


def left_out(talk: Talk) -> list[str]:
    return [item.id for item in talk.machine.conversation.items if item.left_out]


def long_talk() -> Talk:
    """Of A the model was told in 20 tokens, of A and B in 80."""
    talk = Talk()
    typed(talk, "A", None)
    written(talk, "r1", 20)
    typed(talk, "B", "A")
    written(talk, "r2", 80)
    typed(talk, "C", "B")
    return talk


def test_the_mirror_shows_what_is_left_out_and_a_notice_tells_it() -> None:
    talk = long_talk()
    written(talk, "r3", 40)
    assert talk.told(Pruned) == [Pruned("left_out", ("A",), 40)]
    assert left_out(talk) == ["A"]
    assert talk.mirror == ["A", "B", "C"]


def test_what_makes_the_input_smaller_by_itself_is_not_taken_for_it() -> None:
    for changes in (
        lambda talk: talk.receive("conversation.item.deleted", item_id="B"),
        lambda talk: talk.receive(
            "conversation.item.truncated", item_id="B", content_index=0, audio_end_ms=5
        ),
        lambda talk: talk.receive("session.updated", session=talk.session()),
        lambda talk: typed(talk, "D", None),
    ):
        talk = long_talk()
        changes(talk)
        written(talk, "r3", 40)
        assert left_out(talk) == []
        assert [told for told in talk.told(Pruned) if told.how == "left_out"] == []


def test_a_reply_out_of_band_or_with_parameters_of_its_own_is_no_measure() -> None:
    talk = long_talk()
    written(talk, "r3", 5, conversation_id=None)
    talk.ask(asks.Respond(events.ResponseParams(instructions="One word.")))
    talk.answer_create("r4")
    usage = {"total_tokens": 5, "input_tokens": 5, "output_tokens": 0}
    response = {"id": "r4", "status": "completed", "output": [], "usage": usage}
    talk.receive("response.done", response=response)
    assert talk.told(Pruned) == []


def test_what_is_deleted_though_nobody_asked_is_told() -> None:
    talk = long_talk()
    talk.receive("conversation.item.deleted", item_id="A")
    assert talk.told(Pruned) == [Pruned("deleted", ("A",))]
    assert talk.mirror == ["B", "C"]


def test_what_somebody_deleted_is_not_told_as_pruned() -> None:
    talk = long_talk()
    talk.ask(asks.SendEvent(events.ConversationItemDelete(item_id="A")))
    talk.receive("conversation.item.deleted", item_id="A")
    assert (talk.told(Pruned), talk.mirror) == ([], ["B", "C"])


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (events.ConversationItemRetrieve(item_id="A"), "item_retrieve_invalid_item_id"),
        (
            events.ConversationItemTruncate(item_id="A", content_index=0, audio_end_ms=0),
            "item_truncate_invalid_item_id",
        ),
        (
            events.ConversationItemCreate(
                previous_item_id="A",
                item=events.MessageItem(role="user", content=(events.InputText(text="Hi"),)),
            ),
            "item_create_invalid_previous_item_id",
        ),
    ],
)
def test_what_the_service_does_not_know_any_more_leaves_the_mirror(
    event: events.ClientEvent, code: str
) -> None:
    talk = long_talk()
    talk.ask(asks.SendEvent(event))
    sent = talk.events_sent(type(event))[-1]
    body = {"type": "invalid_request_error", "code": code, "message": "No such item."}
    talk.receive("error", error=body | {"event_id": sent.event_id})
    assert talk.told(Pruned) == [Pruned("deleted", ("A",))]
    assert "A" not in talk.mirror
