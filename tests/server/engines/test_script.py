"""Which reply answers what, and what the engine does with it."""

from __future__ import annotations

from typing import Any

import pytest

from bargein import events
from bargein.errors import DeviceError, LocalValueError
from bargein.server.engines.base import EngineError
from bargein.server.engines.scenario import Scenario, load_scenario
from bargein.server.engines.scoring import Sounding
from bargein.server.engines.script import VOICES, Script, ScriptEngine, say
from bargein.server.model import score
from bargein.server.model.commands import StartEngine, StartTranscription
from bargein.server.model.heard import Words
from bargein.server.model.score import Step
from bargein.units import AudioFormat


def writes(text: str, **reply: Any) -> dict[str, Any]:
    return {"outputs": [{"write": text}], **reply}


def calls(name: str, **reply: Any) -> dict[str, Any]:
    return {"outputs": [{"call": name}], **reply}


def script(*replies: dict[str, Any]) -> Script:
    return Script(Scenario.of({"replies": list(replies)}))


def user(text: str) -> events.MessageItem:
    return events.MessageItem(role="user", content=(events.InputText(text=text),))


def spoken_by_user(transcript: str | None) -> events.MessageItem:
    content = (events.InputAudio(audio=b"\0\0", transcript=transcript),)
    return events.MessageItem(role="user", content=content)


def call_and_output(name: str) -> tuple[events.Item, ...]:
    return (
        events.FunctionCallItem(name=name, call_id="call_1", arguments="{}"),
        events.FunctionCallOutputItem(call_id="call_1", output="rain"),
    )


def chosen(script: Script, *context: events.Item, tools: tuple[str, ...] = (), **how: Any) -> str:
    reply = script.choose(context, tools, **how)
    assert reply is not None
    (output,) = reply.outputs
    return output.write or output.call or output.say or ""


def test_replies_come_in_order_and_begin_again() -> None:
    turns = script(writes("one"), writes("two"))
    assert [chosen(turns, user("hm")) for _ in range(5)] == ["one", "two", "one", "two", "one"]


def test_two_sessions_each_begin_at_the_beginning() -> None:
    replies = writes("one"), writes("two")
    assert chosen(script(*replies)) == "one"
    assert chosen(script(*replies)) == "one"


def test_a_pattern_answers_what_was_typed_whatever_its_case() -> None:
    turns = script(writes("story"), writes("hello", when="hello"))
    assert chosen(turns, user("Oh HELLO there")) == "hello"
    assert chosen(turns, user("Go on")) == "story"


def test_only_the_last_words_of_the_user_count() -> None:
    turns = script(writes("story"), writes("hello", when="hello"))
    said = events.MessageItem(role="assistant", content=(events.OutputText(text="hello"),))
    assert chosen(turns, user("hello"), user("go on"), said) == "story"


def test_a_transcript_is_as_good_as_typed_words_and_silence_matches_nothing() -> None:
    turns = script(writes("story"), writes("hello", when="hello"))
    assert chosen(turns, spoken_by_user("hello")) == "hello"
    assert chosen(turns, spoken_by_user(None)) == "story"


def test_of_several_that_match_the_one_used_least_answers() -> None:
    turns = script(writes("-"), writes("a", when="x"), writes("b", when="x"))
    assert [chosen(turns, user("x")) for _ in range(3)] == ["a", "b", "a"]


def test_a_function_is_called_only_if_it_is_declared() -> None:
    replies = calls("weather"), writes("no tool")
    assert chosen(script(*replies), tools=("weather",)) == "weather"
    assert chosen(script(*replies)) == "no tool"
    assert chosen(script(*replies), tools=("weather",), tool_choice="none") == "no tool"


def test_a_tool_choice_that_wants_a_call_gets_one() -> None:
    replies = writes("no"), calls("a"), calls("b")
    tools = ("a", "b")
    assert chosen(script(*replies), tools=tools, tool_choice="required") == "a"
    named = events.ToolChoiceFunction(name="b")
    assert chosen(script(*replies), tools=tools, tool_choice=named) == "b"
    assert chosen(script(writes("no")), tools=tools, tool_choice="required") == "no"


