"""The page in real headless Chromium, with real media. The clock is the wall's; what is judged are
counts of frames, and what the server remembers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.server.serving_rig import RATE, says, settle, story_that_stalls
from tests.web.browser import Tab, a_browser
from tests.web.page_rig import (
    ASK,
    SILENCE,
    a_page,
    a_talk,
    ear,
    kept_ms,
    records,
    seconds,
    until_frames,
    until_loud,
)

pytestmark = pytest.mark.real_time
SOON_FRAMES = 10
"""What Chromium has decoded, and the page's own way of measuring it."""
ANSWER = "Yes? What is it?"
ANSWER_ROW = "#transcript li:nth-child(4)"


async def note_loud_frames(tab: Tab, **moments: str) -> None:
    """Let the page note how many frames with sound it had heard when each element came."""
    await tab.look(
        "(moments => { window.noted = {};"
        "const look = () => Object.entries(moments).forEach(([name, selector]) => {"
        "if (!(name in noted) && document.querySelector(selector))"
        "noted[name] = Number(document.getElementById('ear').dataset.loud); });"
        "new MutationObserver(look).observe(document.body,"
        "{subtree: true, childList: true, attributes: true}); })"
        f"({json.dumps(moments)})"
    )


async def test_who_talks_over_the_answer_is_heard_and_the_page_falls_silent() -> None:
    # However late the call stands: of these one is heard first, and the next talks over the answer.
    microphone = 6 * (ASK + seconds(2))
    async with (
        a_page(story_that_stalls(60_000), says(ANSWER), says(ANSWER)) as (server, page),
        a_browser(microphone, RATE) as browser,
        a_talk(page, browser) as tab,
    ):
        assert await tab.text("#media") == "WebRTC"
        await note_loud_frames(tab, silent="#records li[data-silent-after]", answer=ANSWER_ROW)
        await tab.there("#floor[data-holder=assistant]")
        await until_loud(tab, 20)
        await tab.there("#records li[data-silent-after]")
        await tab.there("#records li[data-settled=yes]")
        (record,) = await records(tab)
        assert int(record["silentAfter"]) <= SOON_FRAMES, record
        assert "you spoke" in record["text"]
        kept = kept_ms(server)[0]
        assert record["heardMs"] == record["keptMs"] == str(kept)
        assert kept % 20 == 0 and kept > 400
        said = "[...document.querySelectorAll('#transcript li')].map(li => li.innerText)"
        await tab.there(ANSWER_ROW)
        noted = await tab.look("window.noted")
        assert noted["answer"] == noted["silent"]  # Nothing more of it was heard, up to the answer.
        told = await tab.look(said)
        assert told[0].startswith("You") and told[1].endswith("cut here")
        assert "missing" not in told[1] and told[2].startswith("You")
        await tab.until(f"{said}[3].endsWith({json.dumps(ANSWER)})")
        await until_loud(tab, 20)


async def test_the_button_stops_a_typed_reply_and_the_log_can_be_searched_and_kept(
    tmp_path: Path,
) -> None:
    async with (
        a_page(story_that_stalls(60_000)) as (server, page),
        a_browser(SILENCE, RATE) as browser,
    ):
        async with a_talk(page, browser) as tab:
            await tab.click("#say")
            await tab.type("Tell me a story.")
            await tab.strike("Enter")
            await until_loud(tab, 20)
            await tab.click("#stop")
            await tab.there("#records li[data-silent-after]")
            await tab.there("#records li[data-settled=yes]")
            _, loud = await ear(tab)
            (record,) = await records(tab)
            assert int(record["silentAfter"]) <= SOON_FRAMES, record
            assert "the stop button" in record["text"]
            assert "output_audio_buffer.clear" in record["text"]
            assert record["heardMs"] == record["keptMs"] == str(kept_ms(server)[0])
            await until_frames(tab, 25)
            assert (await ear(tab))[1] == loud

            await tab.click("#filter")
            await tab.type("audio_buffer.clear")
            told = (await tab.text("#log")).split("\n")
            assert [line.split(" s ")[1] for line in told] == [
                "→ output_audio_buffer.clear",
                "← output_audio_buffer.cleared",
            ]
            await tab.click("#show-received")
            assert len((await tab.text("#log")).split("\n")) == 1
            file = await tab.downloaded("#download", tmp_path)
            lines = [json.loads(line) for line in file.read_text().splitlines()]
            types = [line["event"]["type"] for line in lines]
            assert {"conversation.item.truncated", "response.done"} < {*types}
            sent = [line["event"]["type"] for line in lines if line["direction"] == "sent"]
            assert sent.count("output_audio_buffer.clear") == 1

            await tab.click("#hang-up")
            await tab.until("document.body.dataset.state === 'over'")
            await settle(server)
            await tab.click("#talk")  # With the token that came with the first call.
            await tab.until("document.body.dataset.state === 'up'")
            assert len(server.sessions) == 1
        async with asyncio.timeout(10):  # The page is closed, and its call with it.
            await settle(server)
