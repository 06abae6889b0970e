"""Exact interruption for the OpenAI Realtime API.

What is public is here; it is loaded when it is first used, so that importing costs little.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bargein import errors
    from bargein.audio.files import Audio, Wav
    from bargein.capabilities import Capabilities
    from bargein.client.config import PushToTalk
    from bargein.client.connecting import connect
    from bargein.client.conversation import Conversation
    from bargein.client.reply import Reply
    from bargein.client.session import Session
    from bargein.client.subscription import Subscription
    from bargein.core import notices
    from bargein.core.budget import Budget
    from bargein.core.edited import Difference, Edited
    from bargein.core.notices import (
        BudgetNear,
        BudgetSpent,
        Connected,
        Dropped,
        Fault,
        FloorChanged,
        Interruption,
        InterruptionSettled,
        Lost,
        Pruned,
        Raw,
        ToolAnswered,
        ToolCalled,
        Transcript,
        TurnEnded,
        TurnStarted,
        UsageReported,
    )
    from bargein.core.usage import UsageTotal
    from bargein.driver.limits import Limits
    from bargein.driver.ports import Passed
    from bargein.errors import (
        AdmissionError,
        BargeinError,
        DeadlineExceeded,
        DeviceError,
        LocalProtocolError,
        LocalValueError,
        RemoteProtocolError,
        TransportError,
    )
    from bargein.events import RetentionRatio, SemanticVad, ServerVad
    from bargein.tools import (
        McpServer,
        Tool,
        ToolCall,
        ToolContext,
        ToolError,
        mcp_server,
        tool,
    )

__version__ = "0.1.0"

_PLACES = {
    "audio.files": ("Audio", "Wav"),
    "capabilities": ("Capabilities",),
    "client.connecting": ("connect",),
    "client.config": ("PushToTalk",),
    "client.conversation": ("Conversation",),
    "core.budget": ("Budget",),
    "core.edited": ("Difference", "Edited"),
    "core.notices": (
        "BudgetNear",
        "BudgetSpent",
        "Connected",
        "Dropped",
        "Fault",
        "FloorChanged",
        "Interruption",
        "InterruptionSettled",
        "Lost",
        "Pruned",
        "Raw",
        "ToolAnswered",
        "ToolCalled",
        "Transcript",
        "TurnEnded",
        "TurnStarted",
        "UsageReported",
    ),
    "core.usage": ("UsageTotal",),
    "errors": (
        "AdmissionError",
        "BargeinError",
        "DeadlineExceeded",
        "DeviceError",
        "LocalProtocolError",
        "LocalValueError",
        "RemoteProtocolError",
        "TransportError",
    ),
    "events": ("RetentionRatio", "SemanticVad", "ServerVad"),
    "driver.limits": ("Limits",),
    "driver.ports": ("Passed",),
    "client.reply": ("Reply",),
    "client.session": ("Session",),
    "client.subscription": ("Subscription",),
    "tools": (
        "McpServer",
        "Tool",
        "ToolCall",
        "ToolContext",
        "ToolError",
        "mcp_server",
        "tool",
    ),
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}
_MODULES = {"errors": "errors", "notices": "core.notices"}

__all__ = [
    "AdmissionError",
    "Audio",
    "BargeinError",
    "Budget",
    "BudgetNear",
    "BudgetSpent",
    "Capabilities",
    "Connected",
    "Conversation",
    "DeadlineExceeded",
    "DeviceError",
    "Difference",
    "Dropped",
    "Edited",
    "Fault",
    "FloorChanged",
    "Interruption",
    "InterruptionSettled",
    "Limits",
    "LocalProtocolError",
    "LocalValueError",
    "Lost",
    "McpServer",
    "Passed",
    "Pruned",
    "PushToTalk",
    "Raw",
    "RemoteProtocolError",
    "Reply",
    "RetentionRatio",
    "SemanticVad",
    "ServerVad",
    "Session",
    "Subscription",
    "Tool",
    "ToolAnswered",
    "ToolCall",
    "ToolCalled",
    "ToolContext",
    "ToolError",
    "Transcript",
    "TransportError",
    "TurnEnded",
    "TurnStarted",
    "UsageReported",
    "UsageTotal",
    "Wav",
    "__version__",
    "connect",
    "errors",
    "mcp_server",
    "notices",
    "tool",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"bargein.{_MODULES[name]}")
    if name in _PLACE_OF:
        value = getattr(importlib.import_module(f"bargein.{_PLACE_OF[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'bargein' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
