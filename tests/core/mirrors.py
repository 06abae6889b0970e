"""Mirrors of all kinds, drawn: what a service may have said of its items."""

from __future__ import annotations

from hypothesis import strategies as st

from bargein import events
from bargein.core.conversation import Conversation
from bargein.core.items import ContentView, ItemView

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
PERHAPS = st.none() | TEXT
LENGTH = st.none() | st.integers(0, 100_000)
KINDS = ("input_text", "output_text", "input_audio", "output_audio", "input_image", "strange")
TYPES = (
    "message",
    "message",
    "message",
    "function_call",
    "function_call",
    "function_call_output",
    "mcp_call",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "strange",
)

CONTENT = st.builds(
    ContentView,
    st.sampled_from(KINDS),
    TEXT,
    LENGTH,
    LENGTH,
    st.booleans(),
    LENGTH,
    PERHAPS,
    LENGTH,
)
ITEM = st.builds(
    ItemView,
    TEXT,
    st.sampled_from(TYPES),
    st.sampled_from(["user", "assistant", "system", "strange", None]),
    st.sampled_from(["coming", "there", "cut", "going"]),
    st.sampled_from(["in_progress", "completed", "incomplete", None]),
    st.lists(CONTENT, max_size=3).map(tuple),
    st.sampled_from(["call_1", "call_2", "call_3", None]),
    PERHAPS,
    PERHAPS,
    PERHAPS,
    PERHAPS,
    PERHAPS,
    st.lists(TEXT, max_size=2).map(tuple),
    PERHAPS,
    st.none() | st.booleans(),
)
MIRRORS = st.lists(ITEM, max_size=8).map(tuple)


def restored(items: tuple[events.Item, ...]) -> tuple[ItemView, ...]:
    """The mirror of a new session in which these items were created."""
    conversation = Conversation()
    previous: str | None = None
    for number, item in enumerate(items):
        item_id = f"item_{number}"
        conversation.coming(item_id, item)
        conversation.added(item_id, item, previous)
        previous = item_id
    return conversation.items
