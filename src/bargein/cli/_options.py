"""Faults of what a command was asked for, in the words of its command line.

What the command calls names its own arguments (`sessions`, `chat_url`); who typed the command knows
them as options.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from bargein.errors import LocalValueError

_AT_THE_BEGINNING = {
    "allowed host": "--allow-host",
    "allowed origin": "--allow-origin",
    "api_key": "--api-key",
    "engine": "--engine",
    "ping_every_s": "--ping-seconds",
    "port": "--port",
    "sessions": "--max-sessions",
    "speed": "--speed",
    "workers": "--workers",
}
"""Words that mean something else elsewhere in a text."""
_ANYWHERE = (
    *("chat_url", "chat_model", "chat_body", "mind_hears", "hear_url", "hear_model"),
    "hear_locally",
    *("speak_url", "speak_model", "speak_voice", "cut_mark"),
)
_BEGINNING = re.compile(rf"({'|'.join(_AT_THE_BEGINNING)})\b")
_NAME = re.compile(rf"\b({'|'.join(_ANYWHERE)})\b")


def in_options(text: str) -> str:
    """The text of an error, with options in place of arguments."""
    found = _BEGINNING.match(text)
    if found is not None:
        text = _AT_THE_BEGINNING[found[0]] + text[found.end() :]
    return _NAME.sub(lambda name: f"--{name[0].replace('_', '-')}", text)


@contextlib.contextmanager
def told_in_options() -> Iterator[None]:
    """Around what a command does: its faults name options."""
    try:
        yield
    except LocalValueError as error:
        raise LocalValueError(in_options(str(error))) from error
