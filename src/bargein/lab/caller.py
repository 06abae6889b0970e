"""The user of the demo: what happens goes in, what the user does about it comes out. Pure.

1. The user has some turns. Each is a line to say, and how much of the reply to listen to before
   the next line is said over it. After the last line the reply is heard to its end, and the user
   leaves.
2. Only what happens moves the user on, so any service will do. Replies that were there when a line
   was begun are of no interest any more, and while the user speaks no reply is listened to.
3. A reply that is over before it could be talked over is asked for again, `TRIES` times in all.
4. The user waits `PATIENCE_US` for something to be heard, and listens to `LONGEST_REPLY_MS` of the
   last reply. Then the user leaves, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from bargein.core.notices import Fault, Notice, TurnEnded, TurnStarted
from bargein.units import US_PER_MS, US_PER_S

PATIENCE_US = 20 * US_PER_S
LONGEST_REPLY_MS = 60_000
TRIES = 3
FIRST_PAUSE_US = 400 * US_PER_MS
ASK_AGAIN_US = 300 * US_PER_MS
LAST_PAUSE_US = 600 * US_PER_MS


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of the user. `listen_ms`: how much of its reply is heard before it is talked over;
    None: all."""

    line: str
    listen_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Began:
    """The session stands."""


@dataclass(frozen=True, slots=True)
class Said:
    """The line that was asked for sounds until `end_us`."""

    end_us: int


@dataclass(frozen=True, slots=True)
class ReplyHeard:
    """So much of a reply has reached the ear."""

    response_id: str
    heard_ms: int


@dataclass(frozen=True, slots=True)
class Tick:
    """`deadline_us` has come."""


@dataclass(frozen=True, slots=True)
class Say:
    """Say the turn's line now; answered by `Said` before anything else happens."""

    turn: int


@dataclass(frozen=True, slots=True)
class Leave:
    """End the session. `unmet` says what of the plan could not be done; None: all was."""

    unmet: str | None


Happening: TypeAlias = Began | Said | ReplyHeard | Tick | Notice
Deed: TypeAlias = Say | Leave


class Caller:
    """Drive it with `handle`; give it a `Tick` when `deadline_us` has come."""

    def __init__(self, turns: tuple[Turn, ...]) -> None:
        assert turns and all(turn.listen_ms is not None for turn in turns[:-1])
        assert turns[-1].listen_ms is None
        self._turns = turns
        self._turn = 0
        self._tries = 0
        self._past: set[str] = set()
        self._known: set[str] = set()
        self._quiet_us: int | None = None  # when the user has finished the line
        self._speak_us: int | None = None
        self._leave_us: int | None = None
        self._patience_us: int | None = None
        self._fault: str | None = None
        self._gone = False

    @property
    def deadline_us(self) -> int | None:
        """When something is due if nothing else happens."""
        dues = (self._speak_us, self._leave_us, self._patience_us)
        return None if self._gone else min((due for due in dues if due is not None), default=None)

    def handle(self, happened: Happening, *, now_us: int) -> list[Deed]:
        """What the user does about it, in order. After `Leave` nothing more."""
        if self._gone:
            return []
        match happened:
            case Began():
                self._speak_us = now_us + FIRST_PAUSE_US
            case Said(end_us=end_us):
                self._quiet_us = end_us
                self._patience_us = max(now_us, end_us) + PATIENCE_US
            case TurnStarted(role="assistant", response_id=str(response_id)):
                self._known.add(response_id)
            case ReplyHeard(response_id=response_id, heard_ms=heard_ms):
                self._known.add(response_id)
                return self._heard(response_id, heard_ms, now_us)
            case TurnEnded(role="assistant", response_id=str(response_id), status=status):
                return self._over(response_id, status, now_us)
            case Fault(message=message):
                self._fault = message
            case Tick():
                return self._due(now_us)
            case _:
                pass
        return []

    def _listening(self, response_id: str, now_us: int) -> bool:
        """Whether that reply is what the user is waiting for or listening to."""
        quiet = self._quiet_us is not None and now_us >= self._quiet_us
        return quiet and self._speak_us is None and response_id not in self._past

    def _heard(self, response_id: str, heard_ms: int, now_us: int) -> list[Deed]:
        if not self._listening(response_id, now_us):
            return []
        self._patience_us = now_us + PATIENCE_US
        listen_ms = self._turns[self._turn].listen_ms
        if listen_ms is None:
            if heard_ms > LONGEST_REPLY_MS:
                return self._leave(
                    f"the last reply was still going on after {LONGEST_REPLY_MS // 1_000} s"
                )
            return []
        if heard_ms < listen_ms:
            return []
        self._turn += 1
        self._tries = 0
        return self._speak()

    def _over(self, response_id: str, status: str, now_us: int) -> list[Deed]:
        """A reply has ended: heard to its end, cut, or failed."""
        if not self._listening(response_id, now_us) or status in ("cancelled", "superseded"):
            return []
        listen_ms = self._turns[self._turn].listen_ms
        if listen_ms is None and status == "completed":
            self._patience_us = None
            self._leave_us = now_us + LAST_PAUSE_US
            return []
        self._tries += 1
        if self._tries < TRIES:
            self._speak_us = now_us + ASK_AGAIN_US
            return []
        if status != "completed":
            return self._leave(f"the service ended its reply as {status!r}{self._blamed}")
        return self._leave(
            f"{TRIES} replies to turn {self._turn + 1} were over before {listen_ms} ms of them "
            "were heard, too early to talk over them"
        )

    def _due(self, now_us: int) -> list[Deed]:
        if self._speak_us is not None and now_us >= self._speak_us:
            return self._speak()
        if self._leave_us is not None and now_us >= self._leave_us:
            return self._leave(None)
        if self._patience_us is not None and now_us >= self._patience_us:
            return self._leave(
                f"nothing was heard for {PATIENCE_US // US_PER_S} s after turn {self._turn + 1} "
                f"of the user{self._blamed}"
            )
        return []

    @property
    def _blamed(self) -> str:
        return "" if self._fault is None else f" (the service said: {self._fault})"

    def _speak(self) -> list[Deed]:
        self._past |= self._known
        self._speak_us = self._quiet_us = self._patience_us = None
        return [Say(self._turn)]

    def _leave(self, unmet: str | None) -> list[Deed]:
        self._gone = True
        return [Leave(unmet)]
