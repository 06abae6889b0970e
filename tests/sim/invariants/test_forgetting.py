"""What the service is to forget, what the mirror shows, and how turns end."""

from __future__ import annotations

import pytest
from tests.sim.invariants.telling import answered, details, interrupted, part_record, playing, told
from tests.sim.tale import (
    ITEM,
    MS,
    PART,
    RESPONSE,
    Tale,
    begun,
    created,
    delta,
    done,
    item_done,
    remembered,
    speaking,
    truncate,
)  # fmt: skip

from bargein import events
from bargein.audio.base import Exact, Unknown
from bargein.audio.card_settings import CardSettings
from bargein.core import asks, commands, inputs, notices
from bargein.core.items import ContentView, ItemView
from bargein.sim.history import Entry
from bargein.sim.options import Options
from bargein.units import US_PER_S

DELETE = events.ConversationItemDelete(item_id=ITEM)


def _cut() -> Tale:
    tale = playing()
    interrupted(tale)
    answered(tale, 0)
    told(tale, part_record(0))
    return tale


@pytest.mark.parametrize("waits_us", [None, 999_999, US_PER_S])
def test_a_delete_waits_for_the_end_of_its_item_or_for_a_second(waits_us: int | None) -> None:
    tale = _cut()
    if waits_us is None:
        tale.told(item_done(status="incomplete"))
        tale.client(DELETE)
    else:
        last_us = tale.entries[-1].time_us
        tale.entries.append(Entry(last_us + waits_us, "client_sent", DELETE, 0))

    late = [f"{ITEM} is deleted while it may still grow"]
    assert details(tale.judged(), "rule 5") == (late if waits_us == 999_999 else [])


def test_what_the_user_has_read_is_not_deleted() -> None:
    tale = begun()
    tale.told(created())
    tale.told(delta(100))
    text = events.ResponseOutputTextDelta(
        event_id="e", response_id=RESPONSE, item_id=ITEM, output_index=0, content_index=1, delta="A"
    )
    tale.told(text)
    shown = notices.Transcript("assistant", ITEM, "A", False, 1)
    tale.write("command", commands.Notify(shown))
    tale.told(done())
    tale.client(DELETE)

    assert details(tale.judged(), "rule 5") == [f"{ITEM} is deleted, and the user has read of it"]


def test_what_was_cut_and_neither_heard_nor_shown_is_forgotten_in_the_end() -> None:
    tale = _cut()
    tale.told(done())
    memory = (remembered(0, made=24_000),)

    assert details(tale.judged(heard={PART: 0}, memory=memory), "rule 5") == [
        f"{ITEM} was cut and neither heard nor shown, and is remembered"
    ]
    assert details(tale.judged(heard={PART: 24}, memory=memory), "rule 5") == []
    assert details(tale.judged(heard={PART: 0}), "rule 5") == []
    tale.options = Options(obeys_delete=False)
    assert details(tale.judged(heard={PART: 0}, memory=memory), "rule 5") == []


def test_a_truncate_comes_before_the_next_reply_is_asked_for() -> None:
    tale = _cut()
    tale.told(done())
    tale.client(events.ResponseCreate())
    tale.client(truncate(0))

    assert details(tale.judged(), "rule 5") == [f"{ITEM} is truncated behind a response.create"]


def _words(tale: Tale, text: str) -> None:
    tale.told(
        events.ResponseOutputAudioTranscriptDone(
            event_id="e",
            response_id=RESPONSE,
            item_id=ITEM,
            output_index=0,
            content_index=0,
            transcript=text,
        )
    )


@pytest.mark.parametrize(
    ("left", "broken"), [("Once", 0), ("Once upon a", 1), ("Never", 1), ("", 1)]
)
def test_of_a_cut_part_the_words_that_were_heard_are_left(left: str, broken: int) -> None:
    tale = playing()
    _words(tale, "Once upon a time.")
    interrupted(tale)
    answered(tale, 500)
    cut = notices.Transcript("assistant", ITEM, left, True, 0, cut=True)
    tale.write("command", commands.Notify(cut))

    assert bool(details(tale.judged(), "I6")) is bool(broken)


def test_nothing_of_a_cut_reply_is_shown_any_more() -> None:
    tale = _cut()
    more = notices.Transcript("assistant", ITEM, "more", False)
    tale.write("command", commands.Notify(more))

    assert details(tale.judged(), "I6") == [f"{ITEM}: 'more' is shown after it was cut"]


