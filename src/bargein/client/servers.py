"""What is known of a server before it is asked: where its key goes, and its capability file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from bargein.capabilities import Capabilities, from_file
from bargein.errors import LocalValueError
from bargein.transports.websocket import Auth

_AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
_MAX_FILE_BYTES = 1024 * 1024


def is_azure(url: str) -> bool:
    """Whether the address is one of Azure OpenAI (protocol.md §8), whatever its path."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    return host is not None and host.endswith(_AZURE_HOSTS)


def usual_auth(url: str) -> Auth:
    """Where a key goes there if nothing else is said: Azure takes it as `api-key`."""
    return "api-key" if is_azure(url) else "header"


def key_variable(url: str, environment: Mapping[str, str] = os.environ) -> str:
    """The variable that holds the key for this server."""
    azure = is_azure(url) and environment.get("AZURE_OPENAI_API_KEY")
    return "AZURE_OPENAI_API_KEY" if azure else "OPENAI_API_KEY"


def headers_for(can: Capabilities, given: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """The headers to connect with: a server of the beta dialect is asked for it by one (protocol.md
    §1.1.2), unless the application says something else there."""
    if can.dialect != "beta":
        return given
    return {"OpenAI-Beta": "realtime=v1", **(given or {})}


def capabilities_of(given: Capabilities | str | os.PathLike[str] | None) -> Capabilities:
    """What a server can do: as an object, or from the file that `bargein conform` wrote.

    Raises `LocalValueError`.
    """
    if given is None:
        return Capabilities()
    if isinstance(given, Capabilities):
        return given
    if not isinstance(given, str | os.PathLike):
        raise LocalValueError(f"capabilities: {given!r}; give Capabilities(...) or a file's path")
    file = Path(given)
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise LocalValueError(
            f"capabilities: {file}: {error.strerror or error}; give the file that "
            "`bargein conform --capabilities` wrote"
        ) from error
    try:
        return from_file(content)
    except LocalValueError as error:
        raise LocalValueError(f"capabilities: {file}: {error}") from None
