"""Functions as tools: what the model may call, and what runs it."""

from bargein.tools.hosted import McpServer, mcp_server
from bargein.tools.registry import Approver, Tool, ToolCall, tool
from bargein.tools.runner import Runner
from bargein.tools.signature import ToolContext, ToolError

__all__ = [
    "Approver",
    "McpServer",
    "Runner",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolError",
    "mcp_server",
    "tool",
]
