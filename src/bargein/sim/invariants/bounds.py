"""The invariant of bounds: what no machine may do, and what may wait."""

from __future__ import annotations

from collections.abc import Iterable

from bargein import events
from bargein.core import inputs, notices
from bargein.core.ledger import WAITING_LIMIT_BYTES
from bargein.core.listening import LEAST_COMMIT_MS
from bargein.core.outbox import OVERTAKING
from bargein.deadlines import Timer
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.sim.invariants.facts import NEVER
from bargein.sim.invariants.sound import in_ms
from bargein.units import samples_floor


class Bounds(Invariant):
    """What machines may not do is written down as it happens. What waited for the socket shows when
    it takes again.

    Excused: sound of a response whose end was waited for in vain, after its cancel; sound that is
    sent while the data channel of a call takes nothing, since it has a track of its own.
    """

    name = "I9"
    sentence = (
        "Nothing raises, no deadline is in the past, the stop comes first, no sound of the dead, "
        "and what waits is bounded, and dropped beyond its bound only."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._waited = self._commits = 0
        self._cancelled: dict[str, int] = {}

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("broken", str, cls._broken),
            ("input", inputs.Drained, cls._drained),
            ("notice", notices.Dropped, cls._dropped),
            ("client_sent", events.InputAudioBufferAppend, cls._append),
            ("client_sent", events.InputAudioBufferCommit, cls._commit),
            ("client_sent", events.ResponseCancel, cls._cancel),
            *(("client_sent", kind, cls._overtakes) for kind in OVERTAKING),
        )

    def _broken(self, entry: Entry, what: str) -> None:
        self.fail(what)

    def _drained(self, entry: Entry, event: inputs.Drained) -> None:
        self._waited = self._commits = 0
        self.scene.afterwards(self._was_bounded)

    def _cancel(self, entry: Entry, event: events.ResponseCancel) -> None:
        self._cancelled[str(event.response_id)] = entry.time_us

    def _was_given_up(self, now_us: int) -> bool:
        replies = self.facts.replies
        return any(
            now_us - since_us >= Timer.RESPONSE_OVER.lasts_us
            and response_id in replies
            and replies[response_id].done_place == NEVER
            for response_id, since_us in self._cancelled.items()
        )

    def _dropped(self, entry: Entry, notice: notices.Dropped) -> None:
        if self.options.webrtc:
            # What came too long before its `started` is judged by W2.
            return
        if notice.what == "playback" and not self._was_given_up(entry.time_us):
            received = sum(spoken.received for spoken in self.facts.parts.values())
            if received * self.options.format.bytes_per_sample <= WAITING_LIMIT_BYTES:
                self.fail(f"{in_ms(notice.count, self.options.format)} of a reply are dropped")

    def _append(self, entry: Entry, event: events.InputAudioBufferAppend) -> None:
        facts = self.facts
        if facts.blocked and not self.options.webrtc:
            self.fail("sound is sent while the socket takes nothing")
        elif facts.blocked_place == facts.batch_place:
            self._waited += self.options.format.samples(len(event.audio))

    def _commit(self, entry: Entry, event: events.InputAudioBufferCommit) -> None:
        self._commits += self.facts.blocked_place == self.facts.batch_place

    def _overtakes(self, entry: Entry, event: events.ClientEvent) -> None:
        if isinstance(event, events.ConversationItemDelete) and event.item_id in self.facts.foreign:
            # An edit begins when the socket takes again.
            return
        if self._waited and self.facts.blocked_place == self.facts.batch_place:
            self.fail(f"{events.type_of(event)} waited behind the microphone's sound")

    def _was_bounded(self) -> None:
        sound_format = self.options.format
        # Each commit keeps what it needs, in whole pieces (outbox 4).
        limit_ms = self.options.microphone_limit_ms + 2 * LEAST_COMMIT_MS * self._commits
        if self._waited > samples_floor(limit_ms, sound_format.rate):
            self.fail(f"{in_ms(self._waited, sound_format)} of the microphone waited")

    def finish(self, final: Final) -> None:
        late = final.truth.late_samples
        if late:
            self.fail(f"{in_ms(late, self.options.format)} of sound were given to stopped parts")
