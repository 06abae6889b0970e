"""The input buffer and the turns in it (protocol.md §4.3, §4.4, §5).

1. Positions are on the clock of the audio: what was appended since the session began, whatever was
   committed or cleared since.
2. The item id of a turn is minted at `speech_started` and used by its `speech_stopped` and its
   commit. A commit by hand while the user speaks takes the id; the rest of the turn is another
   item, with an id of its own. (The documentation only says that the id then differs; which item
   gets it is our choice.)
3. What a turn commits begins with its prefix padding, as far as that is still in the buffer, and
   ends where the turn ends. What is left stays in the buffer.
4. A commit by hand takes the whole buffer, which must hold 100 ms since the last commit or clear.
5. What an engine overhears of a turn is, joined, what the turn commits. It comes in whole frames of
   the detector, because a turn may end with the frame that is not over yet. Where turns are made by
   hand, a live transcription hears from the first sound after a commit or clear; the item's id is
   minted there.
6. A clear drops the buffer and the turn that is going on; the clock runs on.
7. The buffer is bounded: under turn detection the oldest silence is let go, otherwise an append is
   refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from bargein.audio.formats import decode, samples_of
from bargein.audio.resample import Resampler
from bargein.server.model.ids import Ids
from bargein.server.model.options import Limits
from bargein.server.model.rules import refuse
from bargein.server.model.semantic import SemanticTurns
from bargein.server.model.session import Turns
from bargein.server.model.vad import (
    FRAME_MS,
    FRAME_SAMPLES,
    RATE,
    Detector,
    Pcm,
    SpeechStarted,
    SpeechStopped,
    TurnDetector,
)
from bargein.units import AudioFormat

LEAST_COMMIT_MS = 100


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The user began to speak."""

    item_id: str
    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class TurnStopped:
    """The user stopped; the buffer's audio up to here, in the input format, is the item's."""

    item_id: str
    audio_end_ms: int
    audio: bytes


@dataclass(frozen=True, slots=True)
class TurnHeard:
    """More of a turn in progress, for an engine that overhears; `last`: up to the turn's end."""

    item_id: str
    audio: bytes
    last: bool


@dataclass(frozen=True, slots=True)
class Commit:
    """The buffer was taken by hand. `heard`: what had not been overheard of it."""

    item_id: str
    audio: bytes
    heard: TurnHeard | None


Decided: TypeAlias = TurnStarted | TurnHeard | TurnStopped


@dataclass(frozen=True, slots=True)
class TurnTimedOut:
    """The user said nothing for too long; the silence is the item's audio (protocol.md §4.11)."""

    item_id: str
    audio_start_ms: int
    audio_end_ms: int
    audio: bytes


class _Buffer:
    """Audio in one format, on a clock of samples; chunks are cut only when they are taken."""

    def __init__(self, format: AudioFormat, start_ms: int) -> None:
        self.format = format
        # The clock in this format's samples; a change of format keeps the time to the millisecond.
        self.end = start_ms * format.rate // 1_000
        self.start = self.end
        self._chunks: deque[bytes] = deque()

    @property
    def held_bytes(self) -> int:
        return (self.end - self.start) * self.format.bytes_per_sample

    def append(self, audio: bytes) -> None:
        self._chunks.append(audio)
        self.end += len(audio) // self.format.bytes_per_sample

    def take(self, start: int, end: int) -> bytes:
        """The audio between the two positions, as far as it is there. All up to `end` leaves the
        buffer."""
        start = max(start, self.start)
        end = min(max(end, start), self.end)
        held = b"".join(self._chunks)
        width = self.format.bytes_per_sample
        taken = held[(start - self.start) * width : (end - self.start) * width]
        rest = held[(end - self.start) * width :]
        self._chunks = deque([rest] if rest else [])
        self.start = end
        return taken

    def peek(self, start: int, end: int) -> bytes:
        """The audio between the two positions, as far as it is there; it stays. Looks from the
        end, so what is recent is cheap."""
        width = self.format.bytes_per_sample
        pieces: list[bytes] = []
        position = self.end
        for chunk in reversed(self._chunks):
            if position <= start:
                break
            pieces.append(chunk)
            position -= len(chunk) // width
        held = b"".join(reversed(pieces))
        return held[max(0, start - position) * width : max(0, end - position) * width]

    def forget_before(self, position: int) -> None:
        """Let go of whole chunks that lie before the position."""
        width = self.format.bytes_per_sample
        while self._chunks and self.start + len(self._chunks[0]) // width <= position:
            self.start += len(self._chunks.popleft()) // width


