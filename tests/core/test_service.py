"""What the service says, and what the application is told of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scenarios.rig import FALSE_VAD, SERVER_VAD, Talk

from bargein import events
from bargein.core import commands, inputs
from bargein.core.notices import (
    Connected,
    Fault,
    FloorChanged,
    Interruption,
    Raw,
    ToolCalled,
    Transcript,
    TurnEnded,
    TurnStarted,
    UsageReported,
)
from bargein.core.service import HANDLERS, IGNORED
from bargein.core.settings import Settings
from bargein.units import AudioFormat


def test_every_server_event_is_handled_or_ignored_by_name() -> None:
    """A new event of the vocabulary fails here until somebody decided what follows from it."""
    vocabulary = {*events.members(events.ServerEvent), events.Unknown, events.Malformed}
    assert set(HANDLERS) | IGNORED == vocabulary
    assert set(HANDLERS) & IGNORED == set()


@pytest.mark.parametrize("cls", sorted(IGNORED, key=str))
def test_nothing_follows_from_what_is_ignored(cls: type[Any]) -> None:
    from tests.core.chance import Dice

    talk = Talk()
    talk.speaking()
    before = len(talk.commands)
    talk.give(inputs.Received(Dice(1).event(cls)))
    assert len(talk.commands) == before


class TestSession:
    """From the pipe to `Connected`."""

    def begun(self, **settings: Any) -> Talk:
        talk = Talk(connected=False, **settings)
        talk.give(inputs.PipeOpened())
        return talk

    def test_a_session_that_asks_for_nothing_is_connected_at_once(self) -> None:
        talk = self.begun()
        assert talk.told(Connected) == []
        talk.receive("session.created", session=talk.session())
        assert len(talk.told(Connected)) == 1
        assert talk.sent() == []

    def test_a_session_that_asks_for_something_is_connected_when_it_is_granted(self) -> None:
        talk = self.begun(session=events.Session(instructions="Be brief."))
        talk.receive("session.created", session=talk.session())
        assert (talk.sent(), talk.told(Connected)) == (["session.update"], [])
        talk.receive("session.updated", session=talk.session(FALSE_VAD))
        (connected,) = talk.told(Connected)
        assert isinstance(connected.session.audio, events.AudioConfig)

    def test_a_session_that_is_refused_is_closed_and_said_so(self) -> None:
        talk = self.begun(session=events.Session(instructions="Be brief."))
        talk.receive("session.created", session=talk.session())
        talk.refuse(events.SessionUpdate, "Unknown parameter: 'session.x'.", "unknown_parameter")
        assert len(talk.done_of(commands.Close)) == 1
        assert talk.told(Connected) == []
        (fault,) = talk.told(Fault)
        assert (fault.code, fault.about) == ("unknown_parameter", "session.update")

    def test_a_session_that_never_begins_is_closed(self) -> None:
        talk = self.begun()
        talk.pass_ms(15_000)
        assert len(talk.done_of(commands.Close)) == 1

    @pytest.mark.parametrize("audio", list(AudioFormat))
    def test_the_microphone_is_told_its_format_before_the_first_sound(
        self, audio: AudioFormat
    ) -> None:
        talk = self.begun(audio=audio)
        talk.capture(20)
        assert talk.sent() == [], "nobody listens yet"
        talk.receive("session.created", session=talk.session())
        assert talk.done_of(commands.UseInputFormat)[-1].format is audio
        talk.capture(20)
        assert talk.sent() == ["sound 20"]

    def test_a_change_of_format_is_told_once(self) -> None:
        talk = Talk()
        told = len(talk.done_of(commands.UseInputFormat))
        talk.receive("session.updated", session=talk.session())
        assert len(talk.done_of(commands.UseInputFormat)) == told
        talk.audio = AudioFormat.PCMU
        talk.receive("session.updated", session=talk.session())
        assert len(talk.done_of(commands.UseInputFormat)) == told + 1


class TestSpeech:
    """The user's turns."""

    def test_the_user_has_the_floor_while_both_speak(self) -> None:
        talk = Talk(FALSE_VAD, barge_in="keep_talking")
        talk.speaking()
        talk.heard("A", 100)
        assert talk.floor == "assistant"
        talk.speech_started()
        assert talk.floor == "user"
        talk.speech_ended()
        assert talk.floor == "assistant"
        talk.done()
        talk.heard("A", 2_000)
        assert talk.floor == "nobody"
        told = [one.floor for one in talk.told(FloorChanged)]
        assert told == ["assistant", "user", "assistant", "nobody"]

    def test_a_turn_begins_and_ends_once_for_the_application(self) -> None:
        talk = Talk()
        talk.speech_started("U1")
        talk.speech_ended("U1")
        assert [(one.role, one.item_id) for one in talk.told(TurnStarted)] == [("user", "U1")]
        assert [(one.role, one.item_id) for one in talk.told(TurnEnded)] == [("user", "U1")]

    def test_the_stop_is_the_first_command_of_all(self) -> None:
        talk = Talk()
        talk.speaking()
        talk.heard("A", 100)
        before = len(talk.commands)
        talk.speech_started()
        assert isinstance(talk.commands[before], commands.StopPlayback)

    def test_the_time_from_the_voice_to_silence_is_counted_from_the_deciding_sound(self) -> None:
        """P6: capture of the frame that decided, to the player's answer."""
        talk = Talk()
        for _ in range(75):
            talk.pass_ms(20)
            talk.capture(20)
        talk.speaking()
        talk.heard("A", 100)
        talk.pass_ms(60)
        talk.speech_started(at_ms=1_000)
        talk.pass_ms(8)
        talk.stopped({"A": 110})
        (record,) = talk.told(Interruption)
        assert record.speech_to_silence_us == 1_500_000 - 1_300_000 + 60_000 + 8_000
        assert record.stop_latency_us == 8_000

    def test_words_of_the_user_are_passed_on_and_mirrored(self) -> None:
        talk = Talk()
        talk.user_item("U1", None)
        place = {"item_id": "U1", "content_index": 0}
        kind = "conversation.item.input_audio_transcription"
        talk.receive(f"{kind}.delta", **place, delta="Hel")
        talk.receive(f"{kind}.completed", **place, transcript="Hello.")
        assert [(one.text, one.final) for one in talk.told(Transcript)] == [
            ("Hel", False),
            ("Hello.", True),
        ]
        assert talk.mirrored("U1").text == "Hello."

    def test_a_failed_transcription_is_a_fault_of_theirs_and_nothing_else(self) -> None:
        """protocol.md section 4.12: the response is not affected."""
        talk = Talk()
        talk.receive(
            "conversation.item.input_audio_transcription.failed",
            item_id="U1",
            content_index=0,
            error={
                "type": "server_error",
                "code": "DeploymentNotFound",
                "message": "Input transcription failed for item 'U1'.",
                "param": None,
            },
        )
        (fault,) = talk.told(Fault)
        assert (fault.blame, fault.code) == ("theirs", "DeploymentNotFound")

    def test_an_idle_timeout_is_a_turn_that_is_owed_a_reply(self) -> None:
        """protocol.md section 4.11; rule 13."""
        talk = Talk()
        talk.receive(
            "input_audio_buffer.timeout_triggered", audio_start_ms=1, audio_end_ms=2, item_id="U1"
        )
        talk.receive("input_audio_buffer.committed", previous_item_id=None, item_id="U1")
        talk.pass_ms(5_000)
        assert talk.sent() == ["create"]


