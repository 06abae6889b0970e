"""The mind: a chat-completions URL, asked for one answer at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Any

from bargein.server.engines.base import EngineError
from bargein.server.engines.chat.faults import fault_of_content
from bargein.server.engines.chat.http import Answer, Service, content_kind, stalled
from bargein.server.engines.chat.sse import EventReader, TooLongError
from bargein.server.engines.chat.thinking import CallArguments, Ending, Reader, Said, Thought

MOST_EVENT_BYTES = 1024 * 1024
MOST_STREAM_BYTES = 64 * 1024 * 1024
MOST_CHARACTERS = 512 * 1024
"""Of text and arguments in one answer: hours of speech. A mind that babbles on is stopped."""


class Mind:
    """Thinks at one server."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def think(self, body: dict[str, Any]) -> AsyncGenerator[Thought | Ending, None]:
        """The thoughts of one answer in order; the last one is why it ended. Raises
        `EngineError`."""
        async with self._service.ask("/chat/completions", json=body) as answer:
            reader = Reader(answer.where)
            characters = 0
            async for data in _events(answer):
                thoughts = list(reader.read(data))
                if thoughts or reader.ending is not None:
                    answer.progressed()
                characters += _characters(thoughts)
                if characters > MOST_CHARACTERS:
                    raise EngineError(
                        f"{answer.where} does not stop talking: {MOST_CHARACTERS} characters are "
                        "the most that one answer may have.",
                        code="server_error",
                    )
                for thought in thoughts:
                    yield thought
                if reader.finished:
                    break
            if not reader.finished and reader.ending is None:
                raise EngineError(
                    f"{answer.where} broke off in the middle of its answer.", code="server_error"
                )
            for thought in reader.end():
                yield thought
            yield reader.ending or "stop"

    async def close(self) -> None:
        await self._service.close()


def _characters(thoughts: Iterable[Thought]) -> int:
    return sum(len(each.text) for each in thoughts if isinstance(each, Said | CallArguments))


async def _events(answer: Answer) -> AsyncGenerator[str, None]:
    """The data of the stream's events. A server that does not stream answers with one."""
    kind = content_kind(answer)
    if kind == "application/json":
        yield (await answer.whole(MOST_STREAM_BYTES)).decode("utf-8", "replace")
        return
    if kind != "text/event-stream":
        raise fault_of_content(answer.where, answer.content_type, "text/event-stream")
    reader = EventReader(MOST_EVENT_BYTES)
    left = MOST_STREAM_BYTES
    while True:
        with stalled(answer.where):
            piece = await answer.piece()
        left -= len(piece)
        try:
            events = reader.push(piece) if piece else reader.flush()
        except TooLongError:
            left = -1
        if left < 0:
            raise EngineError(
                f"{answer.where} streams without an end in sight.", code="server_error"
            )
        for event in events:
            yield event
        if not piece:
            return
