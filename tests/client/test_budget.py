"""A session whose budget is spent, over the socket of the local server."""

from __future__ import annotations

import pytest
from tests.server.serving_rig import a_server, story_that_stalls

import bargein

WRITES = {"outputs": [{"write": "Hello."}]}


async def test_the_last_reply_is_read_to_its_end_and_the_session_says_why_it_ends() -> None:
    async with (
        a_server(WRITES) as server,
        bargein.connect(
            url=server.url, api_key=server.api_key, budget=bargein.Budget(tokens=1)
        ) as session,
    ):
        reply = await session.say("Hello?")
        assert await reply.text() == "Hello."
        told = [notice async for notice in session]
        with pytest.raises(bargein.TransportError, match="the budget of tokens is spent"):
            await session.say("And?")
    spent = next(notice for notice in told if isinstance(notice, bargein.BudgetSpent))
    assert (spent.kind, spent.used, spent.limit) == ("tokens", reply.usage.total_tokens, 1)
    assert told[-1] == bargein.Lost(1000, "the budget of tokens is spent")


async def test_the_reply_that_runs_is_cut_where_that_is_wanted_and_its_record_is_exact() -> None:
    budget = bargein.Budget(spoken_s=0.5, running_reply="cut")
    async with (
        a_server(story_that_stalls()) as server,
        bargein.connect(
            url=server.url,
            api_key=server.api_key,
            session={"output_modalities": ["audio"]},
            budget=budget,
        ) as session,
    ):
        reply = await session.say("Tell me a story.")
        end = await reply.done()
        told = [notice async for notice in session]
    assert end.cut
    (settled,) = [notice for notice in told if isinstance(notice, bargein.InterruptionSettled)]
    assert settled.exactness == "exact" and settled.askers == ("leave",)
    assert told[-1] == bargein.Lost(1000, "the budget of spoken_s is spent")


async def test_who_asks_for_a_reply_behind_the_end_is_refused_at_once() -> None:
    budget = bargein.Budget(spoken_s=0.5)
    async with (
        a_server(story_that_stalls()) as server,
        bargein.connect(
            url=server.url,
            api_key=server.api_key,
            session={"output_modalities": ["audio"]},
            budget=budget,
        ) as session,
    ):
        told = session.notices(bargein.BudgetSpent)
        await session.say("Tell me a story.")
        await anext(told)
        with pytest.raises(bargein.LocalProtocolError, match="the budget of spoken_s is spent"):
            await session.say("And?")
