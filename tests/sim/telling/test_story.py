"""An episode as a table for people."""

from __future__ import annotations

from dataclasses import replace

from tests.sim.tale import ITEM, RESPONSE, Tale, created, delta, done, truncate

from bargein import events
from bargein.audio.card_settings import CardSettings
from bargein.core import asks, inputs
from bargein.sim.episode import run
from bargein.sim.history import Final, History, Truth
from bargein.sim.invariants.judge import Violation
from bargein.sim.options import Options
from bargein.sim.telling.story import tell, unusual, world
from bargein.units import AudioFormat


def history(tale: Tale) -> History:
    final = Final(Truth({}, {}, {}, ()), (), ())
    return History(tale.options, tuple(tale.entries), final)


def test_a_story_is_a_line_about_the_world_and_a_table_with_short_ids() -> None:
    tale = Tale()
    tale.server(created())
    tale.arrive()
    tale.told(delta(120))
    tale.write("input", inputs.Asked(1, asks.Interrupt()))
    tale.client(truncate(40))
    tale.told(done(status="cancelled"))

    told = tell(history(tale))

    assert told.splitlines() == [
        "world: plain",
        "  time in ms  actor      event (-> when it arrives)",
        "       0.000  service    sends response.created r1 -> 0.001",
        "       0.002  service    sends 120.00 ms of A[0] (r1) -> 0.003",
        "       0.004  app        interrupts",
        "       0.005  client     sends item.truncate A[0] to 40 ms -> (under way)",
        "       0.006  service    sends response.done r1: cancelled -> 0.007",
    ]
    assert ITEM not in told and RESPONSE not in told


def test_the_world_is_told_by_what_is_not_plain_in_it() -> None:
    plain = run({"options.acts": [3]}).options
    card = replace(plain.card, latency_us=40_000)

    assert world(plain) == "plain"
    assert unusual(replace(plain, turns="manual", card=card, format=AudioFormat.PCMU)) == {
        "turns": "manual",
        "format": "audio/pcmu",
        "card.latency_us": "40000",
    }
    assert isinstance(card, CardSettings)


def test_everything_is_a_row_on_demand() -> None:
    tale = Tale()
    tale.client(events.InputAudioBufferAppend(audio=b"\0\0"))
    tale.write("input", inputs.Captured(b"\0" * 480))
    tale.write("input", inputs.Tick())

    assert len(tell(history(tale)).splitlines()) == 2
    everything = tell(history(tale), everything=True)
    assert "client     sends #0 input_audio_buffer.append" in everything
    assert "user       240 samples captured" in everything
    assert "client     Tick()" in everything


def test_no_line_of_a_whole_seed_is_wider_than_a_page() -> None:
    for seed in range(12):
        episode = run(seed)
        for line in episode.story().splitlines() + episode.story(everything=True).splitlines():
            assert len(line) <= 120, (seed, line)


def test_a_whole_seed_is_told_in_far_fewer_rows_than_it_has_entries() -> None:
    told = entries = 0
    for seed in range(12):
        episode = run(seed)
        told += len(episode.story().splitlines())
        entries += len(episode.history.entries)

    assert told * 5 < entries


def test_a_broken_invariant_is_the_last_row_with_its_name_its_sentence_and_how() -> None:
    tale = Tale(Options(turns="manual"))
    tale.told(created())
    how = f"{RESPONSE} was cut while it was open, and went on"

    told = tell(history(tale), [Violation("rule 9", "A cut response is cancelled.", how, -1, 1)])

    assert told.splitlines()[-2:] == [
        "       0.001  rule 9     BROKEN: A cut response is cancelled.",
        "                         r1 was cut while it was open, and went on",
    ]
