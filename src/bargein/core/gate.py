"""Which reply a piece of media belongs to, and whether it may be heard. Over WebRTC only.

RTP carries no marks of items or responses. What is known is the place of each frame on the
sender's clock, and when the service said that a response's sound began and ended.

1. Places are compared with places, so it does not matter how late the media is, nor by how much it
   runs ahead of the events. A `started` and the first frame behind a pause of the media belong
   together; that teaches where the sender's clock is at the time of an event. From then on each
   `started` is a place: half-way between the end of the reply before and its own beginning, so
   that an event that is late by less than half of the pause errs on neither side.
   A pause is places without frames. Of a sender that fills its pauses with silent frames it is
   those, since nothing else can be told from a reply's own pauses.
2. A cut closes the gate: no frame passes that belongs to a response that was cut or is not known.
   It is dropped until the service says `cleared` (or `stopped`). What comes then, or before any
   reply or behind one that lived, may be the beginning of a reply whose `started` has not come yet:
   it is kept for 3 s, which is what the data channel takes to repeat a lost packet twice (its
   timer begins at 1 s and doubles: RFC 9260, section 6.3.1).
3. `started` of a living response opens it, from that response's first frame that is not silent.
4. What is dropped of a cut reply is counted for it: it had left the service. What had to be
   dropped of one that lived is counted apart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bargein.units import US_PER_MS, AudioFormat, samples_floor, us_of_samples

RATE = AudioFormat.PCM.rate
KEPT_MS = 3_000
"""How much of what may be a reply's beginning waits for its `started`."""
KEPT_SAMPLES = samples_floor(KEPT_MS, RATE)
_PAUSE_US = 100 * US_PER_MS
_PAUSE_SAMPLES = samples_floor(100, RATE)
"""So much without sound, and what follows is a beginning."""
_LONG_SAMPLES = samples_floor(1_000, RATE)
"""No reply pauses for so long just behind its beginning."""
_END_SAMPLES = samples_floor(60, RATE)
"""So far behind the place of its end a frame is not of that reply any more."""
_AHEAD_US = 350 * US_PER_MS
_BEHIND_US = 600 * US_PER_MS
"""Media is never further ahead of its events than this, or behind them. What is would teach a
lateness of the event."""
_AWRY_US = 200 * US_PER_MS
"""A beginning that is further off than this from where it is expected is another one's."""
_MEMORY = 5
_SPANS_LIMIT = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """A frame and whose it is. It is to be heard, or only to be counted."""

    response_id: str
    audio: bytes
    heard: bool
    made_up: bool = False


@dataclass(slots=True, eq=False)
class _Span:
    """One response's sound, as the events tell it."""

    response_id: str
    living: bool
    started_us: int
    begins: int | None
    """The place from which on frames are of this response; None: from the beginning of all."""
    over_us: int | None = None
    taught: bool = False


@dataclass(frozen=True, slots=True)
class _Beginning:
    """A first frame behind a pause; `sure` behind a long one."""

    place: int
    came_us: int
    sure: bool


