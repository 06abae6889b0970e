"""Each invariant on histories told by hand: where it holds and where it does not."""

from __future__ import annotations

import pytest
from tests.sim.naive_client import NaiveClient
from tests.sim.tale import (
    ITEM,
    MS,
    PART,
    RESPONSE,
    Tale,
    begun,
    committed,
    created,
    delta,
    done,
    remembered,
    session_updated,
    speaking,
    speech_started,
    truncate,
)  # fmt: skip

from bargein import events
from bargein.audio.base import Unknown, Within
from bargein.audio.card_settings import CardSettings
from bargein.core import asks, commands, inputs, notices
from bargein.core.inputs import Part
from bargein.core.items import ContentView, ItemView
from bargein.sim.episode import run
from bargein.sim.history import Entry
from bargein.sim.invariants.judge import INVARIANTS, Judge, Violation
from bargein.sim.options import Options


def _broken(violations: list[Violation], about: str = "") -> list[str]:
    """The names of what does not hold; of one invariant, if it is about that one."""
    return [one.invariant for one in violations if about in ("", one.invariant)]


def _view(item_id: str = ITEM, *, kept_ms: int | None = None, state: str = "there") -> ItemView:
    return ItemView(
        id=item_id,
        type="message",
        role="assistant",
        state=state,  # type: ignore[arg-type]  # one of the type's few words
        status="completed",
        content=(ContentView(kind="output_audio", text="", kept_ms=kept_ms),),
    )


def _told(ms: int = 1_000, options: Options | None = None) -> Tale:
    tale = begun(options)
    speaking(tale, ms)
    return tale


def test_every_invariant_has_a_name_of_its_own_and_a_sentence() -> None:
    assert len({invariant.name for invariant in INVARIANTS}) == len(INVARIANTS)
    assert all(invariant.sentence.endswith(".") for invariant in INVARIANTS)


def test_a_violation_has_the_place_and_the_time_after_which_it_did_not_hold() -> None:
    tale = _told()
    tale.write("command", commands.Answer(5))

    (violation,) = tale.judged(memory=(remembered(0, made=24_000),), mirror=(_view(kept_ms=0),))

    assert tale.entries[violation.place].what == commands.Answer(5)
    assert violation.time_us == tale.entries[-1].time_us


def test_a_judge_without_a_witness_judges_what_was_written_down() -> None:
    tale = _told()
    judge = Judge(Options())
    for entry in tale.entries:
        judge.take(entry)
    judge.take(Entry(99, "command", commands.Answer(5)))

    assert [violation.invariant for violation in judge.violations] == ["I8"]


def test_a_run_can_end_with_the_first_violation() -> None:
    whole = run(0, make_client=NaiveClient)
    first = run(0, make_client=NaiveClient, stop_at_first=True)

    place = first.violations[0].place
    assert first.violations[0] == whole.violations[0]
    # What the client was to do by the next entry is judged with that one.
    assert place < len(first.history.entries) <= place + 2 < len(whole.history.entries)


@pytest.mark.parametrize(("kept_ms", "broken"), [(700, []), (701, []), (702, ["I1"])])
def test_memory_is_hearing_to_the_millisecond(kept_ms: int, broken: list[str]) -> None:
    violations = _told().judged(
        heard={PART: 700 * MS},
        memory=(remembered(kept_ms * MS),),
        mirror=(_view(kept_ms=kept_ms),),
    )

    assert _broken(violations) == broken


def test_a_deleted_item_keeps_nothing_so_nothing_may_have_been_heard() -> None:
    tale = _told()

    assert _broken(tale.judged(heard={PART: 0})) == []
    assert _broken(tale.judged(heard={PART: 25})) == ["I1"]


def test_a_part_that_the_client_never_played_counts_as_unheard() -> None:
    violations = _told().judged(
        memory=(remembered(1_000 * MS, truncated=False),), mirror=(_view(),)
    )

    assert _broken(violations) == ["I1"]


