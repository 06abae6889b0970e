"""An episode as a table for people."""

from __future__ import annotations

from tests.sim.tale import ITEM, RESPONSE, Tale, created, delta, done, truncate

from bargein import events
from bargein.core import asks, inputs
from bargein.sim.history import Final, History, Truth
from bargein.sim.options import Options
from bargein.sim.story import tell


def _history(tale: Tale) -> History:
    final = Final(Truth({}, {}, {}, ()), (), ())
    return History(Options(), tuple(tale.entries), final)


def test_a_story_names_time_actor_and_event_with_short_ids() -> None:
    tale = Tale()
    tale.server(created())
    tale.arrive()
    tale.told(delta(120))
    tale.write("input", inputs.Asked(1, asks.Interrupt()))
    tale.client(truncate(40))
    tale.told(done(status="cancelled"))

    lines = [line.split("ms  ", 1)[1] for line in tell(_history(tale)).splitlines()]

    assert lines == [
        "server sends  #0 response.created r1",
        "client gets   #0 response.created r1",
        "server sends  #1 audio.delta A[0] +120.00 ms",
        "client gets   #1 audio.delta A[0] +120.00 ms",
        "client gets   asked 1: Interrupt()",
        "client sends  #0 conversation.item.truncate A audio_end_ms=40",
        "server sends  #2 response.done r1 cancelled",
        "client gets   #2 response.done r1 cancelled",
    ]
    assert ITEM not in str(lines) and RESPONSE not in str(lines)


def test_what_only_fills_the_story_is_shown_on_demand() -> None:
    tale = Tale()
    tale.client(events.InputAudioBufferAppend(audio=b"\0\0"))
    tale.write("input", inputs.Captured(b"\0" * 480))
    tale.write("input", inputs.Tick())

    assert tell(_history(tale)) == ""
    everything = tell(_history(tale), everything=True)
    assert "input_audio_buffer.append" in everything
    assert "Captured 240 samples" in everything


def test_an_error_is_told_with_its_text() -> None:
    tale = Tale()
    number = tale.client(truncate(40))
    tale.refused(number, "invalid_value", "Too long.")

    assert "error invalid_value: Too long." in tell(_history(tale))
