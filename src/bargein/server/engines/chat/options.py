"""What can be set of the chat engine. Checked when it is made, before any session begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from bargein.errors import LocalValueError
from bargein.secret import Secret
from bargein.server.engines.chat.messages import CUT_MARK, Manner

CHAT_KEY_VARIABLE = "BARGEIN_CHAT_API_KEY"
HEAR_KEY_VARIABLE = "BARGEIN_HEAR_API_KEY"
SPEAK_KEY_VARIABLE = "BARGEIN_SPEAK_API_KEY"

_PATHS = ("/chat/completions", "/audio/transcriptions", "/audio/speech")
_OWN_FIELDS = ("messages", "stream", "stream_options", "tools")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long each wait for a server may take, in seconds."""

    connect_s: float = 5.0
    first_s: float = 90.0
    """Until the first piece of an answer: a model may have to be loaded first."""
    idle_s: float = 20.0
    """Between two pieces. A comment that keeps the line open is none."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise LocalValueError(f"{name} is {getattr(self, name)}: give more than 0 seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """Where the mind is, and where ears and voice are if they are servers too.

    Base URLs end before `/chat/completions`, `/audio/transcriptions` and `/audio/speech`. Without
    `chat_model` the session's own model name is asked for; without `hear_model` that of the
    session's transcription, else whisper-1; without `speak_voice` the session's voice. `mind_hears`
    sends the user's sound to the mind itself, as `input_audio`; `hear_locally` hears with the local
    engine's recogniser, in this machine. `chat_body` are further fields of
    every request, such as `{"temperature": 0.3}`.

    A server for hearing or speaking that stands where the mind stands gets the mind's key.
    """

    chat_url: str
    chat_model: str | None = None
    chat_key: Secret | None = None
    chat_body: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    hear_url: str | None = None
    hear_model: str | None = None
    hear_key: Secret | None = None
    mind_hears: bool = False
    hear_locally: bool = False
    speak_url: str | None = None
    speak_model: str = "tts-1"
    speak_voice: str | None = None
    speak_key: Secret | None = None
    cut_mark: str = CUT_MARK
    deadlines: Deadlines = field(default_factory=Deadlines)

    def __post_init__(self) -> None:
        for name in ("chat_url", "hear_url", "speak_url"):
            url = getattr(self, name)
            if url is not None:
                object.__setattr__(self, name, base_url(url, name))
        for name in _OWN_FIELDS:
            if name in self.chat_body:
                raise LocalValueError(f"chat_body has {name!r}, which the engine itself says")
        ways = [name for name in ("mind_hears", "hear_url", "hear_locally") if getattr(self, name)]
        if len(ways) > 1:
            raise LocalValueError(f"{ways[0]} and {ways[1]} are two ways to hear: give one")

    @property
    def manner(self) -> Manner:
        return Manner(cut_mark=self.cut_mark, mind_hears=self.mind_hears)

    def key_for(self, url: str, own: Secret | None) -> Secret | None:
        """The key to show at this URL."""
        if own is not None:
            return own
        return self.chat_key if _origin(url) == _origin(self.chat_url) else None


def base_url(url: str, name: str) -> str:
    """The URL without its last path and slash. Raises `LocalValueError` naming the field; what
    could be a secret in the URL is not in the text."""
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_url = False
    if not is_url:
        raise LocalValueError(
            f"{name} is no http(s) URL: give one such as http://127.0.0.1:11434/v1"
        )
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise LocalValueError(
            f"{name} has a user, a query or a fragment: give scheme, host, port and path, and the "
            "key by its variable"
        )
    path = parts.path.rstrip("/")
    for known in _PATHS:
        path = path.removesuffix(known)
    return f"{parts.scheme}://{parts.netloc}{path}"


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