def test_the_servers_grid_and_the_players_margin_widen_what_is_allowed() -> None:
    within = CardSettings(accuracy=Within(100), error_samples=5)
    for options, allowed in (
        (Options(lengths_grid_ms=50), 51 * MS),
        (Options(card=within), 1 * MS + 100),
    ):
        for off, broken in ((allowed, []), (allowed + 1, ["I1"])):
            memory = (remembered(10_000 + off),)
            mirror = (_view(kept_ms=(10_000 + off) // MS),)
            violations = _told(1_000, options).judged(
                heard={PART: 10_000}, memory=memory, mirror=mirror
            )
            assert _broken(violations) == broken


def test_a_correction_may_leave_too_little_but_not_too_much() -> None:
    options = Options(card=CardSettings(first_error_samples=480, correction_delay_us=1_000))
    for kept, broken in ((10_000 - 480, []), (10_000 - 505, ["I1"]), (10_000 + 25, ["I1"])):
        violations = _told(1_000, options).judged(
            heard={PART: 10_000},
            memory=(remembered(kept),),
            mirror=(_view(kept_ms=kept // MS),),
        )
        assert _broken(violations) == broken


def test_a_part_that_was_left_whole_may_be_off_by_the_margin_twice() -> None:
    options = Options(card=CardSettings(accuracy=Within(100)))
    for heard, truncated, broken in (
        (24_000 - 224, False, []),
        (24_000 - 225, False, ["I1"]),
        (24_000 - 225, True, ["I1"]),
        (24_000 - 124, True, []),
    ):
        violations = _told(1_000, options).judged(
            heard={PART: heard},
            memory=(remembered(24_000, truncated=truncated),),
            mirror=(_view(kept_ms=1_000),),
        )
        assert _broken(violations) == broken


def test_a_player_that_cannot_tell_is_excused() -> None:
    options = Options(card=CardSettings(accuracy=Unknown()))

    assert _broken(_told(1_000, options).judged(heard={PART: 24_000})) == []


def test_what_was_said_out_of_band_is_remembered_by_nobody() -> None:
    tale = begun()
    tale.told(created(conversation=None))
    tale.told(delta(100))

    assert _broken(tale.judged(heard={PART: 2_400})) == []


def _stopped(tale: Tale) -> None:
    tale.write("command", commands.StopPlayback("cut_1"))
    tale.write("input", inputs.PlaybackStopped("cut_1", ()))


def test_sound_after_the_stop_is_a_violation() -> None:
    tale = _told()
    _stopped(tale)
    kept = {"memory": (remembered(600 * MS),), "mirror": (_view(kept_ms=600),)}

    # mypy gives the values of `kept` one type, and no argument has it.
    calm = tale.judged(heard={PART: 600 * MS}, committed={"cut_1": {PART: 600 * MS}}, **kept)  # type: ignore[arg-type]
    # The same.
    loud = tale.judged(heard={PART: 600 * MS}, committed={"cut_1": {PART: 599 * MS}}, **kept)  # type: ignore[arg-type]

    assert _broken(calm) == []
    assert _broken(loud) == ["I3"]


def test_a_part_that_begins_after_the_stop_is_a_violation_if_its_response_was_known() -> None:
    second = Part(RESPONSE, "item_2", 0)
    tale = _told()
    _stopped(tale)
    tale.told(delta(100, second))
    violations = tale.judged(heard={second: 10}, committed={"cut_1": {}})

    assert _broken(violations) == ["I3"]


def test_a_newer_response_is_heard_after_the_stop() -> None:
    tale = begun()
    _stopped(tale)
    speaking(tale, 100)
    violations = tale.judged(
        heard={PART: 2_400},
        committed={"cut_1": {}},
        memory=(remembered(2_400, truncated=False),),
        mirror=(_view(),),
    )

    assert _broken(violations) == []


@pytest.mark.parametrize("ask", [asks.Interrupt(), asks.Say("Wait."), asks.Press()])
def test_what_was_asked_for_and_cut_before_its_birth_is_never_heard(ask: asks.Ask) -> None:
    tale = begun()
    number = tale.client(events.ResponseCreate())
    tale.write("input", inputs.Asked(1, ask))
    tale.write("command", commands.Answer(1))
    speaking(tale, 100, cause=number)
    tale.client(events.ResponseCancel(response_id=RESPONSE))
    tale.played(100)
    violations = tale.judged(
        heard={PART: 2_400}, memory=(remembered(2_400, truncated=False),), mirror=(_view(),)
    )

    assert _broken(violations, "I4") == ["I4"]


def test_the_reply_to_a_turn_that_was_cut_before_its_birth_is_never_heard() -> None:
    tale = begun()
    tale.told(session_updated(interrupts=False))
    number = tale.client(events.InputAudioBufferAppend(audio=b"\0\0"))
    tale.told(committed(), cause=number)
    tale.told(speech_started())
    speaking(tale, 100, cause=number)
    tale.client(events.ResponseCancel(response_id=RESPONSE))
    tale.played(100)
    kept = {"memory": (remembered(2_400, truncated=False),), "mirror": (_view(),)}

    # mypy gives the values of `kept` one type, and no argument has it.
    assert _broken(tale.judged(heard={PART: 2_400}, **kept)) == ["I4"]  # type: ignore[arg-type]

    tale.options = Options(barge_in="keep_talking", interrupt_response=False)
    # Now nobody has cut it.
    assert _broken(tale.judged(heard={PART: 2_400}, **kept)) == ["rule 15"]  # type: ignore[arg-type]


def test_a_message_without_a_reply_cuts_nothing() -> None:
    tale = begun()
    number = tale.client(events.ResponseCreate())
    tale.write("input", inputs.Asked(1, asks.Say("By the way.", reply=False)))
    tale.write("command", commands.Answer(1))
    speaking(tale, 100, cause=number)
    tale.played(100)
    violations = tale.judged(
        heard={PART: 2_400}, memory=(remembered(2_400, truncated=False),), mirror=(_view(),)
    )

    assert _broken(violations) == []


def test_parts_are_heard_in_the_order_of_their_arrival() -> None:
    second = Part(RESPONSE, "item_2", 0)
    tale = _told(0)
    tale.told(delta(0, second))

    assert _broken(tale.judged(order=(PART, second))) == []
    assert _broken(tale.judged(order=(second, PART))) == ["I5"]


@pytest.mark.parametrize(
    "mirror",
    [
        (),
        (_view("item_2", kept_ms=100),),
        (_view(kept_ms=99),),
        (_view(),),
        (_view(kept_ms=100, state="going"),),
    ],
)
def test_a_mirror_that_differs_from_the_server_is_a_violation(mirror: tuple[ItemView, ...]) -> None:
    violations = _told().judged(
        heard={PART: 100 * MS}, memory=(remembered(100 * MS),), mirror=mirror
    )

    assert _broken(violations) == ["I6"]


def test_what_broke_is_told_and_sound_of_the_dead_too() -> None:
    tale = begun()
    tale.write("broken", "handle(Tick) raised KeyError: 3")

    assert [violation.detail for violation in tale.judged(late_samples=24)] == [
        "handle(Tick) raised KeyError: 3",
        "1.00 ms of sound were given to stopped parts",
    ]


def test_in_the_end_nothing_may_be_armed_or_moving() -> None:
    assert _broken(begun().judged(deadline_us=5)) == ["liveness"]
    assert _broken(begun().judged(quiet=False)) == ["liveness"]


@pytest.mark.parametrize(
    ("answers", "detail"),
    [(0, "ask 7 (Mute) has no answer"), (2, "ask 7 is answered and is not open")],
)
def test_an_ask_has_one_answer(answers: int, detail: str) -> None:
    tale = begun()
    tale.write("input", inputs.Asked(7, asks.Mute(True)))
    for _ in range(answers):
        tale.write("command", commands.Answer(7))

    assert [v.detail for v in tale.judged()] == [detail]


def test_a_cut_that_is_told_is_settled() -> None:
    tale = begun()
    told = notices.Interruption(
        cut_id="cut_1",
        askers=("interrupt",),
        response_ids=(),
        heard_ms=0,
        parts=(),
        stop_latency_us=0,
        speech_to_silence_us=None,
    )
    tale.write("command", commands.Notify(told))

    assert _broken(tale.judged()) == ["liveness"]


def test_a_turn_of_the_user_is_owed_a_reply() -> None:
    tale = begun()
    tale.told(session_updated(interrupts=True))
    number = tale.client(events.InputAudioBufferAppend(audio=b"\0\0"))
    tale.told(committed(), cause=number)
    assert _broken(tale.judged()) == ["liveness"]

    tale.told(created(), cause=number)
    tale.told(done(), cause=number)
    assert _broken(tale.judged()) == []


def test_what_was_met_is_counted() -> None:
    tale = _told()
    tale.refused(tale.client(truncate(5, "item_x")), "item_truncate_invalid_item_id")

    met = tale.facts().met

    assert met["responses"] == met["parts"] == met["conversation.item.truncate"] == 1
    assert met["refusals: ours"] == 1
