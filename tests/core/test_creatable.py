"""What a client may create, refused before anything is sent."""

from __future__ import annotations

import re

import pytest

from bargein import events
from bargein.core.wishes import check
from bargein.errors import LocalValueError


def ref(item_id: str) -> events.Item:
    return events.ItemReference(id=item_id)


def new(text: str, role: str = "user", item_id: str | None = None) -> events.Item:
    part = events.OutputText(text=text) if role == "assistant" else events.InputText(text=text)
    return events.MessageItem(id=item_id, role=role, content=(part,))


def new_output(call_id: str) -> events.Item:
    return events.FunctionCallOutputItem(call_id=call_id, output="rain")


@pytest.mark.parametrize(
    ("wish", "delete", "message"),
    [
        ([ref("a"), ref("a")], (), "wished[1]: 'a' is in the list twice"),
        ([ref("a")], ("a",), "'a' is wished and to be deleted"),
        ([new("x", "tool")], (), "wished[0]: role: 'tool'"),
        ([new("x", item_id="i" * 33)], (), "wished[0]: id: 33 characters"),
        ([new("x" * 256_001)], (), "wished[0]: content[0].text: 256001 characters"),
        ([new_output("")], (), "wished[0]: call_id: empty"),
        (
            [events.MessageItem(role="assistant", content=(events.InputText(text="x"),))],
            (),
            "wished[0]: content[0]: type: 'input_text'; give 'output_text'",
        ),
        (
            [events.MessageItem(role="user", content=(events.InputAudio(),))],
            (),
            "content[0].audio: missing",
        ),
        (
            [events.MessageItem(role="user", content=(events.InputImage(),))],
            (),
            "content[0].image_url: missing",
        ),
        ([events.FunctionCallItem(name="", arguments="{}")], (), "wished[0]: name: empty"),
        ([events.McpListToolsItem(server_label="x", tools=())], (), "type: 'mcp_list_tools'"),
        ([events.ItemReference()], (), "wished[0]: id: missing"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_by_its_place(
    wish: list[events.Item], delete: tuple[str, ...], message: str
) -> None:
    with pytest.raises(LocalValueError, match=re.escape(message)):
        check(wish, delete)


def test_all_that_can_be_created_passes() -> None:
    check(
        [
            new("Be brief.", "system"),
            new("Hi."),
            new("Hello.", "assistant"),
            events.MessageItem(role="user", content=(events.InputAudio(audio=b"\0\0"),)),
            events.FunctionCallItem(name="weather", arguments="{}", call_id="c1"),
            new_output("c1"),
        ]
    )
