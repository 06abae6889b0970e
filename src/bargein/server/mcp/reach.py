"""Which MCP servers may be reached, and with what. It decides and reaches nobody.

1. A client names the address, so a server that goes wherever it is told is a way into the network
   that it stands in. `loopback` goes to servers of this machine and no further: an address of
   127.0.0.0/8 or ::1, or the name localhost. `any` goes everywhere; `off` goes nowhere.
2. Only http and https, and only what can be read in one way: two readers of one odd URL may see
   two hosts in it.
3. Credentials go to the server that they were given for, and into no text: an answer that has one
   in it is told without it.
4. Headers that say how a message is framed or for whom it is, are not the client's to set.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from bargein import events
from bargein.errors import LocalValueError
from bargein.server.engines.base import ToolError

Reach: TypeAlias = Literal["off", "loopback", "any"]

_REACHES: Mapping[str, Reach] = {"off": "off", "loopback": "loopback", "any": "any"}
_SCHEMES = ("http", "https")

_HIDDEN = "***"
_LEAST_HIDDEN = 6
"""Characters: what is shorter is no secret, and would be hidden wherever it stands."""
_MOST_WORDS = 1_000
_PLAIN_URL = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
"""Printable ASCII without what readers of URLs take in different ways, the backslash above all."""
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t -~]*")
_NOT_THEIRS = frozenset(
    {
        *("connection", "content-length", "expect", "host", "keep-alive", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    }
)


def checked_reach(reach: str) -> Reach:
    """The reach, if there is one of this name. Raises `LocalValueError`."""
    if reach not in _REACHES:
        raise LocalValueError(f"mcp is {reach!r}: give 'off', 'loopback' or 'any'")
    return _REACHES[reach]


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """A server that may be reached. `place` is its host and port, as errors name it."""

    url: str
    host: str
    place: str
    headers: dict[str, str]
    is_here: bool
    """Whether it is this machine: then no proxy stands between."""

    def hidden(self, text: str) -> str:
        """The text, shortened, and without what the server is reached with."""
        secrets = [value for value in self.headers.values() if len(value) >= _LEAST_HIDDEN]
        secrets += [value.partition(" ")[2] for value in secrets if " " in value]
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _LEAST_HIDDEN:
                text = text.replace(secret, _HIDDEN)
        return text if len(text) <= _MOST_WORDS else f"{text[:_MOST_WORDS]}…"


def address_of(server: events.McpTool, reach: Reach) -> Address:
    """Where the server is. Raises `ToolError` if it may not be reached, or cannot be."""
    url = server.server_url
    if not isinstance(url, str):
        raise ToolError(
            "Only an MCP server with a 'server_url' can be reached from here: connectors and "
            "tunnels are the service's own."
        )
    host, port = _read(url)
    is_here = _is_loopback(host)
    name = f"[{host}]" if ":" in host else host
    place = name if port is None else f"{name}:{port}"
    if reach == "off":
        raise ToolError(
            "This server reaches no MCP servers: start it with `--mcp loopback` for those of this "
            "machine, with `--mcp any` for all."
        )
    if reach == "loopback" and not is_here:
        raise ToolError(
            f"The MCP server at {place} is not on this machine: `--mcp any` reaches others."
        )
    return Address(url, host, place, _headers(server), is_here)


def _read(url: str) -> tuple[str, int | None]:
    """The host and the port."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not (host and _PLAIN_URL.fullmatch(url) and parts.scheme in _SCHEMES):
        raise ToolError("The 'server_url' is no http or https address.")
    return host, port


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _headers(server: events.McpTool) -> dict[str, str]:
    headers = dict(server.headers or {})
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ToolError("A header of the MCP server cannot be sent: its name or value is none.")
        if name.lower() in _NOT_THEIRS:
            raise ToolError(f"The header {name!r} of the MCP server cannot be set.")
    token = server.authorization
    if isinstance(token, str) and token:
        if not _VALUE.fullmatch(token):
            raise ToolError("The 'authorization' of the MCP server cannot be sent in a header.")
        # The field takes an OAuth token; who brings a scheme with it means that one.
        headers["Authorization"] = token if " " in token else f"Bearer {token}"
    return headers
