"""The user of the demo, driven by hand."""

from __future__ import annotations

from bargein.core.notices import Fault, TurnEnded, TurnStarted
from bargein.lab.caller import (
    ASK_AGAIN_US,
    FIRST_PAUSE_US,
    LAST_PAUSE_US,
    LONGEST_REPLY_MS,
    PATIENCE_US,
    TRIES,
    Began,
    Caller,
    Deed,
    Happening,
    Leave,
    ReplyHeard,
    Said,
    Say,
    Tick,
    Turn,
)

TURNS = (Turn("a story", 4_000), Turn("something else", 600), Turn("goodbye"))


class Talk:
    """A caller with a clock that the test moves."""

    def __init__(self, turns: tuple[Turn, ...] = TURNS) -> None:
        self.caller = Caller(turns)
        self.now_us = 0

    def feed(self, happened: Happening, *, after_ms: int = 1) -> list[Deed]:
        self.now_us += after_ms * 1_000
        deeds = self.caller.handle(happened, now_us=self.now_us)
        if any(isinstance(deed, Say) for deed in deeds):
            # Every line lasts two seconds.
            self.caller.handle(Said(self.now_us + 2_000_000), now_us=self.now_us)
        return deeds

    def due_us(self) -> int | None:
        return self.caller.deadline_us

    def tick(self) -> list[Deed]:
        due_us = self.due_us()
        assert due_us is not None
        self.now_us = max(self.now_us, due_us)
        return self.feed(Tick(), after_ms=0)

    def heard(self, response_id: str, heard_ms: int, *, after_ms: int = 10) -> list[Deed]:
        return self.feed(ReplyHeard(response_id, heard_ms), after_ms=after_ms)

    def ended(self, response_id: str, status: str = "completed") -> list[Deed]:
        return self.feed(TurnEnded("assistant", status, response_id=response_id))

    def open(self) -> None:
        self.feed(Began())
        assert self.tick() == [Say(0)]


def test_the_first_line_is_said_a_moment_after_the_beginning() -> None:
    talk = Talk()
    assert talk.feed(Began()) == []
    assert talk.due_us() == talk.now_us + FIRST_PAUSE_US
    assert talk.tick() == [Say(0)]


def test_a_reply_is_talked_over_when_enough_of_it_was_heard() -> None:
    talk = Talk()
    talk.open()
    assert talk.heard("r1", 20, after_ms=2_500) == []
    assert talk.heard("r1", 3_999) == []
    assert talk.heard("r1", 4_000) == [Say(1)]


def test_the_whole_plan_ends_with_the_users_leaving() -> None:
    talk = Talk()
    talk.open()
    assert talk.heard("r1", 4_000, after_ms=2_500) == [Say(1)]
    assert talk.ended("r1", "cancelled") == []
    assert talk.heard("r2", 600, after_ms=2_500) == [Say(2)]
    assert talk.heard("r3", 500, after_ms=2_500) == []
    assert talk.ended("r3") == []
    assert talk.due_us() == talk.now_us + LAST_PAUSE_US
    assert talk.tick() == [Leave(None)]
    assert talk.due_us() is None
    assert talk.heard("r4", 9_000) == []


def test_what_is_still_heard_of_the_reply_that_was_talked_over_does_not_count() -> None:
    talk = Talk()
    talk.open()
    talk.heard("r1", 4_000, after_ms=2_500)
    assert talk.heard("r1", 9_000, after_ms=2_500) == []
    assert talk.ended("r1", "completed") == []
    assert talk.heard("r2", 600) == [Say(2)]


def test_a_reply_that_began_before_the_line_but_was_not_heard_does_not_count_either() -> None:
    talk = Talk()
    talk.open()
    talk.feed(TurnStarted("assistant", response_id="r2"))
    talk.heard("r1", 4_000, after_ms=2_500)
    assert talk.heard("r2", 5_000, after_ms=2_500) == []


def test_while_the_user_speaks_no_reply_is_listened_to() -> None:
    talk = Talk()
    talk.open()
    assert talk.heard("r1", 4_500, after_ms=1_000) == []
    assert talk.heard("r1", 4_600, after_ms=1_000) == [Say(1)]


def test_a_reply_that_is_over_too_early_is_asked_for_again() -> None:
    talk = Talk()
    talk.open()
    talk.heard("r1", 1_500, after_ms=2_500)
    assert talk.ended("r1") == []
    assert talk.due_us() == talk.now_us + ASK_AGAIN_US
    assert talk.tick() == [Say(0)]
    assert talk.heard("r2", 4_000, after_ms=2_500) == [Say(1)]


def test_after_three_replies_that_are_too_short_the_user_leaves_and_says_so() -> None:
    talk = Talk()
    talk.open()
    for number in range(1, TRIES):
        talk.heard(f"r{number}", 1_500, after_ms=2_500)
        assert talk.ended(f"r{number}") == []
        assert talk.tick() == [Say(0)]
    talk.heard("r9", 1_500, after_ms=2_500)
    (leave,) = talk.ended("r9")
    assert isinstance(leave, Leave)
    assert leave.unmet == (
        "3 replies to turn 1 were over before 4000 ms of them were heard, too early to talk over "
        "them"
    )


def test_tries_are_counted_for_each_turn_anew() -> None:
    talk = Talk()
    talk.open()
    for number in range(1, TRIES):
        talk.heard(f"r{number}", 1_500, after_ms=2_500)
        talk.ended(f"r{number}")
        talk.tick()
    assert talk.heard("r5", 4_000, after_ms=2_500) == [Say(1)]
    talk.heard("r6", 100, after_ms=2_500)
    assert talk.ended("r6") == []


def test_a_failed_reply_is_named_with_the_services_words() -> None:
    talk = Talk()
    talk.open()
    talk.feed(Fault("theirs", "insufficient_quota", "You exceeded your quota."))
    for number in range(TRIES):
        talk.now_us += 2_500_000
        deeds = talk.ended(f"r{number}", "failed")
        if not deeds:
            talk.tick()
    assert deeds == [
        Leave(
            "the service ended its reply as 'failed' (the service said: You exceeded your quota.)"
        )
    ]


def test_a_cancelled_reply_is_waited_out() -> None:
    talk = Talk()
    talk.open()
    talk.now_us += 2_500_000
    assert talk.ended("r1", "cancelled") == []
    assert talk.heard("r2", 4_000) == [Say(1)]


def test_the_user_is_patient_but_not_for_ever() -> None:
    talk = Talk()
    talk.open()
    assert talk.due_us() == talk.now_us + 2_000_000 + PATIENCE_US
    (leave,) = talk.tick()
    assert leave == Leave("nothing was heard for 20 s after turn 1 of the user")


def test_what_is_heard_renews_the_patience() -> None:
    talk = Talk()
    talk.open()
    talk.heard("r1", 10, after_ms=19_000)
    assert talk.due_us() == talk.now_us + PATIENCE_US


def test_a_last_reply_without_an_end_is_left() -> None:
    talk = Talk((Turn("goodbye"),))
    talk.open()
    assert talk.heard("r1", LONGEST_REPLY_MS, after_ms=2_500) == []
    assert talk.heard("r1", LONGEST_REPLY_MS + 1) == [
        Leave("the last reply was still going on after 60 s")
    ]


def test_a_tick_that_comes_early_changes_nothing() -> None:
    talk = Talk()
    talk.feed(Began())
    assert talk.feed(Tick()) == []
    assert talk.tick() == [Say(0)]
