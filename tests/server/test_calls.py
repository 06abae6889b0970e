"""Calls and ephemeral keys over HTTP: who may, what is refused and how, and that nothing is left.
The media of calls are in `test_webrtc`."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
from typing import Any

import httpx
import pytest
from tests.server.peer_rig import LOOPBACK, SESSION, Peer, post
from tests.server.serving_rig import KEY, a_client, a_server
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from bargein.errors import LocalValueError
from bargein.server import calls
from bargein.server.client_secrets import ClientSecrets
from bargein.server.limits import HostLimits
from bargein.server.serving import Server

ORIGIN = "https://pages.example"


async def an_offer(server: Server) -> str:
    peer = Peer(server)
    offer = await peer.offer()
    await peer.close()
    return offer


def refused(answer: httpx.Response, status: int, code: str | None) -> str:
    """The text of a refusal of this kind."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert list(error) == ["message", "type", "param", "code"] and error["code"] == code
    return str(error["message"])


NO_AUDIO = "\r\n".join(
    [
        "v=0",
        "o=- 1 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "a=mid:0",
        "a=fingerprint:sha-256 00",
        "",
    ]
)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda offer: "", "does not begin with v=0"),
        (lambda offer: "hello", "does not begin with v=0"),
        (lambda offer: "v=0\r\n", "it has no media"),
        (lambda offer: NO_AUDIO, "it needs one audio line"),
        (lambda offer: offer + offer[offer.index("m=audio") :], "it needs one audio line"),
        (lambda offer: offer.replace("m=application", "m=video"), "it needs one audio line"),
        (lambda offer: offer.replace("opus", "speex").replace("PCM", "ABC")
            .replace("SAVPF 96 9 0 8", "SAVPF 96 9"), "none of the codecs"),
        (lambda offer: offer.replace("a=fingerprint", "a=finger"), "no fingerprint"),
        (lambda offer: offer.replace("a=ice-pwd", "a=pwd"), "Error"),
        (lambda offer: offer.replace("m=audio ", "m=audio x"), "Error"),
        (lambda offer: offer.replace("a=mid:", "a=middle:"), "without a mid"),
        (lambda offer: offer.replace("BUNDLE 0 1", "BUNDLE 0"), "does not bundle"),
        (lambda offer: offer.replace("a=group", "a=gr"), "does not bundle"),
        (lambda offer: offer.replace("mid:1", "mid:0").replace("E 0 1", "E 0 0"), "one mid twice"),
        (lambda offer: "v=0\r\n" + "a=x\r\n" * 20_000, "more than 65536 bytes"),
    ],
)  # fmt: skip
async def test_an_offer_that_cannot_be_is_refused_and_leaves_nothing(spoil: Any, why: str) -> None:
    async with a_server(media_hosts=LOOPBACK) as server:
        before = {each.get_name() for each in asyncio.all_tasks()}
        offer = spoil(await an_offer(server))
        message = refused(
            await post(server, "/calls", offer, session=SESSION), 400, "invalid_offer"
        )
        assert message.startswith("Invalid SDP offer") and why in message
        assert not server.sessions and server.host.sessions_opened == 0
        for _ in range(20):
            await asyncio.sleep(0)
        left = {each.get_name() for each in asyncio.all_tasks()} - before
        assert not [each for each in left if "call" in each or "session" in each]


