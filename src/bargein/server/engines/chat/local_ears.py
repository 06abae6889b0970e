"""Ears without a server: the local engine's recogniser, for a mind behind a URL.

1. All sessions of a server share one pool of child processes (`engines.local.ears`), which are
   there while there are sessions.
2. A turn is heard whole, when its words are asked for; the averages of a speaker's voice go from
   turn to turn, so later turns are heard better.
3. It hears the storyteller's domain well and other English as a small free model does: it is for
   trying things out where nothing better is at hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from bargein import events
from bargein.server.engines.base import EngineError
from bargein.server.engines.local.ears import Ears, EarsError
from bargein.units import AudioFormat


class LocalEars:
    """One session's; `pool` is the server's."""

    def __init__(self, pool: Ears) -> None:
        self._pool = pool
        self._means: dict[AudioFormat, str] = {}
        pool.join()

    async def hear(
        self, audio: bytes, format: AudioFormat, settings: events.Transcription | None
    ) -> AsyncGenerator[str, None]:
        """The words of one turn, at once. Its language is English, whatever the settings say."""
        turn = self._pool.listen(format, self._means.get(format, ""))
        second = format.rate * format.bytes_per_sample
        try:
            for start in range(0, len(audio), second):
                turn.push(audio[start : start + second])
                await asyncio.sleep(0)  # Others are heard in between.
            turn.finish()
            words = await turn.words()
        except EarsError as error:
            message = f"The words could not be heard: {error}."
            raise EngineError(message, code="ears_failed") from error
        finally:
            turn.finish()
        self._means[format] = turn.means
        if words:
            yield words

    async def close(self) -> None:
        await self._pool.leave()
