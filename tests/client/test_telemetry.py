"""Spans as OpenTelemetry's own SDK sees them: one a turn, with the proof and without the words."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from tests.hosted import Hosted, hosted

import bargein
from bargein import events
from bargein.audio.virtual import VirtualPlayer
from bargein.client import telemetry
from bargein.client.telemetry import OPEN_LIMIT, Telemetry
from bargein.core import notices as told
from bargein.errors import TransportError

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What a provider of the application's gets, for as long as the test lasts."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


def seen(exporter: InMemorySpanExporter) -> list[dict[str, Any]]:
    return [dict(span.attributes or {}) for span in exporter.get_finished_spans()]


def events_of(span: ReadableSpan) -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, dict(event.attributes or {})) for event in span.events]


def started(response_id: str = "resp_1") -> told.TurnStarted:
    return told.TurnStarted("assistant", None, response_id)


def ended(response_id: str = "resp_1", status: str = "completed", **more: Any) -> told.TurnEnded:
    return told.TurnEnded("assistant", status, None, response_id, **more)


def interruption(*response_ids: str) -> told.Interruption:
    return told.Interruption("cut_1", ("speech", "typed"), response_ids, 120, (), 900, None)


def settled(*response_ids: str, exactness: told.Exactness = "exact") -> told.InterruptionSettled:
    return told.InterruptionSettled(
        "cut_1", ("speech", "typed"), response_ids, 120, 120, 0, exactness, (), ("delete",), 7
    )


async def tell(spans: Telemetry, *notices: told.Notice) -> None:
    for notice in notices:
        spans.notify(notice)
    await asyncio.sleep(0)


def test_a_session_is_a_span_for_each_turn_with_what_was_heard_and_kept(
    exported: InMemorySpanExporter,
) -> None:
    async def body(server: Hosted) -> None:
        session_id = ""
        async with server.connect(
            audio=bargein.Audio(VirtualPlayer()), instructions="Mind the gap."
        ) as session:
            connected = await anext(aiter(session))
            assert isinstance(connected, bargein.Connected)
            session_id = str(connected.session.id)
            settled = session.notices(bargein.InterruptionSettled)
            cut_off = await session.say("Tell me a story.")
            await asyncio.sleep(3)
            at_stop = await session.interrupt()
            record = await anext(settled)
            assert at_stop is not None and isinstance(record, bargein.InterruptionSettled)
            heard_out = await session.respond("Say goodbye.")
            await heard_out.done()
            await asyncio.sleep(0)
            spans = exported.get_finished_spans()
            assert [span.attributes["gen_ai.response.id"] for span in spans if span.attributes] == [
                cut_off.id,
                heard_out.id,
            ]
        assert exported.get_finished_spans() == spans
        for span in spans:
            assert span.attributes is not None
            assert (span.name, span.kind) == ("chat gpt-realtime-2.1", SpanKind.CLIENT)
            assert span.attributes["realtime.session.id"] == session_id
            assert span.attributes["gen_ai.usage.input_tokens"] > 0  # type: ignore[operator]  # int
            assert span.attributes["realtime.usage.output_audio_tokens"] > 0  # type: ignore[operator]  # int
            assert span.start_time is not None and span.end_time is not None
            assert span.start_time <= span.end_time
        first, second = (dict(span.attributes or {}) for span in spans)
        assert (first["realtime.turn.status"], first["realtime.turn.cut"]) == ("cancelled", True)
        assert (second["realtime.turn.status"], second["realtime.turn.cut"]) == ("completed", False)
        (stop, stopped), (end, settlement) = events_of(spans[0])
        assert (stop, end) == ("realtime.interruption", "realtime.interruption.settled")
        assert stopped["realtime.interruption.heard_ms"] == at_stop.heard_ms > 0
        assert stopped["realtime.interruption.stop_us"] == at_stop.stop_latency_us
        assert settlement == {
            "realtime.interruption.id": record.cut_id,
            "realtime.interruption.askers": ("interrupt",),
            "realtime.interruption.heard_ms": record.heard_ms,
            "realtime.interruption.kept_ms": record.kept_ms,
            "realtime.interruption.drift_ms": 0,
            "realtime.interruption.exactness": "exact",
            "realtime.interruption.commands": record.commands,
            "realtime.interruption.settle_us": record.settle_latency_us,
        }
        assert spans[1].events == ()
        everything = "".join(span.to_json() for span in spans)
        for words in ("Once upon", "Tell me", "goodbye", "Mind the gap"):
            assert words not in everything
        _names_are_documented(spans)

    hosted(body)


def _names_are_documented(spans: tuple[ReadableSpan, ...]) -> None:
    used = {name for span in spans for name in span.attributes or {}}
    for span in spans:
        for name, attributes in events_of(span):
            used |= {name, *attributes}
    documented = set(re.findall(r"`(realtime\.[\w.]+)`", telemetry.__doc__ or ""))
    assert {name for name in used if name.startswith("realtime.")} <= documented
    page = (DOCS / "telemetry.md").read_text(encoding="utf-8")
    assert documented == set(re.findall(r"`(realtime\.[\w.]+)`", page))
    assert {name for name in used if name.startswith("gen_ai.")} == set(
        re.findall(r"`(gen_ai\.[\w.]+)`", page)
    )


async def test_a_cut_turn_is_handed_over_when_it_is_settled_and_ends_when_it_ended(
    exported: InMemorySpanExporter,
) -> None:
    spans = Telemetry()
    await tell(spans, started(), interruption("resp_1"), ended(status="cancelled", cut=True))
    assert seen(exported) == []
    await tell(spans, settled("resp_1"))
    (span,) = exported.get_finished_spans()
    assert span.end_time is not None
    assert span.events[0].timestamp <= span.end_time <= span.events[1].timestamp


async def test_a_turn_that_was_cut_before_it_began_waits_for_the_settlement(
    exported: InMemorySpanExporter,
) -> None:
    spans = Telemetry()
    await tell(spans, interruption(), started(), ended(status="cancelled", cut=True))
    assert seen(exported) == []
    await tell(spans, settled("resp_1"))
    (span,) = exported.get_finished_spans()
    assert [event.name for event in span.events] == ["realtime.interruption.settled"]


async def test_what_the_service_cut_by_itself_is_told_although_the_turn_has_ended(
    exported: InMemorySpanExporter,
) -> None:
    spans = Telemetry()
    await tell(spans, started(), ended(status="cancelled"), interruption("resp_1"))
    assert seen(exported) == []
    await tell(spans, settled("resp_1", exactness="within"))
    (span,) = exported.get_finished_spans()
    assert [name for name, _ in events_of(span)] == [
        "realtime.interruption",
        "realtime.interruption.settled",
    ]


async def test_an_interruption_of_two_responses_is_told_in_both(
    exported: InMemorySpanExporter,
) -> None:
    spans = Telemetry()
    both = ("resp_1", "resp_2")
    await tell(spans, started("resp_1"), started("resp_2"), interruption(*both), settled(*both))
    await tell(spans, ended("resp_1", cut=True), ended("resp_2", cut=True))
    assert [len(span.events) for span in exported.get_finished_spans()] == [2, 2]


async def test_a_fault_is_told_in_the_turn_it_befell_and_its_message_is_not(
    exported: InMemorySpanExporter,
) -> None:
    spans = Telemetry()
    fault = told.Fault("theirs", "server_error", "You said: hello", None, "response")
    await tell(spans, fault, started("resp_1"), ended("resp_1"), started("resp_2"), fault)
    await tell(spans, ended("resp_2", status="failed"))
    first, second = exported.get_finished_spans()
    assert events_of(first) == []
    assert events_of(second) == [
        (
            "realtime.fault",
            {
                "realtime.fault.blame": "theirs",
                "realtime.fault.code": "server_error",
                "realtime.fault.about": "response",
            },
        )
    ]
    assert (first.status.status_code, second.status.status_code) == (
        StatusCode.UNSET,
        StatusCode.ERROR,
    )
    assert second.attributes is not None and second.attributes["error.type"] == "failed"


async def test_usage_that_the_service_does_not_tell_is_left_out(
    exported: InMemorySpanExporter,
) -> None:
    usage = events.Usage(input_tokens=3, output_tokens=None)
    await tell(Telemetry(), started(), told.UsageReported("resp_1", usage), ended())
    (attributes,) = seen(exported)
    assert {name for name in attributes if "usage" in name} == {"gen_ai.usage.input_tokens"}


async def test_the_users_turns_make_no_span(exported: InMemorySpanExporter) -> None:
    spans = Telemetry()
    await tell(spans, told.TurnStarted("user", "item_1"), told.TurnEnded("user"))
    await tell(spans, told.TurnEnded("assistant", "refused"), ended("resp_unknown"))
    spans.finish()
    assert seen(exported) == []


def test_a_session_that_is_lost_ends_its_spans(exported: InMemorySpanExporter) -> None:
    async def body(server: Hosted) -> None:
        with pytest.raises(TransportError):
            async with server.connect(audio=bargein.Audio(VirtualPlayer())) as session:
                reply = await session.say("Tell me a story.")
                await asyncio.sleep(2)
                for hosted_session in list(server.host.sessions.values()):
                    hosted_session.end(1011, "")
                await reply.done()
        (attributes,) = seen(exported)
        assert attributes["realtime.turn.status"] == "lost"

    hosted(body)


async def test_what_is_open_at_the_end_is_ended_and_keeps_what_is_known(
    exported: InMemorySpanExporter,
) -> None:
    spans = Telemetry()
    await tell(spans, started("resp_1"), interruption("resp_1"))
    await tell(spans, ended("resp_1", status="cancelled", cut=True), started("resp_2"))
    spans.finish()
    assert [each["realtime.turn.status"] for each in seen(exported)] == ["cancelled", "lost"]


async def test_turns_without_an_end_are_bounded(exported: InMemorySpanExporter) -> None:
    spans = Telemetry()
    await tell(spans, *(started(f"resp_{number}") for number in range(OPEN_LIMIT + 2)))
    assert [
        (each["gen_ai.response.id"], each["realtime.turn.status"]) for each in seen(exported)
    ] == [
        ("resp_0", "untold"),
        ("resp_1", "untold"),
    ]
    spans.finish()
    assert len(seen(exported)) == OPEN_LIMIT + 2


async def test_spans_hang_below_the_one_that_was_current_at_connect(
    exported: InMemorySpanExporter,
) -> None:
    with trace.get_tracer("application").start_as_current_span("call"):
        spans = Telemetry()
    await tell(spans, started(), ended())
    call, turn = exported.get_finished_spans()
    assert turn.parent is not None and turn.parent == call.context


async def test_a_tracer_that_breaks_ends_the_tracing_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Breaks(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            raise RuntimeError("sk-0123456789abcdef0123")

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Breaks())
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    spans = Telemetry()
    await tell(spans, started(), ended(), started("resp_2"))
    spans.finish()
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "no more spans for this session: the tracer raised RuntimeError"
    ]


@pytest.mark.parametrize("without", ["an SDK", "interest"])
async def test_without_anybody_to_take_them_no_span_is_kept(
    without: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[trace.Span] = []
    provider: Any = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    if without == "an SDK":
        provider = trace.NoOpTracerProvider()
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    monkeypatch.setattr(telemetry, "_Turn", kept.append)
    await tell(Telemetry(), started(), interruption("resp_1"), settled("resp_1"), ended(cut=True))
    assert kept == []
