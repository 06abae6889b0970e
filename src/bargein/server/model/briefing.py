"""What a response is asked with: its effective parameters, and the items that the model is told."""

from __future__ import annotations

from typing import Any

from bargein import events
from bargein.server.model import context
from bargein.server.model.entries import Entry, entry_of
from bargein.server.model.memory import Conversation
from bargein.server.model.options import Options
from bargein.server.model.outbox import Outbox
from bargein.server.model.rules import refuse
from bargein.server.model.session import SessionState


class Briefing:
    """Prepares the responses of one session. What it refuses has changed nothing."""

    def __init__(
        self, *, outbox: Outbox, session: SessionState, conversation: Conversation, options: Options
    ) -> None:
        self._outbox = outbox
        self._session = session
        self._conversation = conversation
        self._options = options

    def values(self, overrides: dict[str, Any]) -> dict[str, Any]:
        """The effective parameters. Raises `RefusedError`."""
        session = self._session
        output = overrides.get("audio", {}).get("output", {})
        session.check_voice(output.get("voice"), "response")
        session.check_reasoning(overrides)
        values = session.response_values(overrides)
        session.check_tool_choice(values, "response")
        return values

    def entries(
        self, given: tuple[events.Item, ...] | None, values: dict[str, Any], *, in_band: bool
    ) -> tuple[Entry, ...]:
        """The items, in order: those of `input`, or the conversation's. Raises `RefusedError`."""
        if given is not None:
            return self._fitting(self._given(given), values)
        entries = tuple(entry for entry in self._conversation if not entry.left_out)
        told = self._fitting(entries, values)
        if in_band and len(told) < len(entries):
            self._leave_out(entries, told)
        return told

    def _fitting(self, entries: tuple[Entry, ...], values: dict[str, Any]) -> tuple[Entry, ...]:
        window = self._options.context_tokens or context.window_tokens(self._session.model)
        return context.fitting(entries, values, self._session.truncation, window)

    def _leave_out(self, entries: tuple[Entry, ...], told: tuple[Entry, ...]) -> None:
        """What the conversation's own response leaves out stays left out."""
        kept = {entry.id for entry in told}
        for entry in entries:
            entry.left_out = entry.id not in kept
            if entry.left_out and self._options.forgets_left_out:
                self._conversation.delete(entry.id)

    def _given(self, items: tuple[events.Item, ...]) -> tuple[Entry, ...]:
        entries: list[Entry] = []
        for index, item in enumerate(items):
            item_id = item.id if isinstance(item.id, str) else self._outbox.ids.mint("item")
            if not isinstance(item, events.ItemReference):
                entries.append(entry_of(item, item_id))
                continue
            entry = self._conversation.find(item_id)
            if entry is None:
                path = f"response.input[{index}].id"
                raise refuse("referenced_item_unknown", item_id=item_id, path=path)
            entries.append(entry)
        return tuple(entries)
