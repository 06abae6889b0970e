"""Whatever a client and an engine do, in whatever order: the server's machine keeps its promises
(`judge`)."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.fuzz.source import Source
from tests.fuzz.tale import tell


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
