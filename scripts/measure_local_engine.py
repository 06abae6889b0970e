"""Measure the local engine: who is understood, or how soon it answers and what that costs.

python scripts/measure_local_engine.py voices|times [--out docs/evidence]

Needs flite (Debian: apt install flite) for the voices; the questions of the timing are recordings
of tests/data/spoken. Times are those of this machine with whatever else it does: the file says its
load. The client of the timing runs in the server's process, so the CPU figures have it in them.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import connect

from bargein.audio.files import read_sound
from bargein.audio.formats import Samples, bytes_of, encode
from bargein.audio.resample import resample
from bargein.lab.bench import evidence
from bargein.server.engines.espeak import speak
from bargein.server.engines.local.ears import EarLimits, Ears
from bargein.server.engines.local.engine import LocalEngine, wall_clock
from bargein.server.engines.local.meaning import read
from bargein.server.serving import serve_local
from bargein.units import AudioFormat

SPOKEN = Path(__file__).parents[1] / "tests" / "data" / "spoken"
FLITE = ("slt", "rms", "awb", "kal16")
ESPEAK = ("en-us", "en-us+f3")
OF_THE_DOMAIN = (
    *(
        "tell me a story",
        "tell me a long story about a dragon",
        "please go on",
        "where did you stop",
    ),
    *("what is the weather in paris", "what time is it", "my name is peter", "what is my name"),
    *("start again from the beginning", "what can you do", "tell me another story", "stop please"),
    *("my favorite color is blue", "what did you say", "will it rain tomorrow in london"),
    *("who are you", "how are you today", "thank you very much", "what happened next"),
    *("tell me a joke", "i live in berlin", "good morning", "what is my favorite color"),
    *("how is the weather in new york today", "yes please"),
)
OTHERS = (
    *("the quarterly report must be finished before friday", "why is the sky blue"),
    *("can you explain how a steam engine works", "please send the invoice to my accountant"),
    *("the children went swimming in the river yesterday", "multiply seven by nine"),
    *("how much does a ticket to the museum cost", "my brother bought a new bicycle last week"),
    *("what is the capital of france", "open the window and close the door"),
)


def flite(text: str, voice: str) -> tuple[Samples, int]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "said.wav")
        subprocess.run(("flite", "-voice", voice, "-t", text, "-o", str(file)), check=True)
        return read_sound(file)


def espeak(text: str, voice: str) -> tuple[Samples, int]:
    speech = speak(text, voice=voice, words_per_minute=140)
    return speech.pcm, speech.rate


def padded(sound: Samples, rate: int, to_rate: int, before_ms: int = 300) -> Samples:
    speech = resample(sound, rate, to_rate)
    silence = np.zeros(to_rate * before_ms // 1_000, np.int16)
    return np.concatenate((silence, speech, silence))


async def understood(ears: Ears, format: AudioFormat, kind: str, voice: str) -> dict[str, Any]:
    """How many sentences of a voice, in one session, mean what they were meant to; how many of
    others are taken for one of the domain."""
    say = flite if kind == "flite" else espeak
    right, wrong, taken, means = 0, [], [], ""
    for text in OF_THE_DOMAIN:
        words, means = await heard(ears, say(text, voice), format, means)
        if (read(words).kind, read(words).topic) == (read(text).kind, read(text).topic):
            right += 1
        else:
            wrong.append({"said": text, "heard": words})
    for text in OTHERS:
        words, means = await heard(ears, say(text, voice), format, means)
        if read(words).kind != "unknown":
            taken.append({"said": text, "heard": words})
    return {
        "voice": f"{kind} {voice}",
        "format": format.value,
        "understood": right,
        "of": len(OF_THE_DOMAIN),
        "others_taken_for_the_domain": len(taken),
        "others": len(OTHERS),
        "wrong": wrong,
        "taken": taken,
    }


async def heard(
    ears: Ears, sound: tuple[Samples, int], format: AudioFormat, means: str
) -> tuple[str, str]:
    turn = ears.listen(format, means)
    turn.push(encode(bytes_of(padded(*sound, format.rate)), format))
    turn.finish()
    return await turn.words(), turn.means


async def timing(ears: Ears) -> dict[str, Any]:
    """Speak the recorded questions in real time, under server_vad with its defaults."""
    files = sorted(SPOKEN.glob("*.flac"))
    after_ms: list[dict[str, Any]] = []

    def engine() -> LocalEngine:
        return LocalEngine(ears, speed=4.0, seed=0, clock=wall_clock)

    async with serve_local(engine=engine) as server:
        headers = {"Authorization": f"Bearer {server.api_key}"}
        url = f"{server.ws_url}?model=gpt-realtime-2.1"
        async with connect(url, additional_headers=headers, max_size=None) as socket:
            await socket.recv()
            await say(socket, np.zeros(24_000 * 3, np.int16))  # the first child loads its model
            began, spoken_s = cost(ears), 0.0
            wall = time.monotonic()
            for file in files:
                sound = resample(*read_sound(file), 24_000)
                spoken_s += len(sound) / 24_000
                after_ms.append({"question": file.stem, **await asked(socket, sound)})
            ended = cost(ears)
            return {
                "turns": after_ms,
                "wall_s": round(time.monotonic() - wall, 1),
                "spoken_s": round(spoken_s, 1),
                "server_cpu_s": round(ended["server"] - began["server"], 2),
                "ear_cpu_s": round(ended["ear"] - began["ear"], 2),
                "ear_memory_mb": ended["memory_mb"],
            }


async def asked(socket: Any, sound: Samples) -> dict[str, Any]:
    """From the last sample of a question to `speech_stopped` and to the first audio, in ms."""
    reading = asyncio.create_task(first_audio(socket))
    await say(socket, sound)
    end = time.monotonic()
    while not reading.done():
        await say(socket, np.zeros(2_400, np.int16))
    stopped, first = reading.result()
    await socket.send(json.dumps({"type": "response.cancel"}))
    await say(socket, np.zeros(12_000, np.int16))
    return {
        "speech_stopped_ms": round((stopped - end) * 1_000),
        "first_audio_ms": round((first - end) * 1_000),
    }


async def first_audio(socket: Any) -> tuple[float, float]:
    stopped = 0.0
    while True:
        kind = json.loads(await socket.recv())["type"]
        if kind == "input_audio_buffer.speech_stopped":
            stopped = time.monotonic()
        elif kind == "response.output_audio.delta" and stopped:
            return stopped, time.monotonic()


async def say(socket: Any, sound: Samples) -> None:
    """Send sound as a microphone does, 20 ms at a time, each when it has sounded."""
    due = time.monotonic()
    for start in range(0, len(sound), 480):
        chunk = base64.b64encode(bytes_of(sound[start : start + 480])).decode()
        await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": chunk}))
        due += 0.02
        await asyncio.sleep(max(0.0, due - time.monotonic()))


def cost(ears: Ears) -> dict[str, float]:
    """CPU seconds of this process and of the ears, and the largest ear's own memory."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    ticks, memory_mb = 0, 0.0
    for pid in ears.child_ids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
        status = Path(f"/proc/{pid}/status").read_text()
        memory_mb = max(memory_mb, int(status.partition("VmRSS:")[2].split()[0]) / 1_024)
    return {
        "server": own.ru_utime + own.ru_stime,
        "ear": ticks / os.sysconf("SC_CLK_TCK"),
        "memory_mb": round(memory_mb),
    }


