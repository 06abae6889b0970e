"""How long `semantic_vad` waits for whom: `scripts/turn_ends.py [--eagerness medium] [--out FILE]`.

Synthetic voices say sentences that end and sentences that do not; each is followed by silence, and
what the server's own detector and judge make of it is timed. espeak-ng is needed; flite's voices
are measured too where it is installed. What the words say is given as a recogniser gives it: in
lower case, without a mark at the end.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import statistics
import subprocess
import sys
import wave
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bargein.audio.resample import Resampler
from bargein.lab.bench.evidence import commit, machine
from bargein.server.engines.espeak import speak
from bargein.server.engines.weights import silero_weights
from bargein.server.model.semantic import LONGEST_MS, SemanticTurns
from bargein.server.model.vad import (
    RATE,
    Pcm,
    SileroVad,
    SpeechStopped,
    TurnDetector,
    TurnSettings,
)

STATEMENTS = (
    "I would like to know about the weather in Lisbon.",
    "Tell me a story about the sea.",
    "Please stop for a moment.",
    "My name is Marcelo.",
    "That was a very nice story.",
    "I think we should leave tomorrow morning.",
    "Turn on the lights in the kitchen.",
    "No thank you, that is all I need.",
    "She walked home in the rain.",
    "We met him last year in Berlin.",
)
QUESTIONS = (
    "What is the weather like today?",
    "Can you book a table for two?",
    "How far is it to the station?",
    "Could you say that again?",
)
BROKEN_OFF = (
    ("I would like to know about the weather in Lisbon.", 6),
    ("Tell me a story about the sea.", 5),
    ("I want to order a pizza with some cheese and olives.", 8),
    ("Can you book a table for two people on Friday?", 6),
    ("We should go to the market because it is late.", 7),
    ("He said that the train would be late again.", 3),
    ("I was walking in the park when it started to rain.", 6),
    ("Turn on the lights in the kitchen and the hall.", 7),
    ("I think that we really ought to leave by noon.", 3),
    ("Please remind me to call the doctor on Monday.", 6),
)
FILLED = (
    "I would like to, um,",
    "I want to go to, uh,",
    "So, um,",
    "Can you tell me, uh,",
    "The second one is, um,",
    "Let me see, uh,",
)
ESPEAK = ("en-us", "en-us+f3", "en-gb-x-rp+m1", "en-us+m7", "en-us+f4", "en-gb-x-rp+f1")
FLITE = ("slt", "rms", "kal16", "awb")
_QUIET = 150


def spoken(engine: str, voice: str, text: str, words: int | None = None) -> Pcm:
    """Speech at 16 kHz; after so many words it breaks off, in the voice of the whole sentence."""
    if engine == "espeak-ng":
        speech = speak(text, voice=voice, words_per_minute=165)
        pcm, rate = speech.pcm, speech.rate
        end = speech.words[words - 1].end_sample if words else len(pcm)
    else:
        pcm, rate = _flite(voice, text)
        # flite does not say where its words end: about where the beginning, said alone, does.
        alone = _flite(voice, " ".join(text.split()[:words]))[0] if words else pcm
        end = round(0.92 * len(alone)) if words else len(pcm)
    pcm = pcm[:end] if rate == RATE else Resampler(rate, RATE).push(pcm[:end])
    return pcm[: int(np.nonzero(np.abs(pcm.astype(np.int32)) > _QUIET)[0][-1]) + 1]


def _flite(voice: str, text: str) -> tuple[Pcm, int]:
    command = ["flite", "-voice", voice, "-t", text, "-o", "/dev/stdout"]
    made = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(made)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return pcm.astype(np.int16), file.getframerate()


def sayings() -> Iterator[tuple[str, str, int | None]]:
    """Kind, text, and after how many words it breaks off."""
    yield from (("statement", text, None) for text in STATEMENTS)
    yield from (("question", text, None) for text in QUESTIONS)
    yield from (("broken off", text, words) for text, words in BROKEN_OFF)
    yield from (("filled pause", text, None) for text in FILLED)


def waited_ms(pcm: Pcm, eagerness: str, words: str) -> int:
    """From the end of the speech to the end of the turn."""
    settings = TurnSettings(silence_duration_ms=LONGEST_MS[eagerness])
    turns = SemanticTurns(
        TurnDetector(SileroVad(silero_weights()), settings), eagerness, lambda: words
    )
    before, after = np.zeros(RATE // 2, np.int16), np.zeros(RATE * 9, np.int16)
    turns.feed(np.concatenate([before, pcm]))
    for start in range(0, len(after), RATE // 10):
        for event in turns.feed(after[start : start + RATE // 10]):
            if isinstance(event, SpeechStopped):
                return event.audio_end_ms - (len(before) + len(pcm)) * 1_000 // RATE
    raise RuntimeError("the turn did not end")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--eagerness", choices=sorted(LONGEST_MS), default="medium")
    asked.add_argument("--out", type=Path)
    given = asked.parse_args()
    voices = [("espeak-ng", voice) for voice in ESPEAK]
    if shutil.which("flite"):
        voices += [("flite", voice) for voice in FLITE]
    waits: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for engine, voice in voices:
        for kind, text, count in sayings():
            pcm = spoken(engine, voice, text, count)
            said = " ".join(text.lower().split()[:count]).rstrip(".?,")
            waits[engine, kind, "voice"].append(waited_ms(pcm, given.eagerness, ""))
            waits[engine, kind, "voice and words"].append(waited_ms(pcm, given.eagerness, said))
    rows: list[dict[str, Any]] = [
        {
            "voices": engine,
            "said": kind,
            "known": known,
            "count": len(each),
            "median_wait_ms": round(statistics.median(each)),
            "ended_within_1_s": sum(wait <= 1_000 for wait in each),
        }
        for (engine, kind, known), each in waits.items()
    ]
    for row in rows:
        sys.stdout.write("\t".join(map(str, row.values())) + "\n")
    if given.out is not None:
        told = {
            "about": "semantic_vad on synthetic speech",
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
            "commit": commit(),
            "eagerness": given.eagerness,
            "rows": rows,
        }
        given.out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
