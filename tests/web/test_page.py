"""What is served at `/`, without a browser: files, their policy, and who gets a line."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources

import httpx
import pytest
from tests.web.page_rig import a_page
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from bargein.server.serving import Server
from bargein.web.page import LINE_PATH, PROTOCOL, TOKEN_PROTOCOL, Page

pytestmark = pytest.mark.real_time
STATIC = resources.files("bargein.web").joinpath("static")
FILES = sorted(each.name for each in STATIC.iterdir())


def root(server: Server) -> str:
    return server.url.removesuffix("/v1")


def token_of(page: Page) -> str:
    return page.link().partition("#")[2]


@asynccontextmanager
async def a_line(
    server: Server, token: str, *, origin: str | None = None
) -> AsyncIterator[ClientConnection]:
    url = root(server).replace("http", "ws") + LINE_PATH
    protocols = [Subprotocol(PROTOCOL), Subprotocol(TOKEN_PROTOCOL + token)]
    page = None if origin is None else Origin(origin)
    async with connect(url, subprotocols=protocols, origin=page, proxy=None) as line:
        yield line


async def told(line: ClientConnection, what: str) -> dict[str, str]:
    while True:
        message: dict[str, str] = json.loads(await line.recv())
        if message["told"] == what:
            return message


async def test_every_file_is_served_under_a_policy_that_allows_this_server_only() -> None:
    async with a_page() as (server, _), httpx.AsyncClient(trust_env=False) as web:
        pages = {"/": "index.html", "/remote": "remote.html"}
        rest = {f"/page/{name}": name for name in FILES if not name.endswith(".html")}
        for path, name in (pages | rest).items():
            answer = await web.get(root(server) + path)
            assert answer.status_code == 200, path
            assert answer.content == STATIC.joinpath(name).read_bytes()
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy
            assert "http" not in policy and "*" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "access-control-allow-origin" not in answer.headers
        assert (await web.get(root(server) + "/page/../page.py")).status_code == 404


@pytest.mark.parametrize("name", FILES)
def test_no_file_loads_anything_from_another_host_or_has_script_in_line(name: str) -> None:
    text = STATIC.joinpath(name).read_text()
    addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", re.sub(r"^\s*//.*", "", text))
    assert [each for each in addresses if "www.w3.org" not in each] == []
    if name.endswith(".html"):
        assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?![^>]*\ssrc=)", text)
    assert "innerHTML" not in text and "eval(" not in text


async def test_a_token_comes_for_the_key_and_for_nothing_else() -> None:
    async with a_page() as (server, _), httpx.AsyncClient(trust_env=False) as web:
        url = f"{root(server)}/page/token"
        for head in ({}, {"authorization": "Bearer sk-wrong"}, {"authorization": server.api_key}):
            refused = await web.post(url, headers=head)
            assert refused.status_code == 401 and "token" not in refused.json()
        given = await web.post(url, headers={"authorization": f"Bearer {server.api_key}"})
        async with a_line(server, given.json()["token"]) as line:
            assert (await told(line, "token"))["token"] != given.json()["token"]


async def test_a_token_opens_one_line_and_the_line_has_the_next_one() -> None:
    async with a_page() as (server, page):
        first = token_of(page)
        async with a_line(server, first) as line:
            assert line.subprotocol == PROTOCOL
            following = (await told(line, "token"))["token"]
        for used in (first, "", "guessed"):
            async with a_line(server, used) as line:
                with pytest.raises(ConnectionClosed):
                    await line.recv()
                assert line.close_code == 3000
        async with a_line(server, following) as line:
            await told(line, "token")
        assert not server.sessions


async def test_a_page_of_another_host_gets_neither_a_file_nor_a_line() -> None:
    async with a_page() as (server, page), httpx.AsyncClient(trust_env=False) as web:
        foreign = {"origin": "https://evil.example"}
        assert (await web.get(root(server), headers=foreign)).status_code == 403
        assert (await web.get(root(server), headers={"host": "evil.example"})).status_code == 403
        token = token_of(page)
        with pytest.raises(Exception, match="403"):
            async with a_line(server, token, origin="https://evil.example"):
                pass
        async with a_line(server, token, origin=root(server)) as line:  # It was not spent.
            await told(line, "token")


@pytest.mark.parametrize("said", ["no json", '{"do": "fly"}', '{"do": "talk", "more": 1}', "[]"])
async def test_what_is_no_message_of_the_pages_ends_its_line(said: str) -> None:
    async with a_page() as (server, page), a_line(server, token_of(page)) as line:
        await line.send(said)
        with pytest.raises(ConnectionClosed):
            while True:
                await line.recv()
        assert line.close_code == 1003


async def test_a_message_without_measure_ends_its_line() -> None:
    async with a_page() as (server, page), a_line(server, token_of(page)) as line:
        await line.send(json.dumps({"do": "say", "text": "x" * 200_000}))
        with pytest.raises(ConnectionClosed):
            while True:
                await line.recv()
        assert line.close_code == 1009
