"""The mirror: the conversation as the service has it, as far as we were told."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from bargein import events
from bargein.core.conversation import EARLY_LIMIT, ITEMS_LIMIT, Conversation
from bargein.core.items import ContentView, ItemView


def message(
    text: str | None = None, *, role: str = "assistant", status: str = "completed"
) -> events.MessageItem:
    content = () if text is None else (events.OutputAudio(transcript=text),)
    return events.MessageItem(id="ignored", role=role, status=status, content=content)


def holding(*item_ids: str) -> Conversation:
    """Items, each behind the one before it."""
    conversation = Conversation()
    previous: str | None = None
    for item_id in item_ids:
        conversation.added(item_id, message(), previous)
        previous = item_id
    return conversation


def ids(conversation: Conversation) -> list[str]:
    return [item.id for item in conversation.items]


def view(conversation: Conversation, item_id: str) -> ItemView:
    return next(item for item in conversation.items if item.id == item_id)


@pytest.mark.parametrize(
    ("previous", "order"),
    [
        ("A", ["A", "X", "B"]),
        ("B", ["A", "B", "X"]),
        (None, ["X", "A", "B"]),
        (UNSET, ["A", "B", "X"]),
        ("unknown", ["A", "B", "X"]),
        ("X", ["A", "B", "X"]),
    ],
)
def test_an_item_is_placed_behind_the_one_it_names(previous: object, order: list[str]) -> None:
    """Null is the start, absent the end, and so is what we do not know or what names itself."""
    conversation = holding("A", "B")
    conversation.added("X", message(), previous)
    assert ids(conversation) == order


def test_an_item_that_is_added_again_moves() -> None:
    conversation = holding("A", "B", "C")
    conversation.added("A", message(), "C")
    assert ids(conversation) == ["B", "C", "A"]
    conversation.added("A", message(), "A")
    assert ids(conversation) == ["B", "C", "A"]


def test_what_we_asked_for_is_coming_then_there() -> None:
    conversation = holding("A")
    conversation.coming("X", message("Hello", role="user"))
    assert [(item.id, item.state) for item in conversation.items] == [
        ("A", "there"),
        ("X", "coming"),
    ]
    assert "X" not in conversation
    conversation.added("X", message(role="user"), None)
    assert [(item.id, item.state) for item in conversation.items] == [
        ("X", "there"),
        ("A", "there"),
    ]
    assert view(conversation, "X").text == "Hello", "the service does not say it again"


def test_what_the_service_refused_is_not_coming() -> None:
    conversation = Conversation()
    conversation.coming("X", message("Hello"))
    conversation.not_coming("X")
    assert ids(conversation) == []


def test_an_item_is_going_until_the_service_says_that_it_is_gone() -> None:
    conversation = holding("A", "B")
    conversation.going("A")
    assert view(conversation, "A").state == "going"
    conversation.deleted("A")
    assert ids(conversation) == ["B"]
    conversation.deleted("A")
    assert ids(conversation) == ["B"]


def test_an_item_whose_deletion_is_refused_stays() -> None:
    conversation = holding("A")
    conversation.going("A")
    conversation.staying("A")
    assert view(conversation, "A").state == "there"


def test_text_grows_by_deltas_and_is_replaced_by_the_whole() -> None:
    conversation = holding("A")
    for word in ("Once", " upon"):
        conversation.heard_text("A", 0, "output_audio", word, final=False)
    assert view(conversation, "A").text == "Once upon"
    conversation.heard_text("A", 0, "output_audio", "Once upon a time", final=True)
    assert view(conversation, "A").text == "Once upon a time"


def test_parts_are_in_the_order_of_their_index_whatever_came_first() -> None:
    conversation = holding("A")
    conversation.heard_text("A", 1, "output_audio", "two", final=True)
    conversation.heard_text("A", 0, "output_text", "one ", final=True)
    assert view(conversation, "A").text == "one two"


def first_word(text: str) -> str:
    return text.partition(" ")[0]


def test_a_cut_leaves_the_words_that_were_heard_with_a_mark() -> None:
    conversation = holding("A")
    conversation.heard_text("A", 0, "output_audio", "Once upon a time in a land", final=True)
    assert conversation.cut("A", 0, 200, first_word) == "Once"
    assert view(conversation, "A").state == "cut"
    assert view(conversation, "A").content == (
        ContentView("output_audio", "Once", 200, None, cut=True),
    )


def test_nothing_that_comes_later_lengthens_the_text_of_a_cut_part() -> None:
    """Rule 11."""
    conversation = holding("A")
    conversation.heard_text("A", 0, "output_audio", "Once upon a time", final=False)
    conversation.cut("A", 0, 1_000, first_word)
    conversation.heard_text("A", 0, "output_audio", " there was", final=False)
    conversation.heard_text("A", 0, "output_audio", "Once upon a time there was", final=True)
    conversation.done("A", message("Once upon a time there was", status="incomplete"))
    assert view(conversation, "A").text == "Once"
    assert view(conversation, "A").status == "incomplete"


def test_what_the_service_keeps_is_shown_beside_what_was_heard() -> None:
    conversation = holding("A")
    conversation.cut("A", 0, 700, first_word)
    part = view(conversation, "A").content[0]
    assert (part.heard_ms, part.kept_ms) == (700, None)
    conversation.truncated("A", 0, 700)
    part = view(conversation, "A").content[0]
    assert (part.heard_ms, part.kept_ms) == (700, 700)


def test_a_call_and_its_output_are_shown_with_what_they_carry() -> None:
    conversation = Conversation()
    call = events.FunctionCallItem(name="weather", call_id="call_1", arguments="", status="x")
    conversation.added("F", call, None)
    whole = events.FunctionCallItem(
        name="weather", call_id="call_1", arguments='{"city":"Rome"}', status="completed"
    )
    conversation.done("F", whole)
    conversation.added("O", events.FunctionCallOutputItem(call_id="call_1", output="Rain"), "F")
    first, second = conversation.items
    assert (first.type, first.name, first.payload) == ("function_call", "weather", whole.arguments)
    assert (second.call_id, second.payload) == ("call_1", "Rain")


def test_what_is_about_an_item_that_was_never_added_changes_nothing() -> None:
    conversation = holding("A")
    conversation.done("Z", message("?"))
    conversation.heard_text("Z", 0, "output_audio", "?", final=True)
    conversation.truncated("Z", 0, 5)
    conversation.going("Z")
    conversation.staying("Z")
    assert conversation.cut("Z", 0, 1, first_word) is None
    assert ids(conversation) == ["A"]


def test_the_mirror_is_bounded_and_the_oldest_go_first() -> None:
    conversation = Conversation()
    for number in range(ITEMS_LIMIT + 2):
        conversation.added(str(number), message(), UNSET)
    found = ids(conversation)
    assert (len(found), found[0], found[-1]) == (ITEMS_LIMIT, "2", str(ITEMS_LIMIT + 1))


def test_an_item_is_shown_with_all_that_is_known_of_it() -> None:
    """Every field of a view, for an item that is coming and one that is there."""
    conversation = Conversation()
    conversation.added("A", message("Hi", role="assistant"), None)
    conversation.coming("X", message("Hello", role="user"))
    assert conversation.items == (
        ItemView(
            "A", "message", "assistant", "there", "completed", (ContentView("output_audio", "Hi"),)
        ),
        ItemView(
            "X", "message", "user", "coming", "completed", (ContentView("output_audio", "Hello"),)
        ),
    )


def test_a_messages_phase_is_kept_though_a_later_event_leaves_it_out() -> None:
    conversation = Conversation()
    begun = events.MessageItem(role="assistant", content=(), phase="commentary")
    conversation.added("A", begun, None)
    conversation.done("A", message("Let me look."))
    assert [item.phase for item in conversation.items] == ["commentary"]


def test_a_call_without_a_call_id_is_shown_without_one() -> None:
    conversation = Conversation()
    call = events.FunctionCallItem(name="weather", arguments="{}", status="completed")
    conversation.added("F", call, None)
    assert conversation.items == (
        ItemView("F", "function_call", None, "there", "completed", (), None, "weather", "{}"),
    )


def test_an_item_without_a_status_or_content_is_shown_by_its_type() -> None:
    conversation = Conversation()
    conversation.added("L", events.McpListToolsItem(server_label="files", tools=()), None)
    listed = ItemView("L", "mcp_list_tools", None, "there", None, server_label="files")
    assert conversation.items == (listed,)


def test_a_part_without_a_text_or_transcript_is_shown_by_its_kind() -> None:
    conversation = Conversation()
    image = events.InputImage(image_url="data:")
    item = events.MessageItem(role="user", content=(image,))
    conversation.added("U", item, None)
    assert view(conversation, "U").content == (ContentView("input_image", ""),)


@pytest.mark.parametrize("kind", ["output_audio", "output_text", "input_audio"])
def test_a_part_that_is_first_known_by_its_words_is_of_the_kind_that_they_are(kind: str) -> None:
    conversation = holding("A")
    conversation.heard_text("A", 0, kind, "Once", final=False)
    assert view(conversation, "A").content == (ContentView(kind, "Once"),)


def test_a_part_that_is_first_known_by_its_cut_is_spoken() -> None:
    """Whatever cuts it: the player's count, its want of any sound, or the service's word."""
    conversation = holding("A")
    conversation.cut("A", 0, 700, first_word)
    conversation.unheard("A", 1)
    conversation.truncated("A", 2, 300)
    assert view(conversation, "A").content == (
        ContentView("output_audio", "", 700, None, cut=True),
        ContentView("output_audio", "", 0, None, cut=True),
        ContentView("output_audio", "", None, 300, cut=True),
    )


def test_nothing_lengthens_the_text_of_a_part_that_the_service_has_truncated() -> None:
    """Rule 11, where the application truncated it: the words that are left are not known."""
    conversation = holding("A")
    conversation.heard_text("A", 0, "output_audio", "Once upon a time", final=False)
    conversation.truncated("A", 0, 700)
    conversation.heard_text("A", 0, "output_audio", " there was", final=False)
    conversation.done("A", message("Once upon a time there was"))
    assert view(conversation, "A").text == "Once upon a time"


def test_an_item_that_is_added_again_keeps_what_is_known_of_it() -> None:
    conversation = holding("A", "B")
    conversation.heard_text("A", 0, "output_audio", "Once upon a time", final=True)
    conversation.cut("A", 0, 1_000, first_word)
    conversation.added("A", message(), "B")
    moved = view(conversation, "A")
    assert (moved.state, moved.text) == ("cut", "Once")


def test_what_was_never_asked_for_may_be_refused() -> None:
    conversation = holding("A")
    conversation.not_coming("Z")
    assert ids(conversation) == ["A"]


def test_a_server_announces_its_items_with_the_first_that_it_adds() -> None:
    conversation = Conversation()
    assert conversation.announced is False
    conversation.added("A", message(), None)
    assert conversation.announced is True


def said(conversation: Conversation, item_id: str) -> str:
    (content,) = view(conversation, item_id).content
    return content.text


def user_audio() -> events.MessageItem:
    content = (events.InputAudio(transcript=None),)
    return events.MessageItem(id="ignored", role="user", status="completed", content=content)


def test_what_is_said_before_its_item_is_there_is_its_beginning() -> None:
    conversation = holding("A")
    conversation.heard_early("U", 0, " Hello")
    conversation.heard_early("U", 0, " you")
    conversation.added("U", user_audio(), "A")
    conversation.heard_text("U", 0, "input_audio", " there", final=False)
    assert said(conversation, "U") == " Hello you there"


def test_what_was_said_for_an_item_that_never_came_is_not_another_s() -> None:
    conversation = holding("A")
    conversation.heard_early("U", 0, "Hello")
    conversation.heard_early("V", 0, "Bye")
    conversation.added("U", user_audio(), "A")
    conversation.added("V", user_audio(), "U")
    assert (said(conversation, "U"), said(conversation, "V")) == ("", "Bye")


def test_what_is_said_too_early_is_bounded() -> None:
    conversation = holding("A")
    for _ in range(3):
        conversation.heard_early("U", 0, "x" * EARLY_LIMIT)
    conversation.added("U", user_audio(), "A")
    assert len(said(conversation, "U")) == EARLY_LIMIT
