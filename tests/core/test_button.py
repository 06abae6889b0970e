"""The button of push-to-talk in a call, where sound and events go by channels of their own."""

from __future__ import annotations

import pytest
from tests.scenarios.call import Call

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.notices import TurnEnded, TurnStarted
from bargein.units import US_PER_MS


class Button(Call):
    """A call with `turn_detection: null`."""

    def __init__(self, *, elsewhere: bool = False) -> None:
        super().__init__(None, push_to_talk=True, elsewhere=elsewhere)
        self.sent()

    def press(self) -> int:
        """The button goes down."""
        return self.ask(asks.Press())

    def release(self) -> int:
        """The button goes up."""
        return self.ask(asks.Release())

    def cleared(self) -> None:
        """The service's answer to a clear."""
        self.give(inputs.Received(events.InputAudioBufferCleared(event_id="event_c")))

    def says(self, *values: int) -> None:
        """The microphone gives 20 ms of each of these."""
        for value in values:
            self.capture(20, value)
            self.pass_ms(20)

    @property
    def heard_values(self) -> list[int]:
        """What has left of what the microphone gave."""
        return [sound.audio[0] for sound in self.done_of(commands.SendAudio)]

    def outcome(self, ask_id: int) -> object:
        """What the ask was answered with; None while it was not."""
        answer = self.answer(ask_id)
        return None if answer is None else answer.value


def test_the_microphone_opens_when_the_clear_is_answered_and_nothing_said_is_lost() -> None:
    call = Button()
    call.press()
    call.says(1, 2, 3)
    assert call.sent() == ["clear"]
    call.cleared()
    assert call.sent() == []
    call.says(4, 5, 6)
    assert call.heard_values == [1, 2, 3], "late by the way of the clear, and at its own pace"


def test_what_was_said_leaves_at_its_own_pace_and_is_committed_when_it_has_arrived() -> None:
    call = Button()
    call.press()
    call.says(1, 2)
    call.cleared()
    call.says(3, 4, 5, 6)
    released = call.release()
    call.says(70, 71, 72)
    assert call.heard_values == [1, 2, 3, 4, 5, 6]
    call.pass_ms(250)
    assert (call.outcome(released), call.floor) == (None, "user")
    call.sent()
    call.pass_ms(20)
    assert call.sent() == ["commit", "create"]
    assert call.outcome(released) is True


def test_a_microphone_that_rests_does_not_keep_what_was_said() -> None:
    """Nothing pushes it out: it goes when it should have gone, and has its time to arrive."""
    call = Button()
    call.press()
    call.says(1, 2, 3, 4, 5)
    call.cleared()
    call.release()
    call.pass_ms(90)
    assert call.heard_values == []
    call.pass_ms(20)
    assert call.heard_values == [1, 2, 3, 4, 5]
    call.sent()
    call.pass_ms(280)
    assert call.sent() == []
    call.pass_ms(20)
    assert call.sent() == ["commit", "create"]


def test_a_service_that_does_not_answer_the_clear_is_spoken_to_after_3_s() -> None:
    call = Button()
    call.press()
    call.says(1)
    call.pass_ms(2_970)
    call.says(2)
    assert call.heard_values == []
    call.says(3)
    assert call.heard_values == [1]


def test_a_channel_that_takes_nothing_is_waited_for() -> None:
    """The clear has not left, and would throw away what is said now."""
    call = Button()
    call.give(inputs.Blocked())
    call.press()
    call.says(1)
    call.pass_ms(5_000)
    call.says(2)
    assert call.heard_values == []
    call.give(inputs.Drained())
    assert call.sent() == ["clear"]
    call.cleared()
    call.says(3)
    assert call.heard_values == [1]


def test_only_the_last_of_several_answers_opens_the_microphone() -> None:
    """A press that was too short was cleared as well."""
    call = Button()
    call.press()
    call.says(1)
    call.cleared()
    call.says(2)
    assert call.outcome(call.release()) is False
    call.pass_ms(300)
    call.press()
    call.says(3)
    assert call.sent() == ["clear", "sound 20", "clear", "clear"]
    call.cleared()
    call.says(4)
    assert call.heard_values == [1]
    call.cleared()
    call.says(5)
    assert call.heard_values == [1, 3], "what was said into the short press is thrown away"