def _view(text: str = "", *, kept_ms: int | None = None, status: str = "completed") -> ItemView:
    content = ContentView("output_audio", text, None, kept_ms)
    return ItemView(ITEM, "message", "assistant", "there", status, (content,))


def test_each_acknowledgement_is_in_the_mirror() -> None:
    acknowledged = events.ConversationItemTruncated(
        event_id="e", item_id=ITEM, content_index=0, audio_end_ms=700
    )
    deleted = events.ConversationItemDeleted(event_id="e", item_id=ITEM)
    for event, mirror, expected in (
        (acknowledged, (_view(kept_ms=700),), 0),
        (acknowledged, (_view(kept_ms=701),), 1),
        (deleted, (), 0),
        (deleted, (_view(),), 1),
    ):
        tale = begun()
        tale.told(event)
        memory = (remembered(700 * MS),) if mirror else ()
        found = details(tale.judged(mirror=mirror, memory=memory), "I6")
        assert any(" was " in detail for detail in found) is bool(expected)


def test_in_the_end_the_mirror_has_the_servers_status_and_words() -> None:
    tale = begun()
    speaking(tale, 100)
    memory = (remembered(2_400, truncated=False),)

    assert details(tale.judged(memory=memory, mirror=(_view(),)), "I6") == []
    assert details(tale.judged(memory=memory, mirror=(_view("Once"),)), "I6") == [
        "item_1: 'Once' in the mirror, None at the server"
    ]
    assert details(tale.judged(memory=memory, mirror=(_view(status="incomplete"),)), "I6") == [
        "item_1 is incomplete in the mirror, completed at the server"
    ]


def test_a_reply_that_was_asked_for_ends_once_and_the_floor_is_free() -> None:
    for endings, expected in (
        (1, []),
        (0, ["nobody is told how the reply to ask 1 ended", "the turn of resp_1 does not end"]),
        (2, ["the turn of resp_1 ends and is not open", "the reply to ask 1 ends twice"]),
    ):
        tale = begun()
        tale.write("input", inputs.Asked(1, asks.Respond()))
        tale.write("command", commands.Answer(1))
        started = notices.TurnStarted("assistant", None, RESPONSE, (1,))
        tale.write("command", commands.Notify(started))
        for _ in range(endings):
            ended = notices.TurnEnded("assistant", ask_ids=(1,), response_id=RESPONSE)
            tale.write("command", commands.Notify(ended))
        assert details(tale.judged(), "liveness") == expected


def test_in_the_end_nobody_has_the_floor() -> None:
    tale = begun()
    tale.write("command", commands.Notify(notices.FloorChanged("assistant")))

    assert details(tale.judged(), "liveness") == ["assistant has the floor"]


def _held() -> events.ConversationItemAdded:
    item = events.MessageItem(id=ITEM, role="assistant", content=())
    return events.ConversationItemAdded(event_id="e", previous_item_id=None, item=item)


@pytest.mark.parametrize(("late_us", "broken"), [(0, 0), (20_000, 1)])
def test_what_grows_on_is_deleted_after_a_second(late_us: int, broken: int) -> None:
    tale = playing()
    tale.told(_held())
    interrupted(tale)
    answered(tale, 0)
    told(tale, part_record(0))
    due_us = tale.entries[-1].time_us + US_PER_S
    tale.entries.append(Entry(due_us + late_us, "client_sent", DELETE, 0))

    late = [f"{ITEM} is deleted 20 ms too late"]
    assert details(tale.judged(), "rule 5") == late[:broken]


@pytest.mark.parametrize("knows", [True, False])
def test_nothing_is_deleted_on_the_word_of_a_player_that_cannot_tell(knows: bool) -> None:
    accuracy = Exact() if knows else Unknown()
    tale = playing(options=Options(card=CardSettings(accuracy=accuracy)))
    tale.told(item_done(status="incomplete"))
    tale.client(DELETE)

    guessed = [f"{ITEM} is deleted on the word of a player that cannot tell"]
    assert details(tale.judged(), "rule 5") == ([] if knows else guessed)


def test_what_is_shown_wrongly_at_once_is_told_once() -> None:
    tale = playing()
    truncated = events.ConversationItemTruncated(
        event_id="e", item_id=ITEM, content_index=0, audio_end_ms=105
    )
    tale.told(truncated)
    content = ContentView(kind="output_audio", text="")
    shown = ItemView(ITEM, "message", "assistant", "cut", "completed", (content,))
    violations = tale.judged(memory=(remembered(105 * MS),), mirror=(shown,))

    assert details(violations, "I6") == [f"{ITEM} was cut to 105 ms, and [None] is shown"]
