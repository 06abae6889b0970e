"""The sound that is said to a server: a short clip that ships, with silence around it.

The words, "Please tell me a long story.", were spoken by espeak-ng for this purpose; the file is
G.711 µ-law of 8 kHz, so that no library is needed to read it.
"""

from __future__ import annotations

import base64
from importlib import resources
from typing import Final

from bargein.audio.formats import bytes_of, decode
from bargein.audio.resample import resample
from bargein.units import AudioFormat

_BYTES_PER_MS = 48
_BEFORE_MS = 600
_AFTER_MS = 1_500


def _words() -> bytes:
    file = resources.files(__package__) / "data" / "please.ulaw"
    return bytes_of(resample(decode(file.read_bytes(), AudioFormat.PCMU), 8_000, 24_000))


_WORDS: Final = _words()

WORDS_START_MS: Final = _BEFORE_MS
WORDS_END_MS: Final = _BEFORE_MS + len(_WORDS) // _BYTES_PER_MS
SPEECH: Final = bytes(_BEFORE_MS * _BYTES_PER_MS) + _WORDS + bytes(_AFTER_MS * _BYTES_PER_MS)
"""PCM of 24 kHz."""
SILENCE: Final = base64.b64encode(bytes(100 * _BYTES_PER_MS)).decode()
"""100 ms of it, as it stands in an append."""
