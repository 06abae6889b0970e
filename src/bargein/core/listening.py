"""The microphone's way: what is sent of it, when, and what the service makes of it.

1. With turn detection every sound goes out, and the service says who speaks. With `turn_detection:
   null` nothing goes out but between press and release.
2. Press stops what is heard, settles it, clears the input buffer and then listens, in this order.
   Sound captured while the stop is unanswered waits for it, and so does the pre-roll from before
   the press.
3. Release with at least 100 ms of sound since the press commits behind its audio, then asks for the
   reply. With less it clears the buffer and does nothing else: the service would refuse it
   (protocol.md §6.2).
4. Where the microphone is at another peer of the call, nobody here counts its samples: what was
   said is as long as the button was down.
5. What counts is the effective turn detection, from `session.updated`, not what was asked for; and
   what is known of the service: some cancel always, some never.
"""

from __future__ import annotations

from collections import deque

from bargein import events
from bargein.capabilities import Interrupts
from bargein.core.latency import MicrophoneClock
from bargein.units import US_PER_MS, US_PER_S, AudioFormat, ms_floor, samples_floor, us_of_samples

LEAST_COMMIT_MS = 100
SKEW_MS = 100
"""Over how much later the clear may reach the service than the commit."""
DEFAULT_PREFIX_PADDING_MS = 300


def format_of(config: object, default: AudioFormat) -> AudioFormat:
    """The wire format that a session or response names; the default where it names none we know."""
    kind = getattr(config, "type", None)
    return next((known for known in AudioFormat if known.value == kind), default)


