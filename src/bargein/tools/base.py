"""What runs the tools of a session, as the driver sees it.

1. Nothing here blocks: `ask` and `run` begin something and return; what comes of it is reported.
2. `report` is called on the loop, once for each `run` and each `ask` that was not cancelled; a
   report that comes after a `cancel` is harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Returned:
    """The tool of this call has come to its end; `output` is what the model is to be told."""

    call_id: str
    output: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Approved:
    """Somebody decided whether this call may run; `reason` is for the model, why it may not."""

    call_id: str
    granted: bool
    reason: str = ""


ToolReport: TypeAlias = Returned | Approved


class Toolbox(Protocol):
    """Runs tools by name. `arguments` are the model's text: whether they fit is its business."""

    def attach(self, report: Callable[[ToolReport], None]) -> None:
        """Where reports go from now on. Called once, before everything else."""

    def ask(self, call_id: str, name: str, arguments: str, server_label: str = "") -> None:
        """Begin to ask whether the call may run. `server_label`: it is the service that would
        call, a tool of this MCP server."""

    def run(self, call_id: str, name: str, arguments: str) -> None:
        """Begin to run it."""

    def cancel(self, call_id: str) -> None:
        """Its result, or the approval, is not wanted. Also a call that has ended may be named."""

    async def close(self) -> None:
        """Cancel everything and wait for what can be waited for. Any number of times."""
