"""What a fuzzer's bytes are given to: each takes bytes and raises if a promise is broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from tests.fuzz.endpoint import EVENTS, HEADERS, KEY, KEYS, PATHS, Endpoint
from tests.fuzz.remote import tell as tell_remote
from tests.fuzz.source import Source, one_of
from tests.fuzz.tale import JUNK, tell

from bargein import events
from bargein.events import dialect
from bargein.server.admission import Admitted, Policy, admit, forbidden
from bargein.server.model.beta_schema import BETA
from bargein.server.model.refusal import RefusedError
from bargein.server.model.schema import GA, check_event
from bargein.server.model.validate import parse
from bargein.server.websocket import head_of

SHOWN_MOST = 4_000
"""No error grows with what it refuses."""


def machine(data: bytes) -> None:
    """A story of a session, judged."""
    tell(Source(data))


def remote(data: bytes) -> None:
    """A story of a session that has MCP servers, judged."""
    tell_remote(Source(data))


def frames(data: bytes) -> None:
    """One frame: decoding never raises, what a schema lets through is in the vocabulary, and what
    was decoded is told again as it was."""
    source = Source(data)
    known = [*JUNK, *(event.decode("utf-8", "replace") for event in EVENTS)]
    frame = one_of(source, known)[: source.pick(400)] if source.pick(4) == 3 else ""
    frame += source.raw(500).decode("utf-8", "replace")
    for vocabulary, decode in ((GA, events.decode_client), (BETA, dialect.decode_client)):
        event = decode(frame)
        try:
            check_event(parse(frame), vocabulary)
        except RefusedError as error:
            assert len(error.refusal.message) < SHOWN_MOST
        else:
            assert not isinstance(event, events.Unknown | events.Malformed)
    said = events.decode_server(frame)
    if not isinstance(said, events.Malformed):
        assert events.decode_server(events.encode(said)) == said
    asked = events.decode_client(frame)
    if not isinstance(asked, events.Malformed):
        assert events.decode_client(events.encode(asked)) == asked
    dialect.decode_server(frame)


def heads(data: bytes) -> None:
    """The head of a request: it is judged without a fault, and who has no key is not admitted."""
    source = Source(data)
    headers = [
        tuple(part.strip().encode("latin-1") for part in line.partition(":")[::2])
        for line in (one_of(source, (*KEYS, *HEADERS)) for _ in range(source.pick(5)))
    ]
    headers.append((source.raw(20), source.raw(60)))
    offered = [one_of(source, ("realtime", "x", f"openai-insecure-api-key.{KEY}", ""))]
    query = one_of(source, PATHS).partition("?")[2].encode() + source.raw(60)
    scope = {"headers": headers, "query_string": query, "subprotocols": offered}
    policy = Policy(api_key=KEY, port=80, dialects=one_of(source, ("ga", "beta", "both")))
    head = head_of(scope)
    forbidden(head.headers, policy)
    answer = admit(head, policy)
    if isinstance(answer, Admitted):
        assert KEY in str(head), "admitted without the key"
    else:
        assert KEY not in answer.message
        assert len(answer.close_reason.encode()) <= 123 and len(answer.message) < SHOWN_MOST


@cache
def _endpoint() -> Endpoint:
    return Endpoint()


def endpoint(data: bytes) -> None:
    """A peer at the socket of a server that lives as long as the process."""
    _endpoint().visit(data)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "machine": machine,
    "remote": remote,
    "frames": frames,
    "heads": heads,
    "endpoint": endpoint,
}
