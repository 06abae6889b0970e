"""What happened in an episode: what the checkers judge and what the story is told from.

1. The log is in the order in which things happened. Both ends of every message are in it, under
   one number, so that who could have known what is a matter of counting.
2. Links keep order: at any place of the log the client knows the server's messages below a number
   and none above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from bargein.core.inputs import Part
from bargein.core.items import ItemView
from bargein.server.model.memory import RememberedItem
from bargein.sim.options import Options
from bargein.units import AudioFormat

Kind: TypeAlias = Literal[
    "server_sent", "client_got", "client_sent", "server_got", "input", "command", "note", "broken"
]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One thing that happened.

    `what` is the event, input or command; of a note, what the world or the user did; of `broken`,
    what no machine may do. `number` counts the messages of each side. `cause`: of what the server
    sent, the number of the client's message that it was just handling, or -1.
    """

    time_us: int
    kind: Kind
    what: object
    number: int = -1
    cause: int = -1


class Truth(msgspec.Struct, frozen=True):
    """What the card let the ear hear at the end of the episode, and how it was bent on the way.

    `committed_at_stop`: by `cut_id`, what was or will be heard of every part when the player's
    answer reached the client.
    """

    heard: Mapping[Part, int]
    committed_at_stop: Mapping[str, Mapping[Part, int]]
    formats: Mapping[Part, AudioFormat]
    order: tuple[Part, ...]
    """Parts in the order in which their first sample was heard."""
    late_samples: int = 0
    """Sound that was given for parts that had been stopped."""


class Final(msgspec.Struct, frozen=True):
    """How the episode ended. `quiet`: everything came to rest in time."""

    truth: Truth
    memory: tuple[RememberedItem, ...]
    mirror: tuple[ItemView, ...]
    quiet: bool = True
    left: bool = False
    """The application ended the session."""
    lost: bool = False
    """The pipe died."""
    deadline_us: int | None = None
    """What the client still waits for."""


class History(msgspec.Struct, frozen=True):
    """The whole episode."""

    options: Options
    entries: tuple[Entry, ...]
    final: Final
