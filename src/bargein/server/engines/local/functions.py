"""Which of the session's functions fits what the user wants, and with what arguments. Pure.

1. A function fits by the words of its name: all of those that say what it is about are in the
   user's words or in the kind of what was meant ("get_weather", "turn_on_light").
2. Arguments are made for the properties that the function's schema requires, and for those that
   the user's words fill: a city, a day, a number, one of an enumeration. Where a required one
   cannot be filled, the function does not fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bargein import events
from bargein.server.engines.local import lexicon
from bargein.server.engines.local.meaning import Meaning, normalized

_COMMON = frozenset(
    (
        *("get", "fetch", "find", "lookup", "look", "up", "current", "query", "check", "read"),
        *("show", "in", "for", "of", "the", "a", "an", "api", "tool", "function", "info", "data"),
        *("local", "report", "today", "now", "by", "at", "tell", "ask"),
    )
)
_ALSO = {
    "weather": frozenset(("weather", "forecast", "temperature", "rain")),
    "time": frozenset(("time", "clock", "datetime")),
    "date": frozenset(("date", "day", "datetime", "calendar", "time")),
}
"""What functions for these kinds of meaning are called."""
_PLACES = frozenset(("city", "location", "place", "town", "where", "area", "destination", "query"))
_ZONES = frozenset(("timezone", "zone", "tz"))
_DAYS = frozenset(("day", "date", "when"))


@dataclass(frozen=True, slots=True)
class Call:
    """A function to call; `arguments` is JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user wants: the meaning, the words, and the city that it is about, if any."""

    meaning: Meaning
    text: str
    city: str


def declared(params: events.ResponseParams) -> tuple[events.FunctionTool, ...]:
    """The functions that the response may call."""
    return tuple(
        tool
        for tool in params.tools or ()
        if isinstance(tool, events.FunctionTool) and isinstance(tool.name, str)
    )


def fitting(tools: Sequence[events.FunctionTool], wish: Wish) -> Call | None:
    """The call that the user wants, or None if no function fits."""
    said = set(normalized(wish.text).split())
    said |= {_stem(word) for word in said}
    for tool in tools:
        about = {word for word in _words(str(tool.name)) if word not in _COMMON}
        also = _ALSO.get(wish.meaning.kind, frozenset())
        if about and all({word, _stem(word)} & said or word in also for word in about):
            arguments = _arguments(tool, wish, guess=False)
            if arguments is not None:
                return Call(str(tool.name), json.dumps(arguments, ensure_ascii=False))
    return None


def forced(tools: Sequence[events.FunctionTool], wish: Wish) -> Call | None:
    """The call that must be made: one that fits, else the first, with what can be filled in."""
    if (call := fitting(tools, wish)) is not None or not tools:
        return call
    arguments = _arguments(tools[0], wish, guess=True)
    return Call(str(tools[0].name), json.dumps(arguments, ensure_ascii=False))


def _words(name: str) -> list[str]:
    """The words of a name in any of the usual spellings."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.findall(r"[A-Za-z]+", parted)]


def _stem(word: str) -> str:
    return word.removesuffix("s")


def _arguments(tool: events.FunctionTool, wish: Wish, *, guess: bool) -> dict[str, Any] | None:
    schema: Any = tool.parameters if isinstance(tool.parameters, Mapping) else {}
    properties = schema.get("properties")
    required = schema.get("required")
    arguments: dict[str, Any] = {}
    for name, kind in (properties if isinstance(properties, Mapping) else {}).items():
        kind = kind if isinstance(kind, Mapping) else {}
        value = _filled(name, kind, wish)
        must = isinstance(required, list | tuple) and name in required
        if value is None and must and guess:
            value = _guessed(kind, wish)
        if value is not None:
            arguments[name] = value
        elif must:
            return None
    return arguments


def _filled(name: str, kind: Mapping[str, Any], wish: Wish) -> Any:
    """What the user's words give for a property; None if nothing."""
    words, said = set(_words(name)), normalized(wish.text).split()
    choices = kind.get("enum")
    if isinstance(choices, list | tuple):
        return next((each for each in choices if normalized(str(each)) in " ".join(said)), None)
    match kind.get("type"):
        case "string" if words & _PLACES:
            return _title(wish.city) or None
        case "string" if words & _DAYS:
            return wish.meaning.day or None
        case "string" if words & _ZONES:
            return None
        case "string" if wish.meaning.kind in ("unknown", "story"):
            return wish.text or None
        case "integer" | "number":
            return next((n for word in said if (n := _number(word)) is not None), None)
        case _:
            return None


def _guessed(kind: Mapping[str, Any], wish: Wish) -> Any:
    """A value of the right type for a property that must be there."""
    choices = kind.get("enum")
    if isinstance(choices, list | tuple) and choices:
        return choices[0]
    match kind.get("type"):
        case "integer" | "number":
            return 0
        case "boolean":
            return False
        case "array":
            return []
        case "object":
            return {}
        case "null":
            return None
        case _:
            return wish.text


def _number(word: str) -> int | None:
    if word.isdigit():
        return int(word[:9])
    return lexicon.NUMBERS.index(word) + 1 if word in lexicon.NUMBERS else None


def _title(city: str) -> str:
    return " ".join(word.capitalize() for word in city.split())
