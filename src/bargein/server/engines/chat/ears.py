"""Ears: the words of a turn, from a server with `/audio/transcriptions`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any, Protocol

from bargein import events
from bargein.audio.formats import decode, samples_of
from bargein.server.engines.base import EngineError
from bargein.server.engines.chat.faults import fault_in_stream, fault_of_content
from bargein.server.engines.chat.http import Answer, Service, content_kind
from bargein.server.engines.chat.sse import EventReader, TooLongError
from bargein.server.engines.chat.wav import wav_of
from bargein.units import AudioFormat

DEFAULT_MODEL = "whisper-1"
MOST_BYTES = 4 * 1024 * 1024


class Ears(Protocol):
    """What hears. Anything that does this can be the engine's ears."""

    def hear(
        self, audio: bytes, format: AudioFormat, settings: events.Transcription | None
    ) -> AsyncGenerator[str, None]:
        """The words of one turn: pieces that joined are the transcript, none for silence. Raises
        `EngineError`."""

    async def close(self) -> None:
        """The session is over."""


class UrlEars:
    """Hears at one server. `model` stands above what the session's transcription names."""

    def __init__(self, service: Service, *, model: str | None) -> None:
        self._service = service
        self._model = model

    async def hear(
        self, audio: bytes, format: AudioFormat, settings: events.Transcription | None
    ) -> AsyncGenerator[str, None]:
        fields = {"response_format": "json", "stream": "true"}
        for name in ("model", "language", "prompt"):
            value = getattr(settings, name, None)
            if isinstance(value, str) and value:
                fields[name] = value
        fields["model"] = self._model or fields.get("model", DEFAULT_MODEL)
        wav = await asyncio.to_thread(_wav, audio, format)
        files = {"file": ("turn.wav", wav, "audio/wav")}
        async with self._service.ask("/audio/transcriptions", data=fields, files=files) as answer:
            match content_kind(answer):
                case "text/event-stream":
                    async for piece in _streamed(answer):
                        yield piece
                case "application/json":
                    yield _text_of(await answer.whole(MOST_BYTES), answer)
                case "text/plain":
                    yield (await answer.whole(MOST_BYTES)).decode("utf-8", "replace").strip()
                case _:
                    raise fault_of_content(answer.where, answer.content_type, "a transcript")

    async def close(self) -> None:
        await self._service.close()


def _wav(audio: bytes, format: AudioFormat) -> bytes:
    return wav_of(samples_of(decode(audio, format)), format.rate)


async def _streamed(answer: Answer) -> AsyncGenerator[str, None]:
    """The deltas of a stream, or its segments: servers differ. Where only the whole text comes at
    the end, that."""
    reader = EventReader(MOST_BYTES)
    said = False
    async for data in _data(answer, reader):
        event = _object(data)
        if event is None:
            continue
        if event.get("error"):
            raise fault_in_stream(answer.where, event["error"])
        kind, delta, text = (event.get(name) for name in ("type", "delta", "text"))
        if kind == "transcript.text.delta" and isinstance(delta, str):
            said = True
            yield delta
        elif kind == "transcript.text.done":
            if not said and isinstance(text, str):
                yield text
            return
        elif kind is None and isinstance(text, str):
            said = True
            yield text


async def _data(answer: Answer, reader: EventReader) -> AsyncGenerator[str, None]:
    try:
        async for piece in answer.pieces(MOST_BYTES):
            for data in reader.push(piece):
                yield data
        for data in reader.flush():
            yield data
    except TooLongError as error:
        raise EngineError(
            f"{answer.where} streams without an end in sight.", code="server_error"
        ) from error


def _text_of(body: bytes, answer: Answer) -> str:
    told = _object(body)
    text = None if told is None else told.get("text")
    if not isinstance(text, str):
        raise EngineError(f"{answer.where} answered without a `text`.", code="server_error")
    return text.strip()


def _object(data: str | bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(data)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None