def test_several_calls_are_passed_over_where_there_may_be_one() -> None:
    both = {"outputs": [{"call": "a"}, {"call": "b"}]}
    turns = script(both, writes("one at a time"))
    assert chosen(turns, tools=("a", "b"), parallel=False) == "one at a time"
    reply = turns.choose((), ("a", "b"))
    assert reply is not None and reply.calls == ("a", "b")


def test_the_output_of_a_function_has_its_own_answer() -> None:
    turns = script(writes("story"), writes("rain", after_call="weather"))
    assert chosen(turns, user("x"), *call_and_output("weather")) == "rain"
    assert chosen(turns, user("x"), *call_and_output("other")) == "story"
    assert chosen(turns, *call_and_output("weather"), user("x")) == "story"


def test_a_pattern_that_matches_anything_is_for_words_only() -> None:
    turns = script(writes("story"), writes("any", when=".*"))
    assert chosen(turns, user("x")) == "any"
    assert chosen(turns, user("x"), *call_and_output("weather")) == "story"


def test_the_storyteller_asks_for_the_weather_each_time_it_may() -> None:
    teller = Script(load_scenario("storyteller"))
    for _ in range(3):
        reply = teller.choose([user("Will it rain?")], ["weather"])
        assert reply is not None and reply.calls == ("weather",)
    without = teller.choose([user("Will it rain?")], [])
    assert without is not None and without.calls == ()


