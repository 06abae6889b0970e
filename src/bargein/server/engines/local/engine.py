"""The local engine: it hears, thinks and speaks by itself, without a key and without a network.

1. A turn under turn detection is heard while it is spoken; what is committed by hand, or sent as an
   item, when a response or a transcription wants its words. It is heard once, whoever asks first.
2. The words of a turn are the mind's and the transcript's alike: they cannot differ.
3. All sessions of a server share one pool of ears (`ears`).
"""

from __future__ import annotations

import importlib.util
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence

from bargein import events
from bargein.errors import DeviceError, LocalValueError
from bargein.server.engines.base import Batch, Engine, EngineError, EngineFactory
from bargein.server.engines.local import mind
from bargein.server.engines.local.ears import EarLimits, Ears, EarsError, Turn
from bargein.server.engines.local.functions import Call
from bargein.server.engines.local.mind import Clock, Say
from bargein.server.engines.local.voice import Speaker, spoken, written
from bargein.server.engines.scenario import USUAL
from bargein.server.engines.script import VOICES, format_and_voice, spoken_at
from bargein.server.model import score
from bargein.server.model.commands import Overhear, StartEngine, StartTranscription
from bargein.server.model.heard import Heard, Words
from bargein.server.model.score import Step
from bargein.units import AudioFormat

SPEEDS = (1.0, 20.0)
"""How many seconds of sound may be sent in one second."""
_MISSING = 'the local engine has no voice: pip install "bargein[local]" brings espeak-ng'
_REMEMBERED_TURNS = 8_192
"""More than a conversation has items: what is forgotten here would be heard again."""
_FORMATS = {
    "pcm16": AudioFormat.PCM,
    "g711_ulaw": AudioFormat.PCMU,
    "g711_alaw": AudioFormat.PCMA,
}


def local_engine(
    *,
    speed: float | None = None,
    seed: int = 0,
    clock: Callable[[], Clock] | None = None,
    limits: EarLimits | None = None,
) -> EngineFactory:
    """The factory for a server: its sessions share the ears.

    `speed` is how many seconds of sound are sent in one second (1 to 20, 4 without it), `seed`
    chooses the first story, `clock` shows the time (without it, this machine's). Raises
    `LocalValueError` for a speed out of range, `DeviceError` where the extra `local` is not there.
    """
    speed = USUAL.speed if speed is None else speed
    assert speed is not None, "the usual manner leaves nothing open"
    least, most = SPEEDS
    if not least <= speed <= most:
        raise LocalValueError(f"speed is {speed}: give {least:g} to {most:g}")
    if importlib.util.find_spec("espeakng_loader") is None:
        raise DeviceError(_MISSING)
    ears = Ears(limits)
    wall = clock or wall_clock
    return lambda: LocalEngine(ears, speed=speed, seed=seed, clock=wall)


def wall_clock() -> Clock:
    """What the clock of this machine shows now."""
    now = time.localtime()
    return Clock(now.tm_hour, now.tm_min, time.strftime("%A, the %d of %B", now).replace(" 0", " "))


class LocalEngine(Engine):
    """One session's."""

    overhears = True

    def __init__(self, ears: Ears, *, speed: float, seed: int, clock: Callable[[], Clock]) -> None:
        self._ears = ears
        self._speed = speed
        self._seed = seed
        self._clock = clock
        self._turns: OrderedDict[str, Turn] = OrderedDict()
        self._open: Turn | None = None
        """The turn that is overheard."""
        ears.join()

    def overhear(self, sound: Overhear) -> None:
        turn = self._turns.get(sound.item_id)
        if turn is None:
            turn = self._listen(sound.item_id, sound.format)
        if self._open is not turn:
            if self._open is not None:
                self._open.finish()
            self._open = turn
        turn.push(sound.audio)
        if sound.last:
            turn.finish()

    async def transcribe(self, request: StartTranscription) -> AsyncGenerator[Heard, None]:
        turn = self._turns.get(request.item_id)
        if turn is None:
            turn = self._listen(request.item_id, request.format)
            turn.push(request.audio)
        if not request.live:
            turn.finish()
        before = ""
        for word in (await _words(turn)).split():
            yield Words(before + word)
            before = " "

    async def respond(self, request: StartEngine) -> AsyncGenerator[Batch, None]:
        hearing = await self._hear(request.context)
        answer = mind.answer(
            request.context,
            request.params,
            hearing=hearing,
            clock=self._clock(),
            seed=self._seed,
        )
        async for steps in self._steps(answer, request.params):
            yield Batch(tuple(steps))

    async def close(self) -> None:
        for turn in self._turns.values():
            turn.finish()
        await self._ears.leave()

    def _listen(self, item_id: str, format: AudioFormat) -> Turn:
        """Begin to hear an item, by what is known of the speaker's voice."""
        heard = (turn.means for turn in reversed(self._turns.values()) if turn.format is format)
        turn = self._ears.listen(format, next(heard, ""))
        self._turns[item_id] = turn
        if len(self._turns) > _REMEMBERED_TURNS:
            self._turns.popitem(last=False)
        return turn

    async def _hear(self, context: Sequence[events.Item]) -> dict[str, str]:
        """The words of the user's audio, by its item. Raises `EngineError` if the last turn cannot
        be heard; an older one is then as good as silent."""
        turns: dict[str, Turn] = {}
        for item in context:
            if isinstance(item, events.MessageItem) and item.role == "user":
                turn = self._turn_of(item)
                if turn is not None:
                    turns[str(item.id)] = turn
        hearing: dict[str, str] = {}
        for item_id, turn in turns.items():
            try:
                hearing[item_id] = await _words(turn)
            except EngineError:
                if turn is list(turns.values())[-1]:
                    raise
                hearing[item_id] = ""
        return hearing

    def _turn_of(self, item: events.MessageItem) -> Turn | None:
        """The turn that an item's audio is; None if there is no sound, or its words are known."""
        if not isinstance(item.id, str):
            return None
        turn = self._turns.get(item.id)
        if turn is None:
            unheard = [
                part
                for part in item.content
                if isinstance(part, events.InputAudio) and part.audio and not part.transcript
            ]
            if not unheard:
                return None
            format = _FORMATS.get(str(unheard[0].format), AudioFormat.PCM)
            turn = self._listen(item.id, format)
            for part in unheard:
                if isinstance(part.audio, bytes):
                    turn.push(part.audio)
        turn.finish()
        return turn

    async def _steps(
        self, answer: mind.Answer, params: events.ResponseParams
    ) -> AsyncGenerator[list[Step], None]:
        match answer:
            case Call(name=name, arguments=arguments):
                yield [
                    Step(score.OpenCall(name)),
                    Step(score.Arguments(arguments)),
                    Step(score.CloseCall()),
                ]
                return
            case Say(sentences=sentences):
                yield [Step(score.OpenMessage())]
        if "audio" in (params.output_modalities or ("audio",)):
            format, voice = format_and_voice(params)
            words_per_minute = spoken_at(USUAL.words_per_minute or 0, params)
            espeak_voice = VOICES.get(voice, VOICES["alloy"])
            speaker = Speaker(espeak_voice, words_per_minute, format, self._speed)
            yield [Step(score.OpenPart("audio"))]
            async for steps in spoken(sentences, speaker):
                yield steps
        else:
            yield [Step(score.OpenPart("text"))]
            for steps in written(sentences):
                yield steps
        yield [Step(score.CloseMessage())]


async def _words(turn: Turn) -> str:
    try:
        return await turn.words()
    except EarsError as error:
        raise EngineError(f"The words could not be heard: {error}.", code="ears_failed") from error
