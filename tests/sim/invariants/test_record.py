"""Each interruption is one record, told twice, and it says what happened."""

from __future__ import annotations

import pytest
from tests.sim.invariants.telling import (
    CUT,
    answered,
    details,
    interrupted,
    part_record,
    playing,
    settled,
    told,
)  # fmt: skip
from tests.sim.tale import MS, PART, Tale, done, item_done, remembered, truncate

from bargein.core import asks, commands, inputs, notices
from bargein.sim.history import Entry
from bargein.sim.options import Options

TRUNCATE = "conversation.item.truncate"


def _cut(heard_ms: int = 700, options: Options | None = None) -> Tale:
    tale = playing(options=options)
    interrupted(tale)
    answered(tale, heard_ms)
    tale.client(truncate(heard_ms))
    return tale


def _broken(tale: Tale, *, heard_ms: int = 700, kept_ms: int = 700) -> list[str]:
    heard, memory = {PART: heard_ms * MS}, (remembered(kept_ms * MS),)
    return details(tale.judged(heard=heard, memory=memory), "P6")


def _whole() -> Tale:
    tale = _cut()
    told(tale, part_record(700))
    settled(tale, part_record(700, kept_ms=700, answer="truncated"), sent=(TRUNCATE,))
    return tale


def test_a_record_that_says_what_happened_is_true() -> None:
    assert _broken(_whole()) == []


def test_a_record_that_says_other_than_the_ear_is_not() -> None:
    first, second = _broken(_whole(), heard_ms=701)

    assert first == second == "item_1[0]: 16800 samples heard, says cut_1, and the ear got 16824"


def test_a_record_that_says_other_than_the_servers_memory_is_not() -> None:
    assert _broken(_whole(), kept_ms=699) == [
        "item_1[0]: 700 ms kept, says cut_1, and the server keeps 699 ms"
    ]


def test_a_cut_is_told_once_and_settled_once_for_each_word_of_the_player() -> None:
    tale = _whole()
    told(tale, part_record(700))
    settled(tale, part_record(700, kept_ms=700, answer="truncated"), sent=(TRUNCATE,))

    assert _broken(tale) == [
        "cut_1 is told twice",
        "cut_1 is settled twice, and the player said nothing in between",
    ]


def test_what_is_settled_was_told() -> None:
    tale = _cut()
    settled(tale, part_record(700, kept_ms=700, answer="truncated"), sent=(TRUNCATE,))

    assert _broken(tale) == ["cut_1 is settled and was never told"]


def test_nothing_is_truncated_of_which_no_record_tells() -> None:
    assert _broken(_cut()) == [f"resp_1 was cut by {TRUNCATE}, and no record tells of it"]


@pytest.mark.parametrize(
    ("status", "missing"),
    [("incomplete", ["item_1[0] was cut short, and no record tells of it"]), ("completed", [])],
)
def test_what_the_service_cut_by_itself_has_a_record(status: str, missing: list[str]) -> None:
    tale = playing()
    tale.told(item_done(status=status))
    tale.told(done(status="cancelled"))

    assert _broken(tale, heard_ms=1_000, kept_ms=1_000) == missing


def test_the_commands_in_the_record_are_those_that_were_sent() -> None:
    tale = _cut()
    told(tale, part_record(700))
    settled(tale, part_record(700, kept_ms=700, answer="truncated"), sent=())

    assert _broken(tale) == [f"cut_1: () were sent, it says, and ('{TRUNCATE}',) were"]


def test_everybody_who_asked_until_the_answer_is_named() -> None:
    tale = playing()
    interrupted(tale)
    tale.write("input", inputs.Asked(2, asks.Say("Wait.")))
    answered(tale, 700)
    told(tale, part_record(700))

    assert _broken(tale) == ["cut_1 was asked for by typed, too, and does not say so"]


def test_speech_cuts_nothing_where_the_reply_is_to_keep_talking() -> None:
    tale = _cut(options=Options(barge_in="keep_talking", interrupt_response=False))
    told(tale, part_record(700), askers=("interrupt", "speech"))

    assert _broken(tale) == ["cut_1 is asked for by speech, which is to keep the reply talking"]


def test_a_latency_is_what_it_took() -> None:
    tale = _cut()
    told(tale, part_record(700), late_us=5)

    assert _broken(tale) == ["cut_1: a latency of 8 us, and it took 3 us"]


def test_the_counts_in_a_record_are_those_that_came() -> None:
    tale = _cut()
    told(tale, part_record(700, received_ms=900))

    assert _broken(tale) == ["item_1[0]: 21600 samples received, it says, and 24000 came"]


@pytest.mark.parametrize("answer", ["truncated", ""])
def test_a_cut_is_settled_when_everything_is_answered(answer: str) -> None:
    tale = playing()
    interrupted(tale)
    answered(tale, 700)
    told(tale, part_record(700))
    tale.client(truncate(700))
    settled(
        tale,
        part_record(700, kept_ms=700, answer=answer),
        sent=("conversation.item.truncate",),
    )
    violations = tale.judged(heard={PART: 700 * MS}, memory=(remembered(700 * MS),))

    open_still = ["item_1[0]: its truncate is not answered yet"]
    assert details(violations, "P6") == ([] if answer else open_still)


@pytest.mark.parametrize(("ago_us", "broken"), [(10_000, 0), (30_000, 1)])
def test_the_sound_that_decided_was_loud(ago_us: int, broken: int) -> None:
    tale = playing()
    loud = inputs.Captured(b"\x40\x1f" * MS * 20)
    began_us = len(tale.entries) + 20_000
    tale.entries.append(Entry(began_us, "input", loud))
    record = notices.Interruption(
        cut_id=CUT,
        askers=("speech",),
        response_ids=(),
        heard_ms=0,
        parts=(),
        stop_latency_us=0,
        speech_to_silence_us=ago_us,
    )
    tale.entries.append(Entry(began_us, "command", commands.Notify(record)))

    silent = [f"{CUT}: {ago_us} us ago nobody spoke"]
    assert details(tale.judged(), "P6") == silent[:broken]