def test_the_clear_of_a_press_waits_for_the_sound_before_it_to_arrive() -> None:
    """Behind the clear it would be taken for the beginning of the new turn."""
    call = Button()
    call.press()
    call.cleared()
    call.says(1, 2)
    call.release()
    call.sent()
    call.press()
    call.says(3)
    assert call.sent() == []
    call.pass_ms(280)
    assert call.sent() == ["clear"]


def test_a_press_while_the_turn_before_is_on_its_way_waits_for_its_commit() -> None:
    call = Button()
    call.press()
    call.says(1)
    call.cleared()
    call.says(2, 3, 4, 5)
    first = call.release()
    call.sent()
    call.press()
    assert call.heard_values == [1, 2, 3, 4, 5]
    call.says(6)
    assert call.sent() == ["sound 20"]
    call.pass_ms(280)
    assert call.sent() == ["commit", "clear"]
    assert call.outcome(first) is True
    call.cleared()
    call.says(7, 8, 9, 10, 11)
    second = call.release()
    call.says(70)
    call.pass_ms(300)
    assert call.heard_values == list(range(1, 12))
    assert call.outcome(second) is True


def test_the_stop_of_a_press_comes_before_the_sound_that_still_waits_to_leave() -> None:
    """A reply begins to sound while the rest of the turn before is on its way."""
    call = Button()
    call.press()
    call.says(1, 2, 3)
    call.cleared()
    call.says(4, 5)
    call.release()
    call.speaks(40)
    before = len(call.commands)
    call.press()
    assert isinstance(call.commands[before], commands.StopPlayback)
    assert call.heard_values == [1, 2, 3, 4, 5]


def test_a_press_before_anything_of_the_turn_has_left_goes_on_with_it() -> None:
    call = Button()
    call.press()
    call.says(1, 2, 3)
    first = call.release()
    call.says(70)
    call.press()
    assert call.outcome(first) is False
    call.says(4, 5)
    call.cleared()
    call.release()
    call.says(*range(71, 76))
    call.pass_ms(300)
    assert call.heard_values == [1, 2, 3, 4, 5]
    assert [turn.status for turn in call.told(TurnEnded)] == ["completed"]
    assert len(call.told(TurnStarted)) == 1


def test_a_reply_that_is_owed_waits_for_the_turn_that_is_on_its_way() -> None:
    call = Button()
    call.press()
    call.cleared()
    call.says(1, 2, 3, 4, 5)
    call.release()
    call.sent()
    call.ask(asks.Respond())
    assert call.sent() == []
    call.pass_ms(300)
    assert call.sent()[:2] == ["commit", "create"]


@pytest.mark.parametrize("pressed_again", [False, True])
def test_who_leaves_while_it_is_on_its_way_has_said_nothing(pressed_again: bool) -> None:
    call = Button()
    call.press()
    call.cleared()
    call.says(1, 2, 3, 4, 5)
    released = call.release()
    if pressed_again:
        call.press()
    call.ask(asks.Leave())
    assert call.outcome(released) is False
    assert "commit" not in call.sent()


def test_the_end_of_the_pipe_answers_who_released() -> None:
    call = Button()
    call.press()
    call.says(1, 2, 3, 4, 5)
    released = call.release()
    call.give(inputs.PipeClosed(1006, ""))
    assert call.outcome(released) is False, "no reply to it is waited for"
    assert not call.machine.responses.held
    assert call.machine.deadline_us is None


def test_the_wait_is_that_of_two_channels_apart() -> None:
    """The commit may not overtake sound that is 300 ms later than the events."""
    call = Button()
    call.press()
    call.cleared()
    call.says(1, 2, 3, 4, 5)
    last_us = call.now_us - 20 * US_PER_MS
    call.release()
    call.sent()
    while not call.sent():
        call.pass_ms(1)
    assert call.now_us - last_us == 300 * US_PER_MS


@pytest.mark.parametrize(("held_ms", "sent"), [(300, ["commit", "create"]), (100, ["clear"])])
def test_what_another_peer_says_is_committed_where_the_button_was_down_long_enough(
    held_ms: int, sent: list[str]
) -> None:
    call = Button(elsewhere=True)
    call.press()
    assert call.sent() == ["clear"]
    call.pass_ms(1_000)
    call.cleared()
    call.pass_ms(held_ms)
    call.release()
    call.pass_ms(400)
    assert call.sent() == sent
