"""What a card that is off by so much says of a part: something that could have been."""

from __future__ import annotations

from bargein.audio.part import Part
from bargein.audio.voice import Voice


def test_a_bent_count_is_no_less_than_none_and_no_more_than_came() -> None:
    part = Part(Voice(24_000, 24_000, begin=900))
    bent = [part.bent(n, error) for n, error in ((3, -3), (3, -5), (500, 30), (899, 30), (7, 0))]
    assert bent == [0, 0, 530, 900, 7]
