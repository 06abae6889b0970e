"""What a card holds: it leaves on the ear's axis, sample for sample, and ends when it has left."""

from __future__ import annotations

import numpy as np

from bargein.audio.flight import Flight
from bargein.audio.ring import Span

BLOCK = np.arange(1, 11, dtype=np.int16)
SPANS = (Span("a", 0, 0, 4), Span("b", 0, 4, 6))


def test_what_has_left_to_its_end_leaves_no_empty_piece_behind() -> None:
    flight = Flight(0)
    flight.take(0, BLOCK, SPANS)
    assert [(piece.mark, len(piece.pcm)) for piece in flight.leave(4)] == [("a", 4)]
    assert [(piece.mark, piece.frame) for piece in flight.leave(5)] == [("b", 4)]
    assert [(mark, list(pcm)) for mark, pcm in flight.drop()] == [("b", [6, 7, 8, 9, 10])]


def test_it_is_empty_from_the_frame_at_which_the_last_block_has_sounded() -> None:
    flight = Flight(100)
    flight.take(0, BLOCK, SPANS)
    seen = []
    for left in (0, 9, 10):
        flight.leave(left)
        seen.append(flight.empty)
    assert seen == [False, False, True]
    assert Flight(100).empty


def test_a_card_that_was_emptied_holds_nothing() -> None:
    flight = Flight(0)
    flight.take(0, BLOCK, SPANS)
    flight.drop()
    assert flight.empty
    assert (flight.holds("a"), flight.drop()) == (0, [])
