"""The user's voice on its way to the client: chunks of sound, loud while the user speaks.

The microphone rests while nobody speaks. The server's turns run on the clock of the audio, so a
pause of the microphone changes nothing there, and an episode costs what happens in it.
"""

from __future__ import annotations

from collections.abc import Callable

from bargein.core import inputs
from bargein.sim.world import World
from bargein.units import US_PER_MS, US_PER_S, AudioFormat

_LOUD = {AudioFormat.PCM: b"\x40\x1f", AudioFormat.PCMU: b"\x8f", AudioFormat.PCMA: b"\x9a"}
"""One sample of about a quarter of full scale."""
_SILENT = {AudioFormat.PCM: b"\0\0", AudioFormat.PCMU: b"\xff", AudioFormat.PCMA: b"\xd5"}


class Microphone:
    """Gives `Captured` to `give`, each chunk when its last sample has been captured."""

    def __init__(
        self, chunk_ms: int, *, world: World, give: Callable[[inputs.Input], None]
    ) -> None:
        self._chunk_us = chunk_ms * US_PER_MS
        self._world = world
        self._give = give
        self._voice_until_us = 0
        self._open_until_us = 0
        self._running = False
        self.format = AudioFormat.PCM
        self.muted = False

    @property
    def resting(self) -> bool:
        """Whether nothing is being captured."""
        return not self._running

    def speak(self, for_us: int, then_silence_us: int) -> None:
        """The user speaks from now on for so long; behind it the microphone listens on."""
        self._voice_until_us = max(self._voice_until_us, self._world.now_us + for_us)
        self.listen(for_us + then_silence_us)

    def listen(self, for_us: int) -> None:
        """Capture for so long at least."""
        self._open_until_us = max(self._open_until_us, self._world.now_us + for_us)
        if not self._running:
            self._running = True
            self._world.after(self._chunk_us, self._capture)

    def _capture(self) -> None:
        now_us = self._world.now_us
        samples = self.format.rate * self._chunk_us // US_PER_S
        voiced_us = min(self._chunk_us, max(0, self._voice_until_us - (now_us - self._chunk_us)))
        voiced = 0 if self.muted else self.format.rate * voiced_us // US_PER_S
        loud, silent = _LOUD[self.format] * voiced, _SILENT[self.format] * (samples - voiced)
        self._running = now_us < self._open_until_us
        if self._running:
            self._world.after(self._chunk_us, self._capture)
        self._give(inputs.Captured(loud + silent))