async def test_the_first_fault_counts_before_anything_is_made() -> None:
    async with a_server(media_hosts=LOOPBACK) as server:
        bad = "v=0"
        no_key = await post(server, "/calls", bad, headers={"Authorization": ""})
        assert refused(no_key, 401, None) == "Missing bearer or basic authentication in header"
        wrong = await post(server, "/calls", bad, key="sk-wrong-0123456789abcdefghij")
        assert "sk-********ghij" in refused(wrong, 401, "invalid_api_key")
        beta = await post(server, "/calls", bad, headers={"OpenAI-Beta": "realtime=v1"})
        refused(beta, 400, "beta_api_shape_disabled")
        unknown = await post(server, "/calls", bad, session={**SESSION, "model": "gpt-nope"})
        assert "gpt-nope" in refused(unknown, 400, "invalid_model")
        shape = {**SESSION, "audio": {"input": {"format": "pcm16"}}}
        refused(await post(server, "/calls", bad, session=shape), 400, "invalid_type")
        refused(await post(server, "/calls", bad, session={}), 400, "missing_required_parameter")
        headers = {"Content-Type": "text/html"}
        refused(await post(server, "/calls", bad, headers=headers), 400, "unsupported_content_type")
        form = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = await post(server, "/calls", b"--x--\r\n", headers=form)
        assert refused(answer, 400, "missing_required_parameter").endswith("'sdp'.")
        large = await post(server, "/calls", b"v" * (calls.MOST_BODY_BYTES + 1))
        refused(large, 413, "request_too_large")


async def test_a_full_server_takes_no_more_calls() -> None:
    async with a_server(limits=HostLimits(sessions=1)) as server, a_client(server):
        answer = await post(server, "/calls", await an_offer(server), session=SESSION)
        refused(answer, 429, "session_limit_reached")


async def test_one_of_several_processes_takes_no_calls_and_makes_no_media_of_a_name() -> None:
    async with a_server(media_hosts=None) as server:
        refused(await post(server, "/calls", "v=0"), 501, "no_calls_here")
    with pytest.raises(LocalValueError, match="media host is 'here'"):
        async with a_server(media_hosts=("here",)):
            pass


def test_nothing_of_webrtc_is_loaded_before_the_first_call() -> None:
    look = "import sys, bargein.server.serving; print({'aiortc', 'av', 'aioice'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, check=True, text=True)
    assert said.stdout == "set()\n"


async def test_a_server_without_aiortc_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    async with a_server() as server:
        message = refused(await post(server, "/calls", "v=0"), 501, "webrtc_not_installed")
        assert 'pip install "bargein[webrtc]"' in message


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"expires_after": {"seconds": 9}}, "integer_below_min_value", "expires_after.seconds"),
        ({"expires_after": {"seconds": 7_201}}, "integer_above_max_value", "expires_after.seconds"),
        ({"expires_after": {"anchor": "now"}}, "invalid_value", "expires_after.anchor"),
        ({"session": {}}, "missing_required_parameter", "session.type"),
        ({"session": {"type": "realtime", "voice": "x"}}, "unknown_parameter", "session.voice"),
        ({"session": {"type": "realtime", "model": "gpt-nope"}}, "invalid_model", None),
        ({"more": 1}, "unknown_parameter", "more"),
    ],
)
async def test_what_a_key_cannot_be_bound_to_is_refused(
    body: dict[str, Any], code: str, param: str | None
) -> None:
    async with a_server() as server:
        answer = await post(server, "/client_secrets", json_body=body)
        refused(answer, 400, code)
        assert answer.json()["error"]["param"] == param


async def test_a_key_without_wishes_lives_ten_minutes_and_begins_the_default() -> None:
    async with a_server() as server:
        async with httpx.AsyncClient(trust_env=False) as client:
            url = f"{server.url}/realtime/client_secrets"
            head = {"Authorization": f"Bearer {server.api_key}"}
            made = (await client.post(url, headers=head)).json()
            assert refused(await client.post(url, headers=head, content=b"{"), 400, "invalid_json")
        assert made["session"]["model"] == "gpt-realtime"
        assert made["session"]["expires_at"] == 0
        async with a_client(
            server, query="", additional_headers={"Authorization": f"Bearer {made['value']}"}
        ) as client_of_key:
            session = client_of_key.seen[0]["session"]
            assert session["model"] == "gpt-realtime" and session["expires_at"] > 0