class Gate:
    """Give it the events and the frames in the order they come. Times are microseconds, places
    samples at 24 kHz."""

    __slots__ = (
        "_beginnings",
        "_doubted",
        "_fills_pauses",
        "_flowed_us",
        "_flows_to",
        "_kept",
        "_last_frame",
        "_last_sound",
        "_shut",
        "_spans",
        "_taught",
        "dropped_samples",
        "lag_us",
    )

    def __init__(self) -> None:
        self._spans: list[_Span] = []
        self._kept: deque[tuple[int, bytes, bool, int, bool]] = deque()
        self._shut = False
        self._taught: deque[int] = deque(maxlen=_MEMORY)
        """Places of beginnings, in microseconds, less the times of their `started`. An event can be
        late and never early, so the largest is the truest."""
        self._last_frame: int | None = None
        self._last_sound: int | None = None
        """The places behind the last frame, and behind the last one that was loud."""
        self._fills_pauses = False
        self._flows_to = 0
        """A frame before that place goes on with what is being heard."""
        self._flowed_us: int | None = None
        """When the last frame came that was heard and loud."""
        self._beginnings: deque[_Beginning] = deque(maxlen=_MEMORY)
        """Those that taught nothing yet."""
        self._doubted: tuple[_Span | None, int] = None, 0
        """The reply whose beginning taught nothing, being too far from what is known, and what it
        would have taught."""
        self.lag_us: int | None = None
        """How much later than its event the last frame came; None while that is not known."""
        self.dropped_samples = 0
        """Sound that may have been a living reply's and was dropped, since this was set to 0."""

    @property
    def _offset_us(self) -> int | None:
        return max(self._taught, default=None)

    def started(self, response_id: str, now_us: int, *, living: bool) -> list[Piece]:
        """The sound of a response has begun to leave. Returns what was kept of it."""
        self._forget(now_us)
        before = self._spans[-1] if self._spans else None
        if before is not None:
            before.over_us = now_us if before.over_us is None else before.over_us
        span = _Span(response_id, living, now_us, self._boundary(before, now_us))
        self._spans.append(span)
        del self._spans[:-_SPANS_LIMIT]
        if self._learn_from_past(span):
            span.begins = self._boundary(before, now_us)
        return self._released(span, now_us)

    def over(self, response_id: str, now_us: int) -> None:
        """The sound of a response has left the service, or was thrown away there; or nobody waits
        for that any more, and its word may still come."""
        for span in self._spans:
            if span.response_id == response_id and (
                span.over_us is None or span is self._spans[-1]
            ):
                span.over_us = now_us

    def close(self) -> None:
        """A cut: nothing that is known now is let through any more."""
        for span in self._spans:
            span.living = False
        self._flows_to = 0

    def shut(self) -> None:
        """The events have ended: nobody could say any more what may be heard."""
        self.close()
        self._kept.clear()
        self._shut = True

    def media(
        self,
        place: int,
        audio: bytes,
        now_us: int,
        *,
        loud: bool,
        made_up: bool = False,
        alone: Callable[[str], bool] = lambda response_id: False,
    ) -> list[Piece]:
        """A frame arrived. Returns it, if it is known whose it is. `alone`: no reply may sound but
        this one, as far as we were told."""
        if self._shut:
            return []
        samples = AudioFormat.PCM.samples(len(audio))
        if not made_up:
            self._look(place, samples, now_us, loud=loud)
        if self._taught:
            self.lag_us = now_us - (us_of_samples(place, RATE) - self._taught[-1])
        span = self._span_at(place)
        if span is not None and span.living and loud and self._goes_on(span, place, now_us, alone):
            # It goes on: the end was told too early, or what is next belongs to it.
            self._flow(place + samples, now_us)
            return [Piece(span.response_id, audio, True, made_up)]
        if span is not None and not self._is_behind(span, place):
            if span.living and loud:
                self._flow(place + samples, now_us)
            return [Piece(span.response_id, audio, span.living, made_up)]
        if span is not None and not span.living and span.over_us is None:
            return [Piece(span.response_id, audio, False, made_up)]
        self._keep(place, audio, now_us, loud=loud, made_up=made_up)
        return []

    def flows(self, response_id: str, now_us: int) -> bool:
        """Whether its sound still comes, without a pause so far, though it was told as over: no
        longer than media can be behind its events."""
        span = self._spans[-1] if self._spans else None
        if span is None or span.response_id != response_id or self._flowed_us is None:
            return False
        over_us = now_us if span.over_us is None else span.over_us
        return now_us - self._flowed_us <= _PAUSE_US and now_us - over_us <= _BEHIND_US

    def keeps(self, response_id: str) -> bool:
        """Whether sound waits that may be its end, told as over too early, or the next one's
        beginning."""
        span = self._spans[-1] if self._spans else None
        is_last = span is not None and span.living and span.response_id == response_id
        return is_last and any(loud for _, _, loud, _, _ in self._kept)

    def unclaimed(self, response_id: str, now_us: int) -> list[Piece]:
        """Of that, what no `started` came for in time: it is its end."""
        if not self.keeps(response_id):
            return []
        pieces: list[Piece] = []
        while self._kept and now_us - self._kept[0][3] > _AHEAD_US:
            _, audio, loud, _, made_up = self._kept.popleft()
            pieces.append(Piece(response_id, audio, loud, made_up))
        return pieces

    def reached(self, response_id: str) -> bool:
        """Whether media from behind its end has come: there is no more of this one."""
        ids = [span.response_id for span in self._spans]
        if response_id not in ids or self._last_frame is None or self._last_sound is None:
            return False
        span = self._spans[ids.index(response_id)]
        end = None if span.over_us is None else self._place(span.over_us)
        is_behind = end is not None and self._last_frame >= end + 2 * _END_SAMPLES
        if is_behind and self._last_frame > self._last_sound and not self.keeps(response_id):
            return True
        later = self._spans[ids.index(response_id) + 1 :]
        # Where no place is known, what comes is the later one's.
        return any(span.begins is None or span.begins < self._last_sound for span in later)

    def _goes_on(self, span: _Span, place: int, now_us: int, alone: Callable[[str], bool]) -> bool:
        """Without a pause; or it is told as over, a little while ago, and the sound can be nobody
        else's: the place of its end was told from a late event."""
        if place < self._flows_to:
            return True
        is_late = span.over_us is not None and now_us - span.over_us <= _BEHIND_US
        return is_late and span is self._spans[-1] and alone(span.response_id)

    def _flow(self, end: int, now_us: int) -> None:
        self._flows_to, self._flowed_us = end + _PAUSE_SAMPLES, now_us

    # Whose it is.

    def _span_at(self, place: int) -> _Span | None:
        for span in reversed(self._spans):
            if span.begins is None or span.begins <= place:
                return span
        return None

    def _boundary(self, before: _Span | None, now_us: int) -> int | None:
        """Where a reply whose `started` comes now begins, behind that one."""
        if before is None or before.over_us is None:
            return None
        begins = self._place((before.over_us + now_us) // 2)
        if begins is not None or before.living:
            return begins
        # Nothing was ever told from anything: what comes from here on is the reply's, what media
        # that is ahead of its events can be of it, and what came behind a long silence or too late
        # to be the one before's.
        sure = {one.place for one in self._beginnings if one.sure and one.came_us > before.over_us}
        later = (
            place
            for place, _, _, came_us, _ in self._kept
            if now_us - came_us <= _AHEAD_US
            or came_us - before.over_us > _BEHIND_US
            or place in sure
        )
        return next(later, self._next_place)

    def _is_behind(self, span: _Span, place: int) -> bool:
        """The response is over, and the frame lies behind its end as far as that is known."""
        if span.over_us is None or span is not self._spans[-1]:
            return False
        end = self._place(span.over_us)
        # Of a cut reply the end is not trusted to be late: what follows may be a living one's.
        return end is None or place >= end + (_END_SAMPLES if span.living else 0)

    def _place(self, at_us: int) -> int | None:
        """Where the sender's clock was when an event was sent that came at that time."""
        offset_us = self._offset_us
        return None if offset_us is None else samples_of_us(offset_us + at_us)

    @property
    def _next_place(self) -> int:
        return 0 if self._last_frame is None else self._last_frame

    # What waits.

    def _keep(self, place: int, audio: bytes, now_us: int, *, loud: bool, made_up: bool) -> None:
        if made_up and not self._kept:
            # What stands for a lost frame is nobody's beginning.
            return
        self._kept.append((place, audio, loud, now_us, made_up))
        self._forget(now_us)

    def _forget(self, now_us: int) -> None:
        """What has waited for too long, by its place or by the time, is no reply's beginning."""
        kept = self._kept
        while kept and (
            kept[-1][0] - kept[0][0] >= KEPT_SAMPLES or now_us - kept[0][3] > KEPT_MS * US_PER_MS
        ):
            _, old, was_loud, _, _ = kept.popleft()
            if was_loud and (not self._spans or self._spans[-1].over_us is not None):
                self.dropped_samples += AudioFormat.PCM.samples(len(old))

    def _released(self, span: _Span, now_us: int) -> list[Piece]:
        """What was kept and is of this response; silence before its first sound is left out."""
        pieces: list[Piece] = []
        sounds = False
        for place, audio, loud, _, made_up in self._kept:
            if span.begins is not None and place < span.begins:
                before = self._spans[-2]
                pieces.append(Piece(before.response_id, audio, before.living and loud, made_up))
                continue
            sounds = sounds or loud
            if sounds:
                pieces.append(Piece(span.response_id, audio, span.living, made_up))
            if span.living and loud:
                self._flow(place + AudioFormat.PCM.samples(len(audio)), now_us)
        self._kept.clear()
        return pieces

    # Where the sender's clock is.

    def _look(self, place: int, samples: int, now_us: int, *, loud: bool) -> None:
        """A first frame behind a pause is a beginning."""
        frame, sound = self._last_frame, self._last_sound
        self._last_frame = max(place + samples, frame or 0)
        if loud:
            self._last_sound = max(place + samples, sound or 0)
        elif self._is_idle(now_us):
            self._fills_pauses = True
        before = sound if self._fills_pauses else frame
        if self._fills_pauses and not loud:
            return
        if before is not None and place - before < _PAUSE_SAMPLES:
            return
        beginning = _Beginning(place, now_us, before is None or place - before >= _LONG_SAMPLES)
        for span in self._spans:
            if not span.taught and now_us - span.started_us <= _BEHIND_US:
                if self._learn(span, beginning):
                    return
                break
        self._beginnings.append(beginning)

    def _is_idle(self, now_us: int) -> bool:
        """No reply sounds, so what comes is no reply's own silence."""
        if not self._spans:
            return True
        over_us = self._spans[-1].over_us
        return over_us is not None and now_us - over_us > _BEHIND_US

    def _learn_from_past(self, span: _Span) -> bool:
        """Its beginning may have come before its `started`."""
        learned = False
        for beginning in list(self._beginnings):
            if span.started_us - beginning.came_us <= _AHEAD_US and not learned:
                learned = self._learn(span, beginning)
        begins = span.begins or 0
        if any(loud and place >= begins for place, _, loud, _, _ in self._kept):
            # What begins later is a pause of its own.
            span.taught = True
        return learned

    def _learn(self, span: _Span, beginning: _Beginning) -> bool:
        """What is far from what is known is another one's beginning, or its event was late; unless
        what was known came of a late event, or two replies in a row say the same."""
        offset_us = us_of_samples(beginning.place, RATE) - span.started_us
        known_us, (doubted, doubted_us) = self._offset_us, self._doubted
        again = doubted not in (None, span) and abs(offset_us - doubted_us) <= _AWRY_US
        if span.begins is not None and beginning.place < span.begins and not again:
            return False
        agrees = known_us is None or abs(offset_us - known_us) <= _AWRY_US
        is_truer = known_us is not None and offset_us > known_us and beginning.sure
        if not (agrees or is_truer or again):
            if doubted is not span:
                self._doubted = span, offset_us
            return False
        if not agrees:
            self._taught.clear()
        span.taught = True
        self._taught.append(offset_us)
        self._doubted = None, 0
        self._beginnings.clear()
        return True


def samples_of_us(us: int) -> int:
    """Whole samples at 24 kHz in that time, rounded down, also below zero."""
    return us * RATE // 1_000_000
