"""The ledger: how much of each spoken part arrived, was given to the player, was heard, and is
kept.

The rules. Each has its tests, and a mutant that must die.

 1. Heard is what the player says, in samples; drained or discarded, only it knows.
 2. Stop, then tell.
 3. Settling covers every unsettled audio part of every default-conversation response of this pipe,
    in playing order: parts before the playhead, the one under it, those after it, those still to
    come.
 4. A part is left alone only if its item ended `completed` and all of it was heard (to the server's
    length grid). `output_audio.done` proves nothing: a cancelled response sends it too.
 5. The wire truncates parts and deletes items. An item of which nothing was heard or shown is
    deleted, once; an unheard part of a partly heard item is truncated to 0 if it has audio. Deletes
    wait for the item's `done` or for `response.done` (1 s at most) and precede the next
    `response.create`. Parts first seen after the cut are treated the same. An item the server does
    not hold is never named to it.
 6. Audio of a cut response is never played: filtered by response id, also when it was cut before it
    was created.
 7. One response at a time in the default conversation (`responses.py`).
 8. A cut remembers requests, never a flag (`responses.py`).
 9. A cancel names an open response of this pipe, once (`cuts.py`). Out-of-band responses are in no
    conversation: their items are never truncated or deleted.
10. `audio_end_ms = ms_floor(min(heard, received))` in the part's own format, with its own content
    index; if that is 0, rule 5.
11. A late `transcript.done` of a cut part does not lengthen the mirror again (`conversation.py`).
12. A truncate is a transaction (`cuts.py`).
13. Reply debt (`responses.py`).
14. Ids belong to one pipe.
15. An ask during a cut joins it: one cut, one record, all its askers named (`cuts.py`).

This file holds the counts and what must become of an item (`deeds`); the order of playing is in
`ledger.py`. It sends nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from bargein.core.inputs import Part
from bargein.core.loudness import Loudness
from bargein.core.notices import PartRecord
from bargein.core.words import timeline
from bargein.units import AudioFormat, ms_floor, samples_floor

ESTIMATE_SLACK_MS = 500
"""How near to its end a part is taken for heard out, by a player that cannot tell."""


@dataclass(slots=True, eq=False)
class Utterance:
    """One spoken part. Its record in a cut is kept here, so that one place owns it."""

    part: Part
    format: AudioFormat
    in_conversation: bool
    margin_samples: int | None = 0
    """How far the player's counts may be off, either way; None where it cannot tell."""
    received_samples: int = 0
    made_up_samples: int = 0
    """Of those, over WebRTC: what our jitter buffer made in place of lost or late ones."""
    given_samples: int = 0
    heard_samples: int = 0
    audio_over: bool = False
    paced: bool = False
    """It comes as it sounds, from the service's output buffer, which alone says when it ends."""
    left_whole: bool = False
    """Paced, and all of it has left the service."""
    finished: bool = False
    clipped: bool = False
    """Some of it was dropped for want of room; nothing after the gap is played."""
    cut: bool = False
    """None of it is given to the player any more."""
    final: bool = False
    """The player has answered the stop: only a correction changes what was heard."""
    stopped: bool = False
    """The player was stopped near its end, and no more of it will be heard."""
    half: bytes = b""
    """The beginning of a sample whose end is in the next delta."""
    waiting: deque[bytes] = field(default_factory=deque)
    loudness: Loudness | None = None
    """For its words; None where samples were torn over deltas."""
    action: Literal["none", "truncate", "delete", "pending"] = "pending"
    sent_ms: int | None = None
    kept_ms: int | None = None
    agreed_ms: int | None = None
    """The truncate before the last one: the server's memory is no longer than that."""
    answer: str = ""
    retried: bool = False
    told: bool = False
    """The application was told that it was heard to its end."""

    @property
    def heard_ms(self) -> int:
        """Rule 10, before rule 5."""
        return ms_floor(min(self.heard_samples, self.received_samples), self.format.rate)

    @property
    def received_ms(self) -> int:
        """Whole milliseconds that arrived."""
        return ms_floor(self.received_samples, self.format.rate)

    @property
    def played_out(self) -> bool:
        """Nothing of it is left to be heard, and nothing more is coming.

        A player that is off may never count to the end; one that cannot tell is believed when its
        estimate is near it.
        """
        if not self.audio_over or self.waiting:
            return False
        if self.stopped:
            return True
        slack = self.margin_samples
        if slack is None:
            slack = samples_floor(ESTIMATE_SLACK_MS, self.format.rate)
        return self.heard_samples + slack >= self.given_samples

    def made(self) -> None:
        """The service has made all of its sound."""
        self.audio_over = self.audio_over or not self.paced

    def words_heard(self, text: str, *, whole: bool) -> str:
        """What was heard of its text. `whole`: all of the text is here, and all of the sound."""
        heard, came = self.heard_samples, self.received_samples
        whole = whole and (self.left_whole or not self.paced)
        return timeline(text, self.loudness, self.format.rate, came, whole=whole).heard(heard)

    def record(self) -> PartRecord:
        """As it stands now."""
        return PartRecord(
            self.part.response_id,
            self.part.item_id,
            self.part.content_index,
            self.format.rate,
            self.received_samples,
            self.heard_samples,
            self.heard_ms,
            self.action,
            self.sent_ms,
            self.kept_ms,
            self.answer,
            self.made_up_samples,
        )