async def every_voice(ears: Ears) -> dict[str, Any]:
    if shutil.which("flite") is None:
        sys.exit("flite is not here; on Debian: apt install flite")
    asked = [(AudioFormat.PCM, "flite", voice) for voice in FLITE]
    asked += [(AudioFormat.PCM, "espeak", voice) for voice in ESPEAK]
    asked += [(AudioFormat.PCMU, "flite", voice) for voice in FLITE[:2]]
    voices = []
    for format, kind, voice in asked:
        voices.append(await understood(ears, format, kind, voice))
        sys.stdout.write(f"{json.dumps(voices[-1])}\n")
        sys.stdout.flush()
    return {"voices": voices}


async def times(ears: Ears) -> dict[str, Any]:
    told = await timing(ears)
    first = [each["first_audio_ms"] for each in told["turns"]]
    policy = os.sched_getscheduler(0)
    return {
        "real_time_priority": policy in (os.SCHED_RR, os.SCHED_FIFO),
        "first_audio_ms": {"median": statistics.median(first), "most": max(first)},
        **told,
    }


async def measure(what: str, out: Path) -> None:
    ears = Ears(EarLimits(deadline_s=120))
    ears.join()
    try:
        told = await (every_voice(ears) if what == "voices" else times(ears))
    finally:
        await ears.leave()
    file = evidence.write(out, f"local-engine-{what}", told)
    sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["voices", "times"])
    parser.add_argument("--out", type=Path, default=Path("docs/evidence"))
    given = parser.parse_args()
    asyncio.run(measure(given.what, given.out))
