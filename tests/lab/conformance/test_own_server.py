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
