"""What the service says of responses and speech, told in full: every field of every notice."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scenarios.rig import FALSE_VAD, Talk

from bargein import events
from bargein.core import asks, inputs
from bargein.core.items import ContentView
from bargein.core.notices import (
    Connected,
    Fault,
    Interruption,
    Raw,
    ToolCalled,
    Transcript,
    TurnEnded,
    TurnStarted,
    UsageReported,
)

CALL = {
    "id": "F",
    "type": "function_call",
    "status": "completed",
    "name": "weather",
    "call_id": "call_1",
    "arguments": "{}",
}


class TestResponse:
    """From `response.created` to `response.done`."""

    def test_a_turn_of_the_service_s_own_begins_with_its_response(self) -> None:
        talk = Talk()
        talk.response("r1")
        assert talk.told(TurnStarted) == [TurnStarted("assistant", None, "r1")]

    def test_a_turn_whose_beginning_was_never_seen_begins_with_what_came_of_it(self) -> None:
        talk = Talk()
        talk._item_response["A"] = "r1"
        talk.delta("A", 100)
        assert talk.told(TurnStarted) == [TurnStarted("assistant", None, "r1")]

    def test_words_of_speech_are_told_and_mirrored_as_they_come(self) -> None:
        talk = Talk()
        talk.speaking()
        talk.words("A", "Once", 1)
        talk.words("A", " upon", 1)
        assert talk.told(Transcript) == [
            Transcript("assistant", "A", "Once", False, 1),
            Transcript("assistant", "A", " upon", False, 1),
        ]
        assert talk.mirrored("A").content == (ContentView("output_audio", "Once upon"),)
        talk.all_words("A", "Once upon a time", 1)
        assert talk.mirrored("A").content == (ContentView("output_audio", "Once upon a time"),)

    def test_the_whole_transcript_alone_is_enough(self) -> None:
        talk = Talk()
        talk.speaking(ms=100)
        talk.all_words("A", "Once upon a time")
        assert talk.mirrored("A").content == (ContentView("output_audio", "Once upon a time"),)
        talk.done()
        talk.heard("A", 100)
        assert talk.told(Transcript) == [Transcript("assistant", "A", "Once upon a time", True, 0)]

    def test_the_deltas_of_each_part_make_its_words(self) -> None:
        talk = Talk()
        talk.speaking(ms=100)
        talk.words("A", "Once")
        talk.words("A", " upon")
        talk.done()
        talk.heard("A", 100)
        assert talk.told(Transcript)[-1] == Transcript("assistant", "A", "Once upon", True, 0)

    def test_written_text_is_told_and_mirrored_as_it_comes_and_when_it_is_whole(self) -> None:
        talk = Talk()
        talk.response("r1")
        talk.item("A")
        talk.text("A", "Hel", 1)
        talk.text("A", "lo", 1)
        assert talk.mirrored("A").content == (ContentView("output_text", "Hello"),)
        place = {"response_id": "r1", "item_id": "A", "output_index": 0, "content_index": 1}
        talk.receive("response.output_text.done", **place, text="Hello.")
        assert talk.told(Transcript) == [
            Transcript("assistant", "A", "Hel", False, 1),
            Transcript("assistant", "A", "lo", False, 1),
            Transcript("assistant", "A", "Hello.", True, 1),
        ]
        assert talk.mirrored("A").content == (ContentView("output_text", "Hello."),)

    @pytest.mark.parametrize("whole", [False, True], ids=["delta", "done"])
    @pytest.mark.parametrize(
        ("text", "when", "kept"),
        [("Hello.", "before", True), ("", "before", False), ("Hello.", "after", False)],
    )
    def test_only_text_that_was_shown_before_the_cut_keeps_an_unheard_item(
        self, whole: bool, text: str, when: str, kept: bool
    ) -> None:
        """Rule 5: an item of which nothing was heard or shown is deleted."""
        talk = Talk()
        talk.speaking()
        place = {"response_id": "r1", "item_id": "A", "output_index": 0, "content_index": 1}
        kind, field = ("done", "text") if whole else ("delta", "delta")
        shown: dict[str, Any] = {"type": f"response.output_text.{kind}", **place, field: text}
        if when == "before":
            talk.receive(**shown)
        talk.cut_at(0)
        if when == "after":
            talk.receive(**shown)
        talk.cancelled()
        assert talk.sent() == (["truncate A/0 0"] if kept else ["delete A"])

    def test_an_item_that_is_announced_as_held_is_named_and_one_that_is_not_is_not(self) -> None:
        """The conversation's word may come before that of the response, or never."""
        talk = Talk()
        talk.response("r1")
        item = {"id": "A", "type": "message", "role": "assistant", "content": []}
        talk.receive("conversation.item.added", previous_item_id=None, item=item)
        talk.item("A", held=False)
        talk.item("B", held=False)
        talk.ask(asks.Interrupt())
        talk.cancelled("r1", "client_cancelled")
        assert talk.sent() == ["cancel r1", "delete A"]

    def test_a_part_alone_shows_that_an_item_has_begun(self) -> None:
        """`response.output_item.added` may be missing (protocol.md section 8)."""
        talk = Talk()
        talk.response("r1")
        talk._item_response["A"] = "r1"
        talk._statuses["A"] = "in_progress"
        item = {"id": "A", "type": "message", "role": "assistant", "content": []}
        talk.part("A")
        talk.receive("conversation.item.added", previous_item_id=None, item=item)
        talk.ask(asks.Interrupt())
        talk.cancelled("r1", "client_cancelled")
        assert talk.sent() == ["cancel r1", "delete A"]

    def test_the_end_of_a_part_ends_its_sound_where_the_end_of_the_sound_is_missing(self) -> None:
        talk = Talk()
        talk.speaking(ms=100)
        talk.item("B")
        talk.delta("B", 100)
        assert talk.played_ms("B") == 0
        part = {"type": "audio", "transcript": ""}
        place = {"response_id": "r1", "item_id": "A", "output_index": 0, "content_index": 0}
        talk.receive("response.content_part.done", **place, part=part)
        assert talk.played_ms("B") == 100

    def test_the_end_of_a_part_that_nobody_knows_changes_nothing(self) -> None:
        talk = Talk()
        talk.response("r1")
        talk._item_response["Z"] = "r1"
        before = len(talk.commands)
        talk.audio_done("Z")
        assert len(talk.commands) == before

    def test_the_response_s_word_alone_ends_an_item(self) -> None:
        """`conversation.item.done` is the older dialect's lack."""
        talk = Talk()
        talk.speaking()
        talk.cut_at(0)
        body = {"id": "A", "type": "message", "role": "assistant", "status": "incomplete"}
        talk.receive(
            "response.output_item.done",
            response_id="r1",
            output_index=0,
            item=body | {"content": []},
        )
        assert talk.sent() == ["delete A"]
        assert talk.mirrored("A").status == "incomplete"

    def test_the_end_of_a_response_alone_ends_its_items(self) -> None:
        talk = Talk()
        talk.speaking(ms=100)
        item = {"id": "A", "type": "message", "role": "assistant", "status": "completed"}
        body = {"id": "r1", "status": "completed", "output": [item | {"content": []}]}
        talk.receive("response.done", response=body)
        assert talk.mirrored("A").status == "completed"
        talk.heard("A", 100)
        talk.speech_started()
        assert talk.sent() == [], "completed and heard to its end"

    @pytest.mark.parametrize("by", ["conversation.item.done", "response.done"])
    def test_who_says_that_an_item_is_completed_is_believed(self, by: str) -> None:
        """Rule 4: it is heard to its end when the stop comes, so nothing of it is cut off."""
        talk = Talk()
        talk.speaking(ms=100)
        item: dict[str, Any] = {"id": "A", "type": "message", "role": "assistant", "content": []}
        item["status"] = "completed"
        body: dict[str, Any] = {"id": "r1", "status": "completed", "output": []}
        if by == "response.done":
            body["output"] = [item]
        else:
            talk.receive(by, previous_item_id=None, item=item)
        talk.receive("response.done", response=body)
        talk.heard("A", 50)
        talk.speech_started()
        talk.stopped({"A": 100})
        assert talk.sent() == []

    def test_text_that_comes_whole_at_once_is_text(self) -> None:
        talk = Talk()
        talk.response("r1")
        talk.item("A")
        place = {"response_id": "r1", "item_id": "A", "output_index": 0, "content_index": 0}
        talk.receive("response.output_text.done", **place, text="Hello.")
        assert talk.mirrored("A").content == (ContentView("output_text", "Hello."),)

    def test_words_of_a_cut_response_that_have_no_sound_are_not_remembered(self) -> None:
        """Rule 11: nobody hears them, now or later."""
        talk = Talk()
        talk.speaking()
        talk.cut_at(700)
        talk.words("A", "Later", 1)
        assert [part.text for part in talk.mirrored("A").content] == ["", ""]

    def test_where_nobody_names_a_format_it_is_pcm(self) -> None:
        talk = Talk(connected=False)
        talk.give(inputs.PipeOpened())
        talk._item_response["A"] = "r1"
        talk.delta("A", 100)
        assert talk.played_ms("A") == 100

    def test_each_create_is_answered_by_its_own_response(self) -> None:
        talk = Talk()
        talk.ask(asks.Respond(events.ResponseParams(conversation="none")))
        talk.ask(asks.Respond())
        first, second = talk.machine.faults.open
        talk.response("r2", metadata={"bargein": second.key})
        assert talk.machine.faults.open == (first,)

    @pytest.mark.parametrize("early", [True, False])
    def test_a_call_is_told_in_full(self, early: bool) -> None:
        talk = Talk()
        talk.response("r1")
        if early:
            talk.receive("response.output_item.done", response_id="r1", output_index=0, item=CALL)
        body = {"id": "r1", "status": "completed", "output": [CALL]}
        talk.receive("response.done", response=body)
        assert talk.told(ToolCalled) == [ToolCalled("call_1", "weather", "{}", "F", "r1")]

    def test_a_response_that_names_no_status_is_completed_and_its_usage_is_told(self) -> None:
        talk = Talk()
        talk.response("r1")
        talk.receive("response.done", response={"id": "r1", "usage": {"total_tokens": 5}})
        assert [one.status for one in talk.told(TurnEnded)] == ["completed"]
        assert talk.told(UsageReported) == [UsageReported("r1", events.Usage(total_tokens=5))]

    @pytest.mark.parametrize(
        ("error", "code", "message"),
        [
            ({"code": "rate_limit_exceeded", "message": "Slow."}, "rate_limit_exceeded", "Slow."),
            ({}, None, "the response failed"),
        ],
    )
    def test_a_failure_is_told_in_full(
        self, error: dict[str, str], code: str | None, message: str
    ) -> None:
        talk = Talk()
        talk.response("r1")
        details = {"type": "failed", "error": error}
        body = {"id": "r1", "status": "failed", "status_details": details, "output": []}
        talk.receive("response.done", response=body)
        assert talk.told(Fault) == [Fault("theirs", code, message, None, "response")]

    def test_a_cancel_that_another_reason_made_needless_is_answered_by_its_refusal(self) -> None:
        """The response ended by turn detection: the refusal of our cancel is still to come."""
        talk = Talk(FALSE_VAD)
        talk.speaking()
        talk.cut_at(700)
        talk.cancelled("r1", "turn_detected")
        talk.agree()
        kinds = [events.type_of(sent.event) for sent in talk.machine.faults.open]
        assert kinds == ["response.cancel"]
        talk.pass_ms(10_000)
        talk.refuse_the_cancel()
        assert (talk.told(Fault), list(talk.machine.faults.open)) == ([], [])

    def test_each_cancel_is_answered_by_the_end_of_its_own_response(self) -> None:
        talk = Talk(FALSE_VAD)
        talk.response("r1", conversation_id=None)
        talk.response("r2", conversation_id=None)
        for response_id in ("r1", "r2"):
            talk.ask(asks.SendEvent(events.ResponseCancel(response_id=response_id)))
        talk.cancelled("r2", "client_cancelled")
        waited_for = [sent.key for sent in talk.machine.faults.open if not sent.overdue]
        assert waited_for == ["r1"]

    def test_a_response_that_begins_while_the_application_leaves_is_cut_by_leaving(self) -> None:
        talk = Talk()
        talk.speaking()
        talk.heard("A", 100)
        talk.ask(asks.Leave())
        talk.response("r2")
        talk.stopped({"A": 100})
        (record,) = talk.told(Interruption)
        assert (record.askers, record.response_ids) == (("leave",), ("r1", "r2"))


