"""The conversation as JSON and as Markdown, for files and for people.

1. JSON has every field of every item (`core/items.py`) that says something, and reads back to the
   same items.
2. Markdown has an item a paragraph, an output with its call. The words are the model's and the
   user's: what would be markup in them is escaped, control characters are shown and never obeyed.
3. Neither raises, whatever the service has said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from bargein.core.items import ContentView, ItemView
from bargein.core.messages import MARK, piece_of, seconds
from bargein.errors import LocalValueError

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~$&])")
_LINE_MARKUP = re.compile(r"^(\s*\d*)([-+=.)])")
_BACKTICKS = re.compile(r"`+")
_HARMLESS = "\t\u00a0\u202f\u200c\u200d"
"""What `isprintable` denies and prose needs: spaces that do not break, joiners of letters."""
_STATES = {"coming": "on its way", "going": "being deleted"}


def to_json(items: Sequence[ItemView], *, indent: int = 2) -> str:
    """A list of objects, one an item; `indent` 0 is a single line."""
    return msgspec.json.format(msgspec.json.encode(items), indent=indent).decode()


def from_json(text: str | bytes) -> tuple[ItemView, ...]:
    """The items of which `to_json` made this. Raises `LocalValueError`."""
    try:
        return msgspec.json.decode(text, type=tuple[ItemView, ...])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LocalValueError(f"items: not a conversation as JSON: {error}") from error


def to_markdown(items: Sequence[ItemView]) -> str:
    """A paragraph an item, in order; ends with a newline unless it is empty."""
    outputs = {
        item.call_id: item
        for item in reversed(items)
        if item.type == "function_call_output" and item.call_id is not None
    }
    calls = {item.call_id for item in items if item.type == "function_call"}
    blocks = []
    for item in items:
        if item.type == "function_call_output" and item.call_id in calls:
            continue
        call_id = item.call_id if item.type == "function_call" else None
        output = None if call_id is None else outputs.get(call_id)
        blocks.append("\n\n".join(_blocks(item, output)))
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _blocks(item: ItemView, output: ItemView | None) -> Iterator[str]:
    match item.type:
        case "message":
            yield _head((item.role or "somebody").capitalize(), _notes(item))
            yield _quote(item)
        case "function_call":
            yield _head(f"Call of {_code(item.name or '')}", _notes(item))
            yield _fence(item.payload or "")
            if output is None:
                yield "It has no output."
            else:
                yield _head("Output", _notes(output))
                yield _fence(output.payload or "")
        case "function_call_output":
            yield _head(f"Output for the call {_code(item.call_id or '')}", _notes(item))
            yield _fence(item.payload or "")
        case _:
            yield from _mcp_blocks(item)


def _mcp_blocks(item: ItemView) -> Iterator[str]:
    server = f"the MCP server {_code(item.server_label or '')}"
    match item.type:
        case "mcp_call":
            yield _head(f"Call of {_code(item.name or '')} at {server}", _notes(item))
            yield _fence(item.payload or "")
            if item.error is not None:
                yield f"It failed: {_escaped(item.error)}"
            elif item.output is not None:
                yield "**Output**"
                yield _fence(item.output)
        case "mcp_list_tools":
            names = ", ".join(_code(name) for name in item.tools) or "nothing"
            yield f"{_head(f'Tools of {server}', _notes(item))}: {names}"
        case "mcp_approval_request":
            yield _head(f"May {_code(item.name or '')} at {server} be called?", _notes(item))
            yield _fence(item.payload or "")
        case "mcp_approval_response":
            answer = "approved" if item.approve else "refused"
            yield _head(f"The call was {answer}", _notes(item))
        case _:
            yield _head(f"An item of the type {_code(item.type)}", _notes(item))


def _head(title: str, notes: Sequence[str]) -> str:
    return f"**{title}** ({'; '.join(notes)})" if notes else f"**{title}**"


def _notes(item: ItemView) -> list[str]:
    """What there is to say of the item besides its words."""
    notes = [_STATES[item.state]] if item.state in _STATES else []
    if item.phase == "commentary":
        notes.append("commentary")
    for part in item.content:
        notes.extend(_part_notes(part))
    if item.status not in (None, "completed"):
        notes.append(_escaped(str(item.status).replace("_", " ")))
    return notes


def _part_notes(part: ContentView) -> Iterator[str]:
    if part.sound_ms is not None and part.text:
        yield f"spoken, {seconds(part.sound_ms)}"
    if not part.cut:
        return
    heard = "" if part.heard_ms is None else f" at {seconds(part.heard_ms)}"
    kept = "" if part.kept_ms is None else f", {seconds(part.kept_ms)} kept"
    yield f"cut{heard}{kept}"


def _quote(item: ItemView) -> str:
    text = "\n".join(piece for piece in map(piece_of, item.content) if piece)
    lines = [_escaped(line) for line in text.splitlines()] or [""]
    if item.cut:
        lines[-1] = f"{lines[-1]} *{_escaped(MARK.strip())}*".strip()
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _escaped(text: str) -> str:
    """One line of prose, without a meaning of its own in Markdown."""
    escaped = _MARKUP.sub(r"\\\1", shown(text.replace("\n", " ")))
    return _LINE_MARKUP.sub(lambda found: f"{found[1]}\\{found[2]}", escaped)


def _code(text: str) -> str:
    """A span of code, with as many backticks around it as it needs."""
    line = shown(text.replace("\n", " ")) or " "
    ticks = "`" * (_longest_run(line) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{space}{line}{space}{ticks}"


def _fence(text: str) -> str:
    lines = [shown(line) for line in text.splitlines()]
    ticks = "`" * max(3, _longest_run(text) + 1)
    return "\n".join([ticks, *lines, ticks])


def _longest_run(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)


def shown(text: str) -> str:
    """The line with its control characters written out."""
    return "".join(c if c.isprintable() or c in _HARMLESS else repr(c)[1:-1] for c in text)
