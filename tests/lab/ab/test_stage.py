"""Stories that are played: over WebSocket on a clock that jumps, by both clients."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.virtual_loop import run

from bargein.errors import AdmissionError, TransportError
from bargein.lab.ab import stage
from bargein.lab.ab.measure import Figures, figures_of
from bargein.lab.ab.play import MODEL
from bargein.lab.ab.scenario import Scenario, Story
from bargein.lab.ab.stage import Place, Run, Who
from bargein.server.serving import serve_local

TALE = (
    "Once upon a time there was a fox who lived by the sea. Every evening she counted the boats "
    "that came home, and every evening one of them was missing."
)
TELLS = Scenario(stories=(Story(name="x", listen_ms=100, stop="button"),), story=TALE)


def played(who: Who, *, key: str = "", **given: Any) -> tuple[Run, Figures]:
    story = Story(**{"name": "x", "listen_ms": 1_000, **given})

    async def play() -> Run:
        async with serve_local(TELLS.played(), any_model=True) as server:
            place = Place(server.url, key or server.api_key, MODEL, True)
            return await stage.run(story, "websocket", who, place, "Tell stories.")

    seen = run(play())
    assert seen.unmet is None
    return seen, figures_of(seen)


WORDS = {"voice": "Stop talking please", "typed": "And the boats?", "push_to_talk": "And the boats"}


@pytest.mark.parametrize("stop", ["button", "voice", "typed", "push_to_talk"])
def test_ours_is_silent_two_frames_after_each_stop_and_the_service_keeps_what_was_heard(
    stop: str,
) -> None:
    _, figures = played("bargein", stop=stop, words=WORDS.get(stop))
    assert figures.stops
    assert figures.refusals == ()
    assert figures.kept_ms is not None and figures.heard_ms is not None
    assert figures.record is not None and figures.record["kept_ms"] == int(figures.kept_ms)
    # What is silent at the end of what was heard is in the record, and not at the ear.
    assert 0 <= figures.kept_ms - figures.heard_ms < 200
    assert "conversation.item.truncate" in figures.commands[0 if stop == "voice" else 1]
    assert any(figures.other.peaks) is (stop != "button"), "the answer is heard"


@pytest.mark.parametrize("stop", ["button", "voice", "typed", "push_to_talk"])
def test_the_naive_one_plays_its_queue_to_the_end(stop: str) -> None:
    _, figures = played("naive", stop=stop, words=WORDS.get(stop))
    assert figures.left_ms is not None and figures.heard_ms is not None
    assert figures.stop_to_silence_ms is not None and figures.stop_to_silence_ms > 1_500
    assert figures.heard_ms == pytest.approx(figures.left_ms, abs=300)
    assert [each.partition(" ")[0] for each in figures.commands[:2]] == [
        "conversation.item.truncate",
        "response.cancel",
    ]
    assert "output_audio_buffer.clear" not in figures.commands
    assert figures.kept_ms is not None and figures.kept_ms < figures.heard_ms


def test_a_stop_after_the_reply_was_made_is_a_stop_of_what_sounds() -> None:
    _, figures = played("bargein", stop="button", after_done=True)
    assert figures.stops
    assert figures.commands == (f"conversation.item.truncate {int(figures.kept_ms or 0)}",)
    before = [line.text for line in figures.events if line.at_ms < 0]
    assert "response.done completed" in before


def test_by_voice_the_stop_is_the_news_of_the_speech_and_the_voice_is_measured_too() -> None:
    seen, figures = played("bargein", stop="voice", words=WORDS["voice"])
    assert seen.voice_us is not None and seen.stop_us is not None
    assert figures.voice_to_silence_ms is not None and figures.stop_to_silence_ms is not None
    waited_ms = (seen.stop_us - seen.voice_us) / 1_000
    assert waited_ms > 0
    assert figures.voice_to_silence_ms == pytest.approx(
        waited_ms + figures.stop_to_silence_ms, abs=25
    )
    assert seen.sound[:, 0].any() and seen.sound[:, 1].any(), "both can be listened to"


@pytest.mark.parametrize("who", ["bargein", "naive"])
def test_where_there_is_no_session_to_be_had_the_error_says_so_without_the_key(who: Who) -> None:
    with pytest.raises(AdmissionError) as refused:
        played(who, key="sk-wrong-key", stop="button")
    assert isinstance(refused.value, TransportError)
    assert "sk-wrong-key" not in str(refused.value)


def test_a_story_that_does_not_come_about_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "PATIENCE_S", 2.0)
    with pytest.raises(AssertionError):
        played("bargein", stop="button", listen_ms=60_000)
    story = Story(name="x", listen_ms=60_000, stop="button")

    async def play() -> Run:
        async with serve_local(TELLS.played(), any_model=True) as server:
            place = Place(server.url, server.api_key, MODEL, True)
            return await stage.run(story, "websocket", "bargein", place, "")

    seen = run(play())
    assert seen.unmet == "the reply was not heard for long enough within 2 s"
    assert figures_of(seen).unmet == seen.unmet


@pytest.mark.parametrize("who", ["bargein", "naive"])
def test_a_connection_that_ends_in_the_middle_ends_the_story(who: Who) -> None:
    story = Story(name="x", listen_ms=60_000, stop="button")

    async def play() -> Run:
        async with serve_local(TELLS.played(), any_model=True) as server:
            place = Place(server.url, server.api_key, MODEL, True)
            playing = asyncio.create_task(stage.run(story, "websocket", who, place, ""))
            await asyncio.sleep(2)
            await server.host.close()
            return await playing

    seen = run(play())
    assert seen.unmet is not None and seen.unmet.startswith("the connection ended: ")
