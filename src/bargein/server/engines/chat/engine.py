"""The chat engine: ears, a mind and a voice, put together for one session.

1. What the user said is heard once, whoever asks first: the response or the session's
   transcription. Nobody left who wants it: the hearing stops.
2. The mind is read ahead while the voice speaks, within a bound, so the first sentence sounds while
   the last is still thought.
3. A response that ends closes its streams: to the mind, to the ears, to the voice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterator

from msgspec import UNSET

from bargein import events
from bargein.server.engines.base import Batch, Engine, EngineError
from bargein.server.engines.chat.callables import Callables
from bargein.server.engines.chat.ears import Ears
from bargein.server.engines.chat.messages import format_of, request_body, unheard_parts
from bargein.server.engines.chat.mind import Mind
from bargein.server.engines.chat.options import ChatOptions
from bargein.server.engines.chat.sentences import Splitter, speakable
from bargein.server.engines.chat.thinking import (
    CallArguments,
    CallBegan,
    CallEnded,
    Ending,
    Said,
    Thought,
    Used,
)
from bargein.server.engines.chat.transcript import Place, Transcript
from bargein.server.engines.chat.voice import Line, Voice
from bargein.server.engines.script import format_and_voice
from bargein.server.model import heard, score
from bargein.server.model.commands import StartEngine, StartTranscription
from bargein.server.model.score import Step
from bargein.units import AudioFormat

_AHEAD = 512
"""How many thoughts may wait for the voice; then the mind waits."""
_MOST_TRANSCRIPTS = 8_192
"""More than a conversation has items: what is forgotten here would be heard again."""


class ChatEngine(Engine):
    """One session's. Without ears, what the user says aloud is inaudible to the mind, unless the
    mind hears for itself."""

    def __init__(
        self, options: ChatOptions, *, mind: Mind, voice: Voice, ears: Ears | None
    ) -> None:
        self._options = options
        self._mind = mind
        self._voice = voice
        self._ears = ears
        self._transcripts: OrderedDict[Place, Transcript] = OrderedDict()

    async def respond(self, request: StartEngine) -> AsyncGenerator[Batch, None]:
        params = request.params
        callables = Callables.of(params, request.remote_tools)
        body = request_body(
            request.context,
            params,
            model=self._options.chat_model or request.model,
            heard=await self._words_of_turns(request.context),
            cut_item_ids=request.cut_item_ids,
            manner=self._options.manner,
            callables=callables,
        )
        body.update(self._options.chat_body)
        speech = _Speech(params, self._voice, callables)
        thoughts: asyncio.Queue[Thought | Ending | EngineError] = asyncio.Queue(_AHEAD)
        thinking = asyncio.create_task(self._think(body, thoughts), name="the mind")
        try:
            ended = False
            while not ended:
                thought = await thoughts.get()
                match thought:
                    case EngineError():
                        raise thought
                    case str():
                        ended = True
                        async for steps in speech.end(thought):
                            yield Batch(steps)
                    case _:
                        async for steps in speech.take(thought):
                            yield Batch(steps)
        finally:
            thinking.cancel()
            await asyncio.gather(thinking, return_exceptions=True)

    async def _think(
        self, body: dict[str, object], thoughts: asyncio.Queue[Thought | Ending | EngineError]
    ) -> None:
        try:
            async with contextlib.aclosing(self._mind.think(body)) as stream:
                async for thought in stream:
                    await thoughts.put(thought)
        except EngineError as error:
            await thoughts.put(error)

    async def transcribe(self, request: StartTranscription) -> AsyncGenerator[heard.Heard, None]:
        ears = self._ears
        if ears is None:
            async for piece in super().transcribe(request):
                yield piece
            return
        place = request.item_id, request.content_index
        transcript = self._transcripts.get(place)
        if transcript is None:
            transcript = self._remember(
                place, Transcript(ears, request.audio, request.format, request.settings)
            )
        async with contextlib.aclosing(transcript.pieces()) as pieces:
            async for text in pieces:
                yield heard.Words(text)

    async def _words_of_turns(self, context: tuple[events.Item, ...]) -> dict[Place, str]:
        """The words of the user's parts of sound that have none yet."""
        ears = self._ears
        if ears is None or self._options.mind_hears:
            return {}
        words: dict[Place, str] = {}
        for item_id, index, part in unheard_parts(context, ()):
            place = item_id, index
            transcript = self._transcripts.get(place)
            if transcript is None:
                sound = part.audio if isinstance(part.audio, bytes) else b""
                if not sound:
                    continue
                transcript = self._remember(place, Transcript(ears, sound, format_of(part), None))
            words[place] = await transcript.whole()
        return words

    def _remember(self, place: Place, transcript: Transcript) -> Transcript:
        self._transcripts[place] = transcript
        while len(self._transcripts) > _MOST_TRANSCRIPTS:
            self._transcripts.popitem(last=False)
        return transcript

    async def close(self) -> None:
        for transcript in self._transcripts.values():
            await transcript.close()
        await self._mind.close()
        await self._voice.close()
        if self._ears is not None:
            await self._ears.close()


