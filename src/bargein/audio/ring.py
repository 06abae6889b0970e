"""The queue that a device callback reads, with the counted truth of what it took. Pure.

1. All counts are samples at the card's rate, per mark. *Queued* is what was accepted, *handed*
   what was read.
2. The ring has one lock, which its owner gives (`guard`): a `threading.Lock` where a callback
   thread reads while the loop's thread queues, nothing where both are one thread. Every method
   holds it, for a time that depends on the block and not on the queue: a chunk is queued by
   reference, a cut throws the whole queue away at once. So the callback never waits long, and
   between a cut and a read there is no third state.
3. The queue is bounded. What does not fit is refused, and `queue` says how much it took: from
   there on that mark takes nothing more, so that what is heard of it stays a prefix.
4. A cut or a hold that falls into running sound fades: at most `fade` further samples of the mark
   under the playhead are taken, with falling loudness, and count as handed. Sound that has not
   begun is not begun by a cut.
"""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import msgspec
import numpy as np

from bargein.audio.base import Mark
from bargein.audio.formats import Samples


class Span(msgspec.Struct, frozen=True, gc=False):
    """A stretch of a block:

    `samples` of `mark` from its sample number `first`, at `offset` in the block.
    """

    mark: Mark
    first: int
    offset: int
    samples: int


@dataclass(slots=True)
class _Count:
    queued: int = 0
    handed: int = 0
    ended: bool = False
    closed: bool = False


