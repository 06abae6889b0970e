"""What was under the playhead at a cut, and who ended the response."""

from __future__ import annotations

import pytest
from tests.sim.coverage.drama import Drama, met_by, part_record
from tests.sim.tale import MS

from bargein.core import notices
from bargein.sim.coverage.cuts import CUTS, Place, end_of, place_of

_SECOND = 1_000 * MS
_HALF = part_record("1", heard=_SECOND // 2)
_WHOLE = part_record("1", heard=_SECOND)
_UNHEARD = part_record("1")
_LATER = part_record("1", heard=9, item="item_2")
_SECOND_PART = part_record("1", index=1, heard=9)


def _told(*parts: notices.PartRecord, response: str = "resp_1") -> notices.Interruption:
    ids = (response,) if response else ()
    return notices.Interruption("cut_1", ("interrupt",), ids, 0, parts, 0, None)


@pytest.mark.parametrize(
    ("told", "done", "place"),
    [
        (_told(response=""), True, "before created"),
        (_told(), False, "before the first sound"),
        (_told(_UNHEARD), False, "before the first sound"),
        (_told(_HALF), False, "first item"),
        (_told(_HALF, part_record("1", item="item_2")), False, "first item"),
        (_told(_WHOLE, _LATER), False, "later item"),
        (_told(_WHOLE, _SECOND_PART), False, "second part"),
        (_told(_HALF), True, "after response.done"),
        (_told(_WHOLE), False, "all heard so far"),
    ],
)
def test_a_cut_has_one_place(told: notices.Interruption, done: bool, place: Place) -> None:
    assert place_of(told, done=done) == place


def test_our_cancel_counts_before_the_servers() -> None:
    cancelled = Drama().settlement("1", sent=("response.cancel",))
    silent = Drama().settlement("1")

    assert end_of(cancelled, by_server=True) == "we cancel"
    assert end_of(silent, by_server=True) == "server cancels"
    assert end_of(silent, by_server=False) == "over already"


def test_a_cut_is_counted_by_its_place_and_by_its_end_once_each() -> None:
    def tell(drama: Drama) -> None:
        drama.do("sounds:1")
        drama.notify(drama.record("1", ("typed", "speech"), _HALF))
        drama.notify(drama.settlement("1", ("typed", "speech"), sent=("response.cancel",)))
        drama.notify(drama.settlement("1", ("typed", "speech"), sent=("response.cancel",)))

    assert met_by(tell).cuts == {"typed: first item": 1, "typed: we cancel": 1}


def test_kinds_that_cannot_happen_have_no_name() -> None:
    assert "speech: server cancels" in CUTS
    assert "typed: server cancels" not in CUTS
    assert [name for name in CUTS if name.startswith("service")] == [
        "service: before the first sound",
        "service: all heard so far",
        "service: over already",
    ]
