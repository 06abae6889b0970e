"""One session's engine: a turn is heard once, whoever asks first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.server.engines.local.talking import CLOCK, said, user

from bargein import events
from bargein.errors import DeviceError, LocalValueError
from bargein.server.engines.base import EngineError
from bargein.server.engines.local.ears import Ears, EarsError, Turn
from bargein.server.engines.local.engine import LocalEngine, local_engine
from bargein.server.model import score
from bargein.server.model.commands import Overhear, StartEngine, StartTranscription
from bargein.server.model.heard import Words
from bargein.units import AudioFormat

PCM, PCMU = AudioFormat.PCM, AudioFormat.PCMU
SECOND = b"\1\0" * 24_000
TEXT_ONLY = events.ResponseParams(output_modalities=("text",))


class OpenEars(Ears):
    """Ears that hear what the test says, and keep what they were given."""

    def __init__(self, hear: Callable[[Turn], str | Exception]) -> None:
        super().__init__()
        self.turns: list[Turn] = []
        self.users = 0
        self._hears = hear
        self._waiting: list[asyncio.Task[None]] = []

    def join(self) -> None:
        self.users += 1

    async def leave(self) -> None:
        self.users -= 1
        await asyncio.gather(*self._waiting)

    def listen(self, format: AudioFormat, means: str = "") -> Turn:
        turn = Turn(format, means, 2**20)
        self.turns.append(turn)
        self._waiting.append(asyncio.create_task(self._answer(turn)))
        return turn

    async def _answer(self, turn: Turn) -> None:
        await turn.finished.wait()
        words = self._hears(turn)
        turn.means = f"voice {len(self.turns)}"
        if isinstance(words, Exception):
            turn.result.set_exception(words)
        else:
            turn.result.set_result(words)


@asynccontextmanager
async def an_engine(
    hear: Callable[[Turn], str | Exception] = lambda turn: "tell me a joke",
) -> AsyncIterator[tuple[LocalEngine, OpenEars]]:
    ears = OpenEars(hear)
    engine = LocalEngine(ears, speed=20, seed=0, clock=lambda: CLOCK)
    yield engine, ears
    await engine.close()
    assert ears.users == 0


def item(item_id: str, *sounds: bytes, **part: Any) -> events.MessageItem:
    content = tuple(events.InputAudio(audio=sound, format="pcm16", **part) for sound in sounds)
    return events.MessageItem(id=item_id, role="user", content=content)


async def written(engine: LocalEngine, *context: events.Item) -> str:
    request = StartEngine("resp_1", context, TEXT_ONLY, model="m", session_id="s")
    steps = [step async for batch in engine.respond(request) for step in batch.steps]
    return "".join(s.action.delta for s in steps if isinstance(s.action, score.SayText))


async def transcript(engine: LocalEngine, item_id: str, audio: bytes, **given: Any) -> list[str]:
    settings = events.Transcription(model="gpt-4o-transcribe")
    request = StartTranscription(item_id, 0, audio, PCM, settings, **given)
    return [piece.text async for piece in engine.transcribe(request) if isinstance(piece, Words)]


async def test_an_overheard_turn_is_not_heard_again() -> None:
    async with an_engine() as (engine, ears):
        engine.overhear(Overhear("item_1", SECOND, PCM))
        engine.overhear(Overhear("item_1", SECOND, PCM, last=True))
        assert await transcript(engine, "item_1", SECOND * 2) == ["tell", " me", " a", " joke"]
        assert (await written(engine, item("item_1", SECOND * 2))).endswith((".", "?"))
        assert await written(engine, item("item_1", SECOND * 2)) != ""
        (turn,) = ears.turns
        assert sum(map(len, turn.chunks)) == 2 * 32_000


async def test_what_was_committed_by_hand_is_heard_when_somebody_wants_its_words() -> None:
    async with an_engine() as (engine, ears):
        await written(engine, item("item_1", SECOND, SECOND))
        assert await transcript(engine, "item_1", SECOND * 2) == ["tell", " me", " a", " joke"]
        (turn,) = ears.turns
        assert sum(map(len, turn.chunks)) == 2 * 32_000


async def test_a_live_transcription_waits_for_its_turn_to_end() -> None:
    async with an_engine() as (engine, _):
        live = asyncio.create_task(transcript(engine, "item_1", b"", live=True))
        await asyncio.sleep(0)
        engine.overhear(Overhear("item_1", SECOND, PCM))
        await asyncio.sleep(0)
        assert not live.done()
        engine.overhear(Overhear("item_1", b"", PCM, last=True))
        assert await live == ["tell", " me", " a", " joke"]


async def test_another_turn_ends_the_one_before_it_and_begins_with_its_voice() -> None:
    async with an_engine() as (engine, ears):
        engine.overhear(Overhear("item_1", SECOND, PCM, last=True))
        await written(engine, item("item_1", SECOND))
        engine.overhear(Overhear("item_2", SECOND, PCM))
        engine.overhear(Overhear("item_3", SECOND, PCMU))
        first, second, third = ears.turns
        assert second.finished.is_set() and not third.finished.is_set()
        assert second.means == first.means == "voice 1"
        # Another band has other averages.
        assert third.means == ""


async def test_a_transcript_that_is_known_is_not_heard() -> None:
    async with an_engine() as (engine, ears):
        answer = await written(engine, item("item_1", SECOND, transcript="who are you"))
        assert answer == "I am the storyteller. I tell stories." and not ears.turns


async def test_silence_has_no_words_and_an_answer_that_says_so() -> None:
    async with an_engine(lambda turn: "") as (engine, _):
        assert await transcript(engine, "item_1", SECOND) == []
        assert "not understand a word" in await written(engine, item("item_1", SECOND))


async def test_ears_that_fail_end_the_response_but_an_older_turn_is_as_good_as_silent() -> None:
    def hear(turn: Turn) -> str | Exception:
        return EarsError("it died") if sum(map(len, turn.chunks)) > 40_000 else "who are you"

    async with an_engine(hear) as (engine, _):
        with pytest.raises(EngineError, match="it died") as fault:
            await written(engine, item("item_1", SECOND * 2))
        assert fault.value.code == "ears_failed"
        answer = await written(
            engine, item("item_1", SECOND * 2), said("…"), item("item_2", SECOND)
        )
        assert answer.startswith("I am the storyteller")


async def test_a_call_is_a_call() -> None:
    weather = events.FunctionTool(name="get_weather", parameters={})
    params = events.ResponseParams(tools=(weather,))
    request = StartEngine("resp_1", (user("the weather"),), params, model="m", session_id="s")
    async with an_engine() as (engine, _):
        (batch,) = [batch async for batch in engine.respond(request)]
    actions = [step.action for step in batch.steps]
    assert actions == [score.OpenCall("get_weather"), score.Arguments("{}"), score.CloseCall()]


@pytest.mark.parametrize("speed", [0.9, 21, float("nan")])
def test_a_speed_out_of_range_is_told_before_anybody_speaks(speed: float) -> None:
    with pytest.raises(LocalValueError, match=r"speed is .*: give 1 to 20"):
        local_engine(speed=speed)


def test_what_is_not_installed_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in ("espeakng_loader", "pocketsphinx"):
        with monkeypatch.context() as patch:
            patch.setattr(
                "importlib.util.find_spec", lambda name, m=missing: None if name == m else 1
            )
            with pytest.raises(DeviceError, match=r'pip install "bargein\[local\]"'):
                local_engine()