class TestReply:
    """What the application is told of a response."""

    def test_a_reply_ends_when_it_was_heard_and_not_when_it_was_made(self) -> None:
        talk = Talk()
        talk.speaking(ms=2_000)
        talk.words("A", "Hello there.")
        talk.done()
        assert talk.told(TurnEnded) == []
        talk.heard("A", 1_999)
        assert talk.told(TurnEnded) == []
        talk.heard("A", 2_000)
        (ended,) = talk.told(TurnEnded)
        assert (ended.response_id, ended.status, ended.text) == ("r1", "completed", "Hello there.")
        final = [one for one in talk.told(Transcript) if one.final]
        assert [(one.text, one.cut) for one in final] == [("Hello there.", False)]

    def test_a_reply_in_text_ends_when_it_is_done(self) -> None:
        talk = Talk()
        talk.response("r1")
        talk.item("A")
        talk.part("A", 0, "text")
        talk.text("A", "Hello.")
        talk.item_done("A")
        talk.response_done()
        (ended,) = talk.told(TurnEnded)
        assert (ended.status, ended.text) == ("completed", "Hello.")

    def test_a_failed_response_is_a_fault_of_theirs_and_ends_its_turn(self) -> None:
        """protocol.md section 4.15: no separate `error` comes."""
        talk = Talk()
        talk.response("r1")
        details = {"type": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow."}}
        body = {"id": "r1", "status": "failed", "status_details": details, "output": []}
        talk.receive("response.done", response=body)
        (fault,) = talk.told(Fault)
        assert (fault.blame, fault.code) == ("theirs", "rate_limit_exceeded")
        assert [one.status for one in talk.told(TurnEnded)] == ["failed"]

    def test_usage_is_reported_and_added_up(self) -> None:
        talk = Talk()
        for response_id in ("r1", "r2"):
            talk.response(response_id)
            body = {"id": response_id, "status": "completed", "output": ()}
            talk.receive("response.done", response=body | {"usage": {"total_tokens": 5}})
        assert [one.response_id for one in talk.told(UsageReported)] == ["r1", "r2"]
        assert talk.machine.usage.total_tokens == 10

    def test_a_call_in_output_item_done_and_in_response_done_is_told_once(self) -> None:
        talk = Talk()
        talk.response("r1")
        call = {
            "id": "F",
            "type": "function_call",
            "status": "completed",
            "name": "weather",
            "call_id": "call_1",
            "arguments": "{}",
        }
        talk.receive("response.output_item.done", response_id="r1", output_index=0, item=call)
        body = {"id": "r1", "status": "completed", "output": [call]}
        talk.receive("response.done", response=body)
        assert [one.call_id for one in talk.told(ToolCalled)] == ["call_1"]

    def test_a_call_that_is_only_in_response_done_is_told_too(self) -> None:
        talk = Talk()
        talk.response("r1")
        call = {"id": "F", "type": "function_call", "status": "completed", "name": "weather"}
        body = {"id": "r1", "status": "completed", "output": [call | {"arguments": "{}"}]}
        talk.receive("response.done", response=body)
        assert [one.call_id for one in talk.told(ToolCalled)] == ["F"]

    def test_an_incomplete_call_is_not_told(self) -> None:
        """Scenario 27."""
        talk = Talk()
        talk.response("r1")
        call = {
            "id": "F",
            "type": "function_call",
            "status": "incomplete",
            "name": "transfer",
            "call_id": "call_1",
            "arguments": '{"to":"bob","amount":10',
        }
        talk.receive("response.output_item.done", response_id="r1", output_index=0, item=call)
        body = {"id": "r1", "status": "incomplete", "output": [call]}
        talk.receive("response.done", response=body)
        assert talk.told(ToolCalled) == []

    def test_a_response_whose_beginning_was_never_seen_is_begun_by_its_sound(self) -> None:
        """Other vendors leave events out (protocol.md section 8)."""
        talk = Talk()
        talk._item_response["A"] = "r1"
        talk.delta("A", 500)
        assert talk.played_ms("A") == 500
        talk.cut_at(200)
        assert talk.sent() == ["truncate A/0 200"]

    def test_what_comes_of_a_response_that_is_over_is_ignored(self) -> None:
        talk = Talk()
        talk.speaking(ms=500)
        talk.done()
        talk.heard("A", 500)
        before = len(talk.commands)
        talk.delta("A", 500)
        talk.words("A", "straggler")
        talk.response_done()
        assert len(talk.commands) == before

    def test_the_format_of_a_response_is_its_own(self) -> None:
        """Rule 10: "in the part's own format"."""
        talk = Talk()
        talk.response("r1", audio={"output": {"format": {"type": "audio/pcmu"}}})
        talk.item("A")
        talk.audio = AudioFormat.PCMU
        talk.delta("A", 1_000)
        talk.cut_at(700)
        assert talk.sent() == ["truncate A/0 700"]
        assert talk.done_of(commands.Play)[0].format is AudioFormat.PCMU


class TestErrors:
    """Refusals, by whose doing."""

    def test_an_error_about_nothing_of_ours_is_told_as_theirs(self) -> None:
        talk = Talk()
        talk.refuse(
            None, "The server had an error while processing your request.", type="server_error"
        )
        (fault,) = talk.told(Fault)
        assert (fault.blame, fault.about) == ("theirs", None)

    def test_what_the_application_sent_by_itself_is_its_own(self) -> None:
        from bargein.core import asks

        talk = Talk()
        talk.ask(asks.SendEvent(events.ConversationItemRetrieve(item_id="Z")))
        talk.refuse(
            events.ConversationItemRetrieve,
            "Error retrieving item: the item with id 'Z' does not exist.",
            "item_retrieve_invalid_item_id",
        )
        (fault,) = talk.told(Fault)
        assert (fault.blame, fault.about) == ("application", "conversation.item.retrieve")

    def test_the_first_refusal_of_a_kind_is_theirs_and_the_second_ours(self) -> None:
        """P3."""
        talk = Talk(SERVER_VAD)
        for number, user in ((1, "U1"), (2, "U2")):
            talk.speaking(f"r{number}", f"A{number}", 10_000)
            talk.cut_at(9_100, f"A{number}")
            talk.cancelled()
            talk.refuse_as_shorter(2_650 + number)
            talk.agree()
            talk.speech_ended(user)
        assert [fault.blame for fault in talk.told(Fault)] == ["theirs", "ours"]

    def test_a_crossing_is_counted_and_nobody_is_told(self) -> None:
        from bargein.core import asks

        talk = Talk(FALSE_VAD)
        talk.speaking()
        talk.ask(asks.Interrupt())
        talk.refuse_the_cancel()
        assert talk.told(Fault) == []
        assert talk.machine.faults.counts["crossing"] == 1

    def test_a_frame_that_is_no_event_is_passed_on_without_its_content(self) -> None:
        talk = Talk()
        talk.give(inputs.Received(events.decode_server("{secret")))
        (raw,) = talk.told(Raw)
        assert raw.event_type == "malformed"
        assert "secret" not in str(raw.data)


def test_a_machine_made_from_the_same_settings_does_the_same() -> None:
    """Settings and inputs are all there is."""
    first, second = Talk(id_seed="s"), Talk(id_seed="s")
    for talk in (first, second):
        talk.speaking()
        talk.cut_at(700)
    assert first.commands == second.commands
    assert Talk(id_seed="t").machine.settings != Settings()
