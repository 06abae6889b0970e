"""Servers made for a test: our own, seen through a wrapper that changes its frames.

A `Made` server takes the client's connection, holds one of its own to the real server, and hands
each frame through two functions. What they give instead goes on; None goes nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.server.serving_rig import KEY, MODEL, STALL_MS, STORY, scenario
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bargein.events.beta import BETA_CONTENT, BETA_NAMES
from bargein.lab.conformance.asking import Asker
from bargein.lab.conformance.line import Place
from bargein.lab.conformance.result import Result, result_of, talks_of
from bargein.lab.conformance.topics import QUESTIONS, SECTIONS
from bargein.secret import Secret
from bargein.server.engines.scenario import Scenario
from bargein.server.serving import Server, serve_local

Frame = dict[str, Any]
Answers = Callable[[Frame], list[Frame]]
"""What the server says instead of what it would: of one frame of its own, any number."""

REPLIES: Scenario = scenario(
    {"when": "Hello", "outputs": [{"say": "Hello there, how are you today?"}]},
    {
        "when": "weather",
        "outputs": [{"call": "weather", "arguments": {"city": "Lisbon"}}],
    },
    {"after_call": "weather", "outputs": [{"say": "It is fine."}]},
    {"outputs": [{"say": STORY, "gaps": [{"at_ms": 3_000, "for_ms": STALL_MS}]}]},
    speed=20,
)


def _as_it_is(frame: Frame) -> list[Frame]:
    return [frame]


class Made:
    """How a server differs. `hears` is given the client's frames, `says` the server's own."""

    def __init__(self, hears: Answers | None = None, says: Answers | None = None) -> None:
        self.hears = hears or _as_it_is
        self.says = says or _as_it_is
        self.answers: Callable[[Frame], list[Frame] | None] = lambda _: None
        """An answer of its own to a client's frame, which then goes no further."""
        self.ends_at: Callable[[Frame], bool] = lambda _: False
        """Whether a session that has begun ends with this frame of the server."""

    async def __call__(self, near: ServerConnection, inner: Server) -> None:
        assert near.request is not None
        query = near.request.path.partition("?")[2]
        headers = {
            name: value
            for name, value in near.request.headers.raw_items()
            if name.lower() in ("authorization", "openai-beta")
        }
        url = f"{inner.ws_url}?{query}" if query else inner.ws_url
        async with connect(url, additional_headers=headers, compression=None, max_size=None) as far:
            inward = asyncio.create_task(self._inward(near, far))
            try:
                await self._outward(near, far)
            finally:
                inward.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await inward
            await near.close(far.close_code or 1000, far.close_reason or "")

    async def _inward(self, near: ServerConnection, far: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for frame in near:
                plain = _plain(frame)
                if plain is None:
                    await far.send(frame)
                    continue
                own = self.answers(plain)
                if own is not None:
                    for each in own:
                        await near.send(json.dumps(each))
                    continue
                for each in self.hears(plain):
                    await far.send(json.dumps(each))
            await far.close()

    async def _outward(self, near: ServerConnection, far: ClientConnection) -> None:
        begun = False
        with contextlib.suppress(ConnectionClosed):
            async for frame in far:
                plain = _plain(frame)
                assert plain is not None
                begun = begun or plain["type"] == "session.created"
                for each in self.says(plain):
                    await near.send(json.dumps(each))
                if begun and self.ends_at(plain):
                    await near.close(1000, "")
                    return


def _plain(frame: str | bytes) -> Frame | None:
    try:
        value = json.loads(frame)
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(frame, str) else None


@asynccontextmanager
async def made_server(made: Made, **options: Any) -> AsyncIterator[str]:
    """The address of such a server, with the model in its query."""
    async with serve_local(REPLIES, **{"api_key": KEY, **options}) as inner:

        async def talk(near: ServerConnection) -> None:
            await made(near, inner)

        async with serve(talk, "127.0.0.1", 0, compression=None, max_size=None) as outer:
            port = next(iter(outer.sockets)).getsockname()[1]
            yield f"ws://127.0.0.1:{port}/v1/realtime?model={MODEL}"


async def asked(url: str, *sections: str, **place: Any) -> Result:
    """The result of asking the server all questions but those of calls, or those of these
    sections."""
    chosen = sections or tuple(each for each in SECTIONS if each != "calls")
    questions = [each for each in QUESTIONS if each.section in chosen]
    where = Place(url, Secret(KEY), **{"answer_s": 10.0, "grace_s": 0.02, "aside_s": 10.0, **place})
    return result_of(questions, await Asker(where).hold(talks_of(questions)))


def differences(result: Result) -> dict[str, str]:
    """What is not as the reference: by question, in words."""
    return {
        row.question.name: "; ".join(f"{each.fact}: {each.text}" for each in row.differences)
        or row.standing
        for row in result.outcomes
        if row.standing != "same"
    }


def error(code: str | None, message: str, event_id: object = None) -> Frame:
    """An error event."""
    return {
        "type": "error",
        "event_id": "event_made",
        "error": {
            "type": "invalid_request_error",
            "code": code,
            "message": message,
            "param": None,
            "event_id": event_id,
        },
    }


ACKNOWLEDGEMENTS = ("conversation.item.truncated", "conversation.item.deleted")


def never_acknowledging() -> Made:
    """It obeys truncate and delete, and says nothing."""
    return Made(says=lambda frame: [] if frame["type"] in ACKNOWLEDGEMENTS else [frame])


def refusing(*types: str) -> Made:
    """It does not know these events."""
    made = Made()

    def answer(frame: Frame) -> list[Frame] | None:
        if frame.get("type") not in types:
            return None
        return [error("unknown_event", "There is no such event.", frame.get("event_id"))]

    made.answers = answer
    return made


def with_old_names(frame: Frame) -> list[Frame]:
    """The retired names of events and of the parts of items."""

    def renamed(value: Any) -> Any:
        match value:
            case dict():
                new = {name: renamed(each) for name, each in value.items()}
                if new.get("type") in BETA_CONTENT:
                    new["type"] = BETA_CONTENT[new["type"]]
                return new
            case list():
                return [renamed(each) for each in value]
            case _:
                return value

    return [{**renamed(frame), "type": BETA_NAMES.get(frame["type"], frame["type"])}]


SUBSET = (
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.truncate",
    "conversation.item.delete",
    "conversation.item.retrieve",
)
UNTOLD = (
    "conversation.item.done",
    "response.output_item.",
    "response.content_part.",
    "rate_limits",
)


def like_a_subset() -> Made:
    """As protocol.md §8 tells of the speech-to-speech server of Hugging Face: few events are known,
    truncate and its like are ignored without a word, and items are `created`."""

    def says(frame: Frame) -> list[Frame]:
        if frame["type"].startswith(UNTOLD):
            return []
        if frame["type"] == "conversation.item.added":
            return [{**frame, "type": "conversation.item.created"}]
        return [frame]

    made = Made(says=says)
    made.answers = lambda frame: [] if frame.get("type") in SUBSET else None
    return made


def never_interrupting() -> Made:
    """As with `interrupt_response: false`, while it says that it is true."""

    def detection(frame: Frame) -> Frame:
        found: Any = frame.get("session")
        for name in ("audio", "input", "turn_detection"):
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}

    def hears(frame: Frame) -> list[Frame]:
        if "type" in detection(frame):
            detection(frame)["interrupt_response"] = False
        return [frame]

    def says(frame: Frame) -> list[Frame]:
        if "type" in detection(frame):
            detection(frame)["interrupt_response"] = True
        return [frame]

    return Made(hears=hears, says=says)
