"""An engine of your own, a parrot: `bargein serve --engine examples.own_engine:Parrot`.

Needs `pip install "bargein[server]"`.
"""

from collections.abc import AsyncGenerator

from bargein import events
from bargein.server.engines.base import Batch, Engine
from bargein.server.model.commands import StartEngine, StartTranscription
from bargein.server.model.heard import Heard, Words
from bargein.server.model.score import OpenMessage, OpenPart, SayText, Sound, Step, Word

CHUNK_BYTES = 4_800


class Parrot(Engine):
    """Writes what was typed and plays what was spoken, twice as fast as it sounds."""

    async def respond(self, request: StartEngine) -> AsyncGenerator[Batch, None]:
        said = [item for item in request.context if isinstance(item, events.MessageItem)]
        for part in said[-1].content if said else ():
            match part:
                case events.InputText(text=text):
                    yield Batch((Step(OpenMessage()), Step(OpenPart("text")), Step(SayText(text))))
                case events.InputAudio(audio=bytes(sound)):
                    word = Word("Squawk!", start_sample=0, end_sample=len(sound) // 2)
                    yield Batch((Step(OpenMessage()), Step(OpenPart("audio"))))
                    yield Batch((Step(SayText(word.text)), Step(word)))
                    for start in range(0, len(sound), CHUNK_BYTES):
                        chunk = Sound(sound[start : start + CHUNK_BYTES])
                        yield Batch((Step(chunk, after_us=50_000),))
                case _:
                    continue

    async def transcribe(self, request: StartTranscription) -> AsyncGenerator[Heard, None]:
        seconds = request.format.samples(len(request.audio)) / request.format.rate
        yield Words(f"(something that takes {seconds:.1f} seconds to say)")
