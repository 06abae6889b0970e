"""Sound on the tracks of a call: from the machine's formats to the codec of the line, and back.

The machine gives 20 ms in the format of a response; the line has the codec that was agreed on.
Where the two are G.711 alike, the bytes go as they are.
"""

from __future__ import annotations

from bargein.audio.formats import bytes_of, decode, encode, samples_of
from bargein.audio.resample import Resampler
from bargein.rtc.opus import Encoder
from bargein.units import AudioFormat

FRAME_MS = 20
_G711 = {"pcmu": AudioFormat.PCMU, "pcma": AudioFormat.PCMA}
COMPLEXITY = 1
"""Encoding is half of what a call costs at the usual one; so many more calls fit a core."""
_PCM_RATE, _G711_RATE = AudioFormat.PCM.rate, AudioFormat.PCMU.rate


class Sounds:
    """The way out, in `codec`: opus, pcmu or pcma."""

    def __init__(self, codec: str) -> None:
        self._line = _G711.get(codec)
        self.clock_rate = _G711_RATE if self._line is not None else 48_000
        self._encoder = None
        if self._line is None:
            self._encoder = Encoder(_PCM_RATE, complexity=COMPLEXITY)
        self._resampler: Resampler | None = None
        self._from_rate = 0
        self._carry = b""

    def encoded(self, audio: bytes, format: AudioFormat) -> bytes:
        """The packet of 20 ms of sound."""
        if self._line is not None:
            return audio if format is self._line else self._to_g711(audio, format, self._line)
        assert self._encoder is not None, "the line is Opus"
        return self._encoder.encode(self._at(_PCM_RATE, audio, format))

    def silence(self) -> bytes:
        """The packet of 20 ms of silence."""
        return self.encoded(bytes(2 * _PCM_RATE * FRAME_MS // 1_000), AudioFormat.PCM)

    def _to_g711(self, audio: bytes, format: AudioFormat, line: AudioFormat) -> bytes:
        if format.rate == line.rate:
            return encode(decode(audio, format), line)
        return encode(self._at(line.rate, audio, format), line)

    def _at(self, rate: int, audio: bytes, format: AudioFormat) -> bytes:
        """20 ms of linear sound at this rate. A resampler holds a little back, which comes with
        the next frame: the first is filled up in front."""
        linear = decode(audio, format)
        if format.rate == rate:
            return linear
        if self._resampler is None or self._from_rate != format.rate:
            self._resampler, self._from_rate = Resampler(format.rate, rate), format.rate
            self._carry = b""
        wanted = 2 * rate * FRAME_MS // 1_000
        held = self._carry + bytes_of(self._resampler.push(samples_of(linear)))
        held = held.rjust(wanted, b"\0")
        self._carry = held[wanted:]
        return held[:wanted]


class G711Decoder:
    """The way in for a line without Opus, as the jitter buffer's decoder. A lost frame is silence:
    G.711 has nothing to conceal it with."""

    def __init__(self, codec: str) -> None:
        self._format = _G711[codec]
        self._resampler = Resampler(_G711_RATE, _PCM_RATE)
        self._frame_bytes = 2 * _PCM_RATE * FRAME_MS // 1_000

    def decode(self, payload: bytes) -> bytes:
        """Its sound at 24 kHz."""
        return bytes_of(self._resampler.push(samples_of(decode(payload, self._format))))

    def recover(self, next_payload: bytes) -> bytes:
        """There is no copy of it."""
        return self.conceal()

    def conceal(self) -> bytes:
        """Silence."""
        return bytes(self._frame_bytes)
