"""Edits of the conversation: rules 1 to 5 of `core/edits.py`."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from tests.scenarios.rig import Talk

from bargein import events
from bargein.capabilities import Capabilities
from bargein.core import asks, commands, inputs
from bargein.core.edited import Difference, Edited
from bargein.core.edits import WAITING_LIMIT
from bargein.core.notices import Fault, InterruptionSettled

GONE = "item_delete_invalid_item_id"


def edit(
    talk: Talk,
    wish: Iterable[str | events.Item],
    delete: Iterable[str] = (),
    seen: Iterable[str] | None = None,
) -> int:
    """The application edits: ids of what is there, and what is new."""
    items = tuple(events.ItemReference(id=one) if isinstance(one, str) else one for one in wish)
    known = None if seen is None else tuple(seen)
    return talk.ask(asks.Edit(items, tuple(delete), known))


def new(text: str, role: str = "system") -> events.Item:
    return events.MessageItem(role=role, content=(events.InputText(text=text),))


def result(talk: Talk, ask_id: int) -> Edited:
    answer = talk.answer(ask_id)
    assert answer is not None, "it is not answered"
    assert answer.error is None, answer.error
    assert isinstance(answer.value, Edited)
    return answer.value


def failure(talk: Talk, ask_id: int) -> commands.Answer:
    answer = talk.answer(ask_id)
    assert answer is not None, "it is not answered"
    assert answer.error is not None, "it did not fail"
    return answer


def talked(**how: object) -> Talk:
    """Three messages of the user's are there."""
    talk = Talk(**how)  # type: ignore[arg-type]  # the rig names its own arguments
    talk.user_item("a", None, "A")
    talk.user_item("b", text="B")
    talk.user_item("c", text="C")
    return talk


# What is sent, and when it is answered.


def test_the_least_difference_is_sent_in_one_breath_and_answered_when_all_is_acknowledged() -> None:
    talk = talked()
    asked = edit(talk, [new("Summary."), "c"])
    assert talk.sent() == ["delete a", "delete b", "say Summary."]
    assert talk.mirrored("a").state == "going"
    talk.deleted("a")
    talk.deleted("b")
    assert talk.answer(asked) is None
    talk.take_items()
    done = result(talk, asked)
    assert done.deleted == ("a", "b")
    assert talk.mirror == [*done.created, "c"]
    assert done.differences == ()
    assert talk.machine.deadline_us is None


def test_an_edit_without_a_difference_sends_nothing_and_is_answered_at_once() -> None:
    talk = talked()
    asked = edit(talk, ["a", "b", "c"])
    assert talk.sent() == []
    assert result(talk, asked) == Edited()
    assert talk.machine.deadline_us is None


def test_what_moved_has_another_id_afterwards() -> None:
    talk = talked()
    asked = edit(talk, ["c", "a", "b"])
    assert talk.sent() == ["delete c", "say C"]
    talk.agree()
    talk.take_items()
    done = result(talk, asked)
    assert (done.created, done.deleted) == ((), ())
    assert talk.mirror == [done.moved["c"], "a", "b"]


def test_what_came_between_the_wish_and_the_ask_is_kept() -> None:
    talk = talked()
    asked = edit(talk, ["b"], seen=["a", "b"])
    assert talk.sent() == ["delete a"]
    talk.agree()
    assert result(talk, asked).differences == (Difference("c", "came_later"),)


# Rule 1: nothing races.


def test_an_edit_waits_for_a_delete_of_a_cut() -> None:
    talk = talked()
    talk.speaking(ms=800)
    talk.speech_started()
    talk.stopped({"A": 0})
    talk.cancelled()
    assert talk.sent() == ["delete A"]
    asked = edit(talk, ["b", "c"])
    assert talk.sent() == [], "the delete is unanswered"
    talk.deleted("A")
    assert talk.sent() == ["delete a"]
    talk.agree()
    assert result(talk, asked).deleted == ("a",)


@pytest.mark.parametrize("wished", [True, False])
def test_what_a_cut_is_about_to_delete_is_deleted_once(wished: bool) -> None:
    talk = talked()
    talk.speaking(ms=800)
    talk.speech_started()
    asked = edit(talk, ["a", "b", "c", *(["A"] if wished else [])])
    assert talk.sent() == [], "the stop is unanswered"
    talk.stopped({"A": 0})
    assert talk.sent() == [], "the item may still grow"
    talk.cancelled()
    assert talk.sent() == ["delete A"]
    talk.deleted("A")
    assert talk.sent() == []
    gone = (Difference("A", "gone"),) if wished else ()
    assert result(talk, asked).differences == gone


def test_an_edit_waits_for_a_message_that_is_on_its_way() -> None:
    talk = talked()
    talk.ask(asks.Say("By the way.", reply=False))
    coming = talk.mirror[-1]
    asked = edit(talk, ["c", coming])
    assert talk.sent() == ["say By the way."]
    talk.take_items()
    assert talk.sent() == ["delete a", "delete b"]
    talk.agree()
    assert talk.mirror == ["c", coming]
    assert result(talk, asked).differences == ()


