"""An event, input, command or notice in a few words: the fields that matter in a bug report.

It reads the JSON of the trace, so it can show traces of other versions: what it does not know is
told by its type and its plain fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bargein.trace.format import JsonObject

_TEXT_SHOWN: Final = 60
_LONG_TEXT_SHOWN: Final = 300
_LONG: Final = frozenset({"message", "reason", "error"})
_PLACE: Final = frozenset({"item_id", "content_index", "output_index", "response_id"})
_DULL: Final = frozenset({"type", "event_id", "obfuscation", "object", "logprobs", "usage"})


def event(raw: JsonObject) -> tuple[str, str]:
    """Type and detail of an event on the wire, of either direction."""
    name = str(raw.get("type", "no event"))
    match raw:
        case {"type": _, "session": dict(session)}:
            return name, ", ".join(_leaves(session)) if name == "session.update" else _said(session)
        case {"type": "response.created" | "response.done", "response": dict(response)}:
            return name, _response(response)
        case {"type": "error", "error": dict(error)}:
            return name, pairs(error)
        case {"type": "response.create", "response": dict(params)}:
            return name, ", ".join(_leaves(params))
        case {"type": _, "item": dict(item)}:
            rest = {k: v for k, v in raw.items() if k in ("response_id", "previous_item_id")}
            return name, " ".join(filter(None, (_item(item), pairs(rest))))
        case {"type": _, "item_id": str(), "content_index": int()}:
            rest = {k: v for k, v in raw.items() if k not in _PLACE}
            return name, f"{part_name(raw)} {pairs(rest)}".rstrip()
        case {"type": _}:
            return name, pairs(raw)
        case _:
            return "malformed", pairs(raw)


def ask(raw: JsonObject) -> str:
    """What the application asked for."""
    name = str(raw.get("type"))
    match raw:
        case {"session": dict(session)}:
            return f"{name} {', '.join(_leaves(session))}"
        case {"wish": list(wish)}:
            deletes = _value(raw.get("delete") or [])
            return f"{name} {len(wish)} items wished, to delete {deletes}"
        case {"event": dict(inner)}:
            return f"{name} {' '.join(event(inner))}".rstrip()
        case _:
            return f"{name} {pairs(raw)}".rstrip()


def notice(raw: JsonObject) -> tuple[str, str]:
    """Type and detail of a notice."""
    name = str(raw.get("type"))
    match raw:
        case {"type": "Interruption" | "InterruptionSettled", "parts": list(parts)}:
            return name, _interruption(raw, parts)
        case {"session": dict(session)}:
            return name, _said(session)
        case _:
            return name, pairs(raw)


def heard(counts: Iterable[JsonObject], rates: Mapping[str, int]) -> str:
    """Heard samples of parts, with their length where the rate is known."""
    return ", ".join(
        f"{part_name(each['part'])} {length(each['samples'], rates.get(part_name(each['part'])))}"
        for each in counts
    )


def part_name(part: JsonObject) -> str:
    """A part as item/content index."""
    return f"{part.get('item_id')}/{part.get('content_index')}"


def length(samples: int, rate: int | None) -> str:
    """A number of samples, for people."""
    return f"{samples} samples" if not rate else f"{samples} samples = {samples / rate:.3f} s"


def margin(samples: int | None) -> str:
    """How exact a count is."""
    if samples is None:
        return "an estimate"
    return f"within {samples} samples" if samples else "exact"


def pairs(raw: JsonObject) -> str:
    """The fields of anything, without the dull ones and the empty ones."""
    return " ".join(
        f"{name}={_value(value, _LONG_TEXT_SHOWN if name in _LONG else _TEXT_SHOWN)}"
        for name, value in raw.items()
        if name not in _DULL and value not in (None, "", [], {})
    )


def _value(value: Any, shown: int = _TEXT_SHOWN) -> str:
    match value:
        case str():
            bare = value and " " not in value and len(value) <= shown
            return value if bare else quoted(value, shown)
        case dict():
            return "{" + ", ".join(map(str, value)) + "}"
        case list():
            plain = all(isinstance(each, int | str) for each in value)
            return "[" + ", ".join(map(_value, value)) + "]" if plain else f"[{len(value)}]"
        case _:
            return str(value)


def quoted(text: str, shown: int = _TEXT_SHOWN) -> str:
    """A text in quotes, its end cut off where it is long."""
    return f"“{text if len(text) <= shown else text[: shown - 1] + '…'}”"


def _leaves(raw: JsonObject, path: str = "") -> Iterable[str]:
    """The settings in an update: paths, and values where they are short."""
    for name, value in raw.items():
        here = f"{path}{name}"
        if isinstance(value, dict) and value and name != "metadata":
            yield from _leaves(value, f"{here}.")
        elif here != "type":
            yield f"{here}={_value(value)}"


def _said(session: JsonObject) -> str:
    """What matters of an effective session."""
    found = [_value(session[name]) for name in ("id", "model") if session.get(name)]
    audio = session.get("audio")
    if isinstance(audio, dict) and isinstance(audio.get("input"), dict):
        turns = audio["input"].get("turn_detection")
        found.append(
            "turn_detection " + (pairs(turns) or "on" if isinstance(turns, dict) else "null")
        )
    return " ".join(found)


def _response(raw: JsonObject) -> str:
    details = raw.get("status_details")
    reason = pairs(details) if isinstance(details, dict) else ""
    output = raw.get("output")
    items = [str(item.get("id", "?")) for item in output] if isinstance(output, list) else []
    outside = "" if raw.get("conversation_id") or "conversation_id" not in raw else "out of band"
    metadata = pairs(raw["metadata"]) if raw.get("metadata") else ""
    words = (raw.get("id"), raw.get("status"), reason, " ".join(items), outside, metadata)
    return " ".join(str(word) for word in words if word)


def _item(raw: JsonObject) -> str:
    words = [str(raw.get(name)) for name in ("id", "role", "status", "name") if raw.get(name)]
    if raw.get("type") != "message":
        words.insert(0, str(raw.get("type")))
    content = raw.get("content")
    for part in content if isinstance(content, list) else ():
        text = part.get("text") or part.get("transcript") or ""
        words.append(f"{part.get('type')} {quoted(text)}" if text else str(part.get("type")))
    return " ".join(words)


def _interruption(raw: JsonObject, parts: list[JsonObject]) -> str:
    words = [f"{raw.get('cut_id')} by {'+'.join(raw.get('askers', ()))}:"]
    words.append(f"heard {raw.get('heard_ms')} ms")
    if raw["type"] == "InterruptionSettled":
        words.append(f"kept {raw.get('kept_ms')} ms, drift {raw.get('drift_ms')} ms,")
        words.append(f"{raw.get('exactness')}; sent {_value(raw.get('commands', []))};")
    else:
        words.append(f"({margin(raw.get('margin_samples'))}),")
        words.append(f"silent {raw.get('stop_latency_us', 0) / 1000:.1f} ms after it was asked;")
    words += [
        f"{part_name(part)} heard {part.get('heard_samples')} of {part.get('received_samples')}"
        f" {part.get('action')} {part.get('answer') or ''}".rstrip()
        + ";"
        for part in parts
    ]
    return " ".join(words).rstrip(";,")
