"""What `bargein ab` plays, in a TOML file, read strictly.

1. A scenario is a list of stories. In each the user asks for something, listens to the reply for so
   long, and stops it once: by the button, by talking, by typing, or by push-to-talk.
2. What the local server says is in the file: `story` to what is asked first, `answer` to what is
   said or typed at the stop. Another server has `instructions` and its own words.
3. Nothing is guessed: an error names the file, the place, the value and what to write instead.
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from bargein.errors import LocalValueError
from bargein.server.engines.scenario import Scenario as ServerScenario
from bargein.server.engines.tables import Table, check, explain

How: TypeAlias = Literal["button", "voice", "typed", "push_to_talk"]
_HOWS: tuple[How, ...] = ("button", "voice", "typed", "push_to_talk")
_MAX_FILE_BYTES = 1024 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MOST_STORIES = 50


class Story(Table, frozen=True, kw_only=True):
    """One conversation with one stop."""

    name: str
    """For files and tables: small letters, digits, hyphens."""
    about: str = ""
    ask: str = "Tell me a story."
    """What the user types first."""
    listen_ms: int
    """How much of the reply is heard before it is stopped."""
    stop: How
    after_done: bool = False
    """The stop waits until the service has made the whole reply, while it still sounds."""
    words: str | None = None
    """What is said or typed at the stop; a button says nothing."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"name is {self.name!r}: give up to 40 small letters, digits and hyphens"
            )
        check(self, listen_ms=(100, 60_000))
        if self.stop == "button" and self.words is not None:
            raise ValueError(
                f"words is {self.words!r}: a button says nothing; leave it out, or give another "
                "'stop'"
            )
        if self.stop != "button" and not (self.words or "").strip():
            raise ValueError(
                f"words is {self.words!r}: give what is said or typed with stop = {self.stop!r}"
            )
        if not self.ask.strip():
            raise ValueError(f"ask is {self.ask!r}: give what the user types first")


class Scenario(Table, frozen=True, kw_only=True):
    """A whole file."""

    stories: tuple[Story, ...]
    about: str = ""
    instructions: str = "You are a storyteller. Tell long stories, and begin at once."
    story: str
    """What the local server says to the first words."""
    answer: str = "Of course."
    """What it says to those at the stop."""
    voice: str = "en-us"
    """The local server's, of espeak-ng."""
    words_per_minute: int = 165
    speed: float = 4.0
    """How many seconds of its sound the local server makes in one second."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.stories) <= MOST_STORIES:
            raise ValueError(f"stories has {len(self.stories)}: give 1 to {MOST_STORIES}")
        names = [story.name for story in self.stories]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two stories have the name {twice[0]!r}: give each its own")
        for name in ("story", "answer"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} is {getattr(self, name)!r}: give what the server says")
        # What the server's own scenario cannot have is told here, by the same names.
        check(self, words_per_minute=(80, 450), speed=(0.1, 1_000))

    def played(self) -> ServerScenario:
        """What the local server plays in each conversation."""
        return ServerScenario.of(
            {
                "voice": self.voice,
                "words_per_minute": self.words_per_minute,
                "speed": self.speed,
                "replies": [
                    {"outputs": [{"say": self.story}]},
                    {"outputs": [{"say": self.answer}]},
                ],
            }
        )


def load(file: Path | None) -> Scenario:
    """Read a file; None: the one that comes with the package. Raises `LocalValueError`."""
    if file is None:
        shipped = resources.files(__package__) / "data" / "report.toml"
        return parse(shipped.read_bytes(), "report.toml")
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise LocalValueError(
            f"scenario: {file}: {error.strerror or error}; give a TOML file"
        ) from error
    if len(content) > _MAX_FILE_BYTES:
        raise LocalValueError(f"scenario: {file}: more than {_MAX_FILE_BYTES} bytes")
    return parse(content, str(file))


def parse(content: bytes, source: str) -> Scenario:
    """The file's content. Raises `LocalValueError`, which names `source`."""
    try:
        values: dict[str, Any] = tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise LocalValueError(
            f"{source}: byte {error.start} is no UTF-8; save it as UTF-8"
        ) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise LocalValueError(f"{source}: not TOML: {error}") from None
    try:
        return msgspec.convert(values, Scenario)
    except msgspec.ValidationError as error:
        told = explain(str(error), values, Scenario, {"stories": Story}, {"stop": _HOWS})
        raise LocalValueError(f"{source}: {told}") from None
