"""What a trace leaves out: sound and secrets.

1. Sound is replaced by its length: `hollow` takes the bytes out of structs and notes how many there
   were and where; counts suffice to replay, because the machine never looks into sound.
2. A secret is known by the name of its field (`authorization`, `headers` of an MCP tool, client
   secrets) or by its own form (`sk-…`, `ek_…`, `Bearer …`, a password in a URL), wherever it
   stands.
3. Images, and long base64 in fields outside the vocabulary, are replaced by their length too.
4. Leaving out twice is leaving out once: so the replay of masked inputs gives the masked commands.
"""

from __future__ import annotations

import enum
import re
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, inspect
from msgspec.structs import replace

from bargein import events
from bargein.core.inputs import Received
from bargein.events import lenient

S = TypeVar("S", bound=msgspec.Struct)

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


def without_secrets(value: Any) -> Any:
    """The JSON value with each secret masked, and nothing in it that JSON cannot hold."""
    match value:
        case str():
            return _text(value)
        case dict():
            return {
                _text(str(name)): _masked(each)
                if str(name).lower() in _SECRET_NAMES
                else without_secrets(each)
                for name, each in value.items()
            }
        case list() | tuple():
            return [without_secrets(each) for each in value]
        case int() | float() | None:
            return value
        case _:
            return f"<{type(value).__name__}>"


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


def plain(value: Any) -> Any:
    """The plain JSON value of an input, a command, or a part of one; events as on the wire."""
    match value:
        case events.Shape():
            return lenient.plain(value)
        case events.Unknown():
            return plain(value.raw)
        case msgspec.Struct():
            config = value.__struct_config__
            tag = {} if config.tag_field is None else {config.tag_field: config.tag}
            names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
            return tag | {wire: plain(getattr(value, name)) for wire, name in names}
        case dict() | events.Fields():
            return {name: plain(each) for name, each in value.items() if each is not UNSET}
        case list() | tuple():
            return [plain(each) for each in value]
        case enum.Enum():
            return value.value
        case bytes():
            return f"[{len(value)} bytes]" if value else ""  # hollowed before, but in plain values
        case _:
            return value


def hollow(value: S, path: str, counts: dict[str, int]) -> S:
    """The struct with empty sound; `counts` gets the number of bytes by path: `in.audio`."""
    changes: dict[str, Any] = {}
    for name in _places(type(value)):
        old = getattr(value, name)
        new = _hollow_value(old, f"{path}.{name}", counts)
        if new is not old:
            changes[name] = new
    return replace(value, **changes) if changes else value


def _hollow_value(value: Any, path: str, counts: dict[str, int]) -> Any:
    match value:
        case bytes():
            if value:
                counts[path] = len(value)
            return b""
        case msgspec.Struct():
            return hollow(value, path, counts)
        case list() | tuple():
            each = [_hollow_value(part, f"{path}.{i}", counts) for i, part in enumerate(value)]
            same = all(new is old for new, old in zip(each, value, strict=True))
            return value if same else tuple(each)
        case dict():  # of the application's own: no wire object is one
            return {
                name: f"[{len(part)} bytes]"
                if isinstance(part, bytes)
                else _hollow_value(part, f"{path}.{name}", counts)
                for name, part in value.items()
            }
        case _:
            return value


@cache
def _places(cls: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields of the class that may hold sound, at any depth."""
    if cls is Received:
        return ("event",)  # a union that msgspec cannot describe: its last two members have no tag
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    return tuple(field.name for field in info.fields if _may_sound(field.type))


def _may_sound(kind: inspect.Type) -> bool:
    match kind:
        case inspect.BytesType() | inspect.AnyType():
            return True
        case inspect.Metadata():
            return _may_sound(kind.type)
        case inspect.UnionType():
            return any(_may_sound(each) for each in kind.types)
        case inspect.VarTupleType():
            return _may_sound(kind.item_type)
        case inspect.StructType():
            return bool(_places(kind.cls))
        case _:
            return False
