"""A call of the page's, with a page that is played: it counts, and the machine decides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.server.serving_rig import says, settle, story_that_stalls
from tests.web.page_rig import a_page, kept_ms
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from bargein.server.serving import Server
from bargein.web import call
from bargein.web.page import LINE_PATH, PROTOCOL, TOKEN_PROTOCOL

pytestmark = pytest.mark.real_time
ANSWER = "Yes? What is it?"


class Played:
    """A page without a browser. `sound` is how many samples of each part came."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.sound: dict[int, int] = {}

    async def do(self, what: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"do": what, **fields}))

    async def told(self, what: str, **fields: Any) -> dict[str, Any]:
        """The next message of this kind with these fields, after all that come before it."""
        async with asyncio.timeout(10):
            while True:
                frame = await self._socket.recv()
                if isinstance(frame, bytes):
                    part = int.from_bytes(frame[:4], "little")
                    self.sound[part] = self.sound.get(part, 0) + len(frame[4:]) // 2
                    continue
                message: dict[str, Any] = json.loads(frame)
                if message["told"] == what and fields.items() <= message.items():
                    return message

    async def talk(self, **wish: Any) -> None:
        """Up to the call that stands, by the line."""
        await self.do("talk", **wish)
        await self.told("carry_sound")
        await self.do("media_up")
        await self.told("standing", state="up", media="websocket")

    async def invited(self) -> str:
        """The token of a link for a second device."""
        await self.do("invite")
        return str((await self.told("link"))["url"]).partition("#")[2]


@asynccontextmanager
async def a_played(server: Server, token: str) -> AsyncIterator[Played]:
    url = server.ws_url.replace("/v1/realtime", LINE_PATH)
    protocols = [Subprotocol(PROTOCOL), Subprotocol(TOKEN_PROTOCOL + token)]
    async with connect(url, subprotocols=protocols, proxy=None, max_size=None) as socket:
        yield Played(socket)


@asynccontextmanager
async def a_main(*replies: dict[str, Any]) -> AsyncIterator[tuple[Server, Played]]:
    async with (
        a_page(*replies) as (server, page),
        a_played(server, page.link().partition("#")[2]) as main,
    ):
        yield server, main


async def test_the_page_counts_and_the_server_keeps_what_it_counted() -> None:
    async with a_main(story_that_stalls()) as (server, main):
        await main.talk(why_no_offer="none")
        await main.do("say", text="Tell me a story.")
        await main.told("event", type="response.output_audio.delta")
        await main.do("rendered", heard={1: 960})
        await main.told("floor", holder="assistant")
        await main.do("stop")
        cut = await main.told("stop_playback")
        assert main.sound[1] >= 2_397
        await main.do("stopped", cut_id=cut["cut_id"], heard={1: 1_920})
        first = await main.told("interrupted", settled=False)
        assert (first["askers"], first["heard_ms"]) == (["interrupt"], 80)
        record = await main.told("interrupted", settled=True)
        assert (record["heard_ms"], record["kept_ms"], record["exactness"]) == (80, 80, "within")
        assert kept_ms(server) == [80]
        await main.do("hang_up")
        await main.told("standing", state="over")
        await settle(server)


async def test_an_offer_that_is_none_leads_to_the_line_and_says_why() -> None:
    async with a_main(says(ANSWER)) as (_, main):
        await main.do("talk", offer="v=0")
        assert "Invalid SDP offer" in (await main.told("carry_sound"))["why"]


async def test_a_page_that_cannot_play_either_ends_the_call_in_words() -> None:
    async with a_main(says(ANSWER)) as (server, main):
        await main.do("talk")
        await main.told("carry_sound")
        await main.do("media_failed", why="no device")
        assert "no device" in (await main.told("standing", state="over"))["words"]
        assert not server.sessions


async def test_who_joins_later_is_shown_what_there_is_and_a_link_opens_once() -> None:
    async with a_main(says(ANSWER)) as (server, main):
        await main.talk()
        await main.do("say", text="Hello.")
        await main.told("words", role="assistant", final=False)
        token = await main.invited()
        async with a_played(server, token) as remote:
            await remote.told("standing", state="up")
            assert (await remote.told("words", role="user"))["text"] == "Hello."
            await remote.told("words", role="assistant")
            await remote.do("hang_up")
            assert "cannot be done" in (await remote.told("trouble"))["words"]
            async with a_played(server, token) as other:
                with pytest.raises(ConnectionClosed):
                    await other.told("standing")
            await main.do("hang_up")
            await remote.told("standing", state="over")
            with pytest.raises(ConnectionClosed):
                await remote.told("standing")


async def test_a_button_is_down_until_the_last_who_holds_it_is_up_or_gone() -> None:
    async with a_main(says(ANSWER)) as (server, main):
        await main.talk(turns="push_to_talk")
        async with (
            a_played(server, await main.invited()) as first,
            a_played(server, await main.invited()) as second,
        ):
            await first.do("press")
            await main.told("button", down=True)
            await second.do("press")
            await first.told("button", down=True)
            await first.do("release")
            await second.do("say", text="Hm.")  # What comes behind it finds the button down still.
            shown = await main.told("words", text="Hm.")
            assert shown["role"] == "user"
        await main.told("button", down=False)


async def test_no_more_look_on_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "MOST_LINES", 2)
    async with a_main(says(ANSWER)) as (server, main):
        await main.talk()
        one, two = await main.invited(), await main.invited()
        async with a_played(server, one) as first, a_played(server, two) as second:
            await first.told("standing", state="up")
            assert "Too many" in (await second.told("trouble"))["words"]


async def test_a_page_that_vanishes_takes_its_call_with_it() -> None:
    async with a_page(story_that_stalls()) as (server, page):
        async with a_played(server, page.link().partition("#")[2]) as main:
            await main.talk()
            assert len(server.sessions) == 1
            token = await main.invited()
        async with asyncio.timeout(10):
            await settle(server)
        async with a_played(server, token) as late:
            assert "over" in (await late.told("trouble"))["words"]
