"""The conversation as plain messages, such as chat models take, and back to items.

1. A message is a dict of `role` and `content` (a text). Calls of functions are `tool_calls` of an
   assistant's message, each with its output as a `tool` message right behind, wherever the output
   stands in the conversation: a call without an output is left out, for no model takes one.
   Parallel calls share a message. A call of an MCP server's tool is told the same way.
2. Of a cut item the content is the words that were heard, with a mark. Sound and images are named
   by their kind and length; their bytes are not here.
3. What is being deleted is left out, and so is an item without content.
4. What `items_of` makes of messages gives, in the mirror, the same messages again: text that is
   restored on a new pipe is the text that was heard (ledger, rule 14).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from bargein import events
from bargein.core.items import ContentView, ItemView
from bargein.errors import LocalValueError

Message: TypeAlias = dict[str, Any]

MARK = " [interrupted]"
"""Behind the words heard of a cut item."""

_TEXTS = frozenset({"input_text", "output_text", "text"})
_SOUNDS = frozenset({"input_audio", "output_audio", "audio"})
_ROLES = ("user", "assistant", "system")


def messages(items: Sequence[ItemView], *, mark: str = MARK) -> list[Message]:
    """The items as messages, in order. `mark` stands behind the words heard of a cut item."""
    return list(_messages([item for item in items if item.state != "going"], mark))


def _messages(items: Sequence[ItemView], mark: str) -> Iterator[Message]:
    outputs = {
        item.call_id: item.payload or "" for item in items if item.type == "function_call_output"
    }
    calls: list[tuple[str, ItemView, str]] = []
    for item in items:
        match item.type:
            case "function_call":
                if item.call_id is not None and item.call_id in outputs:
                    calls.append((item.call_id, item, outputs[item.call_id]))
                continue
            case "mcp_call":
                output = item.output if item.output is not None else item.error
                if output is not None:
                    calls.append((item.id, item, output))
                continue
            case "message":
                content = content_of(item, mark=mark)
            case "function_call_output":
                content = ""
            case _:
                continue
        yield from _called(calls)
        calls = []
        if content and item.role in _ROLES:
            yield {"role": item.role, "content": content}
    yield from _called(calls)


def _called(calls: Sequence[tuple[str, ItemView, str]]) -> Iterator[Message]:
    if not calls:
        return
    made = [
        {
            "id": call_id,
            "type": "function",
            "function": {"name": item.name or "", "arguments": item.payload or ""},
        }
        for call_id, item, _ in calls
    ]
    yield {"role": "assistant", "content": None, "tool_calls": made}
    for call_id, _, output in calls:
        yield {"role": "tool", "tool_call_id": call_id, "content": output}


def content_of(item: ItemView, *, mark: str = MARK) -> str:
    """The text of a message: its words, and names for what has none."""
    pieces = [piece_of(part) for part in item.content]
    between = "" if all(part.text or not piece_of(part) for part in item.content) else "\n"
    content = between.join(piece for piece in pieces if piece)
    return (content.rstrip() + mark).strip() if item.cut and mark else content


def piece_of(part: ContentView) -> str:
    """The part's words, or a name for a part that has none: its kind and its length."""
    if part.text or part.cut:
        return part.text
    if part.kind in _TEXTS:
        return ""
    if part.kind == "input_image":
        size = "" if part.image_bytes is None else f", {part.image_bytes:,} bytes"
        return f"[{part.image_type or 'image'}{size}]"
    if part.kind not in _SOUNDS:
        return f"[{part.kind}]"
    if part.sound_ms is None:
        # Of the user it is a turn that nobody wrote down; of the model nothing has come yet.
        return "[speech, not transcribed]" if part.kind == "input_audio" else ""
    return f"[speech of {seconds(part.sound_ms)}, not transcribed]"


def seconds(ms: int) -> str:
    """As people read it: tenths of a second."""
    return f"{ms / 1_000:.1f} s"


def items_of(given: Iterable[Mapping[str, Any]]) -> tuple[events.Item, ...]:
    """The items to create for these messages, without ids.

    Takes what `messages` gives, and of other writers a `content` that is a list of texts and, for
    a user, of images as data URIs; `developer` is `system`. Raises `LocalValueError` naming the
    field that cannot be.
    """
    made: list[events.Item] = []
    called: set[str] = set()
    for number, message in enumerate(given):
        where = f"messages[{number}]"
        if not isinstance(message, Mapping):
            raise LocalValueError(
                f"{where}: a {type(message).__name__}; give a mapping with a role"
            )
        role = message.get("role")
        match role:
            case "user" | "assistant" | "system" | "developer":
                said_by = "system" if role == "developer" else role
                content = _content(message.get("content"), said_by, f"{where}.content")
                if content:
                    made.append(_message(said_by, content))
                for call in _calls(message.get("tool_calls"), f"{where}.tool_calls"):
                    called.add(str(call.call_id))
                    made.append(call)
            case "tool":
                call_id = _field(message, "tool_call_id", where)
                if call_id not in called:
                    raise LocalValueError(
                        f"{where}.tool_call_id: {call_id!r} is no call of a message before it"
                    )
                output = _plain(message.get("content"), f"{where}.content")
                made.append(events.FunctionCallOutputItem(call_id=call_id, output=output))
            case _:
                raise LocalValueError(
                    f"{where}.role: {role!r}; give user, assistant, system or tool"
                )
    return tuple(made)


def _message(role: str, content: tuple[events.ContentPart, ...]) -> events.MessageItem:
    return events.MessageItem(role=role, content=content)


def _content(given: Any, role: str, where: str) -> tuple[events.ContentPart, ...]:
    if given is None or given == "":
        return ()
    if isinstance(given, str):
        return (_said(given, role),)
    if not isinstance(given, Sequence):
        raise LocalValueError(f"{where}: a {type(given).__name__}; give a text or a list of parts")
    return tuple(_part(part, role, f"{where}[{index}]") for index, part in enumerate(given))


def _said(text: str, role: str) -> events.ContentPart:
    return events.OutputText(text=text) if role == "assistant" else events.InputText(text=text)


def _part(part: Any, role: str, where: str) -> events.ContentPart:
    match part:
        case {"type": "text", "text": str(text)}:
            return _said(text, role)
        case {"type": "image_url", "image_url": {"url": str(url)}} if role == "user":
            return events.InputImage(image_url=url)
        case {"type": kind}:
            raise LocalValueError(
                f"{where}: {kind!r} cannot be restored for {role}; give a text, or an image of the "
                "user's"
            )
        case _:
            raise LocalValueError(f"{where}: is no part; give {{'type': 'text', 'text': …}}")


def _plain(given: Any, where: str) -> str:
    if isinstance(given, str):
        return given
    parts = _content(given, "system", where)
    return "".join(part.text for part in parts if isinstance(part, events.InputText))


def _calls(given: Any, where: str) -> Iterator[events.FunctionCallItem]:
    if given is None:
        return
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise LocalValueError(f"{where}: a {type(given).__name__}; give a list of calls")
    for index, call in enumerate(given):
        here = f"{where}[{index}]"
        if not isinstance(call, Mapping) or not isinstance(call.get("function"), Mapping):
            raise LocalValueError(f"{here}: is no call; give one with an id and a function")
        function = call["function"]
        yield events.FunctionCallItem(
            call_id=_field(call, "id", here),
            name=_field(function, "name", f"{here}.function"),
            arguments=_field(function, "arguments", f"{here}.function"),
        )


def _field(given: Mapping[str, Any], name: str, where: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise LocalValueError(f"{where}.{name}: {value!r}; give a text")
    return value
