"""From the chunks of a streamed chat completion to what the mind does, one thing at a time. Pure.

1. A mind says text, calls functions, and ends for one reason. Text inside `<think>` at the head of
   an answer, and `reasoning_content`, are thoughts: nobody hears them.
2. Calls come one after the other, although servers may stream several at once: the first that is
   not whole streams on, the later ones wait. A call is whole when a later one has begun and its
   arguments are JSON, or when the answer ends.
3. A call's `index` says which one a piece belongs to. Some servers leave it out or repeat it for
   every call; then a new id, or a name behind arguments, begins the next.
4. What is out of shape is passed over where nothing depends on it; an error in the stream, and a
   chunk that is no JSON object, end the answer as broken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from bargein.server.engines.base import EngineError
from bargein.server.engines.chat.faults import fault_in_stream

DONE = "[DONE]"
_THINK, _END_THINK = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Said:
    """More of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class CallBegan:
    """A function call; pieces of its arguments follow, then its end."""

    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    text: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    pass


@dataclass(frozen=True, slots=True)
class Used:
    """What the server counted, in tokens."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int


Ending: TypeAlias = Literal["stop", "max_output_tokens", "content_filter"]
Thought: TypeAlias = Said | CallBegan | CallArguments | CallEnded | Used

_ENDINGS: dict[str, Ending] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}


@dataclass(slots=True)
class _Call:
    """A call as far as it came. `told`: how much of its arguments has been passed on."""

    id: str | None
    name: str = ""
    arguments: str = ""
    told: int = 0
    began: bool = False

    @property
    def is_whole(self) -> bool:
        try:
            json.loads(self.arguments)
        except ValueError:
            return False
        return True


@dataclass(slots=True)
class Reader:
    """Reads one answer. `where` names the server in errors."""

    where: str
    ending: Ending | None = None
    """Why the answer ended; None while it has not."""
    finished: bool = False
    """Nothing more will come."""
    _calls: list[_Call] = field(default_factory=list)
    _by_index: dict[int, _Call] = field(default_factory=dict)
    _head: str | None = ""
    _thinks: bool = False
    _has_thought: bool = False

    def read(self, data: str) -> Iterator[Thought]:
        """What one event of the stream says. Raises `EngineError`."""
        if data.strip() == DONE:
            yield from self.end()
            return
        try:
            chunk = json.loads(data)
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict):
            raise EngineError(f"{self.where} streamed what is no JSON object.", code="server_error")
        if chunk.get("error"):
            raise fault_in_stream(self.where, chunk["error"])
        for choice in _list(chunk.get("choices"))[:1]:
            yield from self._choose(_mapping(choice))
        used = _mapping(chunk.get("usage"))
        if used:
            yield _used(used)

    def end(self) -> Iterator[Thought]:
        """The stream is over. An answer that ended without a reason, and with something said, ended
        by itself."""
        if self.finished:
            return
        self.finished = True
        yield from self._release()
        yield from self._advance(everything=True)
        if self.ending is None:
            self.ending = "stop"

    def _choose(self, choice: Mapping[str, Any]) -> Iterator[Thought]:
        delta = _mapping(choice.get("delta") or choice.get("message"))
        for name in ("content", "refusal"):
            text = delta.get(name)
            if isinstance(text, str) and text:
                yield from self._said(text)
        for piece in _list(delta.get("tool_calls")):
            self._take(_mapping(piece))
        if self._calls:
            yield from self._release()
            yield from self._advance(everything=False)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self.ending = _ENDINGS.get(reason, "stop")

    def _said(self, text: str) -> Iterator[Thought]:
        """The text without the thoughts at its head."""
        if self._head is None:
            yield Said(text)
            return
        self._head += text
        head = self._head.lstrip()
        if self._has_thought:
            self._head = head  # The empty lines behind thoughts are theirs.
        if self._thinks or head.startswith(_THINK):
            self._thinks = self._has_thought = True
            _, mark, behind = head.partition(_END_THINK)
            if mark:
                self._thinks, self._head = False, ""
                yield from self._said(behind.lstrip())
            else:
                # Only what could be the beginning of the mark need be kept.
                self._head = _THINK + head[len(_THINK) :][-len(_END_THINK) :]
        elif not _THINK.startswith(head):
            text, self._head = self._head, None
            yield Said(text)

    def _release(self) -> Iterator[Thought]:
        """No thought will come any more: what looked like the beginning of one was text."""
        head, self._head = self._head, None
        if head and not self._thinks:
            yield Said(head)

    def _take(self, piece: Mapping[str, Any]) -> None:
        function = _mapping(piece.get("function"))
        call_id = piece.get("id") if isinstance(piece.get("id"), str) else None
        name, arguments = function.get("name"), function.get("arguments")
        call = self._call_of(piece.get("index"), call_id or None, bool(name))
        if isinstance(name, str) and not call.name:
            call.name = name
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments, ensure_ascii=False)
        if isinstance(arguments, str):
            call.arguments += arguments

    def _call_of(self, index: object, call_id: str | None, is_named: bool) -> _Call:
        known = self._by_index.get(index) if isinstance(index, int) else None
        if known is None and not isinstance(index, int) and self._calls:
            known = self._calls[-1]
        if known is not None:
            other_id = call_id is not None and known.id is not None and call_id != known.id
            next_one = is_named and bool(known.name) and bool(known.arguments)
            if not other_id and not (next_one and call_id != known.id):
                return known
        call = _Call(call_id)
        self._calls.append(call)
        if isinstance(index, int):
            self._by_index[index] = call
        return call

    def _advance(self, *, everything: bool) -> Iterator[Thought]:
        """Pass on what is new of the first call, and the next one's once that is whole."""
        while self._calls:
            call = self._calls[0]
            is_whole = everything or (len(self._calls) > 1 and call.is_whole)
            if not call.name:
                if not is_whole:
                    return
                self._calls.pop(0)  # a call of nothing
                continue
            if not call.began:
                call.began = True
                yield CallBegan(call.name)
            if call.told < len(call.arguments):
                yield CallArguments(call.arguments[call.told :])
                call.told = len(call.arguments)
            if not is_whole:
                return
            if not call.arguments:
                yield CallArguments("{}")
            yield CallEnded()
            self._calls.pop(0)


def _used(told: Mapping[str, Any]) -> Used:
    return Used(
        _count(told.get("prompt_tokens")),
        _count(told.get("completion_tokens")),
        _count(_mapping(told.get("prompt_tokens_details")).get("cached_tokens")),
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
