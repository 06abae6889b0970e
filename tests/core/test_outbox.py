"""The order in which things leave when the socket cannot keep up."""

from __future__ import annotations

from bargein import events
from bargein.core.commands import Command, Send, SendAudio
from bargein.core.outbox import Outbox
from bargein.units import AudioFormat

TRUNCATE = events.ConversationItemTruncate(item_id="A", content_index=0, audio_end_ms=1)
DELETE = events.ConversationItemDelete(item_id="B")
CANCEL = events.ResponseCancel(response_id="r1")
SILENCE = events.OutputAudioBufferClear()
COMMIT = events.InputAudioBufferCommit()
CLEAR = events.InputAudioBufferClear()
CREATE = events.ResponseCreate()


def sound(ms: int, value: int = 0) -> bytes:
    return bytes([value]) * (48 * ms)


def blocked(limit_ms: int = 1_000) -> Outbox:
    outbox = Outbox(limit_ms)
    outbox.block()
    return outbox


def left(commands: list[Command]) -> list[object]:
    """Events as they are, sound by its first byte."""
    found: list[object] = []
    for command in commands:
        match command:
            case Send(event=event):
                found.append(event)
            case SendAudio(audio=audio):
                found.append(audio[0])
            case _:
                raise AssertionError(command)
    return found


def test_while_the_socket_takes_everything_leaves_at_once() -> None:
    outbox = Outbox(1_000)
    assert left(outbox.put(COMMIT)) == [COMMIT]
    assert left(outbox.put_audio(sound(20, 7))) == [7]
    assert outbox.drain() == []


def test_truncate_cancel_delete_and_output_clear_overtake_sound_in_their_own_order() -> None:
    outbox = blocked()
    outbox.put_audio(sound(20, 1))
    for event in (CREATE, CANCEL, TRUNCATE, DELETE, SILENCE):
        assert outbox.put(event) == []
    assert left(outbox.drain()) == [CANCEL, TRUNCATE, DELETE, SILENCE, 1, CREATE]


def test_a_commit_closes_exactly_the_sound_before_it() -> None:
    outbox = blocked()
    outbox.put_audio(sound(20, 1))
    outbox.put(COMMIT)
    outbox.put_audio(sound(20, 2))
    assert left(outbox.drain()) == [1, COMMIT, 2]


def test_a_clear_discards_the_sound_before_it_and_leaves_the_rest() -> None:
    outbox = blocked()
    outbox.put_audio(sound(20, 1))
    outbox.put(CREATE)
    outbox.put_audio(sound(20, 2))
    outbox.put(CLEAR)
    outbox.put_audio(sound(20, 3))
    assert left(outbox.drain()) == [CREATE, CLEAR, 3]


def test_a_clear_reaches_back_to_the_last_waiting_commit() -> None:
    outbox = blocked()
    outbox.put_audio(sound(20, 1))
    outbox.put(COMMIT)
    outbox.put_audio(sound(20, 2))
    outbox.put(CLEAR)
    assert left(outbox.drain()) == [1, COMMIT, CLEAR]


def test_the_oldest_sound_goes_first_and_is_counted_in_samples() -> None:
    outbox = blocked(limit_ms=100)
    for value in range(8):
        outbox.put_audio(sound(20, value))
    assert outbox.dropped == 3 * 480
    assert left(outbox.drain()) == [3, 4, 5, 6, 7]


def test_exactly_the_limit_may_wait() -> None:
    outbox = blocked(limit_ms=300)
    for value in (1, 2, 3):
        outbox.put_audio(sound(100, value))
    assert outbox.dropped == 0
    outbox.put_audio(b"\4\4")
    assert outbox.dropped == 2_400


def test_what_was_discarded_by_a_clear_makes_room_and_is_not_counted_as_dropped() -> None:
    outbox = blocked(limit_ms=100)
    outbox.put_audio(sound(100, 1))
    outbox.put(CLEAR)
    outbox.put_audio(sound(100, 2))
    assert outbox.dropped == 0
    assert left(outbox.drain()) == [CLEAR, 2]


def test_after_a_drain_the_bound_begins_anew() -> None:
    outbox = blocked(limit_ms=100)
    outbox.put_audio(sound(100, 1))
    outbox.drain()
    outbox.block()
    outbox.put_audio(sound(100, 2))
    assert outbox.dropped == 0


def test_the_bound_is_time_whatever_the_format() -> None:
    outbox = Outbox(300)
    outbox.use_format(AudioFormat.PCMU)
    outbox.block()
    for _ in range(3):
        outbox.put_audio(bytes(800))
    assert outbox.dropped == 0
    outbox.put_audio(bytes(1))
    assert outbox.dropped == 800


def test_sound_that_waits_in_another_format_is_thrown_away() -> None:
    outbox = blocked()
    outbox.put_audio(sound(20, 1))
    outbox.put(COMMIT)
    outbox.put_audio(sound(20, 2))
    outbox.use_format(AudioFormat.PCM)
    outbox.use_format(AudioFormat.PCMA)
    assert left(outbox.drain()) == [COMMIT]


def test_when_the_pipe_has_ended_nothing_waits_and_nothing_leaves() -> None:
    outbox = blocked()
    outbox.put_audio(sound(20, 1))
    outbox.put(TRUNCATE)
    outbox.shut()
    assert outbox.drain() == []
    assert outbox.put(TRUNCATE) == []
    assert outbox.put_audio(sound(20, 1)) == []


def test_a_cancel_that_waits_is_withdrawn_by_its_response() -> None:
    """Rule 9: none after `response.done`, also when the socket was what held it up."""
    outbox = blocked()
    other = events.ResponseCancel(response_id="r2")
    outbox.put(CANCEL)
    outbox.put(other)
    assert outbox.withdraw_cancel("r1") == CANCEL
    assert outbox.withdraw_cancel("r1") is None
    assert left(outbox.drain()) == [other]


def test_what_a_waiting_commit_needs_is_not_thrown_away() -> None:
    """The service refuses a commit of less than 100 ms."""
    outbox = blocked(limit_ms=300)
    for value in range(1, 11):
        outbox.put_audio(sound(20, value))
    outbox.put(COMMIT)
    for value in range(11, 31):
        outbox.put_audio(sound(20, value))
    assert left(outbox.drain()) == [6, 7, 8, 9, 10, COMMIT, *range(21, 31)]
    assert outbox.dropped == 15 * 20 * 24


def test_where_all_that_waits_is_needed_nothing_is_thrown_away() -> None:
    outbox = blocked(limit_ms=100)
    for _ in range(2):
        outbox.put_audio(sound(100))
        outbox.put(COMMIT)
    assert len(outbox.drain()) == 4
    assert outbox.dropped == 0


def test_after_the_end_no_socket_is_full() -> None:
    outbox = Outbox(10_000)
    outbox.shut()
    outbox.block()
    assert not outbox.blocked
