"""One table of named timers: every wait of the client's machine is on this screen.

A timer is armed under a name and a key. The machine asks for the earliest one, the driver arms a
single clock for it, and `expired` hands them back in order of time. An expired timer is gone.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

from bargein.units import US_PER_MS, US_PER_S


class Timer(enum.Enum):
    """What is waited for, and how long at most."""

    SESSION = "the service's `session.created` and `session.updated` after the pipe opened"
    STOP_ANSWER = "a player's word on a stop; then it is treated as one that cannot tell"
    ITEM_OVER = "the end of an item that is to be deleted; then it is deleted as it is"
    SETTLEMENT = "the answer to a truncate or delete; then it is unconfirmed"
    RESPONSE_OVER = "`response.done` after a cancel; then the next response is asked for anyway"
    CLEARED = "the service's word that its output buffer is empty; then we go on without"
    SOUND_OVER = "the last sound of a reply that has left the service; then it is taken for heard"
    CREATED = "`response.created` after our `response.create`; then the reply is lost"
    TURN_ANSWERED = "the service's own response to a turn; then we ask for it ourselves"
    ACKNOWLEDGED = "the answer to an item, an update or a commit; then the ask ends as lost"
    EDIT = "the conversation to come to rest before an edit; then it fails and nothing was sent"
    TOOL = "a tool's end, unless the tool has a time of its own; then the call is answered without"
    BUDGET = "a share of the session's time, or the end of the last reply; then it is left"
    MICROPHONE = "the service's word that its input buffer is empty; then a call's button speaks"
    SAID = "the last sound of a turn by the button, on a call's track; then it is committed"
    LEAVE = "what is still unsettled when the application leaves; then the pipe closes"

    # A member is one object, so its identity will do; the hash of `Enum` is a call in Python.
    __hash__ = object.__hash__

    @property
    def lasts_us(self) -> int:
        """How long it runs."""
        return _LASTS_US[self]


_LASTS_US = {
    Timer.SESSION: 15 * US_PER_S,
    Timer.STOP_ANSWER: 200 * US_PER_MS,
    Timer.ITEM_OVER: 1 * US_PER_S,
    Timer.SETTLEMENT: 2 * US_PER_S,
    Timer.RESPONSE_OVER: 5 * US_PER_S,
    Timer.CLEARED: 1 * US_PER_S,
    Timer.SOUND_OVER: 2 * US_PER_S,
    Timer.CREATED: 15 * US_PER_S,
    Timer.TURN_ANSWERED: 5 * US_PER_S,
    Timer.ACKNOWLEDGED: 15 * US_PER_S,
    Timer.EDIT: 10 * US_PER_S,
    Timer.TOOL: 60 * US_PER_S,
    Timer.BUDGET: 60 * US_PER_S,
    Timer.MICROPHONE: 3 * US_PER_S,
    Timer.SAID: 300 * US_PER_MS,
    Timer.LEAVE: 3 * US_PER_S,
}


class Deadlines:
    """The timers that are armed now. Arming one again moves it."""

    __slots__ = ("_at_us", "next_us")

    def __init__(self) -> None:
        self._at_us: dict[tuple[Timer, str], int] = {}
        self.next_us: int | None = None
        """When the earliest timer is due; None while nothing is waited for."""

    def arm(self, timer: Timer, key: str, now_us: int, lasts_us: int | None = None) -> None:
        """Wait from now on, as long as the timer lasts, or as long as is said."""
        self._at_us[timer, key] = now_us + (timer.lasts_us if lasts_us is None else lasts_us)
        self.next_us = min(self._at_us.values())

    def stop(self, timer: Timer, key: str) -> None:
        """Wait no more; what is not armed may be stopped."""
        if self._at_us.pop((timer, key), None) is not None:
            self.next_us = min(self._at_us.values(), default=None)

    def take(self, timer: Timer, key: str, now_us: int) -> bool:
        """Whether that wait has come to its end; then it is taken out, as by `expired`."""
        at_us = self._at_us.get((timer, key))
        if at_us is None or at_us > now_us:
            return False
        self.stop(timer, key)
        return True

    def armed(self, timer: Timer, key: str) -> bool:
        """Whether that wait is on."""
        return (timer, key) in self._at_us

    def restart(self, timer: Timer, now_us: int) -> None:
        """Begin every wait of that name anew, as after a stall in which nothing could be sent."""
        for name, key in list(self._at_us):
            if name is timer:
                self.arm(timer, key, now_us)

    def expired(self, now_us: int) -> Iterator[tuple[Timer, str]]:
        """Take out what is due, earliest first. What is armed meanwhile is due in its turn."""
        while self.next_us is not None and self.next_us <= now_us:
            name = min(self._at_us, key=lambda armed: (self._at_us[armed], armed[0].name, armed[1]))
            self.stop(*name)
            yield name

    def clear(self) -> None:
        """Wait for nothing."""
        self._at_us.clear()
        self.next_us = None

    @property
    def waits(self) -> tuple[tuple[Timer, str], ...]:
        """What is waited for now."""
        return tuple(self._at_us)
