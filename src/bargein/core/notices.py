"""What the application is told. Nouns; plain data; milliseconds are for people, samples for
proof.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from bargein import events
from bargein.units import ms_floor

Role: TypeAlias = Literal["user", "assistant"]
Floor: TypeAlias = Literal["user", "assistant", "nobody"]
Exactness: TypeAlias = Literal["exact", "within", "inexact", "unconfirmed", "lost"]
Asker: TypeAlias = Literal[
    "speech", "interrupt", "typed", "push_to_talk", "cancel", "leave", "service"
]
"""`service`: it cancelled a response on its own, and what it had sent was heard to the end."""
ToolStatus: TypeAlias = Literal[
    "returned",
    "failed",
    "incomplete",
    "unknown",
    "refused",
    "timed_out",
    "cancelled",
    "lost",
    "late",
]
ToolKind: TypeAlias = Literal["function", "mcp"]
"""`mcp`: a tool of an MCP server that the service itself calls."""
Blame: TypeAlias = Literal["ours", "crossing", "theirs", "application"]


class Connected(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The session stands, with the settings the service says are in effect."""

    session: events.Session


class FloorChanged(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Who is being heard now. While both speak the user has the floor."""

    floor: Floor


class Transcript(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Words of an item. `final` comes once a part: for speech of the assistant when it was heard or
    cut.

    Of a cut part, `text` is the words heard, as far as text and sound tell (`core/words.py`), and
    `cut` is true.
    """

    role: Role
    item_id: str
    text: str
    final: bool
    content_index: int = 0
    cut: bool = False


class TurnStarted(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Somebody's turn: the user's speech, or a response. `ask_ids` name the asks it answers."""

    role: Role
    item_id: str | None = None
    response_id: str | None = None
    ask_ids: tuple[int, ...] = ()


class TurnEnded(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The user fell silent, or a response is over and heard to its end (or to its cut).

    `status` of a response is the service's, or `refused`, `superseded` (given up before it was
    asked for), `unanswered` (the service never began it) or `lost` (with the session). `cut` says
    that it was interrupted, which a response that was made whole before can be. `text` is all
    text the service made for it.
    """

    role: Role
    status: str = "completed"
    item_id: str | None = None
    response_id: str | None = None
    ask_ids: tuple[int, ...] = ()
    text: str = ""
    cut: bool = False


class PartRecord(msgspec.Struct, frozen=True):
    """What became of one part in an interruption."""

    response_id: str
    item_id: str
    content_index: int
    rate: int
    received_samples: int
    heard_samples: int
    heard_ms: int
    action: Literal["none", "truncate", "delete", "pending"] = "pending"
    sent_ms: int | None = None
    kept_ms: int | None = None
    answer: str = ""
    """The service's word: `truncated`, `deleted`, a refusal's code, `unconfirmed` or `lost`."""
    made_up_samples: int = 0
    """Over WebRTC: of what was received, so much was made up here for what was lost or late. In
    `heard_samples` it counts, being time at the ear; it had not left the service."""


class Interruption(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The stop: who asked, what was playing, how much of it was heard, how fast it was silent."""

    cut_id: str
    askers: tuple[Asker, ...]
    response_ids: tuple[str, ...]
    heard_ms: int
    parts: tuple[PartRecord, ...]
    stop_latency_us: int
    """From the input that asked to the player's answer."""
    speech_to_silence_us: int | None
    """From the capture of the deciding sound to the player's answer; None without speech."""
    margin_samples: int | None = 0


class InterruptionSettled(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The end of the record: what was sent, what the service answered, what it keeps.

    `drift_ms` is kept − heard over all parts; None while something is unconfirmed.
    """

    cut_id: str
    askers: tuple[Asker, ...]
    response_ids: tuple[str, ...]
    heard_ms: int
    kept_ms: int | None
    drift_ms: int | None
    exactness: Exactness
    parts: tuple[PartRecord, ...]
    commands: tuple[str, ...]
    """What was sent for it, in order: `response.cancel`, `conversation.item.truncate`, …"""
    settle_latency_us: int = 0

    @property
    def left_ms(self) -> int:
        """What had left the service and come here, heard or not, in whole milliseconds. What was
        made up here for lost sound is not among it."""
        came = ((part.received_samples - part.made_up_samples, part.rate) for part in self.parts)
        return sum(ms_floor(samples, rate) for samples, rate in came)


class ToolCalled(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The model called a function; the arguments are whole. In a session without tools the result
    is the application's to send; else `ToolAnswered` follows.

    A call of the kind `mcp` the service runs by itself; its `call_id` is its item's id, or that of
    the request for its approval where that came first.
    """

    call_id: str
    name: str
    arguments: str
    item_id: str
    response_id: str
    kind: ToolKind = "function"
    server_label: str = ""


class ToolAnswered(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A call has its one answer. `late`: a tool said something after that; it was sent nowhere.
    `incomplete`: it was cut off before its arguments were whole, so no `ToolCalled` came before.
    """

    call_id: str
    name: str
    status: ToolStatus
    output: str
    """What the model was told, and of a tool in the background what it is told as news."""
    took_us: int = 0
    kind: ToolKind = "function"
    server_label: str = ""


class Fault(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The service refused something, or broke. The session goes on."""

    blame: Blame
    code: str | None
    message: str
    param: str | None = None
    about: str | None = None
    """The type of the event that was refused, where it is known."""


class UsageReported(msgspec.Struct, frozen=True, tag=True, gc=False):
    """What a response cost, as the service counts."""

    response_id: str
    usage: events.Usage


class Pruned(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The conversation was too long, and the service has taken something out (`core/pruning.py`).

    `deleted`: these items are gone. `left_out`: they are there, and the model is not told them any
    more. It was told `tokens` less than before; there may be other items than these, of which it is
    certain.
    """

    how: Literal["deleted", "left_out"]
    item_ids: tuple[str, ...]
    tokens: int | None = None


class BudgetNear(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A budget of the session is nearly used; told once of each (`core/budget.py`)."""

    kind: str
    """The field of `Budget`."""
    used: float
    limit: float


class BudgetSpent(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A budget is used up: no reply is asked for any more, and the session ends when the one that
    runs has. `Lost` follows, with a reason that names it.
    """

    kind: str
    used: float
    limit: float


class Lost(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The pipe has ended and the session with it."""

    code: int | None
    reason: str


class Dropped(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Something exceeded its bound and was thrown away: oldest first, counted."""

    what: Literal["microphone", "playback", "notices", "events"]
    count: int
    """Samples of sound, or number of notices or events."""


class Raw(msgspec.Struct, frozen=True, tag=True, gc=False):
    """An event that the vocabulary does not know, or could not be read; passed on as it came."""

    event_type: str
    data: Any


Notice: TypeAlias = (
    Connected
    | FloorChanged
    | Transcript
    | TurnStarted
    | TurnEnded
    | Interruption
    | InterruptionSettled
    | ToolCalled
    | ToolAnswered
    | Fault
    | UsageReported
    | Pruned
    | BudgetNear
    | BudgetSpent
    | Lost
    | Dropped
    | Raw
)