class TestSpeech:
    """The user's turns, in full."""

    @pytest.mark.parametrize("by", ["stopped", "committed", "cleared"])
    def test_a_turn_of_the_user_ends_once_whatever_ends_it(self, by: str) -> None:
        talk = Talk()
        talk.speech_started("U1")
        if by == "stopped":
            kind = "input_audio_buffer.speech_stopped"
            talk.receive(kind, audio_end_ms=2_000, item_id="U1")
        elif by == "committed":
            talk.receive("input_audio_buffer.committed", previous_item_id=None, item_id="U1")
        else:
            talk.receive("input_audio_buffer.cleared")
        assert talk.told(TurnStarted) == [TurnStarted("user", "U1")]
        assert talk.told(TurnEnded) == [TurnEnded("user", "completed", "U1")]
        assert talk.floor == "nobody"

    def test_a_commit_and_a_clear_are_waited_for_no_more_when_they_are_answered(self) -> None:
        talk = Talk(None)
        talk.ask(asks.Press())
        talk.capture(200)
        talk.ask(asks.Release())
        talk.ask(asks.SendEvent(events.InputAudioBufferClear()))
        assert len(talk.machine.faults.open) == 3, "the commit, the create and the clear"
        talk.receive("input_audio_buffer.committed", previous_item_id=None, item_id="U1")
        talk.receive("input_audio_buffer.cleared")
        kinds = [events.type_of(sent.event) for sent in talk.machine.faults.open]
        assert kinds == ["response.create"]
        talk.receive("input_audio_buffer.committed", previous_item_id=None, item_id="U2")
        talk.receive("input_audio_buffer.cleared")

    def test_words_of_the_user_are_told_and_mirrored_in_full(self) -> None:
        talk = Talk()
        item = {"id": "U1", "type": "message", "role": "user", "content": []}
        talk.receive("conversation.item.added", previous_item_id=None, item=item)
        place = {"item_id": "U1", "content_index": 1}
        kind = "conversation.item.input_audio_transcription"
        talk.receive(f"{kind}.delta", **place, delta="Hel")
        assert talk.mirrored("U1").content == (ContentView("input_audio", "Hel"),)
        talk.receive(f"{kind}.completed", **place, transcript="Hello.")
        assert talk.told(Transcript) == [
            Transcript("user", "U1", "Hel", False, 1),
            Transcript("user", "U1", "Hello.", True, 1),
        ]

    def test_words_of_a_live_model_are_told_at_once_and_mirrored_with_their_item(
        self,
    ) -> None:
        talk = Talk()
        kind = "conversation.item.input_audio_transcription"
        place = {"item_id": "U1", "content_index": 0}
        talk.receive(f"{kind}.delta", **place, delta="Hel")
        assert talk.told(Transcript) == [Transcript("user", "U1", "Hel", False, 0)]
        item = {"id": "U1", "type": "message", "role": "user", "content": []}
        talk.receive("conversation.item.added", previous_item_id=None, item=item)
        talk.receive(f"{kind}.delta", **place, delta="lo")
        assert talk.mirrored("U1").content == (ContentView("input_audio", "Hello"),)

    @pytest.mark.parametrize("code", ["DeploymentNotFound", None])
    def test_a_failed_transcription_is_told_in_full(self, code: str | None) -> None:
        talk = Talk()
        error = {"type": "server_error", "message": "No."} | ({"code": code} if code else {})
        kind = "conversation.item.input_audio_transcription.failed"
        talk.receive(kind, item_id="U1", content_index=0, error=error)
        assert talk.told(Fault) == [Fault("theirs", code, "No.", None, "input_audio_transcription")]


def test_a_session_that_is_created_twice_is_told_once() -> None:
    talk = Talk()
    talk.receive("session.created", session=talk.session())
    assert len(talk.told(Connected)) == 1


def test_what_is_no_event_is_told_with_its_reason() -> None:
    talk = Talk()
    talk.give(inputs.Received(events.Malformed(reason="no JSON", raw="{secret")))
    assert talk.told(Raw) == [Raw("malformed", {"reason": "no JSON"})]