def test_an_edit_waits_for_an_output_that_the_application_sends_without_an_id() -> None:
    talk = talked()
    talk.response("r1")
    talk.call("c1")
    talk.done()
    output = events.FunctionCallOutputItem(call_id="c1", output="rain")
    talk.ask(asks.SendEvent(events.ConversationItemCreate(item=output)))
    asked = edit(talk, ["a", "b", "c"], delete=["C1"])
    assert talk.sent() == ["output rain"]
    item = {"id": "O", "type": "function_call_output", "call_id": "c1", "output": "rain"}
    talk.receive("conversation.item.added", previous_item_id="C1", item=item)
    assert talk.sent() == ["delete C1", "delete O"]
    talk.agree()
    assert result(talk, asked).differences == (Difference("O", "paired"),)


def test_an_edit_waits_for_a_delete_of_the_applications_own() -> None:
    talk = talked()
    talk.ask(asks.SendEvent(events.ConversationItemDelete(item_id="a")))
    edit(talk, ["c"])
    assert talk.sent() == ["delete a"]
    talk.deleted("a")
    assert talk.sent() == ["delete b"]


def test_an_edit_waits_for_a_socket_that_takes_nothing() -> None:
    """What waits for the socket is overtaken by deletes, and could name what is gone by then."""
    talk = talked()
    talk.give(inputs.Blocked())
    asked = edit(talk, [new("Summary."), "c"])
    talk.pass_ms(30_000)
    assert talk.answer(asked) is None
    talk.give(inputs.Drained())
    assert talk.sent() == ["delete a", "delete b", "say Summary."]


def test_an_edit_waits_until_the_session_stands() -> None:
    talk = Talk(connected=False)
    talk.give(inputs.PipeOpened(Capabilities()))
    edit(talk, [new("Hello.")])
    assert talk.sent() == []
    talk.receive("session.created", session=talk.session())
    assert talk.sent() == ["say Hello."]


def test_an_item_that_is_being_made_is_kept_and_told() -> None:
    talk = talked()
    talk.speaking(ms=800)
    asked = edit(talk, ["a", "b"])
    assert talk.sent() == ["delete c"]
    talk.agree()
    assert result(talk, asked).differences == (Difference("A", "being_made"),)
    assert talk.mirror == ["a", "b", "A"]


# Rule 2: one at a time, in their order.


def test_a_second_edit_begins_when_the_first_is_answered() -> None:
    talk = talked()
    first = edit(talk, ["b", "c"])
    second = edit(talk, ["c"])
    assert talk.sent() == ["delete a"]
    talk.agree()
    assert result(talk, first).deleted == ("a",)
    assert talk.sent() == ["delete b"]
    talk.agree()
    assert result(talk, second) == Edited(deleted=("b",))


def test_edits_begin_in_the_order_in_which_they_were_asked_for() -> None:
    talk = talked()
    edit(talk, ["b", "c"])
    edit(talk, ["c"])
    edit(talk, [])
    assert talk.sent() == ["delete a"]
    talk.deleted("a")
    assert talk.sent() == ["delete b"]
    talk.deleted("b")
    assert talk.sent() == ["delete c"]


def test_what_a_first_edit_has_created_a_second_one_keeps_that_did_not_know_of_it() -> None:
    talk = talked()
    edit(talk, [new("Summary."), "a", "b", "c"])
    second = edit(talk, ["b", "c"], seen=["a", "b", "c"])
    talk.take_items()
    talk.agree()
    done = result(talk, second)
    assert [one.why for one in done.differences] == ["came_later"]
    assert talk.mirror == [done.differences[0].item_id, "b", "c"]


def test_too_many_edits_that_wait_are_refused() -> None:
    talk = talked()
    edit(talk, ["b", "c"])
    for _ in range(WAITING_LIMIT):
        edit(talk, ["c"])
    answer = failure(talk, edit(talk, ["c"]))
    assert (answer.kind, talk.sent()) == ("local", ["delete a"])
    assert "wait for one before the next" in str(answer.error)


# Rule 3: what goes is going for everybody.


def test_a_cut_does_not_name_what_an_edit_is_deleting() -> None:
    talk = talked()
    talk.speaking(ms=800)
    talk.done()
    edit(talk, ["a", "b", "c"])
    assert talk.sent() == ["delete A"]
    talk.cut_at(300)
    assert talk.sent() == []
    talk.deleted("A")
    talk.pass_ms(10_000)
    assert talk.sent() == []
    (settled,) = talk.told(InterruptionSettled)
    assert settled.kept_ms == 0


# Rule 4: refusals and silence.


