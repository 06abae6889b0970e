"""From answers to `Capabilities`: what a client must know of a server. Pure.

What was not answered is assumed to be as it is at OpenAI's service, and said so; of the dialect,
that it is the one that was spoken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from bargein.capabilities import FILE_FORMAT, Capabilities
from bargein.events.dialect import Dialect
from bargein.lab.conformance.question import ANSWER, Facts, Outcome

_NOTHING = "nothing"
_ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True)
class Learned:
    """One capability: its value and why; `why` is empty where it is only assumed."""

    name: str
    value: Any
    why: str


def learned(outcomes: Iterable[Outcome], spoken: Dialect = "ga") -> tuple[Learned, ...]:
    """Every capability of a server that plays nothing itself, in their order. `spoken` is the
    dialect in which it was asked."""
    facts = {each.question.name: each.facts for each in outcomes if each.facts is not None}
    found = {
        "truncate": _truncate(facts),
        "delete": _delete(facts),
        "cancel": _cancel(facts),
        "acknowledges": _acknowledges(facts),
        "interrupts": _interrupts(facts),
        "lengths_grid_ms": _grid(facts),
        "dialect": _dialect(facts),
    }
    usual = Capabilities(dialect=spoken)
    return tuple(
        Learned(name, *(each or (getattr(usual, name), ""))) for name, each in found.items()
    )


def capabilities_of(learned: Iterable[Learned]) -> Capabilities:
    """The object that `bargein.connect(capabilities=…)` takes."""
    return Capabilities(**{each.name: each.value for each in learned})


def calls_of(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """What was learned of calls, as far as it was answered. The client decides nothing by it: it
    understands both generations of names and hears of every clear from the server."""
    facts = {each.question.name: each.facts for each in outcomes if each.facts is not None}
    found: dict[str, Any] = {}
    if call := facts.get("calls: call"):
        found["offered"] = call[ANSWER] == "a call"
    if (names := facts.get("calls: names")) and names["started"] is not None:
        found["names"] = "retired" if ".audio_" in str(names["started"]) else "as today"
    if spoken := facts.get("calls: interruption"):
        found["clears_at_speech"] = spoken["clears by itself"]
    if clear := facts.get("calls: clear"):
        found["answers_clear"] = clear[ANSWER] == "cleared"
    lengths = [facts.get(f"calls: {name}", {}) for name in ("length", "length by hand")]
    steps = {re.fullmatch(r"(\d+) ms", str(each["in steps of"])) for each in lengths if each}
    if steps and None not in steps:
        found["lengths_grid_ms"] = max(int(step[1]) for step in steps if step is not None)
    return found


def as_file(
    learned: tuple[Learned, ...], about: Mapping[str, Any], calls: Mapping[str, Any] | None = None
) -> str:
    """The file that `bargein.connect(capabilities=…)` takes; `about` says which server and when,
    `calls` what is known of its calls."""
    whole = {
        "format": FILE_FORMAT,
        **about,
        **({"calls": calls} if calls else {}),
        "capabilities": {each.name: each.value for each in learned},
        "because": {each.name: each.why or "assumed: not answered" for each in learned},
    }
    return msgspec.json.format(msgspec.json.encode(whole)).decode() + "\n"


_Found = tuple[Any, str] | None
_All = Mapping[str, Facts]


def _truncate(facts: _All) -> _Found:
    half = facts.get("truncate: half")
    if half is None:
        return None
    answer = str(half[ANSWER])
    if answer == _ACKNOWLEDGED:
        return True, "it acknowledges a truncate"
    if answer != _NOTHING:
        return False, f"a truncate is {answer}"
    left = facts.get("truncate: memory", {}).get("the sound that is left")
    if left == "as it was asked for":
        return True, "it says nothing, and keeps what it was told to keep"
    if left == "all of it":
        return False, "a truncate is ignored: all of the sound is still there"
    beyond = facts.get("truncate: too long", {})
    if "shorter" in str(beyond.get("message")):
        return True, "it says nothing, and refuses a truncate beyond the end"
    return False, "a truncate is ignored, as far as can be seen"


def _delete(facts: _All) -> _Found:
    deleted = facts.get("items: delete")
    if deleted is None:
        return None
    answer = str(deleted[ANSWER])
    if answer == _ACKNOWLEDGED:
        return True, "it acknowledges a delete"
    again = facts.get("items: delete again", {})
    if answer == _NOTHING and again.get("code") == "item_delete_invalid_item_id":
        return True, "it says nothing, and refuses to delete the same item again"
    if answer == _NOTHING:
        return False, "a delete is ignored, as far as can be seen"
    return False, f"a delete is {answer}"


def _cancel(facts: _All) -> _Found:
    cancel = facts.get("cancel: cancel")
    if cancel is None:
        return None
    if cancel[ANSWER] == "done":
        return True, f"a cancel ends the response as {cancel.get('status')}"
    return False, f"a cancel is answered with {cancel[ANSWER]}"


def _acknowledges(facts: _All) -> _Found:
    obeyed = {"truncate: half": _truncate(facts), "items: delete": _delete(facts)}
    for name, found in obeyed.items():
        if found is not None and found[0]:
            answer = facts[name][ANSWER]
            what = name.partition(":")[0]
            if answer == _ACKNOWLEDGED:
                return True, f"seen of {what}"
            return False, f"{what} is obeyed without a word"
    if None in obeyed.values():
        return None
    return False, "it obeys neither truncate nor delete"


def _interrupts(facts: _All) -> _Found:
    speech = facts.get("speech: interruption")
    if speech is None:
        return None
    if speech["at speech_started"] != "the server cancels":
        return "never", "a response goes on when the user speaks over it"
    told = facts.get("speech: no interruption", {})
    if told.get("interrupt_response: false") == "the server cancels":
        return "always", "it cancels even where interrupt_response is false"
    return "as_told", "it cancels where interrupt_response is true"


def _grid(facts: _All) -> _Found:
    lengths = facts.get("truncate: lengths")
    step = None if lengths is None else re.match(r"\d+", str(lengths["counts in steps of"]))
    if lengths is None or step is None:
        return None
    return int(step[0]), f"it has {lengths['of what came']}"


def _dialect(facts: _All) -> _Found:
    shape = facts.get("session: shape")
    if shape is None:
        return None
    flat = str(shape["shape"]).startswith("beta")
    return ("beta", "its session is flat") if flat else ("ga", "its session is nested")