class Listening:
    """The input side of one session."""

    def __init__(
        self,
        *,
        ids: Ids,
        detector: Detector,
        limits: Limits,
        overhears: bool = False,
        guessed: Callable[[str], str] = lambda item_id: "",
    ) -> None:
        self._ids = ids
        self._guessed = guessed
        self._semantic: SemanticTurns | None = None
        self._eagerness: str | None = None
        self._overhears = overhears
        self._by_hand = False
        self._overheard = 0
        self._limits = limits
        self._turns = TurnDetector(detector)
        self._format = AudioFormat.PCM
        self._buffer = _Buffer(self._format, 0)
        self._resampler = Resampler(self._format.rate, RATE)
        self._item_id: str | None = None
        self._start_ms = 0

    @property
    def speaking_item_id(self) -> str | None:
        """The id that the item of the turn in progress will have; None outside of a turn."""
        return self._item_id

    @property
    def held_bytes(self) -> int:
        """Bytes in the buffer, for inspection."""
        return self._buffer.held_bytes

    @property
    def clock_ms(self) -> int:
        """Audio appended since the session began."""
        return self._buffer.end * 1_000 // self._format.rate

    def configure(
        self, turns: Turns | None, format: AudioFormat, *, live: bool = False
    ) -> str | None:
        """Take over the session's settings. A change of format or kind drops what is in the buffer
        or in progress; returns the id that the turn in progress had, if one was dropped.

        The service documents neither case. `live`: a live transcription wants to hear what is
        committed by hand.
        """
        settings = None if turns is None else turns.settings
        was_on = self._turns.settings is not None
        item_id = self._item_id
        by_hand = live and self._overhears and settings is None
        if self._by_hand and not by_hand:
            self._item_id = None
        self._by_hand = by_hand
        if format is not self._format:
            self._buffer = _Buffer(format, self.clock_ms)
            self._format = format
            self._restart()
        elif (settings is not None) is not was_on:
            self._restart()
        eagerness = None if turns is None else turns.eagerness
        if eagerness is None or eagerness != self._eagerness or self._item_id is None:
            # In mid-speech, an update that says nothing new leaves what was heard of the turn.
            self._eagerness = eagerness
            self._semantic = None
            if eagerness is not None:
                self._semantic = SemanticTurns(self._turns, eagerness, self._words)
        self._turns.settings = settings
        return item_id if self._item_id is None else None

    def _words(self) -> str:
        """What was probably said so far in the turn in progress."""
        return "" if self._item_id is None else self._guessed(self._item_id)

    def _restart(self) -> None:
        """Forget the turn in progress and hear what comes as the beginning of sound, at its own
        time."""
        self._turns.settings = None
        behind = self.clock_ms * RATE // 1_000 - self._turns.clock_samples
        self._turns.feed(np.zeros(max(0, behind), np.int16))
        self._resampler = Resampler(self._format.rate, RATE)
        self._item_id = None

    @property
    def slice_bytes(self) -> int | None:
        """The audio of one frame of the detector, in the input format; None without one."""
        if self._turns.settings is None:
            return None
        samples = FRAME_MS * self._format.rate // 1_000
        return samples * self._format.bytes_per_sample

    def append(self, audio: bytes, *, by_track: bool = False) -> list[Decided]:
        """Take audio and say what it decided. Raises `RefusedError`; not for a track, which goes on
        whatever the client does: there the oldest is let go."""
        if len(audio) % self._format.bytes_per_sample:
            raise refuse("not_audio", path="audio")
        held, limit = self._buffer.held_bytes, self._limits.input_buffer_bytes
        settings = self._turns.settings
        is_silent = settings is not None and self._item_id is None
        if held + len(audio) > limit and not is_silent:
            if not by_track:
                raise refuse("input_buffer_full", held=held, limit=limit)
            samples = self._format.samples(limit - len(audio))
            self._buffer.forget_before(self._buffer.end - samples)
        self._buffer.append(audio)
        if settings is None:
            return self._hear_by_hand(audio)
        decided: list[Decided] = []
        turns = self._turns if self._semantic is None else self._semantic
        for event in turns.feed(self._at_16_khz(audio)):
            if self._overhears and isinstance(event, SpeechStopped):
                decided.append(self._hear(event.audio_end_ms, last=True))
            decided.append(self._decide(event))
        if self._overhears and self._item_id is not None:
            frames = self._turns.clock_samples // FRAME_SAMPLES
            decided.append(self._hear(frames * FRAME_MS, last=False))
        if self._item_id is None:
            kept_ms = max(self._limits.silence_kept_ms, settings.prefix_padding_ms)
            kept = kept_ms * self._format.rate // 1_000
            self._buffer.forget_before(self._buffer.end - kept)
        return decided

    def _at_16_khz(self, audio: bytes) -> Pcm:
        linear = audio if self._format is AudioFormat.PCM else decode(audio, self._format)
        return self._resampler.push(samples_of(linear))

    def _hear(self, end_ms: int, *, last: bool) -> TurnHeard:
        """What was not overheard yet of the turn in progress."""
        assert self._item_id is not None, "a turn is going on"
        start, end = self._overheard, end_ms * self._format.rate // 1_000
        self._overheard = max(start, end)
        return TurnHeard(self._item_id, self._buffer.peek(start, end), last)

    def _hear_by_hand(self, audio: bytes) -> list[Decided]:
        if not self._by_hand:
            return []
        if self._item_id is None:
            self._item_id = self._ids.mint("item")
            audio = self._buffer.peek(self._buffer.start, self._buffer.end)
        return [TurnHeard(self._item_id, audio, last=False)]

    def _decide(self, event: SpeechStarted | SpeechStopped) -> TurnStarted | TurnStopped:
        if isinstance(event, SpeechStarted):
            self._item_id = self._ids.mint("item")
            self._start_ms = event.audio_start_ms
            start = event.audio_start_ms * self._format.rate // 1_000
            self._overheard = max(start, self._buffer.start)
            return TurnStarted(self._item_id, event.audio_start_ms)
        # The TurnDetector stops only what it started, and both are reset together.
        assert self._item_id is not None, "a turn is going on"
        item_id, self._item_id = self._item_id, None
        audio = self._take(self._start_ms, event.audio_end_ms)
        return TurnStopped(item_id, event.audio_end_ms, audio)

    def _take(self, start_ms: int, end_ms: int) -> bytes:
        rate = self._format.rate
        return self._buffer.take(start_ms * rate // 1_000, end_ms * rate // 1_000)

    def commit(self) -> Commit:
        """Take the buffer by hand. Raises `RefusedError`."""
        samples = self._buffer.end - self._buffer.start
        if samples * 1_000 < LEAST_COMMIT_MS * self._format.rate:
            raise refuse("too_little_to_commit", ms=samples * 1_000 / self._format.rate)
        item_id = self._ids.mint("item")
        heard = None
        if self._item_id is not None:
            if self._overhears:
                heard = self._heard_by_commit(self._item_id)
            goes_on = self._turns.settings is not None
            item_id, self._item_id = self._item_id, item_id if goes_on else None
        return Commit(item_id, self._buffer.take(self._buffer.start, self._buffer.end), heard)

    def _heard_by_commit(self, item_id: str) -> TurnHeard:
        """The end of what is overheard; by hand, all of it was."""
        start, self._overheard = self._overheard, self._buffer.end
        rest = b"" if self._by_hand else self._buffer.peek(start, self._buffer.end)
        return TurnHeard(item_id, rest, last=True)

    def time_out(self, idle_ms: int) -> TurnTimedOut:
        """Take the last `idle_ms`, in whole frames of the detector, as a turn in which nobody
        spoke."""
        end_ms = self.clock_ms // FRAME_MS * FRAME_MS
        start_ms = max(0, end_ms - -(-idle_ms // FRAME_MS) * FRAME_MS)
        audio = self._take(start_ms, end_ms)
        return TurnTimedOut(self._ids.mint("item"), start_ms, end_ms, audio)

    def clear(self) -> str | None:
        """Drop the buffer and the turn in progress; returns the id that this one had."""
        item_id = self._item_id
        self._buffer.take(self._buffer.end, self._buffer.end)
        settings = self._turns.settings
        self._restart()
        self._turns.settings = settings
        return item_id