def test_a_create_that_is_refused_is_told_with_its_item_and_the_rest_is_done() -> None:
    talk = talked()
    asked = edit(talk, ["b", "c", new("Summary.")])
    talk.refuse(events.ConversationItemCreate, "Too much.", "conversation_full")
    assert talk.answer(asked) is None, "the delete is unanswered"
    talk.agree()
    done = result(talk, asked)
    (difference,) = done.differences
    assert (difference.why, difference.code) == ("refused", "conversation_full")
    assert difference.message == "Too much."
    assert (done.created, done.deleted, talk.mirror) == ((), ("a",), ["b", "c"])
    assert [fault.blame for fault in talk.told(Fault)] == ["application"]


def test_a_delete_of_what_is_gone_already_is_what_was_wanted() -> None:
    talk = talked()
    asked = edit(talk, ["b", "c"])
    talk.refuse(events.ConversationItemDelete, "… 'a' does not exist.", GONE)
    assert result(talk, asked) == Edited(deleted=("a",))
    assert (talk.told(Fault), talk.mirror) == ([], ["b", "c"])


def test_a_service_that_deletes_nothing_is_asked_once() -> None:
    talk = talked()
    first = edit(talk, ["b", "c"])
    talk.refuse(events.ConversationItemDelete, "Not supported.", "unsupported_event")
    done = result(talk, first)
    assert done.differences == (Difference("a", "refused", "Not supported.", "unsupported_event"),)
    assert talk.mirrored("a").state == "there"
    assert [fault.blame for fault in talk.told(Fault)] == ["theirs"]
    talk.sent()
    answer = failure(talk, edit(talk, ["b", "c"]))
    assert (answer.kind, talk.sent()) == ("local", [])
    assert "this service deletes nothing" in str(answer.error)
    more = edit(talk, ["a", "b", "c", new("More.")])
    talk.take_items()
    assert len(result(talk, more).created) == 1


def test_a_moved_item_whose_delete_was_refused_is_there_twice_and_told() -> None:
    talk = talked()
    asked = edit(talk, ["c", "a", "b"])
    talk.refuse(events.ConversationItemDelete, "Not supported.", "unsupported_event")
    talk.take_items()
    done = result(talk, asked)
    assert (done.moved, len(done.created)) == ({}, 1)
    assert done.differences[0].item_id == "c"


def test_what_is_not_acknowledged_is_unconfirmed_after_its_time() -> None:
    talk = talked()
    asked = edit(talk, ["b", "c", new("Summary.")])
    talk.pass_ms(2_000)
    assert talk.answer(asked) is None, "the create has more time"
    talk.pass_ms(13_000)
    done = result(talk, asked)
    assert [one.why for one in done.differences] == ["unconfirmed", "unconfirmed"]
    assert (done.created, done.deleted) == ((), ())
    edit(talk, ["b"])
    assert "delete c" in talk.sent(), "and the next edit is not held up"


# Rule 5: what fails, and what is lost.


def test_an_edit_that_cannot_begin_fails_in_time_and_sends_nothing() -> None:
    talk = talked()
    talk.speaking(ms=800)
    talk.ask(asks.Say("By the way.", reply=False))
    asked = edit(talk, ["c"])
    talk.sent()
    talk.pass_ms(9_999)
    assert talk.answer(asked) is None
    talk.pass_ms(1)
    answer = failure(talk, asked)
    assert (answer.kind, talk.sent()) == ("late", [])
    assert "nothing was changed" in str(answer.error)
    talk.take_items()
    assert talk.sent() == []


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (["a", "a"], "in the list twice"),
        (["a", events.FunctionCallOutputItem(call_id="x", output="")], "no call 'x'"),
    ],
)
def test_a_wish_that_cannot_be_fails_and_sends_nothing(
    wish: list[str | events.Item], message: str
) -> None:
    talk = talked()
    answer = failure(talk, edit(talk, wish))
    assert (answer.kind, talk.sent()) == ("local", [])
    assert message in str(answer.error)
    assert talk.machine.deadline_us is None


def test_edits_end_as_lost_with_the_pipe() -> None:
    talk = talked()
    first, second = edit(talk, ["b", "c"]), edit(talk, ["c"])
    talk.give(inputs.PipeClosed(1001, "an hour"))
    assert [failure(talk, one).kind for one in (first, second)] == ["lost", "lost"]
    assert "an hour" in str(failure(talk, first).error)


def test_an_edit_does_not_begin_when_the_application_has_left() -> None:
    talk = talked()
    talk.speaking(ms=800)
    talk.heard("A", 300)
    talk.ask(asks.Leave())
    asked = edit(talk, ["c"])
    talk.stopped({"A": 300})
    talk.cancelled(reason="client_cancelled")
    talk.agree()
    assert not [one for one in talk.sent() if one.startswith("delete")]
    talk.give(inputs.PipeClosed(1000, ""))
    assert failure(talk, asked).kind == "lost"
