"""The names of the retired beta dialect, and what they are called now (protocol.md §2). Pure.

1. Nobody else knows an old name. Both ways are made of one table.
2. `conversation.item.created` is in the vocabulary itself: other servers still send it for
   `conversation.item.added`, and nothing is renamed by that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

GA_NAMES: Final[Mapping[str, str]] = {
    f"response.{old}.{end}": f"response.{new}.{end}"
    for old, new in (
        ("text", "output_text"),
        ("audio", "output_audio"),
        ("audio_transcript", "output_audio_transcript"),
    )
    for end in ("delta", "done")
}
"""Types of server events, from the old name to the present one. All others kept theirs."""

BETA_NAMES: Final[Mapping[str, str]] = {new: old for old, new in GA_NAMES.items()}
"""The same, from the present name to the old one."""

GA_CONTENT: Final[Mapping[str, str]] = {"text": "output_text", "audio": "output_audio"}
"""Types of the content parts in an assistant's items, from the old name to the present one."""

BETA_CONTENT: Final[Mapping[str, str]] = {new: old for old, new in GA_CONTENT.items()}
"""The same, from the present name to the old one."""
