"""Speech with exact times, and speech that the detector takes for speech."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bargein.errors import DeviceError, LocalValueError
from bargein.server.engines.espeak import RATE, Speech, _to_24k, speak
from bargein.server.engines.weights import silero_weights
from bargein.server.model.vad import (
    FRAME_MS,
    Pcm,
    SileroVad,
    SpeechStarted,
    SpeechStopped,
    TurnDetector,
    TurnSettings,
)

SENTENCES = [
    "Tell me a story about a fox.",
    "Wait, stop please.",
    "No, something else.",
    "What is the weather in Paris?",
    "Hello there.",
    "Stop.",
    "Could you say that again, slowly?",
    "I would like to hear about the sea.",
    "Hang on a second.",
    "Yes.",
    "How much is forty two plus seven?",
    "That is not what I meant.",
    "Please tell me about your day.",
    "Who wrote that book?",
    "Okay, thank you very much.",
    "Actually, I changed my mind about the fox.",
    "Can we talk about something different now?",
    "Never mind.",
    "Where does the river begin?",
    "Let us start from the beginning.",
]
VOICES = [("en-us", 175, 50), ("en-us+f3", 160, 60), ("en-gb-x-rp", 150, 35)]


def peak(pcm: Pcm) -> int:
    return int(np.abs(pcm.astype(np.int32)).max(initial=0))


def digest(speech: Speech) -> str:
    return hashlib.sha256(speech.pcm.tobytes()).hexdigest()


# Words


@pytest.mark.parametrize(
    "text",
    [
        *SENTENCES,
        "It costs $3.50, or 42 euros.",
        "Le déjà vu: café, naïve résumé!",
        "Once upon a time, there was a well-known fox; it's 10:30 on 12/05/2026!",
        "I am to go and it is in a house of the king, as it was to be.",
        "— Hello...  world :) \n\n A.B.C. 100% (of 1,000,000) @home — ",
        "日本 hi 🙂 there",
        "one\0two \ud800 three",
        "...",
        "",
    ],
)
def test_every_word_has_its_time_once_and_in_order(text: str) -> None:
    speech = speak(text)
    assert [word.text for word in speech.words] == text.split()
    times = [time for word in speech.words for time in (word.start_sample, word.end_sample)]
    assert times == sorted(times)
    assert all(0 <= time <= len(speech.pcm) for time in times)
    for word in speech.words:
        if word.text.isascii() and word.text.rstrip(".,?!:;").isalpha():
            assert word.end_sample - word.start_sample >= RATE // 50, word


def test_numbers_sums_of_money_and_accents_are_one_word_each() -> None:
    words = speak("Pay $3.50, or 42 for déjà vu.").words
    assert [word.text for word in words] == ["Pay", "$3.50,", "or", "42", "for", "déjà", "vu."]
    money, forty_two = words[1], words[3]
    assert money.end_sample - money.start_sample > RATE  # "three dollars fifty"
    assert forty_two.end_sample - forty_two.start_sample > RATE * 0.4
    assert all(word.end_sample - word.start_sample > RATE // 10 for word in words)


def test_words_that_the_engine_runs_together_share_its_time_by_letters() -> None:
    """espeak-ng gives one event for "of the": two letters and three."""
    speech = speak("The king of the sea.")
    of, the = speech.words[2:4]
    assert of.end_sample == the.start_sample
    assert 2 * (the.end_sample - the.start_sample) == pytest.approx(
        3 * (of.end_sample - of.start_sample), abs=6
    )


def test_a_dash_has_no_length() -> None:
    words = speak("Wait — stop.").words
    assert [word.text for word in words] == ["Wait", "—", "stop."]
    assert words[1].start_sample == words[1].end_sample == words[0].end_sample


def test_the_times_are_those_of_the_sound() -> None:
    """Vowels start at once: silence up to the word, sound from it on, silence in the pause."""
    speech = speak("Apple, orange, eagle, ocean.")
    for word in speech.words:
        assert peak(speech.pcm[word.start_sample :][: RATE // 50]) > 1_000, word
        assert peak(speech.pcm[word.end_sample - RATE // 20 : word.end_sample]) > 100, word
    for before, after in zip(speech.words, speech.words[1:], strict=False):
        pause = speech.pcm[before.end_sample + RATE // 100 : after.start_sample - RATE // 400]
        assert len(pause) > RATE // 10
        assert peak(pause) < 100, (before, after)


def test_a_nul_in_the_text_does_not_end_it() -> None:
    assert len(speak("one\0two").pcm) > 1.3 * len(speak("one").pcm)


# Samples


def test_resampling_delays_nothing_and_keeps_the_level() -> None:
    engine_at, at = np.arange(22_050) / 22_050, np.arange(24_000) / 24_000
    for hertz in (200, 1_000, 5_000, 9_000):
        resampled = _to_24k(
            np.rint(10_000 * np.sin(2 * np.pi * hertz * engine_at)).astype(np.int16)
        )
        assert len(resampled) == 24_000
        error = resampled - 10_000 * np.sin(2 * np.pi * hertz * at)
        assert np.abs(error[200:-200]).max() < 20, hertz


def test_resampling_clips_instead_of_wrapping() -> None:
    square = np.where(np.arange(2_000) // 50 % 2, 32_767, -32_768).astype(np.int16)
    resampled = _to_24k(square)[:-20]  # behind the end it rings
    assert (resampled.min(), resampled.max()) == (-32_768, 32_767)
    assert np.count_nonzero(np.diff(resampled >= 0)) == np.count_nonzero(np.diff(square >= 0))


@pytest.mark.parametrize("voice", ["en-us", "en-us+f3", "en-us+whisper"])
def test_the_same_text_gives_the_same_samples_in_every_process(voice: str) -> None:
    text = "Once upon a time there was a sheep with sixty shoes."
    first = speak(text, voice=voice)
    speak("Something else in between.", voice="en-gb-x-rp", words_per_minute=200, pitch=70)
    assert digest(speak(text, voice=voice)) == digest(first)
    elsewhere = subprocess.run(
        [sys.executable, "-c", _SPEAK_AND_PRINT, text, voice],
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    assert elsewhere.stdout.split() == [digest(first), "imported-late"]


_SPEAK_AND_PRINT = """
import hashlib, sys
from bargein.server.engines.espeak import speak
late = "espeakng_loader" not in sys.modules
print(hashlib.sha256(speak(sys.argv[1], voice=sys.argv[2]).pcm.tobytes()).hexdigest())
print("imported-late" if late else "imported-early")
"""


def test_threads_that_speak_at_once_do_not_mix() -> None:
    texts = [f"This is sentence number {number}." for number in range(12)]
    alone = [speak(text) for text in texts]
    with ThreadPoolExecutor(max_workers=6) as pool:
        together = list(pool.map(speak, texts))
    assert [digest(speech) for speech in together] == [digest(speech) for speech in alone]
    assert [speech.words for speech in together] == [speech.words for speech in alone]


def test_voice_rate_and_pitch_make_a_difference() -> None:
    text = "Tell me a story."
    assert len(speak(text, words_per_minute=120).pcm) > 1.2 * len(speak(text).pcm)
    variants = [speak(text), speak(text, pitch=80), *(speak(text, voice=v) for v, *_ in VOICES[1:])]
    assert len({digest(speech) for speech in variants}) == 4


# Errors


@pytest.mark.parametrize("voice", ["", "xx", "en-us+nobody", "en-us+", "en-us+../../en_dict", "ü"])
def test_an_unknown_voice_is_refused_by_name(voice: str) -> None:
    with pytest.raises(LocalValueError, match="voice is "):
        speak("Hello.", voice=voice)
    assert speak("Hello.").words


def test_rate_and_pitch_out_of_range_are_refused_by_name() -> None:
    with pytest.raises(LocalValueError, match="words_per_minute is 79: give 80 to 450"):
        speak("Hello.", words_per_minute=79)
    with pytest.raises(LocalValueError, match="pitch is 100: give 0 to 99"):
        speak("Hello.", pitch=100)


def test_without_the_engine_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(DeviceError, match=r"pip install 'bargein\[local\]'.*GPL"):
        speak("Hello.")


# Speech and the detector


def at_16k(pcm: Pcm) -> Pcm:
    """Exact band-limited resampling of a whole clip, by way of its spectrum."""
    count = len(pcm) // 3 * 3
    spectrum = np.fft.rfft(pcm[:count].astype(np.float64))[: count // 3 + 1]
    samples = np.fft.irfft(spectrum, count // 3 * 2) * 2 / 3
    return np.clip(np.rint(samples), -32_768, 32_767).astype(np.int16)


def heard(
    text: str, voice: tuple[str, int, int], silence_duration_ms: int
) -> tuple[list[SpeechStarted | SpeechStopped], float, float]:
    """The events of a sentence within silence, and where its sound begins and ends, in ms."""
    name, words_per_minute, pitch = voice
    speech = speak(text, voice=name, words_per_minute=words_per_minute, pitch=pitch)
    lead = np.zeros(RATE + 37 * len(text) % 768, np.int16)  # anywhere on the grid of frames
    pcm = at_16k(np.concatenate([lead, speech.pcm, np.zeros(RATE, np.int16)]))
    sounding = np.flatnonzero(np.abs(pcm.astype(np.int32)) > 300) / 16
    turns = TurnDetector(
        SileroVad(silero_weights()), TurnSettings(silence_duration_ms=silence_duration_ms)
    )
    return turns.feed(pcm), float(sounding[0]), float(sounding[-1])


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("silence_duration_ms", [200, 500])
def test_a_spoken_sentence_is_one_turn(
    voice: tuple[str, int, int], silence_duration_ms: int
) -> None:
    """At 200 ms a comma, which the voices speak as a pause of 150 to 350 ms, may end a turn."""
    onset_errors_ms = []
    for text in SENTENCES:
        if silence_duration_ms == 200 and "," in text:
            continue
        events, onset_ms, offset_ms = heard(text, voice, silence_duration_ms)
        match events:
            case [SpeechStarted(audio_start_ms), SpeechStopped(audio_end_ms)]:
                onset_errors_ms.append(audio_start_ms + 300 - onset_ms)
                assert (audio_start_ms + 300) % FRAME_MS == audio_end_ms % FRAME_MS == 0
                assert -FRAME_MS < audio_end_ms - silence_duration_ms - offset_ms < 160, text
            case _:
                pytest.fail(f"{text!r} gave {events}")
    assert 0 < min(onset_errors_ms) and max(onset_errors_ms) < 160
    assert np.median(onset_errors_ms) < 75
