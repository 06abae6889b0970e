"""docs/dialects.md is what the client does; `scripts/dialects.py` writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bargein.capabilities import Capabilities
from bargein.lab.dialects.page import UNUSUAL, page, shown
from bargein.lab.dialects.scene import Effect, effects
from bargein.lab.dialects.servers import SERVERS

FILE = Path(__file__).parents[3] / "docs" / "dialects.md"


def test_the_page_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == page(), "run python scripts/dialects.py"


def test_every_capability_has_its_row_or_its_word() -> None:
    measured = {name.partition("=")[0] for name in UNUSUAL}
    assert measured | {"dialect", "media", "playback_owner"} == {*Capabilities.__struct_fields__}
    for name, (can, _) in UNUSUAL.items():
        assert shown(can) == f"Capabilities({name})"


def test_a_usual_server_is_sent_one_truncate_and_one_delete() -> None:
    talked_over, stopped = effects(Capabilities(), known=True)
    assert talked_over == Effect(
        ("truncate A to 1010", "delete B"), 0, "exact (A truncated, B deleted)", 0
    )
    assert stopped.sent == ("cancel", "truncate A to 1010", "delete B")


@pytest.mark.parametrize("name", UNUSUAL)
def test_a_client_that_was_told_is_refused_nothing_and_waits_for_nothing(name: str) -> None:
    can, _ = UNUSUAL[name]
    for effect in effects(can, known=True):
        assert (effect.refused, effect.waited_ms) == (0, 0)


@pytest.mark.parametrize("name", UNUSUAL)
def test_one_that_was_not_told_is_refused_something_or_waits(name: str) -> None:
    can, _ = UNUSUAL[name]
    assert any(effect.refused or effect.waited_ms for effect in effects(can, known=False))


def test_what_known_servers_begin_with_can_be_driven() -> None:
    assert len({each.name for each in SERVERS}) == len(SERVERS) > 8
    text = page()
    for each in SERVERS:
        assert f"| {each.name} | {each.where} |" in text
