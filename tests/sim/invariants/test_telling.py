"""When the service is told, what, and what follows a refusal."""

from __future__ import annotations

import pytest
from tests.sim.invariants.telling import answered, details, interrupted, playing
from tests.sim.tale import ITEM, MS, PART, item_done, truncate

from bargein import events
from bargein.audio.base import Unknown
from bargein.audio.card_settings import CardSettings
from bargein.core import commands, inputs
from bargein.core.inputs import Heard
from bargein.sim.options import Options

USER = events.MessageItem(role="user", content=(events.InputText(text="Wait."),))
SHORTER = "Audio content of 600ms is already shorter than 640ms"


@pytest.mark.parametrize("stops", [True, False])
def test_nothing_is_told_of_a_part_before_the_stop_is_answered(stops: bool) -> None:
    tale = playing()
    if stops:
        interrupted(tale)
        answered(tale, 700)
    tale.client(truncate(700 if stops else 0))

    assert details(tale.judged(), "rule 2") == (
        [] if stops else ["item_1[0] is told of while it plays"]
    )


def test_a_truncate_between_the_stop_and_its_answer_comes_too_early() -> None:
    tale = playing()
    interrupted(tale)
    tale.client(truncate(0))

    assert details(tale.judged(), "rule 2") == ["item_1[0] is told of before cut_1 is answered"]


def test_a_part_that_was_heard_to_its_end_may_be_told_of_without_a_stop() -> None:
    tale = playing(100)
    tale.write("command", commands.FinishPlay(PART))
    tale.write("input", inputs.Rendered((Heard(PART, 100 * MS),)))
    tale.client(truncate(100))

    assert details(tale.judged(), "rule 2") == []


def test_a_message_that_waited_for_the_stop_comes_behind_what_is_told_of_it() -> None:
    tale = playing()
    interrupted(tale)
    answered(tale, 700)
    tale.client(events.ConversationItemCreate(item=USER))
    tale.client(truncate(700))

    assert details(tale.judged(), "rule 2") == [
        f"{ITEM} is truncated behind a message that waited for it"
    ]


@pytest.mark.parametrize(
    "event", [events.ResponseCreate(), events.ConversationItemCreate(item=USER)]
)
def test_until_the_stop_is_answered_nothing_is_asked_for_or_added(
    event: events.ClientEvent,
) -> None:
    for waits in (True, False):
        tale = playing()
        interrupted(tale)
        if waits:
            answered(tale, 700)
        tale.client(event)
        assert len(details(tale.judged(), "rule 7")) == (0 if waits else 1)


def test_until_the_stop_is_answered_nothing_is_played_or_stopped_again() -> None:
    tale = playing()
    interrupted(tale)
    tale.played(10)
    tale.write("command", commands.StopPlayback("cut_2"))

    assert details(tale.judged(), "rule 7") == [
        "item_1[0] is played before cut_1 is answered",
        "cut_2 stops before cut_1 is answered",
    ]


def test_a_player_that_cannot_tell_is_not_waited_for() -> None:
    tale = playing(options=Options(card=CardSettings(accuracy=Unknown())))
    interrupted(tale)
    tale.client(truncate(0))
    tale.client(events.ResponseCreate())

    violations = tale.judged()

    assert details(violations, "rule 2") == details(violations, "rule 7") == []


@pytest.mark.parametrize(("ms", "broken"), [(700, 0), (699, 1), (701, 1)])
def test_a_truncate_says_the_players_last_word(ms: int, broken: int) -> None:
    tale = playing()
    interrupted(tale)
    answered(tale, 700)
    tale.client(truncate(ms))

    assert len(details(tale.judged(), "rule 10")) == broken


def test_a_truncate_that_waited_for_the_socket_says_what_was_known_then() -> None:
    tale = playing()
    interrupted(tale)
    tale.write("input", inputs.Blocked())
    answered(tale, 700)
    tale.write("input", inputs.Rendered((Heard(PART, 710 * MS),)))
    tale.write("input", inputs.Drained())
    tale.client(truncate(700))

    assert details(tale.judged(), "rule 10") == []


@pytest.mark.parametrize(
    ("again_ms", "completed", "broken"), [(600, False, 0), (None, False, 1), (None, True, 0)]
)
def test_a_truncate_that_was_too_long_is_sent_once_more(
    again_ms: int | None, completed: bool, broken: int
) -> None:
    tale = playing(640, Options(lengths_grid_ms=50))
    interrupted(tale)
    answered(tale, 640)
    if completed:
        tale.told(item_done())
    tale.refused(tale.client(truncate(640)), "invalid_value", SHORTER)
    if again_ms is not None:
        tale.client(truncate(again_ms))

    assert len(details(tale.judged(), "rule 12")) == broken


def test_what_said_less_already_when_the_refusal_came_need_not_be_said_again() -> None:
    tale = playing(640, Options(lengths_grid_ms=50))
    interrupted(tale)
    answered(tale, 640)
    number = tale.client(truncate(640))
    answered(tale, 500)
    tale.client(truncate(500))
    tale.refused(number, "invalid_value", SHORTER)

    assert details(tale.judged(), "rule 12") == []


@pytest.mark.parametrize("heard_ms", [640, 590])
def test_what_was_heard_to_the_length_that_it_has_keeps_its_words(heard_ms: int) -> None:
    tale = playing(640, Options(lengths_grid_ms=50))
    interrupted(tale)
    answered(tale, heard_ms)
    tale.told(item_done())
    tale.refused(tale.client(truncate(640)), "invalid_value", SHORTER)
    tale.client(truncate(min(heard_ms, 600)))

    assert details(tale.judged(), "rule 12") == (
        [f"{ITEM} is truncated again and was heard to its end"] if heard_ms == 640 else []
    )
