"""The conversation as JSON and as Markdown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from tests.core.mirrors import MIRRORS

from bargein.core.items import ContentView, ItemView
from bargein.core.messages import messages
from bargein.core.readable import from_json, to_json, to_markdown
from bargein.errors import LocalValueError
from bargein.sim.episode import run


def said(role: str | None, *content: ContentView, **more: object) -> ItemView:
    given = {"state": "there", "status": "completed"} | more
    return ItemView("X", "message", role, content=content, **given)  # type: ignore[arg-type]  # few kinds


def typed(text: str, **more: object) -> ItemView:
    return said("user", ContentView("input_text", text), **more)


CALL = ItemView(
    "F", "function_call", None, "there", "completed", (), "call_1", "weather", '{"city": "Rome"}'
)
OUTPUT = ItemView("O", "function_call_output", None, "there", None, (), "call_1", None, "Rain")


def test_json_says_what_is_known_and_nothing_else() -> None:
    assert json.loads(to_json((typed("Hello?"),))) == [
        {
            "id": "X",
            "type": "message",
            "role": "user",
            "state": "there",
            "status": "completed",
            "content": [{"kind": "input_text", "text": "Hello?"}],
        }
    ]


def test_json_is_readable_or_a_single_line() -> None:
    assert to_json((typed("Hello?"),)).count("\n") > 5
    assert to_json((typed("Hello?"),), indent=0).count("\n") == 0


@given(MIRRORS)
def test_json_reads_back_to_the_same_items(mirror: tuple[ItemView, ...]) -> None:
    assert from_json(to_json(mirror)) == mirror


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"id": "X"}]', "[" * 100_000])
def test_what_is_no_conversation_is_refused(text: str) -> None:
    with pytest.raises(LocalValueError, match="not a conversation as JSON"):
        from_json(text)


def test_a_message_is_a_paragraph_with_what_is_known_of_its_sound() -> None:
    part = ContentView("output_audio", "Once upon", 700, 700, cut=True, sound_ms=2_000)
    items = (typed("Tell me a story."), said("assistant", part, state="cut", status="incomplete"))
    assert to_markdown(items) == (
        "**User**\n\n> Tell me a story.\n\n"
        "**Assistant** (spoken, 2.0 s; cut at 0.7 s, 0.7 s kept; incomplete)\n\n"
        "> Once upon *\\[interrupted\\]*\n"
    )


def test_a_call_stands_with_its_output_wherever_that_is() -> None:
    assert to_markdown((CALL, typed("And?"), OUTPUT)) == (
        '**Call of `weather`**\n\n```\n{"city": "Rome"}\n```\n\n**Output**\n\n```\nRain\n```\n\n'
        "**User**\n\n> And?\n"
    )


def test_a_call_without_an_output_says_so_and_an_output_without_a_call_is_shown() -> None:
    assert to_markdown((CALL,)).endswith("It has no output.\n")
    assert to_markdown((OUTPUT,)) == "**Output for the call `call_1`**\n\n```\nRain\n```\n"


def test_items_of_an_mcp_server_say_what_they_are() -> None:
    def item(kind: str, **more: object) -> ItemView:
        given = {"name": "find", "payload": "{}", "server_label": "docs"} | more
        return ItemView("M", kind, None, "there", None, **given)  # type: ignore[arg-type]  # few kinds

    listed = item("mcp_list_tools", tools=("find", "read"))
    assert to_markdown((listed,)) == "**Tools of the MCP server `docs`**: `find`, `read`\n"
    made = to_markdown((item("mcp_call", output="A page."),))
    assert made.startswith(
        "**Call of `find` at the MCP server `docs`**\n\n```\n{}\n```\n\n**Output**"
    )
    assert "A page." in made
    assert to_markdown((item("mcp_call", error="It *broke*"),)).endswith("failed: It \\*broke\\*\n")
    asked = to_markdown((item("mcp_approval_request"),))
    assert asked.startswith("**May `find` at the MCP server `docs` be called?**")
    for approve, word in ((True, "approved"), (False, "refused")):
        answer = item("mcp_approval_response", approve=approve)
        assert to_markdown((answer,)) == f"**The call was {word}**\n"
    assert to_markdown((item("strange"),)) == "**An item of the type `strange`**\n"


def test_what_is_on_its_way_or_being_deleted_is_marked() -> None:
    assert to_markdown((typed("Hi", state="coming"),)).startswith("**User** (on its way)")
    assert to_markdown((typed("Hi", state="going"),)).startswith("**User** (being deleted)")


def test_what_the_model_says_beside_its_answer_is_marked() -> None:
    said = (ContentView("output_text", "Let me look."),)
    item = ItemView("a", "message", "assistant", "there", "completed", said, phase="commentary")
    assert to_markdown([item]) == "**Assistant** (commentary)\n\n> Let me look.\n"


def test_words_are_never_markup() -> None:
    shown = to_markdown((typed("# *Big* <b>\n- one\n1. two\n`code`"),))
    assert shown == "**User**\n\n> \\# \\*Big\\* \\<b\\>\n> \\- one\n> 1\\. two\n> \\`code\\`\n"


def test_an_output_cannot_end_its_block_and_a_name_not_its_span() -> None:
    output = ItemView("O", "function_call_output", None, "there", None, (), "c", None, "```\nx")
    assert to_markdown((output,)).endswith("````\n```\nx\n````\n")
    call = ItemView("F", "function_call", None, "there", None, (), "c", "`a`", "")
    assert to_markdown((call,)).startswith("**Call of `` `a` ``**")


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert "\x1b" not in to_markdown((typed("a\x1b[31mred"),))
    assert "a\\\\x1b\\[31mred" in to_markdown((typed("a\x1b[31mred"),))


def test_nothing_is_nothing() -> None:
    assert (to_markdown(()), to_json((), indent=0), messages(())) == ("", "[]", [])


@given(MIRRORS)
def test_every_mirror_can_be_written_down(mirror: tuple[ItemView, ...]) -> None:
    shown = to_markdown(mirror)
    assert all(c.isprintable() or c in "\n\t\u00a0\u202f\u200c\u200d" for c in shown)
    messages(mirror)


@pytest.mark.parametrize("seed", range(24))
def test_every_mirror_of_a_simulated_conversation_can_be_written_down(seed: int) -> None:
    mirror = run(seed).history.final.mirror
    assert from_json(to_json(mirror)) == mirror
    assert to_markdown(mirror).count("**User**") == sum(item.role == "user" for item in mirror)
    messages(mirror)
