"""What a call of an MCP server's tool says, in words.

Told is the text of the result; structured content where that is no single text; what is no text is
named. The server's side asks for text alone, whoever calls a tool.
"""

from __future__ import annotations

import json
from typing import Any

from bargein.tools.adapters.shared import left_out, missing

try:
    from mcp import types
except ImportError as error:
    raise missing("mcp>=2") from error


def told(result: types.CallToolResult) -> Any:
    """The text, or the structured content."""
    blocks = [_told_block(block) for block in result.content]
    is_one_text = len(blocks) == 1 and isinstance(result.content[0], types.TextContent)
    if is_one_text or result.structured_content is None:
        return "\n".join(blocks)
    return result.structured_content


def words_of(result: types.CallToolResult) -> str:
    """The text of the result alone: what an error says."""
    return "\n".join(_told_block(block) for block in result.content)


def text_of(result: types.CallToolResult) -> str:
    """What it says, as text in any case."""
    said = words_of(result) if result.is_error else told(result)
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)


def _told_block(block: types.ContentBlock) -> str:
    match block:
        case types.TextContent():
            return block.text
        case types.EmbeddedResource(resource=types.TextResourceContents() as resource):
            return resource.text
        case types.ResourceLink():
            return f"{block.name}: {block.uri}"
        case _:
            return left_out(block.type)
