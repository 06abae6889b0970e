"""The engine that says what a scenario says.

1. Which reply answers (`Script.choose`, pure): the output of a function, one with that
   `after_call`; otherwise one whose `when` is in the user's last words; otherwise the next in order
   of those that may answer anything, from the beginning again after the last. Of several that
   match, one that calls a function, then the one used least, then the first.
2. A function is called only if the response may call it: it is in `tools`, and `tool_choice` does
   not forbid it. A reply that calls another is passed over, and one with several calls where
   `parallel_tool_calls` is false. Where `tool_choice` wants a call,
   replies that make it come first.
3. A session begins the scenario at its beginning. Responses out of band choose like others.
4. What the user says is what the scenario's `hears` says, one text for each turn that is
   transcribed; a turn without sound is none of them and has no words. Without `hears` the engine
   has no ears.
5. Speech is synthesized in a thread, once for a text and voice in this process.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import lru_cache

import numpy as np

from bargein import events
from bargein.audio.formats import decode, samples_of
from bargein.errors import BargeinError, LocalValueError
from bargein.server.engines.base import Batch, Engine, EngineError, ToolError
from bargein.server.engines.espeak import WORDS_PER_MINUTE, speak
from bargein.server.engines.scenario import Manner, Reply, Scenario, callee
from bargein.server.engines.scoring import Sounding, build, sounding, spoken_texts
from bargein.server.engines.tables import RemoteServerTable
from bargein.server.model.commands import CallTool, ListTools, StartEngine, StartTranscription
from bargein.server.model.heard import Heard, Words
from bargein.server.model.score import Step
from bargein.units import AudioFormat

VOICES = {
    "alloy": "en-us",
    "ash": "en-us+m3",
    "ballad": "en-gb-x-rp+m1",
    "cedar": "en-us+m7",
    "coral": "en-us+f2",
    "echo": "en-us+m2",
    "marin": "en-us+f3",
    "sage": "en-gb-x-rp+f1",
    "shimmer": "en-us+f4",
    "verse": "en-gb-x-rp+m5",
}
"""The espeak-ng voice that stands for each of the service's; another name sounds like "alloy"."""

_CACHED_SOUNDINGS = 64
_BATCH_STEPS = 400
"""How many steps go to the machine at once: about 20 s of speech."""

_FIRST_WORD_S = 0.25
_EACH_WORD_S = 0.02
"""From a commit to its words, and between two of them: `completed` comes some 0.5 s after the
commit, as on the service (protocol.md §4.12)."""
_SILENT_BELOW = 200
"""A turn whose loudest sample is softer has no words; 16-bit steps, 44 dB below full scale."""

Say = Callable[[str, str, int, AudioFormat, int], Sounding]


class Script:
    """Chooses the replies of one session, in a scenario's order."""

    def __init__(self, scenario: Scenario) -> None:
        self._replies = scenario.replies
        self._used = [0] * len(scenario.replies)
        self._next = 0

    def choose(
        self,
        context: Sequence[events.Item],
        tools: Sequence[str],
        tool_choice: object = "auto",
        *,
        parallel: bool = True,
    ) -> Reply | None:
        """The reply to this conversation; None if there is none that may be given. `parallel`: it
        may have several calls."""
        wanted, allowed = _calls_wanted(tools, tool_choice)
        fits = [
            index
            for index, reply in enumerate(self._replies)
            if all(call in allowed for call in reply.calls) and (parallel or len(reply.calls) < 2)
        ]
        if wanted:
            calling = [i for i in fits if any(call in wanted for call in self._replies[i].calls)]
            if calling:
                return self._take(self._least_used(calling))
        called, text = _last_words(context)
        matching = [i for i in fits if _answers(self._replies[i], called, text)]
        if matching:
            return self._take(self._least_used(matching))
        return self._take_in_order(fits)

    def _least_used(self, indexes: Sequence[int]) -> int:
        return min(indexes, key=lambda i: (not self._replies[i].calls, self._used[i], i))

    def _take_in_order(self, fits: Sequence[int]) -> Reply | None:
        for step in range(len(self._replies)):
            index = (self._next + step) % len(self._replies)
            reply = self._replies[index]
            if index in fits and reply.when is None and reply.after_call is None:
                self._next = index + 1
                return self._take(index)
        return None

    def _take(self, index: int) -> Reply:
        self._used[index] += 1
        return self._replies[index]


