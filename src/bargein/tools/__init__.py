"""Functions as tools: what the model may call, and what runs it."""

from bargein.tools.registry import Approver, Tool, ToolCall, tool
from bargein.tools.runner import Runner
from bargein.tools.signature import ToolContext, ToolError

__all__ = ["Approver", "Runner", "Tool", "ToolCall", "ToolContext", "ToolError", "tool"]