class Voice:
    """Takes the place of espeak-ng; keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int, AudioFormat, int]] = []

    def __call__(
        self, text: str, voice: str, words_per_minute: int, format: AudioFormat, silence_ms: int
    ) -> Sounding:
        self.asked.append((text, voice, words_per_minute, format, silence_ms))
        words = (score.Word(text, 0, 1_000),)
        return Sounding(bytes(2_000 * format.bytes_per_sample), format, words)


async def response(engine: ScriptEngine, **params: Any) -> list[Step]:
    request = StartEngine("resp_1", (), events.ResponseParams(**params), "gpt-realtime", "sess_1")
    return [step async for batch in engine.respond(request) for step in batch.steps]


def output(format: str, voice: str = "alloy") -> events.AudioConfig:
    return events.AudioConfig(
        output=events.AudioOutputConfig(format=events.AudioFormatConfig(type=format), voice=voice)
    )


def engine(*replies: dict[str, Any], voice: Voice | None = None, **options: Any) -> ScriptEngine:
    scenario = Scenario.of({"replies": list(replies)})
    return ScriptEngine(scenario, say=voice or Voice(), **options)


HELLO: dict[str, Any] = {"outputs": [{"say": "Hello."}]}


async def test_the_session_has_the_voice_and_the_format() -> None:
    voice = Voice()
    await response(engine(HELLO, voice=voice), audio=output("audio/pcma", "marin"))
    assert voice.asked == [("Hello.", VOICES["marin"], 165, AudioFormat.PCMA, 240)]


async def test_the_scenarios_voice_stands_above_the_sessions() -> None:
    voice = Voice()
    await response(engine({**HELLO, "voice": "de"}, voice=voice), audio=output("audio/pcm"))
    assert voice.asked[0][1] == "de"


@pytest.mark.parametrize(("speed", "words_per_minute"), [(1.5, 248), (0.5, 82), (0.25, 80)])
async def test_the_sessions_speed_is_heard_in_the_pace(speed: float, words_per_minute: int) -> None:
    voice = Voice()
    audio = events.AudioConfig(output=events.AudioOutputConfig(speed=speed))
    await response(engine(HELLO, voice=voice), audio=audio)
    assert voice.asked[0][2] == words_per_minute


async def test_a_response_that_may_only_write_speaks_nothing() -> None:
    voice = Voice()
    steps = await response(engine(HELLO, voice=voice), output_modalities=("text",))
    assert voice.asked == []
    assert steps[1].action == score.OpenPart("text")


async def test_a_speed_from_outside_stands_above_the_files() -> None:
    slow = await response(engine({**HELLO, "speed": 1}))
    quick = await response(engine({**HELLO, "speed": 1}, speed=1_000))
    assert sum(step.after_us for step in slow) > sum(step.after_us for step in quick)


def test_a_speed_out_of_range_is_told() -> None:
    with pytest.raises(LocalValueError, match=r"speed is 0: give 0\.1 to 1000"):
        engine(HELLO, speed=0)


async def test_a_long_reply_comes_in_batches() -> None:
    long = {"outputs": [{"write": "word " * 1_000}]}
    request = StartEngine("resp_1", (), events.ResponseParams(), "gpt-realtime", "sess_1")
    batches = [batch async for batch in engine(long).respond(request)]
    assert len(batches) > 1
    steps = [step for batch in batches for step in batch.steps]
    assert len([s for s in steps if isinstance(s.action, score.SayText)]) == 1_000


async def test_where_no_reply_fits_the_response_fails_with_the_way_out() -> None:
    with pytest.raises(EngineError, match="declare such a function") as raised:
        await response(engine(calls("weather")))
    assert raised.value.code == "no_reply"


async def test_a_voice_that_fails_is_the_engines_error() -> None:
    def broken(*asked: object) -> Sounding:
        raise DeviceError("espeak-ng is not installed")

    scenario = Scenario.of({"replies": [HELLO]})
    with pytest.raises(EngineError, match="espeak-ng is not installed"):
        await response(ScriptEngine(scenario, say=broken))


def test_the_same_text_is_synthesized_once() -> None:
    say.cache_clear()
    asked = "Only once.", "en-us", 165, AudioFormat.PCM, 0
    assert say(*asked) is say(*asked)
    assert say.cache_info().misses == 1


def test_every_voice_of_the_service_has_one_that_speaks() -> None:
    for voice in VOICES.values():
        assert say("Hi.", voice, 165, AudioFormat.PCM, 0).samples > 2_400


SPEECH = b"\x00\x10" * 2_400


async def heard(engine: ScriptEngine, audio: bytes = SPEECH, **fields: Any) -> str:
    request = StartTranscription(
        "item_1",
        0,
        audio,
        **{"format": AudioFormat.PCM, "settings": events.Transcription(), **fields},
    )
    pieces = [piece async for piece in engine.transcribe(request)]
    return "|".join(piece.text for piece in pieces if isinstance(piece, Words))


def listener(*hears: str) -> ScriptEngine:
    return ScriptEngine(Scenario.of({"replies": [HELLO], "hears": list(hears)}), say=Voice())


async def test_turns_say_what_the_file_says_in_order_and_then_again() -> None:
    ears = listener("Hello there.", "And?")
    assert [await heard(ears) for _ in range(3)] == ["Hello| there.", "And?", "Hello| there."]


@pytest.mark.parametrize(
    ("format", "silence"), [(AudioFormat.PCM, b"\x05\x00"), (AudioFormat.PCMU, b"\xff")]
)
async def test_silence_has_no_words_and_is_no_turn(format: AudioFormat, silence: bytes) -> None:
    ears = listener("Hello.")
    assert await heard(ears, silence * 4_000, format=format) == ""
    assert await heard(ears) == "Hello."


async def test_a_file_that_does_not_say_leaves_the_engine_deaf() -> None:
    with pytest.raises(EngineError, match="hears no words") as deaf:
        await heard(listener())
    assert deaf.value.code == "no_ears"


async def test_who_plays_the_user_may_say_what_was_said() -> None:
    said = ["One."]
    ears = engine(HELLO, hears=said)
    assert await heard(ears) == "One."
    said.append("Two.")
    assert await heard(ears) == "Two."
