"""What a session was started with: everything the machine is told besides its inputs."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from bargein import events
from bargein.core.budget import Budget

BargeIn: TypeAlias = Literal["cut", "keep_talking"]


AtBargeIn: TypeAlias = Literal["finish", "cancel", "background"]


class ToolRule(msgspec.Struct, frozen=True, kw_only=True):
    """How the calls of one tool are treated (`core/calls.py`)."""

    name: str
    at_barge_in: AtBargeIn = "finish"
    timeout_ms: int | None = 60_000
    """How long it may run; None: as long as the session."""
    approval: bool = False
    """It runs only when the application has approved the call."""


class ServerRule(msgspec.Struct, frozen=True, kw_only=True):
    """How the calls are treated that the service makes of one MCP server (`core/hosted.py`)."""

    label: str
    approval: bool = True
    """Each call is asked about; else what the service asks is granted."""
    trusted: tuple[str, ...] = ()
    """Tools that run unasked."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A trace begins with these; a machine made from them and fed the same inputs does the same."""

    session: events.Session = events.Session()
    """Sent as the first `session.update`; empty fields are left to the service."""
    barge_in: BargeIn = "cut"
    """What the user's speech does to the reply; see `core/interruption.py`."""
    push_to_talk: bool = False
    """The microphone is sent only between press and release (`turn_detection: null`)."""
    pre_roll_ms: int = 0
    """Sound from before the press that is sent with it, over WebSocket."""
    microphone_limit_ms: int = 10_000
    """Microphone audio that may wait for a blocked socket; the oldest beyond it is dropped."""
    id_seed: str = "0"
    """Makes our ids distinct from those of other sessions; at most 12 characters."""
    player_margin_samples: int | None = 0
    """What the player said of itself at the start; see `DeviceChanged`."""
    budget: Budget | None = None
    """What the session may use; None: as much as it likes."""
    tools: tuple[ToolRule, ...] | None = None
    """The tools of ours that answer the model's calls; None: the application answers them."""
    servers: tuple[ServerRule, ...] = ()
    """MCP servers that the service calls, whose approvals and replies are ours to see to."""