def _calls_wanted(tools: Sequence[str], tool_choice: object) -> tuple[set[str], set[str]]:
    """The functions of which one is demanded, and those that may be called."""
    allowed = set(tools)
    match tool_choice:
        case "none":
            return set(), set()
        case "required":
            return allowed, allowed
        case events.ToolChoiceFunction(name=name):
            return {name} & allowed, {name} & allowed
        case events.ToolChoiceMcp(server_label=label, name=name):
            of_server = {each for each in allowed if each.startswith(callee(label, ""))}
            named = {callee(label, name)} if isinstance(name, str) else of_server
            return named & allowed, named & allowed
        case _:
            return set(), allowed


def _answers(reply: Reply, called: str | None, text: str) -> bool:
    if reply.after_call is not None:
        return reply.after_call == called
    return (
        reply.when is not None
        and called is None
        and re.search(reply.when, text, re.IGNORECASE) is not None
    )


def _last_words(context: Sequence[events.Item]) -> tuple[str | None, str]:
    """What there is to answer: the function whose output came last, or what the user said last."""
    names = {
        item.call_id: item.name for item in context if isinstance(item, events.FunctionCallItem)
    }
    for item in reversed(context):
        match item:
            case events.FunctionCallOutputItem(call_id=call_id):
                return names.get(call_id), ""
            case events.McpCallItem(name=name):
                return name, ""
            case events.MessageItem(role="user"):
                return None, " ".join(filter(None, map(_text_of, item.content)))
            case _:
                continue
    return None, ""


def _text_of(part: events.ContentPart) -> str:
    match part:
        case events.InputText(text=text):
            return text
        case events.InputAudio(transcript=str(transcript)):
            return transcript
        case _:
            return ""


@lru_cache(_CACHED_SOUNDINGS)
def say(
    text: str, voice: str, words_per_minute: int, format: AudioFormat, trailing_silence_ms: int
) -> Sounding:
    """Speak and convert; remembers the last ones. Raises `BargeinError` as `espeak.speak` does."""
    speech = speak(text, voice=voice, words_per_minute=words_per_minute)
    return sounding(speech, format, trailing_silence_ms=trailing_silence_ms)


