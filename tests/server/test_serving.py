"""A server in the test's own process: it begins, it is reached, and it ends without a trace."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.server.serving_rig import KEY, a_client, a_server, says, scenario
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from bargein.errors import LocalValueError, TransportError
from bargein.server.serving import (
    bind,
    hand_over_quickly,
    is_loopback,
    look_no_more_at_the_start,
    serve_local,
)


async def test_it_leaves_no_task_no_socket_and_no_signal_handler() -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with a_server() as server:
        async with a_client(server) as client:
            await client.send("response.create")
            await client.until("response.done")
        assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
        port = server.port
    assert asyncio.all_tasks() == {asyncio.current_task()}
    with pytest.raises(ConnectionRefusedError), socket.socket() as probe:
        probe.connect(("127.0.0.1", port))


async def test_its_end_is_told_to_those_who_are_there() -> None:
    async with a_server() as server, asyncio.timeout(10):
        client = a_client(server)
        connected = await client.__aenter__()
        (session,) = server.sessions.values()
    assert session.ended.is_set()
    await connected.socket.wait_closed()
    assert connected.socket.close_code == 1001
    await client.__aexit__(None, None, None)


async def test_two_servers_beside_each_other_have_their_own_keys() -> None:
    async with serve_local() as one, serve_local() as other:
        assert one.port != other.port
        assert one.api_key != other.api_key
        assert len(one.api_key) > 30


async def test_its_machines_memory_can_be_looked_at() -> None:
    async with a_server(says("Hello.")) as server, a_client(server) as client:
        await client.type("Hi")
        await client.send("response.create")
        await client.until("response.done")
        (session,) = server.sessions.values()
        assert [(item.role, item.status) for item in session.machine.memory] == [
            ("user", "completed"),
            ("assistant", "completed"),
        ]


async def test_the_trace_has_the_frames_of_every_session_and_no_key(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    async with a_server(trace=path) as server:
        for _ in range(2):
            async with a_client(server) as client:
                await client.send("response.create")
                await client.until("response.done")
    text = path.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["session"] for line in lines} == {"session-1", "session-2"}
    first = [line["frame"]["type"] for line in lines if line["session"] == "session-1"]
    assert first[0] == "session.created"
    assert first[1:3] == ["response.create", "response.created"]
    assert KEY not in text
    assert "characters of base64" in text


async def test_any_model_and_further_names_are_admitted_where_it_was_told_so() -> None:
    names = frozenset({"proxy.example:443"})
    async with a_server(any_model=True, allowed_hosts=names) as server:
        headers = {"Authorization": f"Bearer {KEY}"}
        address = "ws://proxy.example:443/v1/realtime?model=my-own"
        to: Any = {"host": server.address, "port": server.port}
        async with connect(address, additional_headers=headers, compression=None, **to) as socket:
            created = json.loads(await socket.recv())
            audio = {"input": {"transcription": {"model": "my-ears"}}}
            session = {"type": "realtime", "audio": audio}
            await socket.send(json.dumps({"type": "session.update", "session": session}))
            updated = json.loads(await socket.recv())
    assert created["session"]["model"] == "my-own"
    assert updated["session"]["audio"]["input"]["transcription"]["model"] == "my-ears"


async def test_on_loopback_no_other_address_is_its_own() -> None:
    async with a_server() as server:
        address = f"ws://192.168.1.5:{server.port}/v1/realtime"
        with pytest.raises(InvalidStatus) as raised:
            async with connect(address, host=server.address, port=server.port):
                pass
    assert raised.value.response.status_code == 403


async def test_a_port_that_is_taken_is_told_with_the_way_out() -> None:
    async with a_server() as server:
        with pytest.raises(TransportError, match="give another port, or 0 for any free one"):
            async with serve_local(port=server.port):
                pass


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"api_key": ""}, "api_key cannot be sent in a header"),
        ({"api_key": "two words"}, "api_key cannot be sent in a header"),
        ({"api_key": "schlüssel"}, "api_key cannot be sent in a header"),
        ({"port": -1}, "port is -1: give 0 to 65535"),
        ({"speed": 0}, "speed is 0: give"),
        ({"scenario": "nowhere.toml"}, "nowhere.toml: "),
        ({"scenario": scenario({"voice": "xx+yy"})}, "voice is 'xx+yy', which espeak-ng does not"),
        ({"trace": "/nowhere/frames.jsonl"}, "give a file that can be written"),
    ],
)
async def test_what_cannot_be_is_told_before_anything_listens(
    options: dict[str, object], fault: str
) -> None:
    with pytest.raises(LocalValueError) as raised:
        async with serve_local(**options):  # type: ignore[arg-type]  # Wrong on purpose.
            pass
    assert fault in str(raised.value)
    assert "two words" not in str(raised.value)


async def test_an_address_that_is_not_ours_is_told() -> None:
    with pytest.raises(TransportError, match=r"192\.0\.2\.1"):
        async with serve_local(host="192.0.2.1"):
            pass


async def test_it_listens_on_the_other_loopback_too() -> None:
    async with serve_local(scenario(says("Hello.")), host="::1", api_key=KEY) as server:
        assert server.url == f"http://[::1]:{server.port}/v1"
        async with a_client(server) as client:
            assert client.seen[0]["type"] == "session.created"


async def test_small_frames_do_not_wait_for_each_other() -> None:
    """Nagle's algorithm would add 40 ms to most answers."""
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        near = writer.get_extra_info("socket")
        accepted.set_result(near.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with bind("127.0.0.1", 0) as listener:
        async with await asyncio.start_server(accept, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            assert await accepted
            writer.close()
            await writer.wait_closed()


def test_only_loopback_is_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "::1", "localhost", "127.9.9.9")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.5", "example.org")))


def test_a_server_process_hands_the_interpreter_over_within_half_a_millisecond() -> None:
    before = sys.getswitchinterval()
    try:
        hand_over_quickly()
        assert sys.getswitchinterval() <= 0.0005
    finally:
        sys.setswitchinterval(before)


def test_a_server_process_looks_no_more_at_what_its_start_has_loaded() -> None:
    frozen = gc.get_freeze_count()
    try:
        look_no_more_at_the_start()
        assert gc.get_freeze_count() > max(frozen, 10_000)
    finally:
        gc.unfreeze()


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("serving", "uvicorn", "local"),
        ("serving", "starlette", "local"),
        ("engines.chat.making", "httpx", "chat"),
    ],
)
def test_what_is_not_installed_is_named_with_the_command_that_installs_it(
    module: str, missing: str, extra: str
) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; import bargein.server.{module}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    *_, last = ran.stderr.splitlines()
    assert last.startswith("ImportError: ") and f'pip install "bargein[{extra}]"' in last
