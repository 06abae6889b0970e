"""Recorded exchanges to compare and to spoil."""

from __future__ import annotations

import copy
from typing import Any

from tests.golden.recording import has_frames, load, openai_files

Exchange = list[dict[str, Any]]

EXCHANGES: dict[str, Exchange] = {
    path.stem: load(path).received for path in openai_files() if has_frames(path)
}


def spoken() -> Exchange:
    """The one with a turn of the user that was spoken; a copy."""
    return copy.deepcopy(EXCHANGES["openai_ws__audio_in_server_vad_turn"])


def called() -> Exchange:
    """The one with a preamble, a function call and its output; a copy."""
    return copy.deepcopy(EXCHANGES["parity_ws__text_tool_round_parity_openai-current"])


def place(exchange: Exchange, type: str, nth: int = 0) -> int:
    """Where the nth event of this type stands."""
    return [index for index, event in enumerate(exchange) if event["type"] == type][nth]


def the(exchange: Exchange, type: str, nth: int = 0) -> Any:
    return exchange[place(exchange, type, nth)]


def renamed(exchange: Exchange) -> Exchange:
    """The same exchange on another day: every id is another one of the same form, and of the same
    second."""
    made: dict[str, str] = {}

    def other(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: other(each) for name, each in value.items()}
        if isinstance(value, list):
            return [other(each) for each in value]
        if isinstance(value, str) and value.startswith(PREFIXES):
            prefix, _, drawn = value.rpartition("_")
            return made.setdefault(value, f"{prefix}_{drawn[:5]}{drawn[5:][::-1]}")
        return value

    result: Exchange = other(exchange)
    return result


PREFIXES = ("event_", "item_", "resp_", "conv_", "sess_", "call_")