@dataclass(slots=True, eq=False)
class SpokenItem:
    """An assistant message of a response, with its spoken parts by content index."""

    item_id: str
    response_id: str
    in_conversation: bool
    held: bool = False
    """The server holds it: it has said so, and not said that it is deleted."""
    completed: bool = False
    over: bool = False
    """Its `done`, or that of its response, has come; or it was waited for long enough."""
    shown: bool = False
    """It has text that the user could read."""
    going: bool = False
    """A delete was sent for it, or the server has deleted it."""
    answer: str = ""
    parts: dict[int, Utterance] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    """Transcripts by content index, as made, heard or not."""

    def untouched(self, *, exact: bool) -> bool:
        """Rule 5: nothing of it was heard or shown.

        With `exact` false the player's counts are estimates, and what was given to it may have
        been heard: nothing is deleted on its word.
        """
        if self.shown or any(part.heard_ms > 0 for part in self.parts.values()):
            return False
        return exact or not any(part.given_samples for part in self.parts.values())

    def kept_whole(self, utterance: Utterance, grid_ms: int) -> bool:
        """Rule 4: the part may be left alone. Lengths are compared on the server's grid."""
        if not self.completed or utterance.clipped:
            return False
        if utterance.heard_samples + (utterance.margin_samples or 0) >= utterance.received_samples:
            return True
        length_ms = utterance.received_ms // grid_ms * grid_ms
        return grid_ms > 1 and utterance.heard_ms >= length_ms


@dataclass(frozen=True, slots=True)
class Truncate:
    """The part's memory must end at `audio_end_ms`."""

    utterance: Utterance
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class Delete:
    """The item must go."""

    item: SpokenItem


Deed = Truncate | Delete


def deeds(item: SpokenItem, *, exact: bool, grid_ms: int, may_truncate: bool) -> list[Deed]:
    """What must be done for an item of a cut response, as far as it can be known now (rules 4, 5,
    10).

    `exact` is false where the player cannot tell: then nothing is deleted on its word.
    `may_truncate` is false while the server may still lengthen the part. Parts that need nothing
    are marked so; what cannot be decided yet is left pending and asked about again when more is
    known.
    """
    if item.going or not item.in_conversation or not item.held:
        return []
    pending = [part for part in item.parts.values() if part.action == "pending"]
    for utterance in pending:
        if item.kept_whole(utterance, grid_ms):
            utterance.action = "none"
            utterance.kept_ms = utterance.received_ms
    if item.untouched(exact=exact):
        return [Delete(item)] if item.over else []
    if not (may_truncate or item.over):
        return []
    found: list[Deed] = []
    for utterance in pending:
        if utterance.action == "none" or not utterance.received_samples:
            continue
        if utterance.heard_ms or item.over:
            # The server's own length may be shorter than what it sent (the grid); no longer is ever
            # asked.
            limit_ms = utterance.received_ms // grid_ms * grid_ms
            found.append(Truncate(utterance, min(utterance.heard_ms, limit_ms)))
    return found
