"""The grammar of made-up stories of a session: any client event in any order, whole and broken,
an engine that makes sense and one that does not, time that passes or does not, and the end.

`tell` is the whole of it: choices in, a judged story out. A story is told by its bytes alone, so
what a fuzzer found is kept as bytes and told again without the fuzzer.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.fuzz.judge import LIMITS, MAX_APPEND_BYTES, Judge
from tests.fuzz.source import Source, one_of
from tests.server.image_files import png

from bargein.events.dialect import Dialect, client_to_beta
from bargein.server.model import inputs, score
from bargein.server.model.options import Options

MS = 1_000
LOUD, QUIET = b"\x00\x40\x00\xc0", bytes(4)
NEVER = ("item_nowhere", "", "root", "x" * 33, "x" * 513)
ODD: tuple[Any, ...] = (None, True, 0, -1, 2**63, 1.5, "", "\x00", [], {}, [[]], "x" * 300)
JUNK = (
    "",
    "{",
    "null",
    "[]",
    "{}",
    '{"type":null}',
    '{"type":["response.create"]}',
    '{"type":"response.create","type":"response.cancel"}',
    '{"type":"response.create","event_id":7}',
    '{"type":"session.close"}',
    '{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{}]}}',
    '{"type":"input_audio_buffer.append","audio":"AAA"}',
    '{"type":"response.cancel","x":' + "[" * 2_000 + "]" * 2_000 + "}",
    '{"type":"response.cancel"}\x00',
    '{"type":"conversation.item.delete","item_id":"\\ud800"}',
    '{"type":"response.create","response":{"metadata":{"a":1e999}}}',
)
ENDS: tuple[score.Action, ...] = (
    score.EndIncomplete("max_output_tokens"),
    score.EndFailed("server_error", "odd", "It failed."),
)
DIALECTS: tuple[Dialect, ...] = ("ga", "ga", "beta")
MODELS = ("gpt-realtime", "gpt-realtime-2.1")
KINDS = (
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.truncate",
    "conversation.item.delete",
    "conversation.item.retrieve",
    "response.create",
    "response.cancel",
    "output_audio_buffer.clear",
    "nope",
)


class Teller:
    """One story."""

    def __init__(self, source: Source) -> None:
        self.source = source
        options = Options(
            processing_us=one_of(source, (0, 0, 0, 30 * MS)),
            lengths_grid_ms=one_of(source, (1, 50)),
            session_us=one_of(source, (3_600_000_000, 3_000_000)),
            limits=LIMITS,
        )
        dialect = one_of(source, DIALECTS)
        self.judge = Judge(options, one_of(source, MODELS), dialect)
        self.is_beta = dialect == "beta"
        self.asked = 0

    def moves(self) -> tuple[Callable[[], None], ...]:
        """What may come next, as often as it is here."""
        return (
            *(self.ask,) * 5,
            *(self.make,) * 4,
            self.speak,
            self.wait,
            self.wait,
            self.break_frame,
            self.junk,
            self.fail,
        )

    def tell(self) -> None:
        moves = self.moves()
        while self.source.more():
            if self.source.pick(200) == 199:
                self.judge.give(inputs.PipeClosed())
            else:
                one_of(self.source, moves)()
        self.judge.finish()

    def ask(self) -> None:
        self.judge.frame(json.dumps(self.said(self.event())))

    def said(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event as this client says it."""
        return client_to_beta(event) if self.is_beta else event

    def speak(self) -> None:
        """Speech and silence long enough to be a turn."""
        for sound, ms in ((LOUD, 160), (QUIET, 640)):
            for _ in range(ms // 160):
                audio = base64.b64encode(sound * (160 * 12)).decode()
                self.judge.frame(f'{{"type":"input_audio_buffer.append","audio":"{audio}"}}')

    def wait(self) -> None:
        self.judge.wait(one_of(self.source, (1, MS, 43 * MS, 500 * MS, 10_000 * MS)))

    def junk(self) -> None:
        kind = self.source.pick(3)
        if kind == 0:
            self.judge.frame(one_of(self.source, JUNK))
        elif kind == 1:
            self.judge.frame(self.source.raw(64).decode("utf-8", "replace"))
        else:
            self.judge.frame(self.source.raw(8))

    def break_frame(self) -> None:
        """An event with one value of it replaced, taken away or added."""
        event = json.loads(json.dumps(self.said(self.event())))
        places = list(_places(event))
        inside, key = one_of(self.source, places)
        match self.source.pick(4):
            case 0:
                del inside[key]
            case 1 if isinstance(inside, dict):
                inside["surplus"] = one_of(self.source, ODD)
            case _:
                inside[key] = one_of(self.source, ODD)
        frame = json.dumps(event)
        if self.source.pick(8) == 7:
            frame = frame[: self.source.pick(len(frame) + 1)]
        self.judge.frame(frame)

    def make(self) -> None:
        """An engine goes on with a response, or with one that nobody asked for."""
        known = [*self.judge.machine.running_response_ids, "resp_nowhere"]
        steps = tuple(
            score.Step(self.action(), one_of(self.source, (0, 0, MS, 20 * MS, -5)))
            for _ in range(self.source.pick(8))
        )
        final = self.source.pick(4) == 3
        self.judge.produced(inputs.Produced(known[self.source.pick(len(known))], steps, final))

    def fail(self) -> None:
        known = [*self.judge.machine.running_response_ids, "resp_nowhere"]
        response_id = known[self.source.pick(len(known))]
        self.judge.give(inputs.EngineFailed(response_id, "server_error", None, "It broke."))

    def action(self) -> score.Action:
        match self.source.pick(14):
            case 0 | 1:
                return score.OpenMessage(one_of(self.source, (None, "commentary")))
            case 2 | 3:
                return score.OpenPart(one_of(self.source, ("audio", "text")))
            case 4:
                return score.SayText(one_of(self.source, ("a", "two words", "", "x" * 20, "ä\n")))
            case 5 | 6:
                return score.Sound(one_of(self.source, (LOUD * 600, LOUD * 7, b"\x01", b"")))
            case 7:
                return score.Word("word", 0, one_of(self.source, (1, 100, 10_000)))
            case 8:
                return score.ClosePart()
            case 9:
                return score.CloseMessage()
            case 10:
                return score.OpenCall(one_of(self.source, ("look", "")))
            case 11:
                return score.Arguments(one_of(self.source, ("{", "", '"a":1}')))
            case 12:
                return score.CloseCall()
            case _:
                return one_of(self.source, ENDS)

    def event(self) -> dict[str, Any]:
        self.asked += 1
        kind = one_of(self.source, KINDS)
        event = {"type": kind, **self.fields(kind)}
        if self.source.pick(8):
            event["event_id"] = f"c{self.asked}"
        return event

    def fields(self, kind: str) -> dict[str, Any]:
        match kind:
            case "session.update":
                return {"session": self.session()}
            case "input_audio_buffer.append":
                sound = one_of(self.source, (LOUD, QUIET)) * one_of(
                    self.source, (1, 480, 1_200, MAX_APPEND_BYTES // 4)
                )
                return {"audio": base64.b64encode(sound).decode()}
            case "conversation.item.create":
                return self.placed({"item": self.item()})
            case "conversation.item.truncate":
                end_ms = one_of(self.source, (0, 1, 25, 49, 50, 100, 5_000))
                index = one_of(self.source, (0, 0, 0, 1))
                return {"item_id": self.item_id(), "content_index": index, "audio_end_ms": end_ms}
            case "conversation.item.delete" | "conversation.item.retrieve":
                return {"item_id": self.item_id()}
            case "response.create":
                return {"response": self.response()} if self.source.pick(2) else {}
            case "response.cancel":
                known = [*self.judge.machine.running_response_ids, "resp_nowhere"]
                return {"response_id": one_of(self.source, known)} if self.source.pick(2) else {}
            case _:
                return {}

    def item_id(self) -> str:
        return one_of(self.source, (*self.judge.item_ids[-20:], *NEVER[: self.source.pick(3)], "a"))

    def placed(self, fields: dict[str, Any]) -> dict[str, Any]:
        if self.source.pick(3) == 2:
            fields["previous_item_id"] = one_of(self.source, ("root", None, self.item_id()))
        return fields

    def item(self) -> dict[str, Any]:
        item = self.item_body()
        if self.source.pick(4) == 3:
            item["id"] = one_of(self.source, ("a", "b", self.item_id()))
        return item

    def item_body(self) -> dict[str, Any]:
        sound = base64.b64encode(LOUD * one_of(self.source, (1, 600, 4_000))).decode()
        match self.source.pick(6):
            case 0:
                part = {"type": "input_text", "text": "Hello"}
                return {"type": "message", "role": one_of(self.source, USERS), "content": [part]}
            case 1:
                part = {"type": "input_audio", "audio": sound}
                return {"type": "message", "role": "user", "content": [part, part]}
            case 2:
                part = {"type": "output_text", "text": "Said before"}
                return {"type": "message", "role": "assistant", "content": [part]}
            case 3:
                return {"type": "function_call", "name": "look", "arguments": "{}"}
            case 4:
                call_id = one_of(self.source, (*self.judge.call_ids[-5:], "call_nowhere"))
                return {"type": "function_call_output", "call_id": call_id, "output": "seen"}
            case _:
                part = {"type": "input_image", "image_url": png(1, 1)}
                return {"type": "message", "role": "user", "content": [part]}

    def session(self) -> dict[str, Any]:
        whole: dict[str, Any] = {"type": "realtime"}
        for _ in range(self.source.pick(4)):
            _merge(whole, one_of(self.source, SETTINGS))
        return whole

    def response(self) -> dict[str, Any]:
        whole: dict[str, Any] = {}
        for _ in range(self.source.pick(4)):
            whole.update(one_of(self.source, OVERRIDES))
        if self.source.pick(4) == 3:
            whole["input"] = [
                self.item_body(),
                {"type": "item_reference", "id": self.item_id()},
            ][: self.source.pick(3)]
        return whole


USERS = ("user", "system")
SETTINGS: tuple[dict[str, Any], ...] = (
    {"audio": {"input": {"turn_detection": None}}},
    {"audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 100}}}},
    {"audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": False}}}},
    {"audio": {"input": {"turn_detection": {"type": "server_vad", "interrupt_response": False}}}},
    {"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5_000}}}},
    {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}}},
    {"audio": {"input": {"format": {"type": "audio/pcmu"}}}},
    {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 24_000}}}},
    {"audio": {"output": {"format": {"type": "audio/pcma"}}}},
    {"audio": {"output": {"voice": "sage"}}},
    {"audio": {"output": {"voice": "marin", "speed": 1.5}}},
    {"output_modalities": ["text"]},
    {"output_modalities": ["audio"]},
    {"output_modalities": ["text", "audio"]},
    {"instructions": ""},
    {"tools": [{"type": "function", "name": "look", "parameters": {"type": "object"}}]},
    {"tools": []},
    {"tool_choice": "required"},
    {"max_output_tokens": 5},
    {"reasoning": {"effort": "low"}},
    {"tracing": "auto"},
    {"tracing": None},
    {"prompt": None},
    {"model": "gpt-realtime"},
    {"type": "transcription"},
    {"bogus_field": 1},
)
OVERRIDES: tuple[dict[str, Any], ...] = (
    {"conversation": "none"},
    {"conversation": "auto"},
    {"output_modalities": ["text"]},
    {"output_modalities": ["audio"]},
    {"metadata": {"a": "b"}},
    {"metadata": None},
    {"instructions": "Be brief."},
    {"audio": {"output": {"voice": "sage"}}},
    {"audio": {"output": {"format": {"type": "audio/pcmu"}}}},
    {"max_output_tokens": "inf"},
    {"tools": [], "tool_choice": "none"},
    {"reasoning": {"effort": "low"}},
)


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = json.loads(json.dumps(value))


def _places(value: Any) -> Any:
    """Every container in a JSON value, with every key or index of it."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def tell(source: Source) -> Judge:
    """A whole story, judged to its end. Raises AssertionError for a broken promise."""
    teller = Teller(source)
    teller.tell()
    return teller.judge
