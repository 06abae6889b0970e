"""The calls of one response are a batch: one reply is owed when all of them have their answers.

1. The next response is owed when the whole batch of its response is answered. It is asked for
   once, when the floor is free; any response of the conversation that begins when the answers are
   there pays it (rule 13 of `responses.py`).
2. A reply that somebody asked for goes on with it: whoever waits is told of the end of the last
   response, not of the one that only called.
"""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from bargein.core.responses import Create, Reply

if TYPE_CHECKING:
    from bargein.core.calls import Calls
    from bargein.core.machine import Machine


class Batches:
    """What the next response is owed for, and who waits for it."""

    __slots__ = ("_calls", "_m", "_waiting", "owed")

    def __init__(self, machine: Machine, calls: Calls) -> None:
        self._m = machine
        self._calls = calls
        self.owed: dict[str, str] = {}
        """Items that no response has seen yet, and the response whose batch each is of."""
        self._waiting: dict[str, tuple[int, ...]] = {}
        """By the response that called: the asks whose reply goes on when its batch is answered."""

    def owe(self, item_id: str, response_id: str) -> None:
        """That item is to be answered, with what else the response called."""
        self.owed[item_id] = response_id

    def created(self, coming: Container[str]) -> tuple[int, ...]:
        """A response of the conversation began: it has seen all that is not still coming. Returns
        the asks that it answers with that."""
        for item_id in [item_id for item_id in self.owed if item_id not in coming]:
            del self.owed[item_id]
        return self._answered()

    def refused(self, item_id: str) -> None:
        """The service did not take an output: no response is owed for it."""
        if self.owed.pop(item_id, None) is not None:
            self.let_go("superseded")

    def goes_on(self, reply: Reply) -> bool:
        """Whether the reply is not over with this response: its asks are kept here then."""
        if not reply.ask_ids or reply.cut_id is not None or not self._is_pending(reply.response_id):
            return False
        self._waiting[reply.response_id] = reply.ask_ids
        return True

    def give_up(self, ask_id: int) -> bool:
        """Nobody wants the reply of that ask any more. Whether it was waiting here; what its tools
        say is recorded all the same."""
        for response_id, ask_ids in self._waiting.items():
            if ask_id in ask_ids:
                self._waiting[response_id] = tuple(one for one in ask_ids if one != ask_id)
                self._m.end_turn("superseded", (ask_id,))
                return True
        return False

    def _is_pending(self, response_id: str) -> bool:
        """The batch of that response has no answer yet, or no response has seen it."""
        return response_id in self.owed.values() or response_id in self._calls.waited_for

    def _answered(self) -> tuple[int, ...]:
        """Take out the asks whose batches are not pending any more."""
        over = [one for one in self._waiting if not self._is_pending(one)]
        return tuple(ask_id for one in over for ask_id in self._waiting.pop(one))

    def let_go(self, status: str) -> None:
        """Nothing more will be said about some batch: whoever waits is told."""
        if ask_ids := self._answered():
            self._m.end_turn(status, ask_ids)

    @property
    def owes(self) -> bool:
        """A whole batch is answered, and no response has seen it. Read when the floor is free."""
        return bool(self.owed) and bool(self._whole())

    def create(self) -> Create:
        """The one response for all that is owed; it is not owed any more."""
        items = self._whole()
        for item_id in items:
            del self.owed[item_id]
        ask_ids = list(self._answered())
        return Create(self._m.desk.new_id("create"), None, ask_ids, plain=True, items=items)

    def _whole(self) -> frozenset[str]:
        """What is owed of batches that have all their answers."""
        waited_for = self._calls.waited_for
        return frozenset(
            item_id for item_id, response_id in self.owed.items() if response_id not in waited_for
        )
