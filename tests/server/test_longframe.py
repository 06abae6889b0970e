"""A text message, however it was cut, is the text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.server.longframe import BLOCK_CHARACTERS, LongFrame, Message


def received(data: bytes, cuts: list[int]) -> str | LongFrame:
    message = Message()
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(bounds):
        message.add(data[start:end], final=False)
    message.add(b"", final=True)
    return message.received()


@given(st.text(), st.lists(st.integers(0, 10_000), max_size=8))
def test_a_short_one_is_a_text(text: str, cuts: list[int]) -> None:
    assert received(text.encode(), cuts) == text


@given(st.lists(st.integers(0, 10**9), max_size=8))
def test_a_long_one_is_left_in_blocks(cuts: list[int]) -> None:
    text = "aä€😀" * BLOCK_CHARACTERS
    frame = received(text.encode(), cuts)
    assert len(frame) == len(text)
    if isinstance(frame, LongFrame):
        assert frame.whole() == text
    else:
        assert frame == text and not cuts


def test_tiny_fragments_are_held_in_whole_blocks() -> None:
    message = Message()
    for _ in range(3 * BLOCK_CHARACTERS):
        message.add(b"xy", final=False)
    frame = message.received()
    assert isinstance(frame, LongFrame)
    assert [len(block) for block in frame.blocks] == [BLOCK_CHARACTERS] * 6 + [0]


@pytest.mark.parametrize("data", [b"\xff", b"\xe2\x82"])
def test_what_is_no_utf8_is_told(data: bytes) -> None:
    message = Message()
    with pytest.raises(UnicodeDecodeError):
        message.add(b"ok" + data, final=True)
