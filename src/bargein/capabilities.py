"""What a Realtime server can do. A leaf: the core decides by it, the tools write it to a file."""

from __future__ import annotations

from typing import Literal

import msgspec


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of this server. The defaults are OpenAI's service over WebSocket."""

    playback_owner: Literal["client", "server"] = "client"
    """Who holds the queue of sound that is not heard yet: over WebRTC it is the server."""
    truncate: bool = True
    """It obeys `conversation.item.truncate`; without it a cut is local only."""
    delete: bool = True
    """It obeys `conversation.item.delete`."""
    cancel: bool = True
    """It obeys `response.cancel`; without it a cut response is muted to its end."""
    acknowledges: bool = True
    """It answers truncate and delete; without it they are not waited for."""
    lengths_grid_ms: int = 1
    """It counts the lengths of its own audio in steps of so many milliseconds, rounded down."""
