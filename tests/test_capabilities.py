"""What a server can do, and the file that says so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bargein.capabilities import FILE_FORMAT, Capabilities, from_file
from bargein.errors import LocalValueError


def file(given: Any = (), **more: Any) -> str:
    return json.dumps({"format": FILE_FORMAT, "capabilities": dict(given), **more})


def test_a_file_says_only_what_is_unusual() -> None:
    assert from_file(file({"truncate": False, "interrupts": "never"}, server="x")) == Capabilities(
        truncate=False, interrupts="never"
    )
    assert from_file(file()) == Capabilities()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "is not JSON"),
        ("[]", "'format' must be 'bargein-capabilities/1'"),
        (json.dumps({"format": "other"}), "'format' must be"),
        (json.dumps({"format": FILE_FORMAT}), "capabilities: is missing"),
        (file({"truncates": True}), "capabilities.truncates: is unknown; known are playback_owner"),
        (file({"truncate": "yes"}), r"capabilities: Expected `bool`, got `str` - at `\$.truncate`"),
        (file({"interrupts": "often"}), "capabilities: Invalid enum value 'often'"),
    ],
)
def test_a_file_that_cannot_be_is_refused_by_the_name_of_its_field(text: str, named: str) -> None:
    with pytest.raises(LocalValueError, match=named):
        from_file(text)


def test_what_is_usual_is_not_shown_of_later_fields() -> None:
    """The digests of the simulator's episodes are over this text."""
    assert "interrupts" not in repr(Capabilities())
    assert "interrupts='never'" in repr(Capabilities(interrupts="never"))
