"""What must not be kept, in JSON values: secrets, images, sound in odd places.

One leaf for all that writes down what was on the wire: the trace and the log of frames.

1. A secret is known by the name of its field (`authorization`, `headers` of an MCP tool, client
   secrets) or by its own form (`sk-…`, `ek_…`, `Bearer …`, a password in a URL), wherever it
   stands. Of an MCP server's address only scheme, host and port are kept: many have their key in
   the path or the query.
2. Images, and long base64 in any field, are replaced by their length.
3. Masking twice is masking once: so the replay of masked inputs gives the masked commands.
"""

from __future__ import annotations

import re
from typing import Any, Final

MASK: Final = "[masked]"

_SECRET_NAMES: Final = frozenset(
    {
        "api-key",
        "api_key",
        "apikey",
        "authorization",
        "client_secret",
        "cookie",
        "headers",
        "password",
        "proxy-authorization",
        "secret",
        "x-api-key",
    }
)
_ADDRESS_NAMES: Final = frozenset({"server_url"})
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^/?#\\]*)(.*)", re.DOTALL)
_CREDENTIAL: Final = re.compile(
    r"\b(?:sk-|ek_)[A-Za-z0-9_-]{16,}"
    r"|(?i:(?<=bearer )|(?<=basic ))(?=[^\s\"]*[0-9])[A-Za-z0-9._~+/=-]{16,}"
    r"|(?<=://)[^\s/@\"]+(?=@)"
    r"|(?i:(?<=token=)|(?<=key=)|(?<=secret=)|(?<=password=)|(?<=sig=))[^&\s\"#\[][^&\s\"#]*"
)
_SIGNS: Final = (
    *(name.encode() for name in sorted(_SECRET_NAMES - {"x-api-key", "proxy-authorization"})),
    b"sk-",
    b"ek_",
    b"bearer ",
    b"basic ",
    b"token=",
    b"key=",
    b"sig=",
    b"@",
    b";base64,",
    *(name.encode() for name in sorted(_ADDRESS_NAMES)),
)
"""Every secret has one of these in its line, in lower case; lines without any are not searched."""

_BASE64: Final = re.compile(r"(?:data:[^,]{0,99};base64,)[A-Za-z0-9+/=]*|[A-Za-z0-9+/]{256,}={0,2}")


def may_hold_secrets(line: bytes) -> bool:
    """Whether the encoded line must go through `without_secrets`; wrong on the safe side only."""
    lower = line.lower()
    for sign in _SIGNS:  # `any` would take three times as long, for every line
        if sign in lower:
            return True
    return False


def shown_address(url: str) -> str:
    """The URL's scheme, host and port, and that there was more; a text that is no URL is masked."""
    found = _ADDRESS.fullmatch(url)
    if found is None:
        return MASK if url else url
    scheme, authority, rest = found.groups()
    _, at, host = authority.rpartition("@")
    user = f"{MASK}@" if at else ""
    return f"{scheme}{user}{host}{rest if rest in ('', '/') else f'/{MASK}'}"


def without_secrets(value: Any) -> Any:
    """The JSON value with each secret masked, and nothing in it that JSON cannot hold."""
    match value:
        case str():
            return _text(value)
        case dict():
            return {_text(str(name)): _of_name(str(name), each) for name, each in value.items()}
        case list() | tuple():
            return [without_secrets(each) for each in value]
        case int() | float() | None:
            return value
        case _:
            return f"<{type(value).__name__}>"


def _of_name(name: str, value: Any) -> Any:
    name = name.lower()
    if name in _SECRET_NAMES:
        return _masked(value)
    if name in _ADDRESS_NAMES and isinstance(value, str):
        return _text(shown_address(value))
    return without_secrets(value)


def _text(value: str) -> str:
    value = value.encode("utf-8", "replace").decode()
    if _BASE64.fullmatch(value):
        return f"[{len(value)} characters of base64]"
    return _CREDENTIAL.sub(MASK, value)


def _masked(value: Any) -> Any:
    match value:
        case str():
            return MASK
        case dict():
            return {name: _masked(each) for name, each in value.items()}
        case list() | tuple():
            return [_masked(each) for each in value]
        case _:
            return without_secrets(value)
