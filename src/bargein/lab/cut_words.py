"""How well the words of a cut part are found: cuts of speech whose words' times are known.

1. The synthesizer's times are the truth. A word was heard if its last sample was.
2. Each cut is a conversation of its own with the client's machine: deltas of words and of sound in
   the manner and at the times of the script engine, a player that is exact, and a user who speaks
   at a sample drawn for that cut. Only what had arrived by then is given.
3. Half of the cuts, by a hash, are for fitting the constants of `core/words.py`; the other half
   measures. So do texts and voices that no fitting may see.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from bargein import events
from bargein.core import inputs
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.server.engines.espeak import speak
from bargein.server.engines.scenario import USUAL, Manner
from bargein.server.engines.scoring import Sounding, sounding, spoken_steps
from bargein.server.model import score
from bargein.units import AudioFormat, us_of_samples

TEXTS = (
    (
        "Once upon a time, at the very edge of the northern sea, there stood a lighthouse that "
        "had not been lit for a hundred years. The fishermen said that its keeper had gone down"
        " to the water one night, following a light that moved beneath the waves, and that he "
        "was never seen again. But on the first evening of autumn a girl named Mara rowed out "
        "to the rock, with a lantern, a loaf of bread, and a book of blank pages."
    ),
    (
        "Sure! Your order, number 4827, was shipped on March 3rd and should arrive by 5 p.m. "
        "tomorrow. The total was $58.20, including taxes. Would you like me to send the "
        "tracking link to your phone?"
    ),
    (
        "Okay, let's go through it step by step. First, open the settings. Second, choose "
        "Network. Third, turn Wi-Fi off, wait about 10 seconds, and turn it on again. If that "
        "doesn't help, restart the router."
    ),
    (
        "I looked at the forecast for the next few days and it seems that the rain will stay "
        "with us until at least Thursday evening although there might be a short dry spell on "
        "Wednesday around noon if the wind turns to the south as the models expect."
    ),
    (
        "The three largest cities in Portugal are Lisbon, Porto and Braga. Lisbon has about "
        "545,000 inhabitants; Porto, roughly 232,000. Dr. Silva, who wrote the report in 2019, "
        "says that the numbers have hardly changed since."
    ),
    (
        "To make the sauce, melt two tablespoons of butter in a small pan, add the flour, and "
        "stir for a minute. Pour in the milk slowly, whisking all the time. When it thickens, "
        "season with salt, pepper and a little nutmeg, and take it off the heat."
    ),
)
NEW_TEXTS = (
    (
        "I've moved your dentist appointment to Tuesday the 14th at half past nine. The "
        "practice asks you to come ten minutes early, because there's a new form to fill in. "
        "Shall I put the address into your calendar, or do you know the way?"
    ),
    (
        "Honestly? I think the second essay is stronger. It opens with a question, it stays "
        "with one idea, and the ending surprised me. The first one has better sentences here "
        "and there, but it tries to say everything at once and so, in the end, it says rather "
        "little."
    ),
    (
        "Your heart is a muscle about the size of a fist. It beats roughly 100,000 times a day,"
        " and with each beat it pushes blood through two loops: one to the lungs, the other to "
        "the rest of the body. Valves keep the blood from flowing back."
    ),
)
VOICES = ("en-us", "en-us+m3", "en-gb-x-rp+f1", "en-us+f3")
NEW_VOICES = ("en-gb-scotland+m1", "en-us+f5")
WORDS_PER_MINUTE = (130, 165, 190, 230)
SPEEDS = (4.0, 4.0, 2.0, 1.2)
"""How much faster than it sounds the speech arrives: the service's, and slower links."""

_PART = inputs.Part("R", "A", 0)


@dataclass(frozen=True, slots=True)
class Found:
    """One cut: words and milliseconds between what was found and what was heard, either way."""

    key: str
    fitted: bool
    """Of the half that constants may be fitted on."""
    new: bool
    """Its text or its voice was never fitted on."""
    arriving: bool
    """The part was not whole when it was cut."""
    words: int
    ms: float
    by_share_words: int
    by_share_ms: float