async def test_an_ephemeral_key_opens_sessions_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    now = [1_000.0]
    monkeypatch.setattr(calls, "ClientSecrets", lambda: ClientSecrets(lambda: now[0]))
    async with a_server(media_hosts=LOOPBACK) as server:
        session = {"type": "realtime", "model": "gpt-realtime-2.1", "instructions": "Be brief."}
        body = {"session": session, "expires_after": {"anchor": "created_at", "seconds": 10}}
        made = (await post(server, "/client_secrets", json_body=body)).json()
        key = made["value"]
        assert made["expires_at"] == 1_010
        refused(await post(server, "/client_secrets", json_body={}, key=key), 401, None)
        refused(await post(server, "/calls/rtc_x/hangup", key=key), 401, None)
        now[0] = 1_010.0
        answer = await post(server, "/calls", "v=0", session=SESSION, key=key)
        refused(answer, 401, "client_secret_expired")
        key = (await post(server, "/client_secrets", json_body=body)).json()["value"]
        answer = await post(server, "/calls", "v=0", session=SESSION, key=key)
        assert "bound" in refused(answer, 400, "unknown_parameter")
        head = {"Authorization": f"Bearer {key}"}
        async with a_client(server, "gpt-realtime", additional_headers=head) as client:
            assert client.seen[0]["session"]["instructions"] == "Be brief."
            assert client.seen[0]["session"]["model"] == "gpt-realtime-2.1"
    ours = [each for each in caplog.records if each.name.startswith(("bargein", "uvicorn"))]
    told = " ".join(each.getMessage() for each in ours)
    assert ours and key not in told and KEY not in told and "Be brief." not in told


async def test_a_sideband_of_no_call_is_404_and_needs_a_key() -> None:
    limits = HostLimits(close_deadline_s=0.1)
    async with a_server(media_hosts=LOOPBACK, limits=limits) as server:
        for nobody in ("rtc_nope", "", "sess_x"):
            with pytest.raises(InvalidStatus) as raised:
                await connect(f"{server.ws_url}?call_id={nobody}")
            assert raised.value.response.status_code == 404
        answer = await post(server, "/calls", await an_offer(server), session=SESSION)
        call_id = answer.headers["location"].rpartition("/")[2]
        async with connect(f"{server.ws_url}?call_id={call_id}") as socket:
            error = json.loads(await socket.recv())["error"]
            assert error["message"] == "Missing bearer or basic authentication in header"
            await socket.wait_closed()
            assert socket.close_code == 3000
        made = (await post(server, "/client_secrets", json_body={})).json()["value"]
        head = {"Authorization": f"Bearer {made}"}
        address = f"{server.ws_url}?call_id={call_id}"
        async with connect(address, additional_headers=head) as socket:
            error = json.loads(await socket.recv())["error"]
            assert "cannot attach to a call" in error["message"]


async def test_a_page_that_was_allowed_may_read_the_answer_and_no_other_may() -> None:
    async with a_server(allowed_origins=frozenset({ORIGIN})) as server:
        ours, theirs = {"Origin": ORIGIN}, {"Origin": "https://other.example"}
        answer = await post(server, "/client_secrets", json_body={}, headers=ours)
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        async with httpx.AsyncClient(trust_env=False) as client:
            url = f"{server.url}/realtime/calls"
            asked = await client.options(url, headers=ours)
            assert asked.status_code == 204
            assert "authorization" in asked.headers["access-control-allow-headers"]
        answer = await post(server, "/client_secrets", json_body={}, headers=theirs)
        assert answer.status_code == 403
        answer = await post(server, "/client_secrets", json_body={})
        assert "access-control-allow-origin" not in answer.headers


async def test_telephone_control_is_not_here() -> None:
    async with a_server() as server:
        for verb in ("accept", "reject", "refer"):
            assert (await post(server, f"/calls/rtc_x/{verb}")).status_code == 404
