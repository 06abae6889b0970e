"""A server with its page, and what a test asks of a page that talks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.server.serving_rig import RATE, a_server, user_speech
from tests.strangers.node_rig import packages
from tests.web.browser import Browser, Tab

from bargein.server.serving import Server
from bargein.web.page import Page

HEARS = ["Tell me a story.", "Wait."]


def seconds(number: float) -> bytes:
    """Silence; PCM, 24 kHz."""
    return bytes(2 * round(RATE * number))


ASK = user_speech("Tell me a story.")
SILENCE = seconds(0.1)


@asynccontextmanager
async def a_page(*replies: dict[str, Any], **options: Any) -> AsyncIterator[tuple[Server, Page]]:
    """A server with these replies, made four times as fast as they sound, and its page."""
    page = Page()
    script = {"speed": 4, "hears": HEARS}
    async with a_server(*replies, script=script, page=page.at, **options) as server:
        yield server, page


@asynccontextmanager
async def a_talk(
    page: Page, browser: Browser, *, turns: str = "hands_free", **options: Any
) -> AsyncIterator[Tab]:
    """The page, in a call."""
    async with browser.tab(page.link(), **options) as tab:
        if turns == "push_to_talk":
            await tab.click('input[value="push_to_talk"]')
        await tab.click("#talk")
        await tab.until("document.body.dataset.state === 'up'")
        yield tab
        assert tab.complaints == []


async def ear(tab: Tab) -> tuple[int, int]:
    """How many frames of 20 ms the page has heard, and how many of them had sound in them."""
    told = await tab.look("({...document.getElementById('ear').dataset})")
    return int(told["frames"]), int(told["loud"])


async def until_loud(tab: Tab, more: int) -> None:
    """So many more frames with sound were heard in the page."""
    _, loud = await ear(tab)
    await tab.until(f"Number(document.getElementById('ear').dataset.loud) >= {loud + more}")


async def until_frames(tab: Tab, more: int) -> None:
    """So many more frames were heard, with sound or without."""
    frames, _ = await ear(tab)
    await tab.until(f"Number(document.getElementById('ear').dataset.frames) >= {frames + more}")


async def violations(tab: Tab) -> list[str]:
    """What axe-core has against the page as it stands: rule, and where."""
    axe = (packages(Path(__file__).parent / "node") / "axe-core" / "axe.min.js").read_text()
    await tab.look(f"{axe}; 0")
    told: list[str] = await tab.look(
        "axe.run().then(told => told.violations.map("
        "each => each.id + ': ' + each.nodes.map(node => node.target.join(' ')).join(', ')))"
    )
    return told


async def records(tab: Tab) -> list[dict[str, str]]:
    """Each interruption that the page shows, the oldest first."""
    told: list[dict[str, str]] = await tab.look(
        "[...document.querySelectorAll('#records li')].reverse().map("
        "li => ({...li.dataset, text: li.innerText}))"
    )
    return told


def kept_ms(server: Server) -> list[int]:
    """What the server remembers of each reply, in the newest session: a call that did not connect
    may still be there."""
    *_, session = server.sessions.values()
    return [
        part.kept_samples // 24
        for item in session.machine.memory
        if item.role == "assistant"
        for part in item.parts
    ]
