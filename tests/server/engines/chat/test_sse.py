"""Server-sent events in pieces of any length."""

from __future__ import annotations

import pytest

from bargein.server.engines.chat.sse import EventReader, TooLongError

STREAM = (
    b": hello\n\ndata: one\r\ndata:two\n\nevent: x\nid: 7\n\ndata: {\xc3\xa9}\r\rdata:  three\n\n"
)
EVENTS = ["one\ntwo", "{é}", " three"]


def read(*pieces: bytes) -> list[str]:
    reader = EventReader(1_000)
    return [event for piece in pieces for event in reader.push(piece)] + reader.flush()


@pytest.mark.parametrize("size", range(1, 40))
def test_pieces_of_any_length_give_the_same_events(size: int) -> None:
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert read(*pieces) == EVENTS


def test_an_event_is_given_as_soon_as_it_is_whole() -> None:
    reader = EventReader(1_000)
    assert [reader.push(piece) for piece in (b"data: a", b"\n", b"\n", b"data: b\n\n")] == [
        [],
        [],
        ["a"],
        ["b"],
    ]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r"])
def test_the_last_event_may_lack_its_empty_line(end: bytes) -> None:
    assert read(b"data: a" + end) == ["a"]


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert read(b"data: \xff\n\n") == ["\N{REPLACEMENT CHARACTER}"]


@pytest.mark.parametrize("piece", [b"x" * 100, b"data: " + b"x" * 93 + b"\n", b"data: xxxx\n"])
def test_an_event_without_end_is_refused(piece: bytes) -> None:
    reader = EventReader(400)
    with pytest.raises(TooLongError):
        for _ in range(200):
            reader.push(piece)
