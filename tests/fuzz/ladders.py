"""Whether the events of the responses come in an order that the service knows (protocol.md §4).

What is not named here may come at any time: this judges what is opened and closed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]


@dataclass(slots=True)
class _Part:
    kind: str
    text: str = ""
    stages: list[str] = field(default_factory=list)
    closed: bool = False


@dataclass(slots=True)
class _Item:
    id: str
    kind: str
    parts: list[_Part] = field(default_factory=list)
    arguments: str = ""
    arguments_done: bool = False
    in_conversation: list[str] = field(default_factory=list)
    closed: bool = False


@dataclass(slots=True)
class _Response:
    in_band: bool
    items: list[_Item] = field(default_factory=list)


class Ladders:
    """All responses of one session."""

    def __init__(self) -> None:
        self.open: dict[str, _Response] = {}
        self.ended: set[str] = set()

    def see(self, event: Event) -> None:
        """Raises AssertionError for an event that may not come now."""
        name = event["type"]
        if name == "response.created":
            self._created(event["response"])
        elif name == "response.done":
            self._done(event["response"])
        elif name.startswith("response.") and "response_id" in event:
            assert event["response_id"] in self.open, f"{name} outside of its response"
            self._step(name.removeprefix("response."), event, self.open[event["response_id"]])
        elif name in ("conversation.item.added", "conversation.item.done"):
            for response in self.open.values():
                for item in response.items:
                    if item.id == event["item"]["id"]:
                        item.in_conversation.append(name)

    def _created(self, shown: Event) -> None:
        assert shown["id"] not in self.open and shown["id"] not in self.ended, "created twice"
        assert shown["status"] == "in_progress" and shown["output"] == []
        in_band = shown["conversation_id"] is not None
        assert not (in_band and any(r.in_band for r in self.open.values())), "two in the default"
        self.open[shown["id"]] = _Response(in_band)

    def _done(self, shown: Event) -> None:
        response = self.open.pop(shown["id"])
        self.ended.add(shown["id"])
        assert shown["status"] in ("completed", "cancelled", "failed", "incomplete")
        assert [item["id"] for item in shown["output"]] == [item.id for item in response.items]
        assert all(item.closed for item in response.items), "an item stays open"
        if shown["status"] == "completed":
            assert all(item.get("status", "completed") == "completed" for item in shown["output"])

    def _step(self, step: str, event: Event, response: _Response) -> None:
        items = response.items
        if step == "output_item.added":
            item = event["item"]
            assert event["output_index"] == len(items)
            assert item.get("status", "in_progress") == "in_progress"  # Those of MCP have none.
            items.append(_Item(item["id"], item["type"]))
            return
        item = items[event["output_index"]]
        assert not item.closed, f"{step} behind the item's end"
        assert event.get("item_id", item.id) == item.id
        expected = ["conversation.item.added"] if response.in_band else []
        if step == "output_item.done":
            expected += ["conversation.item.done"] if response.in_band else []
            assert all(part.closed for part in item.parts)
            assert item.kind not in ("function_call", "mcp_call") or item.arguments_done
            item.closed = True
        assert item.in_conversation == expected, (step, item.in_conversation)
        if "content_index" in event:
            _part_step(step, event, item)
        elif step in ("function_call_arguments.delta", "mcp_call_arguments.delta"):
            assert not item.arguments_done
            item.arguments += event["delta"]
        elif step in ("function_call_arguments.done", "mcp_call_arguments.done"):
            assert not item.arguments_done and event["arguments"] == item.arguments
            item.arguments_done = True


_STAGES = {
    "audio": ["output_audio.done", "output_audio_transcript.done"],
    "text": ["output_text.done"],
}


def _part_step(step: str, event: Event, item: _Item) -> None:
    if step == "content_part.added":
        assert item.kind == "message" and event["content_index"] == len(item.parts)
        assert all(part.closed for part in item.parts), "two parts are open"
        item.parts.append(_Part(event["part"]["type"]))
        return
    part = item.parts[event["content_index"]]
    assert not part.closed, f"{step} behind the part's end"
    if step in ("output_text.delta", "output_audio_transcript.delta"):
        assert (part.kind == "text") is (step == "output_text.delta") and not part.stages
        assert len(event["delta"]) >= 16 or len(event["delta"] + event["obfuscation"]) == 16
        part.text += event["delta"]
    elif step == "output_audio.delta":
        assert part.kind == "audio" and not part.stages
    elif step == "content_part.done":
        assert part.stages == _STAGES[part.kind]
        assert event["part"].get("transcript", event["part"].get("text")) == part.text
        part.closed = True
    else:
        part.stages.append(step)
        assert event.get("transcript", event.get("text", part.text)) == part.text
