"""Spans of OpenTelemetry: one for each turn of the assistant, and nothing of what was said.

1. A span begins with `TurnStarted` and its end is the time of `TurnEnded`. It is handed over once
   nothing more is to come for it: for a turn that was interrupted, when that is settled.
2. No text of the conversation, no message of a fault and no key is in it: numbers, ids and words of
   the protocol only. Nothing is made for a delta.
3. Where no SDK is installed, or the sampler does not want the turn, nothing is kept. What an SDK
   raises ends the tracing of this session, not the session.
4. Spans hang below the one that was current when `connect` was called. Those still open when the
   session ends are ended with it.

Of `gen_ai.*` the names are those of OpenTelemetry's conventions: `operation.name` (chat), `system`
and `provider.name` (openai: whose protocol it is), `response.model`, `response.id`,
`usage.input_tokens`, `usage.output_tokens`; `error.type` is a status or a code. Ours:

==========================================  ========================================================
`realtime.session.id`                       the service's id of the session
`realtime.turn.status`                      as `TurnEnded.status`; `lost` where the session ended,
                                            `untold` beyond 64 open turns
`realtime.turn.cut`                         whether it was interrupted
`realtime.usage.input_audio_tokens`         of the input, sound
`realtime.usage.output_audio_tokens`        of the output, sound
`realtime.usage.cached_tokens`              of the input, from the service's cache
`realtime.interruption`                     event: silence; time and numbers of `Interruption`
`realtime.interruption.settled`             event: what the service keeps, `InterruptionSettled`
`realtime.interruption.id`                  names the interruption in both events
`realtime.interruption.askers`              who asked for it
`realtime.interruption.heard_ms`            what was heard, over all parts of the interruption
`realtime.interruption.kept_ms`             what the service keeps of them
`realtime.interruption.drift_ms`            kept − heard
`realtime.interruption.exactness`           how much of that is known
`realtime.interruption.commands`            what was sent for it, in order
`realtime.interruption.margin_samples`      how far the player may be wrong
`realtime.interruption.stop_us`             from the input that asked to the player's answer
`realtime.interruption.speech_to_silence_us`  from the capture of the user's speech to that answer
`realtime.interruption.settle_us`           from the stop to the last acknowledgement
`realtime.fault`                            event: the service refused something, or broke
`realtime.fault.blame`                      whose fault it was
`realtime.fault.code`                       the service's code
`realtime.fault.param`                      the field that was refused
`realtime.fault.about`                      the type of the event that was refused
==========================================  ========================================================

What is not known is left out. A fault is told in the newest open turn, and in none where there is
none; a correction that comes after the span was handed over is a notice only.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final

from msgspec import UNSET
from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

import bargein
from bargein import events
from bargein.core.notices import (
    Connected,
    Fault,
    Interruption,
    InterruptionSettled,
    Notice,
    TurnEnded,
    TurnStarted,
    UsageReported,
)

OPEN_LIMIT: Final = 64
"""Turns whose span is open; beyond it the oldest is ended. One is usual, two are rare."""

_FAILED: Final = frozenset({"failed", "lost", "refused", "unanswered"})
_TOLD: Final = frozenset(
    {Connected, Fault, Interruption, InterruptionSettled, TurnEnded, TurnStarted, UsageReported}
)
_log = logging.getLogger(__name__)


class _Turn:
    """A span that is not handed over, and what is still to come for it."""

    def __init__(self, span: trace.Span) -> None:
        self.span = span
        self.ended_ns: int | None = None
        self.cut = False
        self.settled = False
        self.unsettled: set[str] = set()

    @property
    def whole(self) -> bool:
        """Whether nothing more is to come. A cut from before the turn is told when it is settled
        only."""
        return self.ended_ns is not None and not self.unsettled and (self.settled or not self.cut)


class Telemetry:
    """The spans of one session. Everything happens on the loop's thread."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("bargein", bargein.__version__)
        self._parent = context.get_current()
        self._turns: dict[str, _Turn] = {}
        self._session: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.provider.name": "openai",
        }
        self._broken = False

    def notify(self, notice: Notice) -> None:
        """Take note of what the application is told. Never raises."""
        if type(notice) not in _TOLD or self._broken:
            return
        try:
            self._take(notice)
        except Exception as error:
            self._break(error)

    def finish(self) -> None:
        """The session is over: end what is open. Never raises."""
        try:
            for response_id in list(self._turns):
                self._give_up(response_id, "lost")
        except Exception as error:
            self._break(error)

    def _take(self, notice: Notice) -> None:
        match notice:
            case Connected(session=session):
                self._stands(session)
            case TurnStarted(role="assistant", response_id=str() as response_id):
                self._start(response_id)
            case _ if not self._turns:
                pass
            case TurnEnded(role="assistant", response_id=str() as response_id):
                for turn in self._of((response_id,)):
                    self._ended(turn, notice)
            case UsageReported(response_id=response_id, usage=usage):
                for turn in self._of((response_id,)):
                    turn.span.set_attributes(_usage(usage))
            case Interruption(response_ids=response_ids):
                for turn in self._of(response_ids):
                    turn.span.add_event("realtime.interruption", _interruption(notice))
                    turn.unsettled.add(notice.cut_id)
            case InterruptionSettled(response_ids=response_ids):
                for turn in self._of(response_ids):
                    turn.span.add_event("realtime.interruption.settled", _settled(notice))
                    turn.unsettled.discard(notice.cut_id)
                    turn.settled = True
                self._hand_over()
            case Fault():
                self._newest.span.add_event("realtime.fault", _fault(notice))
            case _:
                pass

    def _stands(self, session: events.Session) -> None:
        self._session |= _known(
            {"gen_ai.response.model": session.model, "realtime.session.id": session.id}
        )

    def _start(self, response_id: str) -> None:
        model = self._session.get("gen_ai.response.model")
        span = self._tracer.start_span(
            "chat" if model is None else f"chat {model}",
            self._parent,
            SpanKind.CLIENT,
            {**self._session, "gen_ai.response.id": response_id},
        )
        if not span.is_recording():
            return
        while len(self._turns) >= OPEN_LIMIT:
            self._give_up(next(iter(self._turns)), "untold")
        self._turns[response_id] = _Turn(span)

    def _ended(self, turn: _Turn, notice: TurnEnded) -> None:
        turn.ended_ns = time.time_ns()
        turn.cut = notice.cut
        _tell_end(turn.span, notice.status, cut=notice.cut)
        # What the service cut on its own is told behind the end of the turn, in the same breath.
        asyncio.get_running_loop().call_soon(self._hand_over)

    def _hand_over(self) -> None:
        try:
            for response_id in [name for name, turn in self._turns.items() if turn.whole]:
                turn = self._turns.pop(response_id)
                turn.span.end(turn.ended_ns)
        except Exception as error:
            self._break(error)

    def _give_up(self, response_id: str, status: str) -> None:
        turn = self._turns.pop(response_id)
        if turn.ended_ns is None:
            _tell_end(turn.span, status, cut=bool(turn.unsettled))
        turn.span.end(turn.ended_ns)

    def _of(self, response_ids: tuple[str, ...]) -> list[_Turn]:
        return [self._turns[name] for name in response_ids if name in self._turns]

    @property
    def _newest(self) -> _Turn:
        turns = list(self._turns.values())
        return next((turn for turn in reversed(turns) if turn.ended_ns is None), turns[-1])

    def _break(self, error: Exception) -> None:
        self._broken = True
        self._turns.clear()
        _log.warning("no more spans for this session: the tracer raised %s", type(error).__name__)