class Ring:
    """Marked sound in playing order.

    `limit_samples` bounds the queue: 10 minutes at 48 kHz unless told.
    """

    def __init__(
        self,
        limit_samples: int = 28_800_000,
        guard: AbstractContextManager[object] | None = None,
    ) -> None:
        self._limit = limit_samples
        self._guard = nullcontext() if guard is None else guard
        self._queue: deque[tuple[Mark, Samples]] = deque()
        self._faded: deque[tuple[Mark, Samples]] = deque()
        self._waiting = 0
        self._counts: dict[Mark, _Count] = {}
        self._held = False
        self._running: Mark | None = None
        self._hungry: Mark | None = None
        self.underrun_samples = 0
        """Silence that was read because a mark that has not ended had no sound ready."""
        self.refused_samples = 0
        """Sound that was not accepted: over the limit, or of a mark that was cut or is full."""

    def queue(self, mark: Mark, pcm: Samples) -> int:
        """Queue sound behind all that waits; gives the samples accepted: all of them, or a
        prefix, or 0.

        The array is kept, not copied: it must not change any more.
        """
        with self._guard:
            count = self._count(mark)
            fits = 0 if count.closed else max(0, min(len(pcm), self._limit - self._waiting))
            if fits < len(pcm):
                self.refused_samples += len(pcm) - fits
                count.closed = True
            if fits:
                self._queue.append((mark, pcm[:fits]))
                self._waiting += fits
                count.queued += fits
            return fits

    def _count(self, mark: Mark) -> _Count:
        count = self._counts.get(mark)
        if count is None:
            count = self._counts[mark] = _Count()
        return count

    def end(self, mark: Mark) -> None:
        """No more sound of this mark will come: silence after it is no underrun."""
        with self._guard:
            self._count(mark).ended = True
            if self._hungry == mark:
                self._hungry = None

    def read(self, frames: int) -> tuple[Samples, tuple[Span, ...]]:
        """Take the next block: always `frames` samples, silence where there is nothing to play.

        The block may be a part of a chunk that was queued: it is to be read, not to be changed.
        """
        spans: list[Span] = []
        pieces: list[Samples] = []
        with self._guard:
            at = 0
            if self._faded:
                at = self._take(self._faded, frames, at, spans, pieces)
            if not self._held:
                before = at
                at = self._take(self._queue, frames, at, spans, pieces)
                self._waiting -= at - before
            last = spans[-1].mark if spans else None
            self._after(frames, at, last)
            # A fade that filled the block has ended its sound: a cut after it fades nothing.
            if self._held:
                self._running = None
        if at < frames:
            pieces.append(np.zeros(frames - at, dtype=np.int16))
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces), tuple(spans)

    def skip(self, frames: int) -> None:
        """As `read`, for blocks that the owner knows to be silent: only the underrun is counted."""
        with self._guard:
            self._after(frames, 0, None)

    def _after(self, frames: int, taken: int, last: Mark | None) -> None:
        if last is not None:
            count = self._counts[last]
            self._hungry = None if count.ended or count.closed else last
        self._running = last if taken == frames else None
        if taken < frames and not self._held and self._hungry is not None:
            self.underrun_samples += frames - taken

    def _take(
        self,
        source: deque[tuple[Mark, Samples]],
        frames: int,
        at: int,
        spans: list[Span],
        pieces: list[Samples],
    ) -> int:
        while source and at < frames:
            mark, pcm = source[0]
            n = min(len(pcm), frames - at)
            if n == len(pcm):
                source.popleft()
            else:
                source[0] = (mark, pcm[n:])
                pcm = pcm[:n]
            pieces.append(pcm)
            count = self._counts[mark]
            spans.append(Span(mark, count.handed, at, n))
            count.handed += n
            at += n
        return at

    def cut(self, fade_samples: int = 0) -> dict[Mark, int]:
        """Drop the queue and end a hold; give every mark's final handed count, the fade included.

        Sound of these marks that comes later is refused. A second cut before the fade was read
        adds none.
        """
        with self._guard:
            self._fade(fade_samples)
            self._queue = deque()
            self._waiting = 0
            self._held = False
            self._hungry = None
            final = self._final()
            for count in self._counts.values():
                count.closed = True
            return final

    def hold(self, fade_samples: int = 0) -> dict[Mark, int]:
        """Give silence from the next block on, behind the fade, and keep the queue;

        gives the counts as `cut`.
        """
        with self._guard:
            if not self._held:
                self._fade(fade_samples)
                self._held = True
            return self._final()

    def resume(self) -> None:
        """Go on with the very sample after those that were handed."""
        with self._guard:
            self._held = False

    def give_back(self, sound: list[tuple[Mark, Samples]]) -> None:
        """Put sound that was read and will not be heard back to the front, in its order,
        uncounted again.

        It may exceed the limit for as long as it waits; nothing of it is refused.
        """
        with self._guard:
            for mark, pcm in reversed(sound):
                self._queue.appendleft((mark, pcm))
                self._waiting += len(pcm)
                self._counts[mark].handed -= len(pcm)
            self._running = None

    def _final(self) -> dict[Mark, int]:
        final = {mark: count.handed for mark, count in self._counts.items()}
        for mark, pcm in self._faded:
            final[mark] += len(pcm)
        return final

    def _fade(self, samples: int) -> None:
        """Move the fade out of the queue: of the running mark only, and once."""
        taken: list[Samples] = []
        left = samples
        while left > 0 and self._queue and not self._faded and not self._held:
            mark, pcm = self._queue[0]
            if mark != self._running:
                break
            taken.append(pcm[:left])
            if len(pcm) > left:
                self._queue[0] = (mark, pcm[left:])
            else:
                self._queue.popleft()
            left -= len(taken[-1])
        if taken:
            sound = np.concatenate(taken)
            self._waiting -= len(sound)
            # Half a cosine: it leaves and reaches zero without a corner, which would click.
            ramp = 0.5 + 0.5 * np.cos(np.pi * np.arange(1, len(sound) + 1) / (len(sound) + 1))
            self._faded.append((self._running, np.rint(sound * ramp).astype(np.int16)))

    def follow(self, other: Ring) -> None:
        """Take the place of another ring: its hold goes on, and so does what it counted."""
        self._held = other.held
        self.underrun_samples += other.underrun_samples
        self.refused_samples += other.refused_samples

    def forget(self, mark: Mark) -> None:
        """Let a mark's counts go. Only for one of which nothing waits any more."""
        with self._guard:
            self._counts.pop(mark, None)

    def handed(self, mark: Mark) -> int:
        """Samples of this mark that were read."""
        count = self._counts.get(mark)
        return 0 if count is None else count.handed

    def queued(self, mark: Mark) -> int:
        """Samples of this mark that were accepted."""
        count = self._counts.get(mark)
        return 0 if count is None else count.queued

    def fading(self, mark: Mark) -> int:
        """Samples of the mark that a cut or a hold has promised and that were not read yet."""
        return sum(len(pcm) for fading, pcm in self._faded if fading == mark)

    @property
    def waiting_samples(self) -> int:
        """Samples that wait, without a fade that is under way."""
        return self._waiting

    @property
    def ready_samples(self) -> int:
        """Samples that the next read gives before there is silence; 0 while it has a fade to give
        or a hold is on."""
        return 0 if self._faded or self._held else self._waiting

    @property
    def held(self) -> bool:
        """Whether a hold is on."""
        return self._held

    @property
    def silent(self) -> bool:
        """Whether the next read would give nothing but silence."""
        return not self._faded and (self._held or not self._queue)
