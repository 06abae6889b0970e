"""A page's line: what waits for it is bounded, and it ends in every way there is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.websockets import WebSocket
from tests.virtual_loop import run

from bargein.web import line as module
from bargein.web.line import Line
from bargein.web.messages import Floor, Stop


class Page:
    """The other end: what it says, and what it takes."""

    def __init__(self, *, takes: bool = True) -> None:
        self.taken: list[Any] = []
        self._takes = takes
        self._says: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._says.put_nowait({"type": "websocket.connect"})
        self.socket = WebSocket({"type": "websocket"}, self._says.get, self._take)

    def says(self, **frame: Any) -> None:
        self._says.put_nowait({"type": "websocket.receive", **frame})

    def goes(self) -> None:
        self._says.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def line(self) -> Line:
        await self.socket.accept()
        return Line(self.socket, main=True)

    async def _take(self, message: Any) -> None:
        if message["type"] == "websocket.send" and not self._takes:
            await asyncio.Event().wait()
        self.taken.append(message)


def test_both_ways_keep_their_order_and_sound_has_the_number_of_its_part() -> None:
    async def main() -> None:
        page, heard = Page(), list[Any]()
        line = await page.line()
        line.tell(Floor("user"))
        line.sound(258, b"\1\2")
        page.says(text='{"do": "stop"}')
        page.says(bytes=b"\5\6")
        page.goes()
        await line.hold(heard.append)
        assert heard == [Stop(), b"\5\6"]
        sent = [each for each in page.taken if each["type"] == "websocket.send"]
        assert json.loads(sent[0]["text"]) == {"told": "floor", "holder": "user"}
        assert sent[1]["bytes"] == b"\2\1\0\0\1\2"
        line.tell(Floor("nobody"))  # It is over, and nobody needs to know.

    run(main())


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"text": "{}"}, 1003),
        ({"text": '{"do": "stop", "more": 1}'}, 1003),
        ({"text": " " * 200_000}, 1009),
        ({"bytes": bytes(200_000)}, 1009),
    ],
)
def test_what_is_no_message_of_ours_ends_the_line(frame: dict[str, Any], code: int) -> None:
    async def main() -> None:
        page, heard = Page(), list[Any]()
        line = await page.line()
        page.says(**frame)
        await line.hold(heard.append)
        assert heard == []
        assert page.taken[-1] == {"type": "websocket.close", "code": code, "reason": ""}

    run(main())


def test_a_page_that_takes_nothing_is_cut_off_after_a_while() -> None:
    async def main() -> None:
        page = Page(takes=False)
        line = await page.line()
        line.tell(Floor("user"))
        began_s = asyncio.get_running_loop().time()
        await line.hold(lambda said: None)
        assert asyncio.get_running_loop().time() - began_s == module.WRITE_DEADLINE_S
        assert line.over

    run(main())


def test_what_waits_for_a_page_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING_BYTES", 100)

    async def main() -> None:
        page = Page()
        line = await page.line()
        over = []
        for _ in range(2):
            line.sound(1, bytes(90))
            over.append(line.over)
        assert over == [False, True]
        await line.hold(lambda said: None)
        assert page.taken[-1]["type"] == "websocket.close"

    run(main())


def test_what_waits_is_written_before_a_line_that_was_ended_closes() -> None:
    async def main() -> None:
        page = Page()
        line = await page.line()
        line.tell(Floor("user"))
        line.end()
        line.tell(Floor("nobody"))
        await line.hold(lambda said: None)
        assert [each["type"] for each in page.taken[1:]] == ["websocket.send", "websocket.close"]

    run(main())
