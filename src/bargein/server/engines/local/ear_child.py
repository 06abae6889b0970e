"""One ear: a process that turns speech into words with pocketsphinx, for `ears`.

A process of its own, because the recogniser holds the interpreter's lock for up to 100 ms at a
time. It is started as a file, knows nothing of this package and ends when its input does, so it
cannot outlive its parent.

1. It reads frames, a kind (one byte) and a length (four, little-endian) before each: `G` the
   grammar, once, as JSON; then for each turn `B` (begin; the means of an earlier turn of the same
   speaker, or nothing), any number of `A` (16-bit PCM, 16 kHz) and `E` (end), and once the grammar
   was heard `F` (what did the free model hear?) or `N` (never mind).
2. It writes lines of JSON: that it is ready; for each turn, at `E`, what the grammar heard; at `F`,
   what the free model heard. A score is a product of probabilities in the recogniser's own units.
3. Three recognisers listen at once: one that knows the grammar, one that knows all words, and one
   that knows sounds only. How well the first fits in comparison with the last tells whether the
   grammar's words were said at all.
4. The grammar comes first. The free model, the slowest, hears what waits for it when nothing else
   is to be done, so where the machine is busy only those turns wait that need it.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import sys
import threading
from collections import deque
from typing import Any, BinaryIO

_pocketsphinx: Any = importlib.import_module("pocketsphinx")
_RATE = 16_000
_NO_SOUNDS = ("SIL", "+", "<", "(")
"""How the names of silence and of noises such as breath begin, among words and among sounds."""


class Ear:
    """The three recognisers, which hear the same."""

    def __init__(self, grammar: str, words: list[str]) -> None:
        model = _pocketsphinx.get_model_path("en-us")
        common = {
            "hmm": os.path.join(model, "en-us"),
            "samprate": _RATE,
            "loglevel": "FATAL",
        }
        self._free = _pocketsphinx.Decoder(
            dict=os.path.join(model, "cmudict-en-us.dict"),
            lm=os.path.join(model, "en-us.lm.bin"),
            **common,
        )
        self._sounds = _pocketsphinx.Decoder(
            **(common | {"dict": None, "lm": None}),
            allphone=os.path.join(model, "en-us-phone.lm.bin"),
            lw=2.0,
            beam=1e-10,
            pbeam=1e-10,
            bestpath=False,
        )
        # A second pass over a grammar's lattice takes seconds and finds the same path.
        self._grammar = _pocketsphinx.Decoder(
            **(common | {"dict": None, "lm": None}), bestpath=False
        )
        self._sound_counts: dict[str, int] = {}
        for word in words:
            self._learn(word)
        self._grammar.add_jsgf_string("said", grammar)
        self._grammar.activate_search("said")
        self._first_means = self._free.get_cmn(False)
        self._behind: deque[bytes] = deque()
        """What the free model has still to hear."""

    def _learn(self, word: str) -> None:
        """Give the grammar every pronunciation that the dictionary has of a word."""
        number, name = 1, word
        while (sounds := self._free.lookup_word(name)) is not None:
            self._grammar.add_word(name, sounds, True)
            self._sound_counts[name] = len(sounds.split())
            number += 1
            name = f"{word}({number})"
        if number == 1:
            raise ValueError(f"the dictionary has no word {word!r}")

    def begin(self, means: str) -> None:
        self._behind.clear()
        for decoder in (self._grammar, self._sounds, self._free):
            decoder.set_cmn(means or self._first_means)
            decoder.start_utt()

    def hear(self, pcm: bytes) -> None:
        self._grammar.process_raw(pcm, False, False)
        self._sounds.process_raw(pcm, False, False)
        self._behind.append(pcm)

    def catch_up(self) -> bool:
        """Let the free model hear a little more; whether there was anything left to hear."""
        if not self._behind:
            return False
        self._free.process_raw(self._behind.popleft(), False, False)
        return True

    def grammar_heard(self) -> dict[str, Any]:
        """What the grammar heard, and how well it fits; ends the turn for it."""
        self._grammar.end_utt()
        self._sounds.end_utt()
        best, sounds = self._grammar.hyp(), self._sounds.hyp()
        segments = self._grammar.seg() or ()
        heard_sounds = sounds.hypstr.split() if sounds else []
        return {
            "grammar": best.hypstr if best else "",
            "score": best.score if best else 0.0,
            "grammar_sounds": sum(self._sound_counts.get(each.word, 0) for each in segments),
            "sounds": sum(not name.startswith(_NO_SOUNDS) for name in heard_sounds),
            "sounds_score": sounds.score if sounds else 0.0,
            "frames": self._grammar.n_frames(),
            "means": self._grammar.get_cmn(True),
        }

    def free_heard(self) -> dict[str, Any]:
        """What the free model heard; ends the turn for it."""
        while self.catch_up():
            pass
        self._free.end_utt()
        best = self._free.hyp()
        return {"free": best.hypstr if best else ""}

    def never_mind(self) -> None:
        """End the turn for the free model, unheard."""
        self._behind.clear()
        self._free.end_utt()


def _frame(pipe: BinaryIO) -> tuple[bytes, bytes] | None:
    """The next frame; None at the end of the input, also in the middle of a frame."""
    head = pipe.read(5)
    if len(head) < 5:
        return None
    size = int.from_bytes(head[1:], "little")
    body = pipe.read(size)
    return (head[:1], body) if len(body) == size else None


def _read(frames: queue.SimpleQueue[tuple[bytes, bytes] | None]) -> None:
    """Read on a thread, so that there is always something to do while nothing comes. What waits
    here is bounded by the turn (`ears.EarLimits.turn_s`)."""
    while (frame := _frame(sys.stdin.buffer)) is not None:
        frames.put(frame)
    frames.put(None)


def _tell(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def main() -> None:
    frames: queue.SimpleQueue[tuple[bytes, bytes] | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(frames,), daemon=True).start()
    first = frames.get()
    if first is None:
        return
    ear = Ear(**json.loads(first[1]))
    _tell({"ready": os.getpid()})
    while True:
        while frames.empty() and ear.catch_up():
            pass
        match frames.get():
            case None:
                return
            case b"B", means:
                ear.begin(means.decode())
            case b"A", pcm:
                ear.hear(pcm)
            case b"E", _:
                _tell(ear.grammar_heard())
            case b"F", _:
                _tell(ear.free_heard())
            case _:
                ear.never_mind()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        os._exit(0)  # The parent is gone, and with it whoever would want to read of it.
