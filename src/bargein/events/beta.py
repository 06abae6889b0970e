"""The names of the retired beta dialect, and what they are called now (protocol.md §2). Pure.

1. Nobody else knows an old name. Both ways are made of one table.
2. `conversation.item.created` is in the vocabulary itself: other servers still send it for
   `conversation.item.added`, and nothing is renamed by that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BETA_NAMES: Final[Mapping[str, str]] = {
    f"response.{new}.{end}": f"response.{old}.{end}"
    for old, new in (
        ("text", "output_text"),
        ("audio", "output_audio"),
        ("audio_transcript", "output_audio_transcript"),
    )
    for end in ("delta", "done")
}
"""Types of server events, from the present name to the old one. All others kept theirs."""

EARLY_NAMES: Final[Mapping[str, str]] = {
    "output_audio_buffer.audio_started": "output_audio_buffer.started",
    "output_audio_buffer.audio_stopped": "output_audio_buffer.stopped",
    "output_audio_buffer.audio_cleared": "output_audio_buffer.cleared",
}
"""What was said over WebRTC in February 2025; before summer the beta, too, spoke as GA does."""

GA_NAMES: Final[Mapping[str, str]] = {
    **{old: new for new, old in BETA_NAMES.items()},
    **EARLY_NAMES,
}
"""Types of server events, from every old name to the present one."""

GA_CONTENT: Final[Mapping[str, str]] = {"text": "output_text", "audio": "output_audio"}
"""Types of the content parts in an assistant's items, from the old name to the present one."""

BETA_CONTENT: Final[Mapping[str, str]] = {new: old for old, new in GA_CONTENT.items()}
"""The same, from the present name to the old one."""
