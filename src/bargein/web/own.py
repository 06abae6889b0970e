"""The server that the page is of, as its own client reaches it."""

from __future__ import annotations

import ssl as ssl_module
from dataclasses import dataclass, field
from typing import Any

from bargein.web.messages import Turns

TRANSCRIPTION = "gpt-4o-mini-transcribe"


@dataclass(frozen=True, slots=True)
class Own:
    """`url` is what `OPENAI_BASE_URL` would be; `ssl` trusts the server's own certificate."""

    url: str
    api_key: str = field(repr=False)
    ssl: ssl_module.SSLContext | None = None
    model: str = "gpt-realtime"


def session_of(turns: Turns) -> dict[str, Any]:
    """What a call of the page's begins with, but for its model."""
    detection = None if turns == "push_to_talk" else {"type": "server_vad"}
    heard = {"turn_detection": detection, "transcription": {"model": TRANSCRIPTION}}
    return {
        "type": "realtime",
        "output_modalities": ["audio"],
        "audio": {"input": heard},
    }
