"""A chat engine before `services`, what is asked of it, and what it makes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import numpy as np
import pytest
from tests.server.engines.chat.services import Services, services

from bargein import events
from bargein.server.engines.base import EngineError
from bargein.server.engines.chat.engine import ChatEngine
from bargein.server.engines.chat.making import chat_engine
from bargein.server.model import score
from bargein.server.model.commands import StartEngine

BEEP = (8_000 * np.sin(np.arange(4_800) / 10)).astype(np.int16)
"""200 ms at 24 kHz."""
SPOKEN = events.InputAudio(audio=BEEP.astype("<i2").tobytes(), format="pcm16")
ALOUD: dict[str, Any] = {"output_modalities": ("audio",)}


def user(*parts: events.ContentPart, id: str = "item_u") -> events.MessageItem:
    return events.MessageItem(id=id, role="user", content=parts)


TYPED = user(events.InputText(text="Tell me a story."))


def asks(*context: events.Item, cut: frozenset[str] = frozenset(), **params: Any) -> StartEngine:
    """A response to be made; it is written unless `output_modalities` says otherwise."""
    given = events.ResponseParams(**{"output_modalities": ("text",), **params})
    return StartEngine("resp_1", context or (TYPED,), given, "gpt-realtime", "sess_1", cut)


@asynccontextmanager
async def rig(**options: Any) -> AsyncIterator[tuple[Services, ChatEngine]]:
    """An engine and the servers it knows. `ears` and `voice`, if true, are those servers' too."""
    async with services() as served:
        for name in ("hear_url", "speak_url"):
            if options.get(name) is True:
                options[name] = served.url
        engine = chat_engine(served.options(**options))()
        assert isinstance(engine, ChatEngine)
        try:
            yield served, engine
        finally:
            await engine.close()


async def actions(engine: ChatEngine, request: StartEngine) -> list[score.Action]:
    """All that the engine makes of a response."""
    async with asyncio.timeout(20), aclosing(engine.respond(request)) as batches:
        return [step.action async for batch in batches for step in batch.steps]


def written(made: list[score.Action]) -> str:
    return "".join(action.delta for action in made if isinstance(action, score.SayText))


def sound(made: list[score.Action]) -> bytes:
    return b"".join(action.audio for action in made if isinstance(action, score.Sound))


async def fault(engine: ChatEngine, request: StartEngine | None = None) -> EngineError:
    """The error that the response ends with."""
    with pytest.raises(EngineError) as caught:
        await actions(engine, request or asks())
    return caught.value
