"""What a session's instructions change in the local mind, which is little. Pure.

Heeded are: a name of its own ("You are Ada", "Your name is Ada"), brevity ("Keep your answers
short", "in one sentence"), words to say ("Say exactly: 'Hello'"), and, where no user has asked for
anything, a request of a kind that a user could make ("Tell a story about a fox").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bargein.server.engines.local.meaning import Meaning, read

OWN_NAME = "the storyteller"
_READ_CHARACTERS = 4_000
"""Of instructions so much is read."""

_NAMED = re.compile(
    r"\b(?:[Yy]ou are(?: called)?|[Yy]our name is|[Cc]all yourself) (?!(?:A|An|The|I)\b)([A-Z]\w*)"
)
_BRIEF = re.compile(r"\b(?:brief|briefly|concise|short (?:answer|repl|response)\w*)\b", re.I)
_BRIEF_KEPT = re.compile(r"\b(?:one sentence|few words|(?:answer|repl|response)\w* short)\b", re.I)
_SAY = re.compile(r"\b[Ss]ay\b[^\"'“‘]{0,40}[\"“'‘](?P<words>.+?)[\"”'’](?=\W|$)", re.DOTALL)
_ASKED = re.compile(r"\b(?:tell|read)\b(?! stories)", re.I)


@dataclass(frozen=True, slots=True)
class Manners:
    """How to behave. `request` is what the instructions ask for by themselves, if anything."""

    own_name: str = OWN_NAME
    brief: bool = False
    say: str = ""
    request: Meaning | None = None


def manners_of(instructions: object) -> Manners:
    """Read a session's or a response's instructions; anything but a text has none."""
    if not isinstance(instructions, str):
        return Manners()
    instructions = instructions[:_READ_CHARACTERS]
    named, say = _NAMED.search(instructions), _SAY.search(instructions)
    meaning = read(instructions)
    wanted = meaning.kind in ("story", "joke", "weather", "time", "date")
    return Manners(
        own_name=named[1] if named else OWN_NAME,
        brief=bool(_BRIEF.search(instructions) or _BRIEF_KEPT.search(instructions)),
        say=say["words"] if say else "",
        request=meaning if wanted and _ASKED.search(instructions) else None,
    )
