"""From the upgrade to the close, as the service does it, to the letter (protocol.md §1.1, §2.0)."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from tests.server.serving_rig import KEY, MODEL, a_client, a_server
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bargein.server.model.ids import ALPHABET, EPOCH_S
from bargein.server.model.options import Options
from bargein.server.serving import Server

BEARER = {"Authorization": f"Bearer {KEY}"}
BETA = {**BEARER, "OpenAI-Beta": "realtime=v1"}
WRONG = {"Authorization": "Bearer sk-wrong-but-right-elsewhere-0123456789"}
UNKNOWN_KEY = (
    "Incorrect API key provided: sk-********6789. You can find your API key at "
    "https://platform.openai.com/account/api-keys."
)
ASKED = f"?model={MODEL}"


async def first_and_last(
    server: Server, query: str, **options: Any
) -> tuple[dict[str, Any], tuple[int, str]]:
    """The first event, and how the server closed."""
    settings = {"additional_headers": BEARER, "compression": None, **options}
    async with connect(f"{server.ws_url}{query}", **settings) as socket:
        event: dict[str, Any] = json.loads(await socket.recv())
        with pytest.raises(ConnectionClosed) as raised:
            await socket.recv()
        assert raised.value.rcvd is not None and raised.value.rcvd_then_sent
    return event, (raised.value.rcvd.code, raised.value.rcvd.reason)


@pytest.mark.parametrize(
    ("query", "headers", "close_code", "code", "message"),
    [
        (ASKED, {}, 3000, None, "Missing bearer or basic authentication in header"),
        (ASKED, WRONG, 3000, "invalid_api_key", UNKNOWN_KEY),
        ("?model=gpt-nope", BEARER, 4000, "invalid_model", 'Model "gpt-nope" is not supported in'),
        (
            "?model=gpt-realtime-whisper",
            BEARER,
            4000,
            "invalid_model",
            (
                'Model "gpt-realtime-whisper" is a transcription model and cannot be used as the '
                "realtime session model"
            ),
        ),
        (
            "",
            BEARER,
            4000,
            "missing_model",
            (
                "You must provide a model parameter, for example "
                "wss://api.openai.com/v1/realtime?model=gpt-realtime-1.5"
            ),
        ),
        ("?intent=sing", BEARER, 4000, "invalid_intent", "Invalid intent sing"),
        (
            f"{ASKED}&intent=transcription",
            BEARER,
            4000,
            None,
            "You must not provide a model parameter for transcription sessions.",
        ),
        (ASKED, BETA, 4000, "beta_api_shape_disabled", "The beta shape"),
        ("?intent=transcription", BETA, 4000, "beta_api_shape_disabled", "The beta shape"),
    ],
)
async def test_a_refusal_is_one_error_and_the_close_that_names_it(
    query: str, headers: dict[str, str], close_code: int, code: str | None, message: str
) -> None:
    async with a_server() as server:
        event, closed = await first_and_last(server, query, additional_headers=headers)
    assert list(event) == ["type", "event_id", "error"]
    error = event["error"]
    assert list(error) == ["type", "code", "message", "param", "event_id"]
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert (error["param"], error["event_id"]) == (None, None)
    assert error["message"].startswith(message)
    assert closed == (close_code, "invalid_request_error" + (f".{code}" if code else ""))


async def test_the_beta_header_in_a_subprotocol_is_refused_too() -> None:
    offered: Any = ["realtime", f"openai-insecure-api-key.{KEY}", "openai-beta.realtime-v1"]
    async with a_server() as server:
        event, _ = await first_and_last(server, ASKED, additional_headers={}, subprotocols=offered)
    assert event["error"]["code"] == "beta_api_shape_disabled"


async def test_who_a_client_says_it_is_for_is_taken() -> None:
    offered: Any = [
        "realtime",
        f"openai-insecure-api-key.{KEY}",
        "openai-organization.org-1",
        "openai-project.proj_1",
    ]
    named = {"OpenAI-Safety-Identifier": "d41d8cd98f", "OpenAI-Organization": "org-1"}
    async with a_server() as server:
        async with a_client(server, subprotocols=offered, additional_headers=named) as client:
            assert client.socket.subprotocol == "realtime"
            assert types_of(client.seen) == ["session.created"]


async def test_ids_begin_with_the_second_of_their_making() -> None:
    async with a_server() as server, a_client(server) as client:
        created = client.seen[0]
        now = time.time()
    for name, prefix in ((created["event_id"], "event"), (created["session"]["id"], "sess")):
        kind, _, rest = name.partition("_")
        assert (kind, len(rest)) == (prefix, 21)
        made = EPOCH_S
        for place, digit in enumerate(reversed(rest[:5])):
            made += ALPHABET.index(digit) * 62**place
        assert abs(made - now) < 30


@pytest.mark.parametrize("minutes", [60, 5])
async def test_a_session_tells_when_it_will_expire(minutes: int) -> None:
    async with a_server(options=Options(session_us=minutes * 60_000_000)) as server:
        async with a_client(server) as client:
            expires_at = client.seen[0]["session"]["expires_at"]
    assert abs(expires_at - time.time() - minutes * 60) < 30


async def test_an_append_of_fifteen_mebibytes_is_taken_and_one_byte_more_refused() -> None:
    most = 15 * 1024 * 1024
    async with a_server() as server, a_client(server) as client:
        await client.configure()
        for size in (most, most + 2):
            sound = base64.b64encode(bytes(size)).decode()
            await client.send("input_audio_buffer.append", audio=sound, event_id=f"of {size}")
        error = (await client.until("error"))["error"]
        assert error["event_id"] == f"of {most + 2}"
        assert error["message"].startswith("Invalid 'audio'. Expected at most 15728640 bytes")
        await client.send("input_audio_buffer.commit")
        await client.until("input_audio_buffer.committed")
        (item,) = server.sessions["session-1"].machine.memory
        assert item.parts[0].made_samples == most // 2


async def test_the_end_of_its_time_is_told_in_the_services_words() -> None:
    async with a_server(options=Options(session_us=1_000_000)) as server:
        async with a_client(server) as client:
            error = (await client.until("error"))["error"]
            with pytest.raises(ConnectionClosed) as raised:
                await client.next()
    assert error == {
        "type": "invalid_request_error",
        "code": "session_expired",
        "message": "Your session hit the maximum duration of 0 minutes.",
        "param": None,
        "event_id": None,
    }
    assert raised.value.rcvd is not None
    assert (raised.value.rcvd.code, raised.value.rcvd.reason) == (1001, error["message"])


async def test_a_client_that_offers_compression_gets_it_with_every_event_whole() -> None:
    async with a_server() as server, a_client(server, compression="deflate") as client:
        answer = client.socket.response
        assert answer is not None
        assert answer.headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
        await client.send("response.create", response={"output_modalities": ["audio"]})
        await client.until("response.output_audio.delta")
        done = await client.until("response.done")
        assert done["response"]["status"] == "completed"


def types_of(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]
