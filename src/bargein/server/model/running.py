"""One response that has been created and is not done."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from bargein.server.model import score, usage
from bargein.server.model.commands import RemoteTool, StartEngine
from bargein.server.model.ladder import BadScoreError, Ladder


@dataclass(slots=True, eq=False)
class Running:
    """A response that has been created and is not done."""

    id: str
    values: dict[str, Any]
    ladder: Ladder
    input: usage.Input
    last_due_us: int
    steps: deque[tuple[int, score.Action]] = field(default_factory=deque)
    final: bool = False
    limits_told: bool = False
    """Beta: `rate_limits.updated` was sent."""
    cost: score.Cost | None = None
    request: StartEngine | None = None
    """What the engine will be asked once the import of `lists` has ended."""
    lists: frozenset[str] = frozenset()
    remote: dict[tuple[str, str], RemoteTool] = field(default_factory=dict)
    """The tools of MCP servers that it may call, by label and name."""

    @property
    def end_us(self) -> int | None:
        """When the response, all of whose steps have played, ends by itself."""
        return self.last_due_us if self.final and not self.ladder.waits else None

    def check_remote(self, action: score.Action) -> None:
        """Raises `BadScoreError` for the call of a remote tool that it may not call."""
        if isinstance(action, score.OpenCall) and action.server_label is not None:
            if (action.server_label, action.name) not in self.remote:
                raise BadScoreError(f"{action.server_label} has no tool {action.name} to be called")
