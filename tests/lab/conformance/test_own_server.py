"""Our own server is the reference: it differs in nothing."""

from __future__ import annotations

from tests.lab.conformance.made import REPLIES, Made, asked, differences, made_server
from tests.server.serving_rig import KEY, MODEL

from bargein.capabilities import Capabilities
from bargein.lab.conformance.learned import capabilities_of
from bargein.server.serving import serve_local


async def test_it_conforms_in_every_answer_and_needs_no_capabilities() -> None:
    async with serve_local(REPLIES, api_key=KEY) as server:
        result = await asked(f"{server.ws_url}?model={MODEL}")
    assert differences(result) == {}
    assert result.conforms and len(result.outcomes) > 80
    assert capabilities_of(result.learned) == Capabilities()
    assert all(each.why for each in result.learned), "nothing is only assumed"


async def test_the_wrapper_of_these_tests_changes_nothing_by_itself() -> None:
    async with made_server(Made()) as url:
        assert differences(await asked(url, "admission", "turns", "speech")) == {}


async def test_under_the_beta_dialect_it_differs_in_what_beta_was() -> None:
    """protocol.md §2.1, and §4.2 for the rate limits."""
    async with serve_local(REPLIES, api_key=KEY, dialect="beta") as server:
        url = f"{server.ws_url}?model=gpt-4o-realtime-preview"
        result = await asked(url, dialect="beta")
    assert differences(result).keys() == {
        "session: shape",
        "session: defaults",
        "admission: beta header",
        "turns: items",
        "turns: places",
        "turns: padding",
        "turns: rate limits",
        "turns: names",
        "items: create",
        "truncate: too long",
        "cancel: cancel again",
        "cancel: active",
        "tools: three places",
        "refusals: no session type",
        "refusals: wrong session type",
        "refusals: temperature",
        "refusals: both modalities",
        "refusals: format as text",
        "refusals: 16 kHz",
        "refusals: part of an assistant",
        "refusals: nothing to cancel",
        "refusals: truncate written words",
        "refusals: truncate the user",
    }
    assert capabilities_of(result.learned) == Capabilities(dialect="beta")
