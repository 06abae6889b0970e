"""What a conversation is in the words of chat-completions: items to messages, params to fields.

1. A tool's answer must follow the call at once, or the request is refused: answers are moved up to
   their calls, a call that has none yet is told so, and an answer whose call is gone is told by the
   system.
2. Calls in a row, and what was said before them, are one message of the assistant.
3. Two messages of the user in a row become one: many models' templates want turns to alternate.
4. Of an assistant's item that was cut there are only the words that were heard, and behind them the
   mark. An item of which nothing was heard is not told at all.
5. Sound is told by its words; where the mind hears for itself, as `input_audio` in WAV.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from msgspec import UNSET

from bargein import events
from bargein.audio.formats import decode, samples_of
from bargein.server.engines.chat.callables import Callables
from bargein.server.engines.chat.wav import wav_of
from bargein.units import AudioFormat

Message: TypeAlias = dict[str, Any]
Heard: TypeAlias = Mapping[tuple[str, int], str]
"""The words of the user's parts of sound, by item id and content index."""

CUT_MARK = "—"
"""Behind the last word that was heard: how dialogue has always been written. A mark in brackets is
understood as well, but small models imitate it, and then the voice says it."""
INAUDIBLE = "[inaudible]"
NO_ANSWER_YET = "(There is no answer yet.)"

_FORMATS = {
    "pcm16": AudioFormat.PCM,
    "g711_ulaw": AudioFormat.PCMU,
    "g711_alaw": AudioFormat.PCMA,
    **{format.value: format for format in AudioFormat},
}


@dataclass(frozen=True, slots=True)
class Manner:
    """How the conversation is told. `mind_hears`: the model takes sound itself."""

    cut_mark: str = CUT_MARK
    inaudible: str = INAUDIBLE
    mind_hears: bool = False


def format_of(part: events.InputAudio | events.AudioPart) -> AudioFormat:
    """The wire format of a part of sound; PCM where it does not say."""
    told = part.format
    name = told.type if isinstance(told, events.AudioFormatConfig) else told
    return _FORMATS.get(name, AudioFormat.PCM) if isinstance(name, str) else AudioFormat.PCM


def unheard_parts(
    context: Sequence[events.Item], heard: Collection[tuple[str, int]]
) -> list[tuple[str, int, events.InputAudio]]:
    """The user's parts of sound whose words nobody knows yet, in order."""
    return [
        (item_id_of(item), index, part)
        for item in context
        if isinstance(item, events.MessageItem)
        for index, part in enumerate(item.content)
        if isinstance(part, events.InputAudio)
        and not isinstance(part.transcript, str)
        and (item_id_of(item), index) not in heard
    ]


def item_id_of(item: events.Item) -> str:
    """The item's id; "" where it has none."""
    item_id = getattr(item, "id", UNSET)
    return item_id if isinstance(item_id, str) else ""