def _tell_end(span: trace.Span, status: str, *, cut: bool) -> None:
    span.set_attributes({"realtime.turn.status": status, "realtime.turn.cut": cut})
    if status in _FAILED:
        span.set_attribute("error.type", status)
        span.set_status(Status(StatusCode.ERROR))


def _usage(usage: events.Usage) -> dict[str, Any]:
    taken, made = usage.input_token_details, usage.output_token_details
    found = {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
    }
    if isinstance(taken, events.InputTokenDetails):
        found["realtime.usage.input_audio_tokens"] = taken.audio_tokens
        found["realtime.usage.cached_tokens"] = taken.cached_tokens
    if isinstance(made, events.OutputTokenDetails):
        found["realtime.usage.output_audio_tokens"] = made.audio_tokens
    return _known(found)


def _interruption(record: Interruption) -> dict[str, Any]:
    return _known(
        {
            "realtime.interruption.id": record.cut_id,
            "realtime.interruption.askers": record.askers,
            "realtime.interruption.heard_ms": record.heard_ms,
            "realtime.interruption.margin_samples": record.margin_samples,
            "realtime.interruption.stop_us": record.stop_latency_us,
            "realtime.interruption.speech_to_silence_us": record.speech_to_silence_us,
        }
    )


def _settled(record: InterruptionSettled) -> dict[str, Any]:
    return _known(
        {
            "realtime.interruption.id": record.cut_id,
            "realtime.interruption.askers": record.askers,
            "realtime.interruption.heard_ms": record.heard_ms,
            "realtime.interruption.kept_ms": record.kept_ms,
            "realtime.interruption.drift_ms": record.drift_ms,
            "realtime.interruption.exactness": record.exactness,
            "realtime.interruption.commands": record.commands,
            "realtime.interruption.settle_us": record.settle_latency_us,
        }
    )


def _fault(fault: Fault) -> dict[str, Any]:
    return _known(
        {
            "realtime.fault.blame": fault.blame,
            "realtime.fault.code": fault.code,
            "realtime.fault.param": fault.param,
            "realtime.fault.about": fault.about,
        }
    )


def _known(values: dict[str, Any]) -> dict[str, Any]:
    """Without what is null or was not said."""
    return {name: value for name, value in values.items() if value not in (None, UNSET)}
