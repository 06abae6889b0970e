"""What an episode's log says so far: what each side has sent, and what the other one has got.

It only keeps records. What they mean is told by `replies.py`, `stops.py` and `turns.py`, which look
before they change them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bargein.core.asks import Ask
from bargein.core.inputs import Part, Rendered
from bargein.core.notices import Interruption
from bargein.sim.coverage.cuts import CUTS
from bargein.sim.coverage.races import RACES
from bargein.sim.coverage.rules import RULES
from bargein.sim.options import Options

NEVER = -1


@dataclass(slots=True, eq=False)
class Asked:
    """A `response.create` of the client. `cut`: by then it was no longer wanted."""

    in_band: bool
    arrived: bool = False
    answered: bool = False
    cut: bool = False
    pays: bool = False
    """It went out when the server was known not to have answered a turn."""


@dataclass(slots=True, eq=False)
class Reply:
    """A response: what the server has sent of it, and what the client has got."""

    id: str
    in_band: bool
    asked: Asked | None
    created_got: bool = False
    done_sent: bool = False
    done_got: bool = False
    cut: bool = False
    unborn: bool = False
    """It was cut before the client got `created`."""
    cancel_sent: bool = False
    cancel_arrived: bool = False
    by_server: bool = False
    """The server's turn detection cancelled it."""
    calls: set[str] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Spoken:
    """An item of a response. `sent` and `got` count its deltas of sound."""

    reply: Reply
    sent: int = 0
    got: int = 0
    parts: set[int] = field(default_factory=set)
    done_sent: bool = False
    done_got: bool = False
    completed: bool = False
    shown: bool = False
    truncates: int = 0
    unanswered: int = 0
    deleted: bool = False


@dataclass(slots=True, eq=False)
class Cut:
    """From the stop to the settlement."""

    asked_us: int
    done: bool
    """No response of the conversation was open when it was asked for."""
    answered: bool = False
    told: Interruption | None = None
    settled: bool = False
    heard: dict[Part, int] = field(default_factory=dict)


class Scene:
    """Everything the watchers need to remember of one episode."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.rules = dict.fromkeys(RULES, 0)
        self.races = dict.fromkeys(RACES, 0)
        self.kinds = dict.fromkeys(CUTS, 0)
        self.replies: dict[str, Reply] = {}
        self.items: dict[str, Spoken] = {}
        self.creates: dict[int, Asked] = {}
        self.cuts: dict[str, Cut] = {}
        self.stopping = 0
        """Stops that are not answered, and whose answer is still waited for."""
        self.asking: Ask | None = None
        """The ask that the client is just handling."""
        self.rendered: Rendered | None = None
        self.flags: tuple[bool, bool] | None = None
        self.order: list[str] = []
        """The conversation, as the client was told of it."""
        self.turns = 0
        """Turns that are committed under `create_response`, and not answered."""
        self.turns_cut = False
        self.debt = False
        """The server could not answer a turn by itself."""
        self.speaking = False
        self.speech_under_way = 0
        self.updates = 0
        """Changes of the settings that are sent and not agreed to."""
        self.commits = 0
        self.press_waits = False
        self.blocked = False
        self.left = self.lost = False
        self.held = False
        self.hold_waits = False
        self.own_deletes: set[str] = set()
        """Items that the application asked to delete, and that are not deleted yet."""
        self.edits: dict[int, int] = {}
        """When each edit was asked for that is not answered, by its ask."""
        self.overtook = False
        self.by_call = options.webrtc
        self.clears = 0
        """Our clears of the service's output buffer that no `cleared` has answered."""
        self.sounding = False
        """In a call: the service said `started`, and neither `stopped` nor `cleared` since."""
        # When it last happened, for what comes in the same microsecond.
        self.created_us = self.done_us = self.over_us = self.delta_us = NEVER
        self.cut_us = self.speech_us = self.drained_us = self.answered_us = NEVER
        self.told_us = self.settled_us = self.called_us = NEVER

    @property
    def open(self) -> list[Reply]:
        """The responses that the client knows of and that are not over for it."""
        return [
            reply for reply in self.replies.values() if reply.created_got and not reply.done_got
        ]

    @property
    def open_in_band(self) -> bool:
        """A response of the conversation is open, as far as the client knows."""
        return any(reply.in_band for reply in self.open)

    @property
    def unsettled(self) -> bool:
        """A cut was told, and is not settled."""
        return any(cut.told is not None and not cut.settled for cut in self.cuts.values())

    @property
    def asked_for(self) -> bool:
        """A create of the conversation is unanswered."""
        return any(asked.in_band and not asked.answered for asked in self.creates.values())
