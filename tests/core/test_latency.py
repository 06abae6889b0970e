"""When was the sound captured that made the service say `speech_started`?"""

from __future__ import annotations

from bargein.core.latency import CHUNKS_LIMIT, MicrophoneClock

RATE = 24_000


def clock(chunks: int, *, began_us: int = 0, ms: int = 20) -> MicrophoneClock:
    """Chunks of 20 ms that were captured as they should be."""
    made = MicrophoneClock()
    for number in range(1, chunks + 1):
        made.appended(RATE * ms // 1_000, began_us + number * ms * 1_000)
    return made


def test_a_place_in_the_sound_is_the_moment_at_which_it_was_captured() -> None:
    assert clock(10, began_us=5_000_000).captured_us(100, RATE) == 5_100_000


def test_a_place_inside_a_chunk_was_captured_before_its_end() -> None:
    assert clock(10).captured_us(101, RATE) == 101_000


def test_a_stall_of_the_microphone_moves_what_comes_after_it() -> None:
    made = clock(5)
    made.appended(480, 1_000_000)
    assert made.captured_us(100, RATE) == 100_000
    assert made.captured_us(120, RATE) == 1_000_000


def test_sound_that_was_not_sent_yet_has_no_moment() -> None:
    assert clock(10).captured_us(201, RATE) is None
    assert MicrophoneClock().captured_us(0, RATE) is None


def test_sound_that_was_forgotten_has_no_moment() -> None:
    made = clock(CHUNKS_LIMIT + 100)
    assert made.captured_us(100, RATE) is None
    recent_ms = (CHUNKS_LIMIT + 50) * 20
    assert made.captured_us(recent_ms, RATE) == recent_ms * 1_000


def test_a_moment_is_a_whole_microsecond() -> None:
    made = MicrophoneClock()
    made.appended(100, 20_000)
    assert repr(made.captured_us(4, RATE)) == "19834"
