"""The served server with an engine that does what the test says, and a client on a real socket."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.server.serving_rig import KEY, MODEL, Client, a_client

from bargein.server.engines.base import Batch, Engine, EngineError
from bargein.server.model import score
from bargein.server.model.commands import StartEngine, StartTranscription
from bargein.server.model.heard import Heard, Words
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


class Ear:
    """One transcription that the engine was asked for."""

    def __init__(self, request: StartTranscription) -> None:
        self.request = request
        self.pieces: asyncio.Queue[Heard | EngineError | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    def hears(self, *pieces: Heard | str) -> None:
        """More of it; texts are words."""
        for piece in pieces:
            self.pieces.put_nowait(Words(piece) if isinstance(piece, str) else piece)

    def end(self, *pieces: Heard | str) -> None:
        """The last of it."""
        self.hears(*pieces)
        self.pieces.put_nowait(None)

    def fail(self, error: EngineError) -> None:
        self.pieces.put_nowait(error)


class Puppet(Engine):
    """An engine without a will of its own."""

    def __init__(self, *, overhears: bool = False) -> None:
        self.overhears = overhears
        self._asked: asyncio.Queue[Turn] = asyncio.Queue()
        self._listens: asyncio.Queue[Ear] = asyncio.Queue()

    async def listens(self) -> Ear:
        """The next transcription that is asked for."""
        return await self._listens.get()

    async def transcribe(self, request: StartTranscription) -> AsyncGenerator[Heard, None]:
        ear = Ear(request)
        self._listens.put_nowait(ear)
        try:
            while (piece := await ear.pieces.get()) is not None:
                if isinstance(piece, EngineError):
                    raise piece
                yield piece
        finally:
            ear.closed.set()

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
    _back: dict[str, Any] | None = None

    async def next(self) -> dict[str, Any]:
        event, self._back = self._back, None
        return event or await super().next()

    def put_back(self, event: dict[str, Any]) -> None:
        """Let the event be the next one."""
        self._back = event

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
        await self.send("conversation.item.retrieve", item_id="nobody", event_id="alive?")
        assert (await self.next()).get("error", {}).get("event_id") == "alive?", self.seen[-1]


@asynccontextmanager
async def wire(
    options: Options | None = None,
    *,
    model: str = MODEL,
    query: str = "",
    overhears: bool = False,
    **serving: Any,
) -> AsyncIterator[Wire]:
    """A session with a server of its own. `query` asks for it in other words than `model`."""
    puppet = Puppet(overhears=overhears)
    settings = {"api_key": KEY, "new_detector": EnergyVad, **serving}
    if "engine" not in settings and "scenario" not in settings:
        settings["engine"] = lambda: puppet
    async with (
        serve_local(options=options, **settings) as server,
        a_client(server, model, query=query) as given,
    ):
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


AT_ONCE = Options(rate_limits_after_us=0)
"""`rate_limits.updated` comes right behind `response.done`, so a ladder has one end."""

RESPONSE = (
    "object id status status_details output conversation_id output_modalities max_output_tokens "
    "audio usage metadata"
).split()
_ITEM = "previous_item_id item"
_MADE = "response_id item_id output_index content_index"
FIELDS: dict[str, str] = {
    "session.created": "session",
    "session.updated": "session",
    "conversation.item.added": _ITEM,
    "conversation.item.done": _ITEM,
    "conversation.item.retrieved": "item",
    "conversation.item.truncated": "item_id content_index audio_end_ms",
    "conversation.item.deleted": "item_id",
    "input_audio_buffer.committed": "previous_item_id item_id",
    "input_audio_buffer.cleared": "",
    "input_audio_buffer.speech_started": "audio_start_ms item_id",
    "input_audio_buffer.speech_stopped": "audio_end_ms item_id",
    "input_audio_buffer.timeout_triggered": "audio_start_ms audio_end_ms item_id",
    "conversation.item.input_audio_transcription.delta": "item_id content_index delta obfuscation",
    "conversation.item.input_audio_transcription.completed": (
        "item_id content_index transcript usage"
    ),
    "conversation.item.input_audio_transcription.failed": "item_id content_index error",
    "conversation.item.input_audio_transcription.segment": (
        "item_id content_index text id speaker start end"
    ),
    "response.created": "response",
    "response.done": "response",
    "response.output_item.added": "response_id output_index item",
    "response.output_item.done": "response_id output_index item",
    "response.content_part.added": f"{_MADE} part",
    "response.content_part.done": f"{_MADE} part",
    "response.output_text.delta": f"{_MADE} delta obfuscation",
    "response.output_text.done": f"{_MADE} text",
    "response.output_audio.delta": f"{_MADE} delta",
    "response.output_audio.done": _MADE,
    "response.output_audio_transcript.delta": f"{_MADE} delta obfuscation",
    "response.output_audio_transcript.done": f"{_MADE} transcript",
    "response.function_call_arguments.delta": (
        "response_id item_id output_index call_id delta obfuscation"
    ),
    "response.function_call_arguments.done": (
        "response_id item_id output_index call_id name arguments"
    ),
    "response.mcp_call_arguments.delta": "response_id item_id output_index delta obfuscation",
    "response.mcp_call_arguments.done": "response_id item_id output_index arguments",
    "response.mcp_call.in_progress": "item_id output_index",
    "response.mcp_call.completed": "item_id output_index",
    "response.mcp_call.failed": "item_id output_index",
    "mcp_list_tools.in_progress": "item_id",
    "mcp_list_tools.completed": "item_id",
    "mcp_list_tools.failed": "item_id",
    "rate_limits.updated": "rate_limits",
    "error": "error",
}
"""The fields of each event in the order of the recorded wire, behind `type` and `event_id`
(protocol.md §2.3)."""


async def climbed(client: Wire, *rungs: str) -> list[dict[str, Any]]:
    """The next events: exactly of these types, each with exactly its fields, and then silence."""
    events = [await client.next() for _ in rungs]
    assert [event["type"] for event in events] == list(rungs)
    for event in events:
        assert list(event) == ["type", "event_id", *FIELDS[event["type"]].split()], event
        if "response" in event:
            assert list(event["response"]) == RESPONSE
        if "obfuscation" in event:
            assert len(event["delta"]) + len(event["obfuscation"]) == max(16, len(event["delta"]))
    ids = [event["event_id"] for event in client.seen]
    assert len(set(ids)) == len(ids)
    await client.lives()
    return events
