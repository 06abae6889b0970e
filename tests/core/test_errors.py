"""Refusals: what each is told as, by whose doing, and what it ends."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scenarios.rig import FALSE_VAD, Talk

from bargein import events
from bargein.capabilities import Capabilities
from bargein.core import asks, commands
from bargein.core.notices import Fault, InterruptionSettled, TurnEnded, TurnStarted

ITEM = events.MessageItem(id="U", role="user", content=())
NAMELESS = events.MessageItem(role="user", content=())
ACTIVE_TEXT = "Conversation already has an active response in progress: r0."
ACTIVE_CODE = "conversation_already_has_active_response"


@pytest.mark.parametrize(
    "event",
    [
        events.ConversationItemTruncate(item_id="A", content_index=0, audio_end_ms=1),
        events.ConversationItemDelete(item_id="A"),
        events.ConversationItemRetrieve(item_id="A"),
        events.ConversationItemCreate(item=ITEM),
        events.ConversationItemCreate(item=NAMELESS),
        events.InputAudioBufferCommit(),
        events.InputAudioBufferClear(),
        events.SessionUpdate(session=events.Session()),
        events.ResponseCreate(),
    ],
    ids=lambda event: events.type_of(event) + ("" if event != ITEM else " with an id"),
)
def test_what_the_application_sent_by_itself_is_its_own_fault_in_full(event: Any) -> None:
    talk = Talk()
    talk.ask(asks.SendEvent(event))
    talk.refuse(type(event), "No.", "invalid_value", param="x")
    about = events.type_of(event)
    assert talk.told(Fault) == [Fault("application", "invalid_value", "No.", "x", about)]
    assert list(talk.machine.faults.open) == []
    assert talk.machine.deadline_us is None, "nothing more is waited for"


def test_an_error_about_nothing_of_ours_is_told_in_full() -> None:
    talk = Talk()
    for _ in range(2):
        talk.refuse(None, "Broken.", "server_error", param="x", type="server_error")
    assert talk.told(Fault) == [Fault("theirs", "server_error", "Broken.", "x", None)] * 2
    assert talk.machine.faults.counts["theirs"] == 2


def test_an_update_that_is_refused_is_answered_with_the_refusal() -> None:
    talk = Talk()
    ask = talk.ask(asks.Update(events.Session()))
    talk.refuse(events.SessionUpdate, "No.", "invalid_value")
    assert talk.answer(ask) == commands.Answer(ask, None, "No.", "refused", "invalid_value")
    (fault,) = talk.told(Fault)
    assert (fault.blame, fault.about) == ("application", "session.update")


def test_a_message_of_ours_that_is_refused_is_theirs() -> None:
    """We chose its id and its shape, and the service has not said what it has against them."""
    talk = Talk()
    talk.ask(asks.Say("Hello.", reply=False))
    talk.refuse(events.ConversationItemCreate, "No.", "invalid_value")
    (fault,) = talk.told(Fault)
    assert (fault.blame, fault.about) == ("theirs", "conversation.item.create")
    assert talk.mirror == []


def test_a_commit_of_ours_that_is_refused_is_ours() -> None:
    """Rule 3 of listening: we knew how much was said."""
    talk = Talk(None)
    talk.ask(asks.Press())
    talk.capture(200)
    talk.ask(asks.Release())
    talk.refuse(events.InputAudioBufferCommit, "Too small.", "input_audio_buffer_commit_empty")
    assert talk.told(Fault) == [
        Fault(
            "ours",
            "input_audio_buffer_commit_empty",
            "Too small.",
            None,
            "input_audio_buffer.commit",
        )
    ]


@pytest.mark.parametrize("asked", [True, False])
def test_a_create_that_is_refused_for_its_own_sake_ends_its_turn(asked: bool) -> None:
    """The application chose what it asked for; a debt asks for nothing in particular."""
    talk = Talk()
    if asked:
        ask = talk.ask(asks.Respond())
    else:
        talk.speech_ended()
        talk.receive(
            "input_audio_buffer.timeout_triggered", audio_start_ms=1, audio_end_ms=2, item_id="U2"
        )
        talk.receive("input_audio_buffer.committed", previous_item_id=None, item_id="U2")
        talk.pass_ms(5_000)
    talk.refuse(events.ResponseCreate, "No.", "invalid_value")
    (fault,) = talk.told(Fault)
    assert (fault.blame, fault.about) == ("application" if asked else "theirs", "response.create")
    ended = [one for one in talk.told(TurnEnded) if one.role == "assistant"]
    assert ended == ([TurnEnded("assistant", "refused", None, None, (ask,))] if asked else [])
    assert talk.machine.deadline_us is None


@pytest.mark.parametrize(
    ("message", "code", "blame"),
    [
        (ACTIVE_TEXT, None, None),
        ("Busy.", ACTIVE_CODE, None),
        ("No.", "invalid_value", "theirs"),
    ],
    ids=["the older dialect", "by its code", "for another reason"],
)
def test_a_create_that_was_cut_and_is_refused_is_superseded(
    message: str, code: str | None, blame: str | None
) -> None:
    talk = Talk()
    ask = talk.ask(asks.Respond())
    talk.ask(asks.Interrupt())
    talk.refuse(events.ResponseCreate, message, code)
    assert talk.told(TurnEnded) == [TurnEnded("assistant", "superseded", None, None, (ask,))]
    assert [one.blame for one in talk.told(Fault)] == ([blame] if blame else [])
    assert talk.machine.faults.counts["crossing" if blame is None else "theirs"] == 1
    assert talk.machine.deadline_us is None


@pytest.mark.parametrize(
    ("message", "code"), [(ACTIVE_TEXT, None), ("Busy.", ACTIVE_CODE)], ids=["text", "code"]
)
def test_a_create_that_met_an_active_response_is_asked_again_before_what_came_later(
    message: str, code: str | None
) -> None:
    talk = Talk()
    first = talk.ask(asks.Respond())
    talk.response("r0", metadata={"bargein": "of another client"})
    second = talk.ask(asks.Respond(events.ResponseParams(instructions="Second.")))
    talk.refuse(events.ResponseCreate, message, code)
    talk.response_done("r0")
    talk.answer_create("r1")
    talk.response_done("r1")
    assert talk.sent() == ["create", "create", "create"]
    talk.answer_create("r2")
    started = [(one.response_id, one.ask_ids) for one in talk.told(TurnStarted)]
    assert started == [("r0", ()), ("r1", (first,)), ("r2", (second,))]


def test_an_error_about_something_else_leaves_a_turn_to_the_service() -> None:
    """Only "already active" says that the service could not answer it (scenario 53)."""
    talk = Talk()
    talk.speech_started()
    talk.speech_ended()
    talk.refuse(None, "Broken.", type="server_error")
    assert [one.message for one in talk.told(Fault)] == ["Broken."]
    talk.pass_ms(4_000)
    assert talk.sent() == []


class TestCancel:
    """The cancel is refused: the response has ended, or the server does not know the word."""

    @pytest.mark.parametrize(
        ("message", "code"),
        [
            ("Cancellation failed: no active response found", None),
            ("Nothing there.", "response_cancel_not_active"),
        ],
    )
    def test_a_response_that_had_ended_is_a_crossing_in_both_dialects(
        self, message: str, code: str | None
    ) -> None:
        talk = Talk(FALSE_VAD)
        talk.speaking()
        talk.cut_at(700)
        talk.refuse(events.ResponseCancel, message, code)
        assert talk.told(Fault) == []
        assert talk.machine.capabilities == Capabilities()

    def test_a_server_that_cannot_cancel_is_not_asked_again_and_its_response_is_waited_for(
        self,
    ) -> None:
        talk = Talk(FALSE_VAD)
        talk.speaking()
        talk.cut_at(700)
        talk.refuse(events.ResponseCancel, "Unknown event.", "unknown_event")
        (fault,) = talk.told(Fault)
        assert (fault.blame, fault.about) == ("theirs", "response.cancel")
        assert talk.machine.capabilities == Capabilities(cancel=False)
        talk.agree()
        talk.pass_ms(10_000)
        assert talk.told(TurnEnded) == [], "it was not cancelled, so it goes on"
        talk.done()
        assert [one.kept_ms for one in talk.told(InterruptionSettled)] == [700]
        talk.speaking("r2", "B")
        talk.sent()
        talk.cut_at(300, "B")
        talk.done()
        assert talk.sent() == ["truncate B/0 300"]

    def test_a_refusal_teaches_also_after_the_service_has_ended_the_response_by_itself(
        self,
    ) -> None:
        talk = Talk(FALSE_VAD)
        talk.speaking()
        talk.cut_at(700)
        talk.cancelled(reason="client_cancelled")
        talk.refuse(events.ResponseCancel, "Unknown event.", "unknown_event")
        assert talk.machine.capabilities == Capabilities(cancel=False)


@pytest.mark.parametrize("heard_ms", [700, 0], ids=["truncate", "delete"])
def test_a_refusal_that_teaches_nothing_is_theirs_once_and_then_ours(heard_ms: int) -> None:
    """P3, by kind: another code is another kind."""
    talk = Talk()
    kind = events.ConversationItemTruncate if heard_ms else events.ConversationItemDelete
    for number, code in enumerate(("broken", "broken", "burning")):
        talk.speaking(f"r{number}", f"A{number}")
        talk.cut_at(heard_ms, f"A{number}")
        talk.cancelled()
        talk.refuse(kind, "No.", code, type="server_error")
        talk.speech_ended(f"U{number}")
    assert [one.blame for one in talk.told(Fault)] == ["theirs", "ours", "theirs"]
    assert talk.machine.capabilities == Capabilities()


@pytest.mark.parametrize("heard_ms", [700, 0], ids=["truncate", "delete"])
def test_a_command_that_the_server_does_not_know_is_not_sent_again(heard_ms: int) -> None:
    talk = Talk()
    kind = events.ConversationItemTruncate if heard_ms else events.ConversationItemDelete
    talk.speaking()
    talk.cut_at(heard_ms)
    talk.cancelled()
    talk.refuse(kind, "No.")
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.exactness, settled.parts[0].answer) == ("unconfirmed", "refused")
    assert talk.machine.deadline_us is None, "the refusal was the answer"
    can = Capabilities(truncate=False) if heard_ms else Capabilities(delete=False)
    assert talk.machine.capabilities == can
    talk.speech_ended()
    talk.sent()
    talk.speaking("r2", "B")
    talk.cut_at(heard_ms, "B")
    talk.cancelled()
    assert talk.sent() == []
    assert talk.told(InterruptionSettled)[-1].parts[0].answer == "unsupported"


def test_a_cancel_that_fails_is_theirs_once_and_then_ours() -> None:
    talk = Talk(FALSE_VAD)
    for number in range(2):
        talk.speaking(f"r{number}", f"A{number}")
        talk.cut_at(700, f"A{number}")
        talk.refuse(events.ResponseCancel, "Broken.", "broken", type="server_error")
        talk.done()
        talk.agree()
    assert [one.blame for one in talk.told(Fault)] == ["theirs", "ours"]


def test_a_refusal_of_a_create_that_was_waited_for_long_enough_is_theirs() -> None:
    talk = Talk()
    talk.ask(asks.Respond())
    talk.pass_ms(15_000)
    talk.refuse(events.ResponseCreate, "No.", "invalid_value")
    assert talk.told(Fault)[-1] == Fault("theirs", "invalid_value", "No.", None, "response.create")
    assert len(talk.told(TurnEnded)) == 1


def test_an_error_that_leaves_fields_out_is_told_without_them() -> None:
    talk = Talk()
    talk.receive("error", error={"type": "server_error", "message": "Broken."})
    assert talk.told(Fault) == [Fault("theirs", None, "Broken.", None, None)]
