"""The served server with an engine that does what the test says, and a client on a real socket."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.server.serving_rig import KEY, MODEL, Client, a_client

from bargein.server.engines.base import Batch, EngineError
from bargein.server.model import score
from bargein.server.model.commands import StartEngine
from bargein.server.model.options import Options
from bargein.server.model.score import Step
from bargein.server.model.vad import EnergyVad
from bargein.server.serving import serve_local


class Turn:
    """One response that the engine was asked for."""

    def __init__(self, request: StartEngine) -> None:
        self.request = request
        self.batches: asyncio.Queue[Batch | EngineError | None] = asyncio.Queue()

    def play(self, *actions: score.Action) -> None:
        """More of it, at once."""
        self.batches.put_nowait(Batch(tuple(Step(action) for action in actions)))

    def end(self, *actions: score.Action) -> None:
        """The last of it."""
        self.play(*actions)
        self.batches.put_nowait(None)

    def fail(self, error: EngineError) -> None:
        self.batches.put_nowait(error)


class Puppet:
    """An engine without a will of its own."""

    def __init__(self) -> None:
        self._asked: asyncio.Queue[Turn] = asyncio.Queue()

    async def asked(self) -> Turn:
        """The next response that is asked for."""
        return await self._asked.get()

    async def respond(self, request: StartEngine) -> AsyncGenerator[Batch, None]:
        turn = Turn(request)
        self._asked.put_nowait(turn)
        while (batch := await turn.batches.get()) is not None:
            if isinstance(batch, EngineError):
                raise batch
            yield batch


class Wire(Client):
    """A client beside the engine that answers it."""

    puppet: Puppet

    async def respond(self, **response: Any) -> tuple[str, Turn]:
        """Ask for a response: its id, and the engine's side of it."""
        await self.send("response.create", response=response)
        created = await self.until("response.created")
        return str(created["response"]["id"]), await self.puppet.asked()

    async def speaking(self, *ms: float, text: str = "Hello there") -> tuple[str, str]:
        """A running response that has sent audio of these lengths: (response id, item id)."""
        response_id, turn = await self.respond()
        turn.play(score.OpenMessage(), score.OpenPart("audio"), score.SayText(text))
        turn.play(*(sound(each) for each in ms))
        deltas = [await self.until("response.output_audio.delta") for _ in ms]
        return response_id, str(deltas[0]["item_id"])

    async def append(self, audio: bytes, **fields: Any) -> None:
        encoded = base64.b64encode(audio).decode()
        await self.send("input_audio_buffer.append", audio=encoded, **fields)

    async def truncate(self, item_id: str, index: int, ms: int, **fields: Any) -> None:
        await self.send(
            "conversation.item.truncate",
            item_id=item_id,
            content_index=index,
            audio_end_ms=ms,
            **fields,
        )

    async def lives(self) -> None:
        """The session still answers, and said nothing in between."""
        await self.send("input_audio_buffer.clear")
        assert (await self.next())["type"] == "input_audio_buffer.cleared"


@asynccontextmanager
async def wire(
    options: Options | None = None, *, model: str = MODEL, **serving: Any
) -> AsyncIterator[Wire]:
    """A session with a server of its own."""
    puppet = Puppet()
    settings = {"api_key": KEY, "new_detector": EnergyVad, **serving}
    if "engine" not in settings and "scenario" not in settings:
        settings["engine"] = lambda: puppet
    async with serve_local(options=options, **settings) as server, a_client(server, model) as given:
        client = Wire(given.socket)
        client.puppet = puppet
        client.seen = given.seen
        yield client


def sound(ms: float) -> score.Sound:
    """Audio of the service's own format."""
    return score.Sound(b"\1\0" * round(24 * ms))


def written(*deltas: str) -> tuple[score.Action, ...]:
    """A message of one written part."""
    return (score.OpenMessage(), score.OpenPart("text"), *(score.SayText(each) for each in deltas))
