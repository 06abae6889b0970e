"""A conversation that no longer fits, over the socket of the local server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import bargein
from bargein import events
from bargein.errors import LocalValueError
from bargein.server.engines.scenario import Scenario
from bargein.server.model.options import Options
from bargein.server.serving import serve_local

REPLY = {"outputs": [{"write": "Indeed."}]}
SCENARIO = Scenario.of({"first_event_after_ms": 0, "replies": [REPLY]})
LONG = "And then the fox counted the boats once more, slowly, and told nobody. "


@asynccontextmanager
async def talking(options: Options, **session: Any) -> AsyncIterator[bargein.Session]:
    async with (
        serve_local(SCENARIO, options=options) as server,
        bargein.connect(
            url=server.url, api_key=server.api_key, instructions="Be brief.", **session
        ) as talk,
    ):
        yield talk


async def says(session: bargein.Session, *texts: str) -> None:
    for text in texts:
        await (await session.say(text)).done()


async def test_what_the_model_is_not_told_any_more_is_shown_as_left_out() -> None:
    """Of 60 tokens the instructions take 3, and each of the long texts 18."""
    half = bargein.RetentionRatio(retention_ratio=0.5)
    async with talking(Options(context_tokens=60), truncation=half) as session:
        pruned = session.notices(bargein.Pruned)
        await says(session, "Hello.", LONG, LONG, LONG)
        told = await anext(pruned)
        items = session.conversation.items
    assert isinstance(told, bargein.Pruned)
    assert (told.how, told.tokens is not None and told.tokens > 0) == ("left_out", True)
    left_out = [item.id for item in items if item.left_out]
    assert left_out == list(told.item_ids) == [item.id for item in items[: len(left_out)]] != []
    assert [item.state for item in items] == ["there"] * 8


async def test_what_was_deleted_without_a_word_leaves_the_mirror_when_it_is_named() -> None:
    options = Options(context_tokens=60, forgets_left_out=True)
    half = bargein.RetentionRatio(retention_ratio=0.5)
    async with talking(options, truncation=half) as session:
        pruned = session.notices(bargein.Pruned)
        await says(session, "Hello.", LONG, LONG, LONG)
        first = session.conversation[0]
        await anext(pruned)
        await session.send(events.ConversationItemRetrieve(item_id=first.id))
        told = await anext(pruned)
        assert told == bargein.Pruned("deleted", (first.id,))
        assert first.id not in [item.id for item in session.conversation]


async def test_with_truncation_disabled_a_reply_fails_by_name() -> None:
    async with talking(Options(context_tokens=40), truncation="disabled") as session:
        await says(session, LONG)
        reply = await session.say(LONG)
        with pytest.raises(bargein.RemoteProtocolError, match="too long") as raised:
            await reply.done()
    assert raised.value.code == "conversation_too_long"


async def test_the_settings_in_effect_are_shown() -> None:
    ratio = bargein.RetentionRatio(retention_ratio=0.8)
    async with talking(Options(), truncation=ratio) as session:
        connected = await anext(aiter(session))
        assert isinstance(connected, bargein.Connected)
        assert connected.session.truncation == ratio
        effective = await session.update(truncation="auto")
        assert effective.truncation == "auto"
        raw = {"truncation": {"type": "retention_ratio", "retention_ratio": 0.5}}
        effective = await session.update(raw)
        assert effective.truncation == bargein.RetentionRatio(retention_ratio=0.5)


@pytest.mark.parametrize(
    ("truncation", "error"),
    [
        ("never", "truncation: 'never'; give"),
        (0.8, "truncation: 0.8; give"),
        (bargein.RetentionRatio(retention_ratio=1.5), "truncation.retention_ratio: 1.5; give"),
    ],
)
def test_a_truncation_that_cannot_be_is_refused_by_name(truncation: Any, error: str) -> None:
    with pytest.raises(LocalValueError) as raised:
        bargein.connect(api_key="x", truncation=truncation)
    assert str(raised.value).startswith(error)
