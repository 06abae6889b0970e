"""Whatever a client and an engine do, in whatever order: the server's machine keeps its promises
(`judge`), and so does its socket (`endpoint`). Some stories are made up each time, others are those
by which the fuzzer reached furthest."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.fuzz.endpoint import Endpoint
from tests.fuzz.remote import tell as tell_remote
from tests.fuzz.source import Source
from tests.fuzz.tale import tell
from tests.server.model.model_rig import Rig

from bargein.server.model import inputs, score

CORPUS = Path(__file__).parent / "corpus"


def kept(target: str) -> list[bytes]:
    """The stories that are kept for a target."""
    lines = (CORPUS / f"{target}.txt").read_text().split()
    assert len(lines) > 40
    return [bytes.fromhex(line) for line in lines]


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.binary(max_size=500))
def test_a_session_keeps_its_promises_whatever_happens(choices: bytes) -> None:
    tell(Source(choices))


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.binary(min_size=20, max_size=300))
def test_a_session_with_mcp_servers_keeps_its_promises_whatever_they_answer(choices: bytes) -> None:
    tell_remote(Source(choices))


def test_the_stories_that_reached_furthest_are_told_without_a_fault() -> None:
    for choices in kept("machine"):
        tell(Source(choices))


def test_the_peers_that_reached_furthest_leave_nothing_behind() -> None:
    endpoint = Endpoint()
    try:
        for choices in kept("endpoint"):
            endpoint.visit(choices)
    finally:
        endpoint.close()


def test_an_engine_that_has_made_its_last_is_not_told_to_stop() -> None:
    """Found by the fuzzer: the client left while the last was still being played."""
    rig = Rig()
    whole, half = rig.respond(), rig.respond(conversation="none")
    rig.produce(whole, score.OpenMessage(), final=True, every_us=1_000_000)
    rig.produce(half, score.OpenMessage(), final=False)
    rig.give(inputs.PipeClosed())
    assert rig.stopped == [half]
