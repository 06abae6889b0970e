"""One item of the mirror: what is known of it, and the view that is shown.

1. Of sound and images the mirror keeps the kind and the length, never the bytes. How long a
   message was spoken is known from the service's word on where it began and ended, from what was
   sent between press and release, or from the sound that came.
2. What an event leaves out is not taken away: the service shows no transcript of what it has just
   transcribed, and an empty list of parts of an item that it begins.
3. A part that is cut is frozen: no event changes its text again (ledger, rule 11).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from bargein import events
from bargein.units import AudioFormat, ms_floor

State = Literal["coming", "there", "cut", "going"]


class ContentView(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One content part: its wire kind, its text or transcript, and what is kept of its sound."""

    kind: str
    text: str
    heard_ms: int | None = None
    kept_ms: int | None = None
    cut: bool = False
    """Its sound was cut, and the text are the words heard of it. Nothing lengthens it again."""
    sound_ms: int | None = None
    """How long it was spoken, where that is known: what was said, or what came to be heard."""
    image_type: str | None = None
    """Of an image that came with its bytes: `image/png`."""
    image_bytes: int | None = None


class ItemView(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One item of the conversation, as it stands now."""

    id: str
    type: str
    role: str | None
    state: State
    status: str | None
    content: tuple[ContentView, ...] = ()
    call_id: str | None = None
    name: str | None = None
    payload: str | None = None
    """A function call's arguments, or the output given for it; the arguments of an MCP call."""
    server_label: str | None = None
    """The MCP server that it is about."""
    output: str | None = None
    """What an MCP call gave."""
    error: str | None = None
    """Why an MCP call failed."""
    tools: tuple[str, ...] = ()
    """The names that an MCP server listed."""
    request_id: str | None = None
    """The item that asked for approval, of its answer or of the call that was approved."""
    approve: bool | None = None
    left_out: bool = False
    """The service keeps it, and the model is certainly not told it any more (`core/pruning.py`)."""
    phase: str | None = None
    """Of an assistant's message, where the model tells: `commentary` or `final_answer`."""

    @property
    def text(self) -> str:
        """All text of the item."""
        return "".join(part.text for part in self.content)

    @property
    def cut(self) -> bool:
        """Some of its sound was cut."""
        return any(part.cut for part in self.content)


@dataclass(slots=True)
class Content:
    """The record of a part."""

    kind: str
    text: str = ""
    frozen: bool = False
    heard_ms: int | None = None
    kept_ms: int | None = None
    sound_ms: int | None = None
    image_type: str | None = None
    image_bytes: int | None = None


@dataclass(slots=True)
class Entry:
    """The record of an item."""

    item_id: str
    type: str
    role: str | None = None
    state: State = "there"
    status: str | None = None
    content: dict[int, Content] = field(default_factory=dict)
    call_id: str | None = None
    name: str | None = None
    payload: str | None = None
    server_label: str | None = None
    output: str | None = None
    error: str | None = None
    tools: tuple[str, ...] = ()
    request_id: str | None = None
    approve: bool | None = None
    left_out: bool = False
    phase: str | None = None

    def part(self, index: int, kind: str) -> Content:
        """The part, made at first sight."""
        content = self.content.get(index)
        if content is None:
            content = self.content[index] = Content(kind)
        return content


def fill(entry: Entry, item: events.Item, input_format: AudioFormat) -> None:
    """Learn from the item as an event shows it. `input_format`: of the user's sound."""
    entry.type = events.type_of(item)
    status = getattr(item, "status", None)
    entry.status = status if isinstance(status, str) else entry.status
    match item:
        case events.MessageItem():
            entry.role, entry.phase = item.role, _text(item.phase) or entry.phase
            for index, part in enumerate(item.content):
                _fill_content(entry, index, part, input_format)
        case events.FunctionCallItem():
            entry.name, entry.payload = item.name, item.arguments
            entry.call_id = item.call_id if isinstance(item.call_id, str) else None
        case events.FunctionCallOutputItem():
            entry.call_id, entry.payload = item.call_id, item.output
        case _:
            _fill_mcp(entry, item)


def _fill_mcp(entry: Entry, item: events.Item) -> None:
    match item:
        case events.McpCallItem():
            entry.server_label, entry.name = item.server_label, item.name
            entry.payload = item.arguments
            entry.request_id = _text(item.approval_request_id) or entry.request_id
            entry.output = _text(item.output) or entry.output
            entry.error = _error(item.error) or entry.error
        case events.McpListToolsItem():
            entry.server_label = item.server_label
            entry.tools = tuple(tool.name for tool in item.tools)
        case events.McpApprovalRequestItem():
            entry.server_label, entry.name = item.server_label, item.name
            entry.payload = item.arguments
        case events.McpApprovalResponseItem():
            entry.request_id, entry.approve = item.approval_request_id, item.approve
        case _:
            pass


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _error(error: object) -> str | None:
    if isinstance(error, events.McpError):
        return _text(error.message) or _text(error.type)
    return _text(error)


def _fill_content(
    entry: Entry, index: int, part: events.ContentPart, input_format: AudioFormat
) -> None:
    kind = events.type_of(part)
    text = getattr(part, "text", None)
    if not isinstance(text, str):
        text = getattr(part, "transcript", None)
    content = entry.part(index, kind)
    content.kind = kind
    if isinstance(text, str) and text and not content.frozen:
        content.text = text
    match part:
        case events.InputAudio(audio=bytes(sound)) if sound:
            samples = input_format.samples(len(sound))
            content.sound_ms = ms_floor(samples, input_format.rate)
        case events.InputImage(image_url=str(url)):
            content.image_type, content.image_bytes = _image(url)
        case _:
            pass


def _image(url: str) -> tuple[str | None, int | None]:
    """The type and the size of the image in a data URI; of another address nothing is known."""
    head, comma, data = url.partition(",")
    scheme, _, rest = head.partition(":")
    if scheme.lower() != "data" or not comma:
        return None, None
    kind, *parameters = rest.split(";")
    if "base64" not in parameters:
        return kind or None, len(data)
    return kind or None, len(data) * 3 // 4 - data[-2:].count("=")


def view(entry: Entry) -> ItemView:
    """As it stands now."""
    content = tuple(
        ContentView(
            part.kind,
            part.text,
            part.heard_ms,
            part.kept_ms,
            part.frozen,
            part.sound_ms,
            part.image_type,
            part.image_bytes,
        )
        for _, part in sorted(entry.content.items())
    )
    return ItemView(
        entry.item_id,
        entry.type,
        entry.role,
        entry.state,
        entry.status,
        content,
        entry.call_id,
        entry.name,
        entry.payload,
        entry.server_label,
        entry.output,
        entry.error,
        entry.tools,
        entry.request_id,
        entry.approve,
        entry.left_out,
        entry.phase,
    )