class ScriptEngine(Engine):
    """Plays a scenario for one session. `speed` stands above the scenario's and its replies'.

    `say` makes the speech; another one may be given where none is to be synthesized. `hears` is
    what the user's turns say, in place of the scenario's; who plays the user may let it grow.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        speed: float | None = None,
        say: Say = say,
        hears: Sequence[str] | None = None,
    ) -> None:
        # The scenario's own check of the range.
        self._above = _checked_speed(speed)
        self._scenario = scenario
        self._script = Script(scenario)
        self._say = say
        self._hears = scenario.hears if hears is None else hears
        self._turns_heard = 0

    async def respond(self, request: StartEngine) -> AsyncGenerator[Batch, None]:
        """The reply's score, in a few batches. Raises `EngineError` where there is none."""
        params = request.params
        tools = [
            tool.name
            for tool in params.tools or ()
            if isinstance(tool, events.FunctionTool) and isinstance(tool.name, str)
        ]
        tools += [callee(each.server_label, each.tool.name) for each in request.remote_tools]
        parallel = params.parallel_tool_calls is not False
        reply = self._script.choose(request.context, tools, params.tool_choice, parallel=parallel)
        if reply is None:
            calls = sorted({call for each in self._scenario.replies for call in each.calls})
            raise EngineError(
                "The scenario has no reply that may be given now: its replies call "
                f"{', '.join(calls)}; declare such a function or MCP server, or add a reply "
                "without a call.",
                code="no_reply",
            )
        manner = self._above.over(self._scenario.manner_of(reply))
        try:
            steps = await asyncio.to_thread(self._score, reply, manner, params)
        except BargeinError as error:
            raise EngineError(f"The script engine cannot speak: {error}.") from error
        for start in range(0, max(1, len(steps)), _BATCH_STEPS):
            yield Batch(steps[start : start + _BATCH_STEPS])

    async def transcribe(self, request: StartTranscription) -> AsyncGenerator[Heard, None]:
        """The next text of `hears`, word by word. Raises `EngineError` where there is none."""
        if not self._hears:
            async for piece in super().transcribe(request):
                yield piece
        if await asyncio.to_thread(_is_silent, request.audio, request.format):
            return
        text = self._hears[self._turns_heard % len(self._hears)]
        self._turns_heard += 1
        await asyncio.sleep(_FIRST_WORD_S)
        for word in re.findall(r"\s*\S+", text):
            yield Words(word)
            await asyncio.sleep(_EACH_WORD_S)

    async def list_tools(self, request: ListTools) -> tuple[events.McpListedTool, ...]:
        server = self._server(request.server.server_label)
        if server is None:
            return await super().list_tools(request)
        await asyncio.sleep(server.list_after_ms / 1_000)
        if server.fails is not None:
            raise EngineError(server.fails)
        return tuple(tool.listed() for tool in server.tools)

    async def call_tool(self, request: CallTool) -> str:
        server = self._server(request.server.server_label)
        if server is None:
            return await super().call_tool(request)
        tool = next(tool for tool in server.tools if tool.name == request.name)
        await asyncio.sleep(tool.after_ms / 1_000)
        if tool.error is not None:
            fault = tool.error
            raise ToolError(fault.message, type=fault.type, code=fault.code)
        return tool.result or ""

    def _server(self, label: str) -> RemoteServerTable | None:
        return next((each for each in self._scenario.mcp if each.label == label), None)

    def _score(
        self, reply: Reply, manner: Manner, params: events.ResponseParams
    ) -> tuple[Step, ...]:
        soundings: dict[str, Sounding] = {}
        if "audio" in (params.output_modalities or ("audio",)):
            format, voice = format_and_voice(params)
            voice = manner.voice or VOICES.get(voice, VOICES["alloy"])
            assert manner.words_per_minute is not None, "the manner is whole"
            assert manner.trailing_silence_ms is not None, "the manner is whole"
            words_per_minute = spoken_at(manner.words_per_minute, params)
            for text in spoken_texts(reply):
                soundings[text] = self._say(
                    text, voice, words_per_minute, format, manner.trailing_silence_ms
                )
        return build(reply, manner, soundings)


def _is_silent(audio: bytes, format: AudioFormat) -> bool:
    linear = audio if format is AudioFormat.PCM else decode(audio, format)
    samples = samples_of(linear).astype(np.int32)
    return not np.any(np.abs(samples) >= _SILENT_BELOW)


def spoken_at(words_per_minute: int, params: events.ResponseParams) -> int:
    """The scenario's pace times the session's `audio.output.speed`, as far as the voice goes."""
    output = params.audio.output if params.audio else None
    speed = output.speed if output else None
    if not isinstance(speed, int | float):
        return words_per_minute
    least, most = WORDS_PER_MINUTE
    return min(most, max(least, round(words_per_minute * speed)))


def _checked_speed(speed: float | None) -> Manner:
    try:
        return Manner(speed=speed)
    except ValueError as error:
        raise LocalValueError(str(error)) from None


def format_and_voice(params: events.ResponseParams) -> tuple[AudioFormat, str]:
    """The response's output format and the service's name of its voice."""
    output = params.audio.output if params.audio else None
    if not output:
        return AudioFormat.PCM, "alloy"
    format = output.format
    kind = format.type if isinstance(format, events.AudioFormatConfig) else None
    voice = output.voice if isinstance(output.voice, str) else "alloy"
    return AudioFormat(kind) if isinstance(kind, str) else AudioFormat.PCM, voice
