"""One interruption in progress, and the two records that are told of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from bargein.core.notices import Asker, Exactness, Interruption, InterruptionSettled
from bargein.core.responses import Reply
from bargein.core.utterances import SpokenItem, Utterance


@dataclass(slots=True, eq=False)
class Cut:
    """One interruption in progress."""

    cut_id: str
    asked_us: int
    askers: list[Asker]
    captured_us: int | None
    ask_ids: list[int] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    items: list[SpokenItem] = field(default_factory=list)
    thrown_away: bool = False
    """The service has thrown away sound of it that had not left."""
    sent: list[str] = field(default_factory=list)
    clearing: dict[str, None] = field(default_factory=dict)
    """Responses whose sound the service has not yet said to be gone from its output buffer."""
    stopping: bool = True
    margin_samples: int | None = 0
    impatient: bool = False
    """Items were waited for long enough: they are settled as they are."""
    record: Interruption | None = None
    settled: bool = False

    @property
    def utterances(self) -> list[Utterance]:
        """The spoken parts it concerns, in playing order, as far as they have come."""
        return [part for item in self.items for part in item.parts.values()]

    @property
    def exact(self) -> bool:
        """The player's counts may be acted upon."""
        return self.margin_samples is not None

    def interruption(self, now_us: int) -> Interruption:
        """The record of the stop."""
        parts = tuple(utterance.record() for utterance in self.utterances)
        return Interruption(
            self.cut_id,
            tuple(self.askers),
            self.response_ids,
            sum(part.heard_ms for part in parts),
            parts,
            now_us - self.asked_us,
            None if self.captured_us is None else now_us - self.captured_us,
            self.margin_samples,
        )

    def settlement(self, now_us: int, *, lost: bool) -> InterruptionSettled:
        """The record of what the service was told and what it keeps."""
        parts = tuple(part.record() for part in self.utterances if part.in_conversation)
        # Over WebRTC the service's word can come before the first of the sound.
        came = [part for part in parts if part.received_samples or part.answer == "truncated"]
        kept = [part.kept_ms for part in came]
        kept_ms = None if None in kept else sum(ms for ms in kept if ms is not None)
        heard_ms = sum(part.heard_ms for part in parts)
        return InterruptionSettled(
            self.cut_id,
            tuple(self.askers),
            self.response_ids,
            heard_ms,
            kept_ms,
            None if kept_ms is None else kept_ms - heard_ms,
            "lost" if lost else self._exactness(kept_ms),
            parts,
            tuple(self.sent),
            now_us - self.asked_us,
        )

    @property
    def response_ids(self) -> tuple[str, ...]:
        """The responses that were cut, oldest first."""
        return tuple(reply.response_id for reply in self.replies)

    def _exactness(self, kept_ms: int | None) -> Exactness:
        if kept_ms is None:
            return "unconfirmed"
        if self.margin_samples is None:
            return "inexact"
        return "within" if self.margin_samples else "exact"
