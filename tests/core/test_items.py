"""What is known of one item of the mirror: calls of MCP servers, and how long sound is."""

from __future__ import annotations

import base64

import pytest
from tests.scenarios.rig import Talk

from bargein import events
from bargein.core import asks
from bargein.core.conversation import LENGTHS_LIMIT, Conversation
from bargein.core.items import ContentView, ItemView
from bargein.units import AudioFormat


def shown(item: events.Item, *more: events.Item) -> ItemView:
    """The item as it is added, and then as it is done."""
    conversation = Conversation()
    conversation.added("X", item, None)
    for each in more:
        conversation.done("X", each)
    return conversation.items[0]


def call(**more: object) -> events.McpCallItem:
    return events.McpCallItem(server_label="docs", name="find", arguments="{}", **more)  # type: ignore[arg-type]  # several kinds


def test_a_call_of_an_mcp_server_is_shown_with_what_it_gave() -> None:
    found = shown(call(approval_request_id="R"), call(output="Two pages."))
    assert found == ItemView(
        "X",
        "mcp_call",
        None,
        "there",
        None,
        name="find",
        payload="{}",
        server_label="docs",
        output="Two pages.",
        request_id="R",
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (events.McpError(type="http_error", code=500, message="Broken."), "Broken."),
        (events.McpError(type="http_error"), "http_error"),
        ("Broken.", "Broken."),
        (events.McpError(), None),
    ],
)
def test_a_call_that_failed_says_why(error: events.McpError | str, said: str | None) -> None:
    assert shown(call(error=error)).error == said


def test_the_tools_of_a_server_are_shown_by_name() -> None:
    tools = tuple(events.McpListedTool(name=name) for name in ("find", "read"))
    listed = shown(events.McpListToolsItem(server_label="docs", tools=tools))
    assert (listed.server_label, listed.tools) == ("docs", ("find", "read"))


def test_an_approval_is_shown_with_its_question_and_its_answer() -> None:
    asked = shown(events.McpApprovalRequestItem(server_label="docs", name="find", arguments="{}"))
    assert (asked.server_label, asked.name, asked.payload) == ("docs", "find", "{}")
    answered = shown(events.McpApprovalResponseItem(approval_request_id="R", approve=False))
    assert (answered.request_id, answered.approve) == ("R", False)


@pytest.mark.parametrize(
    ("url", "kind", "size"),
    [
        ("data:image/png;base64," + base64.b64encode(bytes(1_000)).decode(), "image/png", 1_000),
        ("data:image/jpeg;base64," + base64.b64encode(bytes(1_001)).decode(), "image/jpeg", 1_001),
        ("data:image/svg+xml,abc", "image/svg+xml", 3),
        ("https://example.org/a.png", None, None),
        ("", None, None),
    ],
)
def test_an_image_is_shown_by_its_type_and_size(
    url: str, kind: str | None, size: int | None
) -> None:
    content = (events.InputImage(image_url=url),)
    part = shown(events.MessageItem(role="user", content=content)).content[0]
    assert part == ContentView("input_image", "", image_type=kind, image_bytes=size)


@pytest.mark.parametrize(("format", "ms"), [(AudioFormat.PCM, 100), (AudioFormat.PCMU, 600)])
def test_sound_that_the_application_sends_is_shown_by_its_length(
    format: AudioFormat, ms: int
) -> None:
    conversation = Conversation()
    conversation.input_format = format
    content = (events.InputAudio(audio=bytes(4_800)),)
    conversation.coming("X", events.MessageItem(role="user", content=content))
    assert conversation.items[0].content == (ContentView("input_audio", "", sound_ms=ms),)


def turn_is_added(talk: Talk) -> None:
    content = [{"type": "input_audio", "transcript": None}]
    item = {"id": "U", "type": "message", "role": "user", "content": content}
    talk.receive("conversation.item.added", item=item, previous_item_id=None)


def test_a_turn_that_was_detected_is_as_long_as_the_service_says() -> None:
    talk = Talk()
    talk.receive("input_audio_buffer.speech_started", item_id="U", audio_start_ms=1_460)
    talk.receive("input_audio_buffer.speech_stopped", item_id="U", audio_end_ms=4_256)
    talk.receive("input_audio_buffer.committed", item_id="U", previous_item_id=None)
    turn_is_added(talk)
    assert talk.mirrored("U").content == (ContentView("input_audio", "", sound_ms=2_796),)


def test_a_turn_of_silence_is_as_long_as_the_service_says() -> None:
    talk = Talk()
    turn_is_added(talk)
    talk.receive(
        "input_audio_buffer.timeout_triggered", item_id="U", audio_start_ms=0, audio_end_ms=6_000
    )
    assert talk.mirrored("U").content[0].sound_ms == 6_000


def test_a_turn_by_the_button_is_as_long_as_what_was_sent_of_it() -> None:
    """With what was said before the press, and without what was captured after the release."""
    talk = Talk(None, push_to_talk=True, pre_roll_ms=200)
    talk.capture(500)
    talk.ask(asks.Press())
    talk.capture(300)
    talk.ask(asks.Release())
    talk.capture(400)
    talk.receive("input_audio_buffer.cleared")
    talk.receive("input_audio_buffer.committed", item_id="U", previous_item_id=None)
    turn_is_added(talk)
    assert talk.mirrored("U").content[0].sound_ms == 500


def test_a_reply_is_as_long_as_the_sound_that_came() -> None:
    talk = Talk()
    talk.speaking(ms=2_000)
    assert talk.mirrored("A").content == ()
    talk.words("A", "Once upon a time")
    talk.audio_done("A")
    assert talk.mirrored("A").content[0].sound_ms == 2_000


def test_lengths_of_turns_that_are_never_added_are_forgotten() -> None:
    conversation = Conversation()
    for number in range(LENGTHS_LIMIT + 1):
        conversation.spoken(str(number), 100)
    for number in (0, 1):
        conversation.added(str(number), events.MessageItem(role="user", content=()), None)
    assert [part.sound_ms for item in conversation.items for part in item.content] == [100]