def measure(
    texts: Iterable[str], voices: Iterable[str], *, cuts: int, new: bool = False
) -> Iterator[Found]:
    """So many cuts of each text in each voice, at paces, speeds, formats and places drawn by its
    key."""
    for text in texts:
        for voice in voices:
            for number in range(cuts):
                key = f"{text[:12]}/{voice}/{number}"
                digest = hashlib.sha256(key.encode()).digest()
                draw = random.Random(digest)
                audio_format = draw.choice((AudioFormat.PCM, AudioFormat.PCM, AudioFormat.PCMU))
                speech = speak(text, voice=voice, words_per_minute=draw.choice(WORDS_PER_MINUTE))
                sound = sounding(speech, audio_format, trailing_silence_ms=240)
                manner = replace(
                    USUAL, speed=draw.choice(SPEEDS), words_before_audio=draw.choice((2, 3, 5))
                )
                heard = draw.randrange(audio_format.rate // 4, sound.words[-1].end_sample)
                yield _cut(key, digest[0] % 2 == 0 and not new, new, sound, manner, heard)


def _cut(key: str, fitted: bool, new: bool, sound: Sounding, manner: Manner, heard: int) -> Found:
    text, received, whole, kept = spoken_until(sound, manner, heard)
    truth = sum(word.end_sample <= heard for word in sound.words)
    rate = sound.format.rate

    def off(found: str) -> tuple[int, float]:
        count = len(found.split())
        ends = [0, *(word.end_sample for word in sound.words)]
        return abs(count - truth), round(abs(ends[count] - ends[truth]) * 1_000 / rate, 1)

    return Found(key, fitted, new, not whole, *off(kept), *off(by_share(text, heard, received)))


def spoken_until(sound: Sounding, manner: Manner, heard_samples: int) -> tuple[str, int, bool, str]:
    """Speak to a machine, and cut when so many samples were heard.

    Gives the text and the samples that had come, whether that was all, and what the mirror keeps.
    """
    machine, now_us = Machine(Settings()), 0

    def give(happened: inputs.Input) -> None:
        machine.handle(happened, now_us=now_us)

    def says(event: events.ServerEvent) -> None:
        give(inputs.Received(event))

    audio = events.AudioConfig(
        output=events.AudioOutputConfig(format=events.AudioFormatConfig(type=sound.format.value))
    )
    item = events.MessageItem(id="A", role="assistant", status="in_progress", content=())
    give(inputs.PipeOpened())
    says(events.SessionCreated(event_id="", session=events.Session(audio=audio)))
    says(
        events.ResponseCreated(
            event_id="", response=events.Response(id="R", status="in_progress", output=())
        )
    )
    says(events.ConversationItemAdded(event_id="", item=item, previous_item_id=None))
    text, received, cut_us = "", 0, None
    for step in spoken_steps(sound, manner):
        if cut_us is not None and now_us + step.after_us > cut_us:
            break
        now_us += step.after_us
        match step.action:
            case score.SayText(delta=delta):
                text += delta
                says(_words(delta))
            case score.Sound(audio=wire):
                if cut_us is None:
                    cut_us = now_us + us_of_samples(heard_samples, sound.format.rate)
                received += sound.format.samples(len(wire))
                says(_sound(wire))
            case _:
                continue
    whole = received == sound.samples
    if whole:
        done = replace(item, status="completed", content=(events.OutputAudio(transcript=text),))
        says(events.ResponseOutputItemDone(event_id="", response_id="R", output_index=0, item=done))
    heard = (inputs.Heard(_PART, min(heard_samples, received)),)
    now_us = max(now_us, cut_us or 0)
    give(inputs.Rendered(heard))
    says(events.InputAudioBufferSpeechStarted(event_id="", item_id="U", audio_start_ms=0))
    give(inputs.PlaybackStopped("cut_0_1", heard))
    (kept,) = (item.text for item in machine.conversation.items if item.id == "A")
    return text, received, whole, kept


def _words(delta: str) -> events.ServerEvent:
    return events.ResponseOutputAudioTranscriptDelta(
        event_id="", response_id="R", item_id="A", output_index=0, content_index=0, delta=delta
    )


def _sound(delta: bytes) -> events.ServerEvent:
    return events.ResponseOutputAudioDelta(
        event_id="", response_id="R", item_id="A", output_index=0, content_index=0, delta=delta
    )


def by_share(text: str, heard_samples: int, received_samples: int) -> str:
    """The share of the text that the share of the sound allows, back to a word's end: what there
    is without looking into the sound."""
    if heard_samples >= received_samples:
        return text
    shared = text[: len(text) * heard_samples // received_samples]
    if not text[len(shared)].isspace():
        shared = shared[: len(shared) - len(shared.split(" ")[-1])]
    return shared.rstrip()
