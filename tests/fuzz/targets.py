"""What a fuzzer's bytes are given to: each takes bytes and raises if a promise is broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.fuzz.source import Source
from tests.fuzz.tale import tell

from bargein import events
from bargein.server.model.rules import RefusedError
from bargein.server.model.schema import check_event
from bargein.server.model.validate import parse


def machine(data: bytes) -> None:
    """A story of a session, judged."""
    tell(Source(data))


def frames(data: bytes) -> None:
    """One frame: decoding never raises, what the schema lets through is in the vocabulary, and
    what was decoded is told again as it was."""
    frame = data.decode("utf-8", "replace")
    client = events.decode_client(frame)
    try:
        check_event(parse(frame))
    except RefusedError as error:
        assert len(error.refusal.message) < 2_000
    else:
        assert not isinstance(client, events.Unknown | events.Malformed)
    for decode in (events.decode_client, events.decode_server):
        event = decode(frame)
        if not isinstance(event, events.Malformed):
            assert decode(events.encode(event)) == event


TARGETS: Mapping[str, Callable[[bytes], None]] = {"machine": machine, "frames": frames}
