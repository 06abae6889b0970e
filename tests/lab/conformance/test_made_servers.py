"""Servers made for the test differ in exactly what they were made to do."""

from __future__ import annotations

import pytest
from tests.lab.conformance.made import (
    Frame,
    Made,
    asked,
    differences,
    like_a_subset,
    made_server,
    never_acknowledging,
    never_interrupting,
    refusing,
    with_old_names,
)

from bargein.capabilities import Capabilities
from bargein.lab.conformance.learned import capabilities_of
from bargein.lab.conformance.result import Result
from bargein.server.model.options import Options


def can(result: Result) -> Capabilities:
    return capabilities_of(result.learned)


async def test_one_that_never_acknowledges() -> None:
    async with made_server(never_acknowledging()) as url:
        result = await asked(url)
    assert differences(result) == {
        "items: delete": "answer: nothing, not acknowledged",
        "truncate: half": "answer: nothing, not acknowledged",
        "truncate: zero": "answer: nothing, not acknowledged",
        "cancel: unfinished item": "answer: nothing, not acknowledged",
        "speech: who truncates": "when asked to: nothing, not acknowledged",
    }
    assert can(result) == Capabilities(acknowledges=False)


async def test_one_that_refuses_truncate() -> None:
    async with made_server(refusing("conversation.item.truncate")) as url:
        result = await asked(url)
    found = differences(result)
    assert found["truncate: half"] == "answer: refused: unknown_event, not acknowledged"
    assert found["truncate: memory"] == (
        "the sound that is left: all of it, not as it was asked for; "
        "the words that are left: Hello there, how are you today?, not none"
    )
    assert found.keys() == {
        "truncate: half",
        "truncate: memory",
        "truncate: zero",
        "truncate: lengths",
        "truncate: too long",
        "cancel: unfinished item",
        "speech: who truncates",
        "refusals: no index",
        "refusals: no length",
        "refusals: truncate nowhere",
        "refusals: truncate written words",
        "refusals: truncate the user",
    }
    assert can(result) == Capabilities(truncate=False)


async def test_one_with_the_old_names() -> None:
    async with made_server(Made(says=with_old_names)) as url:
        result = await asked(url)
    assert differences(result) == {
        "turns: names": (
            "sound: response.audio.delta, not response.output_audio.delta; "
            "words: response.audio_transcript.delta, not response.output_audio_transcript.delta; "
            "part of an item: audio, not output_audio"
        ),
    }


async def test_one_that_counts_in_steps_of_50_ms() -> None:
    async with made_server(Made(), options=Options(lengths_grid_ms=50)) as url:
        result = await asked(url)
    assert differences(result) == {
        "truncate: lengths": (
            "counts in steps of: 50 ms, not 1 ms; takes the length that came: no, not yes"
        ),
    }
    assert can(result) == Capabilities(lengths_grid_ms=50)


async def test_one_that_ignores_what_it_does_not_know() -> None:
    def hears(frame: Frame) -> list[Frame]:
        return [] if frame.get("type") == "scooby.dooby.doo" else [frame]

    async with made_server(Made(hears=hears)) as url:
        result = await asked(url)
    assert differences(result) == {"refusals: unknown event": "answer: ignored, not refused"}
    assert can(result) == Capabilities()


async def test_one_that_ends_the_session_at_any_refusal() -> None:
    made = Made()
    made.ends_at = lambda frame: frame["type"] == "error"
    async with made_server(made) as url:
        result = await asked(url)
    found = differences(result)
    # It has no second word where two are asked for at once.
    assert found.pop("refusals: order") == "no answer"
    assert found == {
        "session: after a refusal": "after a refusal: closed with 1000, not the session goes on"
    }
    assert can(result) == Capabilities()


async def test_one_that_goes_on_when_it_is_talked_over() -> None:
    async with made_server(never_interrupting()) as url:
        result = await asked(url, "session", "speech")
    assert differences(result)["speech: interruption"].startswith(
        "at speech_started: the response goes on, not the server cancels"
    )
    assert can(result).interrupts == "never"


async def test_one_that_knows_a_subset_and_ignores_the_rest() -> None:
    async with made_server(like_a_subset()) as url:
        sections = ("session", "turns", "items", "truncate", "cancel", "speech")
        result = await asked(url, *sections, aside_s=0.02)
    found = differences(result)
    assert found["turns: items"] == (
        "begins: conversation.item.created, not conversation.item.added; is whole: 0, not 2"
    )
    assert found["items: delete"] == "answer: nothing, not acknowledged"
    assert found["speech: by hand"] == "answer: nothing, not committed"
    assert "without response.output_item.added" in found["turns: spoken"]
    assert found["session: clear"] == ("answered by: none, not input_audio_buffer.cleared")
    assert can(result) == Capabilities(truncate=False, delete=False, acknowledges=False)


@pytest.mark.parametrize("made", ["silence", "noise", "end"])
async def test_one_that_says_nothing_sensible_gets_rows_without_an_answer(made: str) -> None:
    server = Made()
    if made == "silence":
        server.says = lambda _: []
    elif made == "noise":
        server.says = lambda _: [{"type": 7, "session": "?", "response": [], "error": "no"}]
    else:
        server.ends_at = lambda _: True
        server.says = lambda _: []
    async with made_server(server) as url:
        result = await asked(url, "session", "turns", "speech", reply_s=0.2, answer_s=0.1)
    assert {row.standing for row in result.outcomes} <= {"no answer", "differs"}
    assert result.counts["no answer"] >= len(result.outcomes) - 3
    assert can(result) == Capabilities()