def request_body(
    context: Sequence[events.Item],
    params: events.ResponseParams,
    *,
    model: str,
    heard: Heard,
    cut_item_ids: Collection[str] = (),
    manner: Manner | None = None,
    callables: Callables | None = None,
) -> dict[str, Any]:
    """The JSON of one streaming `POST /chat/completions`; without `callables`, it may call the
    functions of the parameters."""
    callables = callables or Callables.of(params, ())
    body: dict[str, Any] = {
        "model": model,
        "messages": messages_of(
            context, params.instructions, heard, cut_item_ids, manner or Manner(), callables
        ),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if isinstance(params.max_output_tokens, int):
        body["max_tokens"] = params.max_output_tokens
    if params.reasoning and isinstance(params.reasoning.effort, str):
        body["reasoning_effort"] = params.reasoning.effort
    return body | callables.fields(params)


def messages_of(
    context: Sequence[events.Item],
    instructions: object,
    heard: Heard,
    cut_item_ids: Collection[str],
    manner: Manner,
    callables: Callables | None = None,
) -> list[Message]:
    """The messages, instructions first."""
    telling = _Telling(
        heard, frozenset(cut_item_ids), manner, _answers(context), callables or Callables()
    )
    if isinstance(instructions, str) and instructions:
        telling.messages.append({"role": "system", "content": instructions})
    for item in context:
        telling.tell(item)
    telling.end_calls()
    return telling.messages


def _answers(context: Sequence[events.Item]) -> dict[str, str]:
    return {
        item.call_id: item.output
        for item in context
        if isinstance(item, events.FunctionCallOutputItem)
    }


@dataclass(slots=True)
class _Telling:
    """Messages as they grow. `_open_calls` wait for their answers."""

    heard: Heard
    cut: frozenset[str]
    manner: Manner
    answers: dict[str, str]
    callables: Callables
    messages: list[Message] = field(default_factory=list)
    told_calls: set[str] = field(default_factory=set)
    _open_calls: list[tuple[str, str]] = field(default_factory=list)

    def tell(self, item: events.Item) -> None:
        match item:
            case events.FunctionCallItem(name=name, arguments=arguments):
                call_id = item.call_id if isinstance(item.call_id, str) else item_id_of(item)
                answer = self.answers.get(call_id, NO_ANSWER_YET)
                self._call(call_id, name, arguments, answer)
            case events.McpCallItem(arguments=arguments):
                name = self.callables.name_of(item.server_label, item.name)
                self._call(item_id_of(item), name, arguments, _mcp_answer(item))
            case events.FunctionCallOutputItem(call_id=call_id, output=output):
                if call_id not in self.told_calls:
                    self.end_calls()
                    content = f"A function called earlier answered: {output}"
                    self.messages.append({"role": "system", "content": content})
            case events.MessageItem():
                self._message(item)
            case _:
                # MCP listings and approvals, references and the unknown: nothing was said.
                return

    def end_calls(self) -> None:
        """Put the answers behind the calls that are open."""
        for call_id, answer in self._open_calls:
            self.messages.append({"role": "tool", "tool_call_id": call_id, "content": answer})
        self._open_calls.clear()

    def _call(self, call_id: str, name: str, arguments: str, answer: str) -> None:
        call = {
            "id": call_id,
            "type": "function",
            "function": {"name": name, "arguments": _object_text(arguments)},
        }
        last = self.messages[-1] if self.messages else {}
        if last.get("role") == "assistant":
            last.setdefault("tool_calls", []).append(call)
        else:
            self.messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        self._open_calls.append((call_id, answer))
        self.told_calls.add(call_id)

    def _message(self, item: events.MessageItem) -> None:
        if item.role == "assistant":
            text = " ".join(filter(None, map(_assistant_text, item.content)))
            if not text.strip():
                return
            if item_id_of(item) in self.cut and self.manner.cut_mark:
                text = f"{text.rstrip()} {self.manner.cut_mark}"
            self._add({"role": "assistant", "content": text})
            return
        parts = [
            told
            for index, part in enumerate(item.content)
            if (told := self._user_part(part, (item_id_of(item), index))) is not None
        ]
        if parts:
            self._add({"role": item.role, "content": _plain(parts)})

    def _add(self, message: Message) -> None:
        self.end_calls()
        last = self.messages[-1] if self.messages else {}
        if message["role"] == "user" == last.get("role"):
            last["content"] = _plain([*_parts(last["content"]), *_parts(message["content"])])
        elif message["role"] == "assistant" == last.get("role") and "tool_calls" not in last:
            last["content"] = f"{last['content']} {message['content']}"
        else:
            self.messages.append(message)

    def _user_part(self, part: events.ContentPart, place: tuple[str, int]) -> Message | None:
        match part:
            case events.InputText(text=text) | events.OutputText(text=text):
                return {"type": "text", "text": text}
            case events.InputImage(image_url=str(url)):
                image = {"url": url}
                if isinstance(part.detail, str):
                    image["detail"] = part.detail
                return {"type": "image_url", "image_url": image}
            case events.InputAudio():
                if self.manner.mind_hears and isinstance(part.audio, bytes) and part.audio:
                    return _sound(part.audio, format_of(part))
                words = part.transcript if isinstance(part.transcript, str) else None
                words = self.heard.get(place, "") if words is None else words
                return {"type": "text", "text": words.strip() or self.manner.inaudible}
            case _:
                return None


def _assistant_text(part: events.ContentPart) -> str:
    match part:
        case events.OutputText(text=text) | events.TextPart(text=text):
            return text
        case events.OutputAudio(transcript=str(text)) | events.AudioPart(transcript=str(text)):
            return text
        case _:
            return ""


def _mcp_answer(item: events.McpCallItem) -> str:
    if isinstance(item.output, str):
        return item.output
    if isinstance(item.error, str):
        return f"Error: {item.error}"
    if isinstance(item.error, events.McpError) and isinstance(item.error.message, str):
        return f"Error: {item.error.message}"
    return NO_ANSWER_YET


def _object_text(arguments: str) -> str:
    """Arguments that a template can read: those of a call that was cut are half an object."""
    try:
        whole = isinstance(json.loads(arguments), dict)
    except ValueError:
        whole = False
    return arguments if whole else "{}"


def _sound(audio: bytes, format: AudioFormat) -> Message:
    wav = wav_of(samples_of(decode(audio, format)), format.rate)
    data = base64.b64encode(wav).decode()
    return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}


def _parts(content: str | list[Message]) -> list[Message]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _plain(parts: list[Message]) -> str | list[Message]:
    """Text alone goes as a string, which every server takes."""
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts
