"""The words of one turn while they are heard, for everybody who wants them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TypeAlias

from bargein import events
from bargein.server.engines.base import EngineError
from bargein.server.engines.chat.ears import Ears
from bargein.units import AudioFormat

Place: TypeAlias = tuple[str, int]
"""An item's id and a content index."""


class Transcript:
    """Heard once, from the first one who asks on; stopped when nobody is left who waits for it."""

    def __init__(
        self,
        ears: Ears,
        audio: bytes,
        format: AudioFormat,
        settings: events.Transcription | None,
    ) -> None:
        self._ask: tuple[bytes, AudioFormat, events.Transcription | None] | None
        self._ask = audio, format, settings
        self._ears = ears
        self._pieces: list[str] = []
        self._fault: BaseException | None = None
        self._is_whole = False
        self._listeners = 0
        self._grew = asyncio.Event()
        self._hearing: asyncio.Task[None] | None = None

    async def pieces(self) -> AsyncGenerator[str, None]:
        """The words as they are heard. Raises `EngineError`; asked again after that, or after it
        was stopped, it is heard anew."""
        self._listeners += 1
        if self._hearing is None and not self._is_whole:
            self._pieces.clear()
            self._fault = None
            self._hearing = asyncio.create_task(self._hear(), name="the ears")
        try:
            given = 0
            while True:
                grew = self._grew
                while given < len(self._pieces):
                    given += 1
                    yield self._pieces[given - 1]
                if self._is_whole:
                    return
                if self._fault is not None:
                    raise self._fault
                await grew.wait()
        finally:
            self._listeners -= 1
            if self._listeners == 0:
                await self.close()

    async def whole(self) -> str:
        """All the words. Raises `EngineError`."""
        async with contextlib.aclosing(self.pieces()) as pieces:
            return "".join([piece async for piece in pieces]).strip()

    async def close(self) -> None:
        """Stop hearing."""
        hearing, self._hearing = self._hearing, None
        if hearing is not None:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _hear(self) -> None:
        assert self._ask is not None, "what was heard whole is not heard again"
        try:
            async with contextlib.aclosing(self._ears.hear(*self._ask)) as pieces:
                async for piece in pieces:
                    if piece:
                        self._pieces.append(piece)
                        self._tell()
            self._is_whole = True
            self._ask = None  # The sound is the conversation's to keep.
        except EngineError as error:
            self._fault = error
        except Exception as error:
            # Ears are anybody's code; whoever waits is told.
            self._fault = error
        self._tell()

    def _tell(self) -> None:
        self._grew.set()
        self._grew = asyncio.Event()