class Listening:
    """What the service hears of us, and who it says is speaking."""

    __slots__ = (
        "_early",
        "_pre_roll",
        "_pre_roll_ms",
        "_pre_roll_samples",
        "audio_format",
        "clock",
        "create_response",
        "ending",
        "interrupt_response",
        "interrupts",
        "manual",
        "prefix_padding_ms",
        "pressed",
        "rolled_samples",
        "since_press_samples",
        "speaking_item",
        "speech_items",
        "speech_start_ms",
        "waiting",
    )

    def __init__(self, pre_roll_ms: int) -> None:
        self.audio_format = AudioFormat.PCM
        self.clock = MicrophoneClock()
        self.manual = False
        self.create_response = True
        self.interrupt_response = True
        self.interrupts: Interrupts = "as_told"
        self.prefix_padding_ms = DEFAULT_PREFIX_PADDING_MS
        self.pressed = False
        self.waiting = False
        """Pressed, and the stop is not answered yet; in a call, nor the clear."""
        self.ending = False
        """The button is up, and what was said is still on its way."""
        self.since_press_samples = 0
        self.rolled_samples = 0
        """Of the turn, what was captured before its press."""
        self.speech_start_ms = 0
        """Where the speech began that was heard last, on the service's clock."""
        self.speaking_item: str | None = None
        self.speech_items: deque[str] = deque(maxlen=32)
        """Items of speech that turn detection ended: their commit is a turn."""
        self._pre_roll_ms = pre_roll_ms
        self._pre_roll: deque[bytes] = deque()
        self._pre_roll_samples = 0
        self._early: deque[bytes] = deque()

    @property
    def user_speaks(self) -> bool:
        """The user has the floor, by the service's word or by the button."""
        return self.pressed or self.ending or self.speaking_item is not None

    @property
    def turn_is_due(self) -> bool:
        """The user speaks, or has spoken and the turn is about to be committed and answered."""
        answered = self.create_response and not self.manual
        return self.user_speaks or (answered and bool(self.speech_items))

    @property
    def service_cancels(self) -> bool:
        """The service cancels the open response at `speech_started` (rule 9)."""
        if self.manual or self.interrupts == "never":
            return False
        return self.interrupt_response or self.interrupts == "always"

    def configure(self, session: events.Session) -> None:
        """The effective settings."""
        audio = session.audio if isinstance(session.audio, events.AudioConfig) else None
        config = audio.input if audio is not None else None
        if not isinstance(config, events.AudioInputConfig):
            return
        self.audio_format = format_of(config.format, self.audio_format)
        detection = config.turn_detection
        if detection is None:
            self.manual = True
            self.speaking_item = None
        elif isinstance(detection, events.ServerVad | events.SemanticVad):
            self.manual = False
            self.create_response = detection.create_response is not False
            self.interrupt_response = detection.interrupt_response is not False
            padding_ms = getattr(detection, "prefix_padding_ms", None)
            if isinstance(padding_ms, int):
                self.prefix_padding_ms = padding_ms

    def captured(self, audio: bytes) -> list[bytes]:
        """Sound of the microphone: returns what goes out now."""
        if not self.manual:
            return [audio]
        samples = self.audio_format.samples(len(audio))
        if not self.pressed:
            if self._early and not self.waiting:
                # The microphone is the clock by which what was said leaves.
                return [self._early.popleft()]
            self._roll(audio, samples)
            return []
        self.since_press_samples += samples
        if not self.waiting and not self._early:
            return [audio]
        # Deadlines bound it: 200 ms of sound for the stop, in a call a second for the clear, and
        # the pre-roll.
        self._early.append(audio)
        return [] if self.waiting else [self._early.popleft()]

    def _roll(self, audio: bytes, samples: int) -> None:
        wanted = samples_floor(self._pre_roll_ms, self.audio_format.rate)
        if not wanted:
            return
        self._pre_roll.append(audio)
        self._pre_roll_samples += samples
        while self._pre_roll_samples > wanted:
            over = self._pre_roll_samples - wanted
            first = self._pre_roll.popleft()
            first_samples = self.audio_format.samples(len(first))
            if first_samples > over:
                self._pre_roll.appendleft(first[over * self.audio_format.bytes_per_sample :])
                self._pre_roll_samples -= over
            else:
                self._pre_roll_samples -= first_samples

    def press(self) -> None:
        """The button went down; `listen` follows when the stop is answered."""
        self.pressed = self.waiting = True
        self.since_press_samples = 0
        self.rolled_samples = self._pre_roll_samples
        self._early = self._pre_roll
        self._pre_roll = deque()
        self._pre_roll_samples = 0

    def release(self) -> None:
        """The button is up: what is captured from here on is not said."""
        self.pressed = False

    def listen(self) -> list[bytes]:
        """The buffer was cleared: returns the sound that waited for it."""
        self.waiting = False
        return self.rest()

    @property
    def waits_us(self) -> int:
        """How long the sound is that waits to leave."""
        samples = sum(self.audio_format.samples(len(audio)) for audio in self._early)
        return us_of_samples(samples, self.audio_format.rate)

    def rest(self) -> list[bytes]:
        """What waits, to leave at once."""
        waited, self._early = self._early, deque()
        return list(waited)

    def sounded_elsewhere(self, held_us: int) -> None:
        """The microphone is at another peer, whose track runs on: what was said since the press is
        as long as the button was held, less what may have been cleared with the rest."""
        said_us = max(0, held_us - SKEW_MS * US_PER_MS)
        self.since_press_samples = said_us * self.audio_format.rate // US_PER_S

    def enough(self) -> bool:
        """What was said since the press may be committed."""
        rate = self.audio_format.rate
        return self.since_press_samples >= samples_floor(LEAST_COMMIT_MS, rate)

    @property
    def said_ms(self) -> int:
        """How much sound the turn has that was made by the button."""
        return ms_floor(self.rolled_samples + self.since_press_samples, self.audio_format.rate)

    def speech_began_us(self, audio_start_ms: int) -> int | None:
        """When the sound was captured by which the service knew that the user speaks."""
        known_ms = audio_start_ms + self.prefix_padding_ms
        return self.clock.captured_us(known_ms, self.audio_format.rate)
