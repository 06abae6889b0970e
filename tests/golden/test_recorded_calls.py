"""The three recordings of HTTP: given the recorded requests, our server answers as it was done.

What differs by nature is left out by name: ids, keys, times, ports, and that the service has
several hosts with a TCP candidate each."""

from __future__ import annotations

import re
from email.message import Message
from typing import Any

import httpx
import pytest
from tests.golden.recording import RECORDINGS, Frame, interactions
from tests.server.peer_rig import LOOPBACK, post
from tests.server.serving_rig import a_server

from bargein.server.limits import HostLimits
from bargein.server.multipart import boundary_of, fields

QUICK = HostLimits(close_deadline_s=0.1)
CALLS = [
    "webrtc__answer_webrtc_offer.yaml",
    "openai_ws__webrtc_sideband_text_turn.yaml",
]


def recorded(name: str) -> tuple[Frame, Frame]:
    """The one request of a recording and its response."""
    (each,) = (each for each in interactions(RECORDINGS / name) if "request" in each)
    return each["request"], each["response"]


def shape(sdp: str) -> list[str]:
    """An SDP by what each line says, without what is drawn or belongs to the host."""
    lines: list[str] = []
    for line in sdp.replace("\r\n", "\n").strip("\n").split("\n"):
        line = re.sub(r"^(o=- )\d+ \d+", r"\1N N", line)
        line = re.sub(r"^(a=fingerprint:sha-256 ).*", r"\1F", line)
        line = re.sub(r"^(a=ice-ufrag:|a=ice-pwd:).*", r"\1K", line)
        line = re.sub(r"^(a=ssrc:)\d+", r"\1N", line)
        line = re.sub(r"^a=candidate:\S+ 1 udp \d+ \S+ \d+ typ host ufrag \S+", "a=candidate", line)
        if not line.startswith("a=candidate:") and lines[-1:] != [line]:
            lines.append(line)
    return lines


@pytest.mark.parametrize("name", CALLS)
async def test_a_recorded_offer_is_answered_as_it_was(name: str) -> None:
    request, response = recorded(name)
    (content_type,) = request["headers"]["content-type"]
    async with a_server(media_hosts=LOOPBACK, limits=QUICK) as server:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(
                f"{server.url}/realtime/calls",
                content=request["body"].encode(),
                headers={
                    "Authorization": f"Bearer {server.api_key}",
                    "Content-Type": content_type,
                    "Accept": "application/sdp",
                },
            )
        status = response["status"]
        assert (answer.status_code, answer.reason_phrase) == (status["code"], status["message"])
        assert [answer.headers["content-type"]] == response["headers"]["content-type"]
        (location,) = response["headers"]["location"]
        ours = answer.headers["location"]
        assert re.sub(r"\w{21}$", "X", ours) == re.sub(r"_u\d_\w{21}$", "_u0_X", location)
        assert "Location" in answer.headers["access-control-expose-headers"]
        assert shape(answer.text) == shape(response["body"]["string"])
        assert answer.text.endswith("\r\n")
        # The session that was asked for has begun.
        (session,) = server.sessions.values()
        assert session.machine.memory == ()


async def test_the_recorded_request_for_an_ephemeral_key_is_answered_as_it_was() -> None:
    request, response = recorded("webrtc__create_client_secret.yaml")
    async with a_server() as server:
        answer = await post(server, "/client_secrets", json_body=request["parsed_body"])
    assert answer.status_code == response["status"]["code"]
    assert answer.headers["content-type"] == response["headers"]["content-type"][0]
    ours, theirs = answer.json(), response["parsed_body"]
    assert ours.pop("value").startswith("ek_") and theirs.pop("value").startswith("ek_")
    assert re.fullmatch(r"sess_\w{21}", ours["session"].pop("id"))
    del theirs["session"]["id"], ours["expires_at"], theirs["expires_at"]
    assert ours == theirs


def test_the_recorded_forms_hold_an_offer_and_a_session() -> None:
    for name in CALLS:
        request, _ = recorded(name)
        header = Message()
        (header["content-type"],) = request["headers"]["content-type"]
        boundary = boundary_of(header["content-type"])
        assert boundary is not None
        parts: dict[str, Any] = fields(request["body"].encode(), boundary)
        assert list(parts) == ["sdp", "session"]
        assert parts["sdp"].startswith(b"v=0") and parts["session"].startswith(b"{")
