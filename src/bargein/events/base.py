"""What every shape on the wire has in common.

1. Three values are different: a field that is absent (`UNSET`), an explicit `null` (`None`) and a
   value. `Maybe[T]` holds all three, and all three survive a round trip.
2. Nothing that arrives is lost. What the vocabulary does not name is kept in `extra` of the shape
   it came in; a shape whose own `type` is unknown is kept whole in `raw`.
3. Open sets of words (status, role, model, voice …) are `str`: a service may add to them any day,
   and a new word must not make a known event unreadable.
4. Audio is `bytes` on this side of the codec and base64 on the other.
5. Shapes are compared by value. One that holds a JSON object of the application's (metadata, the
   schema of a tool) cannot be hashed, as a tuple that holds a dict cannot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

T = TypeVar("T")

Maybe: TypeAlias = T | UnsetType | None
"""Absent, null, or a value."""

# What a service may leave out although the API reference requires it (protocol.md section 8: other
# vendors do). The decoder fills in the value under "lenient" and notes that in `extra`.
Index: TypeAlias = Annotated[int, Meta(extra={"lenient": 0})]
LenientText: TypeAlias = Annotated[str, Meta(extra={"lenient": ""})]

UNKNOWN_TAG = "\0unknown"
"""The tag that msgspec needs of the shapes that hold an unknown one; it is never on the wire."""


class Fields(Mapping[str, Any]):
    """An immutable mapping of wire fields to their plain JSON values.

    In `extra`, a known name with the value `UNSET` marks a field that the API reference requires
    and the sender left out, or sent as null (`None`): the struct holds a neutral value in its
    place, and encoding leaves it out, or sends null, again.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values: dict[str, Any] = dict(values or {})

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        # The values may be lists and mappings, so only the names can be hashed. Equal mappings have
        # equal names, which is all that a hash must honour.
        return hash(frozenset(self._values))

    def __repr__(self) -> str:
        return f"Fields({self._values!r})"


class Shape(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    repr_omit_defaults=True,
    gc=False,
):
    """Any object on the wire. `extra` holds the fields that the vocabulary does not name."""

    extra: Fields | UnsetType = UNSET


class ClientShape(Shape, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """An event that the client sends. The service names `event_id` in the error it causes.

    An `event_id` of None is not sent.
    """

    event_id: str | None = None


class ServerShape(Shape, frozen=True, kw_only=True, tag_field="type"):
    """An event that the service sends."""

    event_id: LenientText


class UnknownShape(Shape, frozen=True, kw_only=True, tag_field="type", tag=UNKNOWN_TAG):
    """A shape of a `type` outside the vocabulary, inside a known event: kept whole in `raw`."""

    raw: Fields

    @property
    def type(self) -> str | None:
        """The wire's `type`, or None if it is missing or no text."""
        value = self.raw.get("type")
        return value if isinstance(value, str) else None

    @property
    def id(self) -> str | UnsetType:
        """The wire's `id`, where it is a text."""
        value = self.raw.get("id")
        return value if isinstance(value, str) else UNSET


class Unknown(Struct, frozen=True, kw_only=True):
    """A well-formed event of a type outside the vocabulary, kept whole in `raw`."""

    type: str
    event_id: str | None = None
    raw: Fields


class Malformed(Struct, frozen=True, kw_only=True):
    """A frame that is no event.

    `reason` names the field and the problem, never a value, and is safe to show. `raw` is the
    beginning of the frame; it is as private as the conversation.
    """

    reason: str
    raw: str


def type_of(event: Shape | Unknown | type[Shape]) -> str:
    """The wire's `type` of an event, an item or a part, or of its class.

    Raises TypeError for a class whose objects have no one type on the wire.
    """
    if isinstance(event, Unknown):
        return event.type
    if isinstance(event, UnknownShape):
        return event.type or ""
    tag = event.__struct_config__.tag
    if not isinstance(tag, str) or tag == UNKNOWN_TAG:
        name = event.__name__ if isinstance(event, type) else type(event).__name__
        raise TypeError(f"{name} has no type of its own on the wire")
    return tag