class _Speech:
    """From thoughts to the steps of one response."""

    def __init__(self, params: events.ResponseParams, voice: Voice, callables: Callables) -> None:
        self._callables = callables
        self._speaks = "audio" in (params.output_modalities or ("audio",))
        self._format, self._voice_name = format_and_voice(params)
        output = params.audio.output if params.audio is not UNSET and params.audio else None
        speed = output.speed if output else None
        self._speed = float(speed) if isinstance(speed, int | float) else 1.0
        self._voice = voice
        self._sentences = Splitter()
        self._samples = 0
        self._is_open = False

    async def take(self, thought: Thought) -> AsyncGenerator[tuple[Step, ...], None]:
        """The steps of one thought."""
        match thought:
            case Said(text=text) if self._speaks:
                for sentence in self._sentences.push(text):
                    async for steps in self._speak(sentence):
                        yield steps
            case Said(text=text):
                yield (*self._opening("text"), Step(score.SayText(text)))
            case CallBegan(name=name):
                # What was said so far is heard before the call; its message stays open (§4.5).
                async for steps in self._speak(self._sentences.flush()):
                    yield steps
                remote = self._callables.remote.get(name)
                if remote is None:
                    yield (Step(score.OpenCall(name)),)
                else:
                    # It closes the message before it (§4.13): what is said behind it is another.
                    self._is_open, self._samples = False, 0
                    yield (Step(score.OpenCall(remote.tool.name, remote.server_label)),)
            case CallArguments(text=text):
                yield (Step(score.Arguments(text)),)
            case CallEnded():
                yield (Step(score.CloseCall()),)
            case Used():
                yield (
                    Step(
                        score.Cost(
                            thought.input_tokens, thought.output_tokens, thought.cached_tokens
                        )
                    ),
                )

    async def end(self, ending: Ending) -> AsyncGenerator[tuple[Step, ...], None]:
        """What is left, and the response's end."""
        async for steps in self._speak(self._sentences.flush()):
            yield steps
        if ending != "stop":
            yield (Step(score.EndIncomplete(ending)),)

    async def _speak(self, sentence: str) -> AsyncGenerator[tuple[Step, ...], None]:
        text = speakable(sentence)
        if not any(map(str.isalnum, text)):
            return
        line = Line(text, self._voice_name, self._speed, self._format, self._samples)
        async with contextlib.aclosing(self._voice.speak(line)) as spoken:
            async for steps in spoken:
                self._samples += sum(self._samples_of(steps, self._format))
                yield (*self._opening("audio"), *steps)

    def _opening(self, kind: str) -> tuple[Step, ...]:
        if self._is_open:
            return ()
        self._is_open = True
        part = score.OpenPart("audio" if kind == "audio" else "text")
        return Step(score.OpenMessage()), Step(part)

    @staticmethod
    def _samples_of(steps: tuple[Step, ...], format: AudioFormat) -> Iterator[int]:
        return (
            format.samples(len(step.action.audio))
            for step in steps
            if isinstance(step.action, score.Sound)
        )
