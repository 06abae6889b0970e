"""The conversation as plain messages, and back to items."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from tests.core.mirrors import MIRRORS, restored

from bargein import events
from bargein.core.items import ContentView, ItemView
from bargein.core.messages import items_of, messages
from bargein.errors import LocalValueError


def said(role: str, *content: ContentView, state: Any = "there", item_id: str = "X") -> ItemView:
    return ItemView(item_id, "message", role, state, "completed", content)


def typed(text: str) -> ItemView:
    return said("user", ContentView("input_text", text))


def spoken(text: str, **more: Any) -> ItemView:
    return said("assistant", ContentView("output_audio", text, **more))


def call(call_id: str | None, name: str = "weather", arguments: str = "{}") -> ItemView:
    return ItemView("F", "function_call", None, "there", "completed", (), call_id, name, arguments)


def output(call_id: str, text: str) -> ItemView:
    return ItemView("O", "function_call_output", None, "there", None, (), call_id, None, text)


def as_call(call_id: str, name: str = "weather", arguments: str = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def as_calls(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def as_output(call_id: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def test_what_was_typed_and_spoken_is_a_message_with_its_text() -> None:
    items = (
        said("system", ContentView("input_text", "Be brief.")),
        typed("Hello?"),
        spoken("Hello."),
    )
    assert messages(items) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
        {"role": "assistant", "content": "Hello."},
    ]


def test_of_what_was_cut_the_words_heard_are_told_with_a_mark() -> None:
    items = (spoken("Once upon ", cut=True, heard_ms=700),)
    assert messages(items) == [{"role": "assistant", "content": "Once upon [interrupted]"}]
    assert messages(items, mark=" (…)")[0]["content"] == "Once upon (…)"
    assert messages(items, mark="")[0]["content"] == "Once upon "


def test_a_reply_of_which_no_word_was_heard_is_the_mark_alone() -> None:
    assert messages((spoken("", cut=True),)) == [{"role": "assistant", "content": "[interrupted]"}]
    assert messages((spoken("", cut=True),), mark="") == []


def test_parallel_calls_share_a_message_and_their_outputs_follow_in_their_order() -> None:
    items = (call("1"), call("2"), typed("And?"), output("2", "two"), output("1", "one"))
    assert messages(items) == [
        as_calls(as_call("1"), as_call("2")),
        as_output("1", "one"),
        as_output("2", "two"),
        {"role": "user", "content": "And?"},
    ]


def test_a_call_behind_the_output_of_another_one_is_a_message_of_its_own() -> None:
    items = (call("1"), output("1", "one"), call("2"), output("2", "two"))
    assert messages(items) == [
        as_calls(as_call("1")),
        as_output("1", "one"),
        as_calls(as_call("2")),
        as_output("2", "two"),
    ]


def test_a_call_without_an_output_and_an_output_without_a_call_are_left_out() -> None:
    assert messages((call("1"), call(None), output("2", "two"))) == []


def test_a_call_of_an_mcp_server_is_told_as_a_call_with_its_output_or_its_error() -> None:
    made = ItemView("M1", "mcp_call", None, "there", None, (), None, "find", "{}", output="A page.")
    failed = ItemView(
        "M2", "mcp_call", None, "there", None, (), None, "find", "{}", error="Broken."
    )
    waits = ItemView("M3", "mcp_call", None, "there", None, (), None, "find", "{}")
    assert messages((made, failed, waits)) == [
        as_calls(as_call("M1", "find"), as_call("M2", "find")),
        as_output("M1", "A page."),
        as_output("M2", "Broken."),
    ]


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (ContentView("input_audio", "", sound_ms=2_340), "[speech of 2.3 s, not transcribed]"),
        (ContentView("input_audio", ""), "[speech, not transcribed]"),
        (ContentView("input_audio", "Hello?", sound_ms=900), "Hello?"),
        (
            ContentView("input_image", "", image_type="image/png", image_bytes=12_345),
            "[image/png, 12,345 bytes]",
        ),
        (ContentView("input_image", ""), "[image]"),
        (ContentView("input_file", ""), "[input_file]"),
    ],
)
def test_sound_without_words_and_images_are_named_by_kind_and_length(
    part: ContentView, name: str
) -> None:
    assert messages((said("user", part),)) == [{"role": "user", "content": name}]


def test_an_image_stands_on_a_line_of_its_own() -> None:
    image = ContentView("input_image", "", image_type="image/png")
    item = said("user", ContentView("input_text", "What is this?"), image)
    assert messages((item,))[0]["content"] == "What is this?\n[image/png]"


def test_texts_of_one_item_stand_behind_each_other() -> None:
    item = said("user", ContentView("input_text", "Hel"), ContentView("input_text", "lo?"))
    assert messages((item,))[0]["content"] == "Hello?"


def test_what_is_on_its_way_is_told_and_what_is_being_deleted_is_not() -> None:
    hello = ContentView("input_text", "Hello?")
    items = (said("user", hello, state="going"), said("user", hello, state="coming"))
    assert messages(items) == [{"role": "user", "content": "Hello?"}]


def test_what_has_no_content_yet_is_left_out() -> None:
    begun = ContentView("output_audio", "")
    assert messages((said("assistant"), said("assistant", begun), typed(""))) == []


@given(MIRRORS)
def test_of_every_mirror_each_call_has_its_output_right_behind(
    mirror: tuple[ItemView, ...],
) -> None:
    waited: list[str] = []
    for message in messages(mirror):
        if message["role"] == "tool":
            assert waited.pop(0) == message["tool_call_id"]
            continue
        assert not waited
        assert message["content"] or message["tool_calls"]
        waited = [made["id"] for made in message.get("tool_calls", ())]
    assert not waited


@given(MIRRORS)
def test_what_is_restored_on_a_new_pipe_is_the_same_text(mirror: tuple[ItemView, ...]) -> None:
    """Ledger, rule 14. What is behind the first mark is not marked again."""
    told = messages(mirror)
    assert messages(restored(items_of(told))) == told


def test_messages_become_the_items_to_create() -> None:
    given: list[dict[str, Any]] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Rain?"}]},
        {"role": "assistant", "content": "I look.", "tool_calls": [as_call("1")]},
        as_output("1", "Rain."),
        {"role": "user", "content": None},
    ]
    assert items_of(given) == (
        events.MessageItem(role="system", content=(events.InputText(text="Be brief."),)),
        events.MessageItem(role="user", content=(events.InputText(text="Rain?"),)),
        events.MessageItem(role="assistant", content=(events.OutputText(text="I look."),)),
        events.FunctionCallItem(call_id="1", name="weather", arguments="{}"),
        events.FunctionCallOutputItem(call_id="1", output="Rain."),
    )


def test_an_image_of_the_users_is_restored() -> None:
    url = "data:image/png;base64,AAAA"
    part = {"type": "image_url", "image_url": {"url": url}}
    (item,) = items_of([{"role": "user", "content": [part]}])
    assert item == events.MessageItem(role="user", content=(events.InputImage(image_url=url),))


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("Hello", "messages[0]: a str; give a mapping"),
        ({"content": "Hello"}, "messages[0].role: None; give"),
        ({"role": "user", "content": 7}, "messages[0].content: a int; give"),
        ({"role": "user", "content": [7]}, "messages[0].content[0]: is no part"),
        (
            {"role": "user", "content": [{"type": "input_audio"}]},
            "messages[0].content[0]: 'input_audio' cannot be restored",
        ),
        (
            {"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": ""}}]},
            "messages[0].content[0]: 'image_url' cannot be restored for assistant",
        ),
        ({"role": "assistant", "tool_calls": "1"}, "messages[0].tool_calls: a str; give a list"),
        ({"role": "assistant", "tool_calls": [{}]}, "messages[0].tool_calls[0]: is no call"),
        (
            {"role": "assistant", "tool_calls": [{"id": 1, "function": {}}]},
            "messages[0].tool_calls[0].id: 1; give a text",
        ),
        ({"role": "tool", "tool_call_id": "9", "content": ""}, "messages[0].tool_call_id: '9' is"),
        ({"role": "tool", "content": ""}, "messages[0].tool_call_id: None; give a text"),
    ],
)
def test_a_message_that_cannot_be_is_refused_by_name(message: Any, error: str) -> None:
    with pytest.raises(LocalValueError) as raised:
        items_of([message])
    assert str(raised.value).startswith(error)
