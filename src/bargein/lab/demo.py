"""The demo's conversation: a real server, a real WebSocket, a virtual card, in real time.

The user is `caller.Caller`; here is what carries its deeds out and what watches. Nothing is decided
here but when it is over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, assert_never

import bargein
from bargein.audio.files import Audio
from bargein.audio.formats import Samples
from bargein.audio.virtual import VirtualRecorder
from bargein.client.session import Session
from bargein.core.inputs import Part
from bargein.core.machine import Machine
from bargein.core.notices import Lost, Notice
from bargein.errors import BargeinError, TransportError
from bargein.events import ServerVad
from bargein.lab import caller
from bargein.lab.caller import Caller
from bargein.lab.observed import Observed, TraceCheck
from bargein.lab.observer import Observer, WatchedPlayer, loop_us, memory_of
from bargein.lab.plan import INSTRUCTIONS, Plan
from bargein.lab.voices import Line, lines_of, replies_of
from bargein.lab.words import heard_words
from bargein.server.engines.espeak import Speech
from bargein.server.engines.scenario import Scenario, load_scenario
from bargein.server.engines.script import ScriptEngine
from bargein.server.serving import Server, serve_local
from bargein.trace.format import Reader
from bargein.trace.replay import replay
from bargein.units import US_PER_MS, US_PER_S, ms_floor

SCENARIO = "demo"
RECORDED_PAUSE_MS = 900
"""With a recording, the service waits so long before a turn is over: people pause."""
FORMAT = {"type": "audio/pcm", "rate": 24_000}
SESSION_FORMAT: dict[str, Any] = {"audio": {"output": {"format": FORMAT}}}
"""What every service is asked for; one of our own also writes down what the user says."""
TRANSCRIPTION = {"input": {"transcription": {"model": "whisper-1"}}}


class Screen(Protocol):
    """Who is shown what happens, as it happens. Times are from the beginning of the session."""

    def said(self, at_us: int, text: str) -> None:
        """The user begins to say this."""

    def heard(self, at_us: int, part: Part, text: str) -> None:
        """These words of the assistant's part have been heard so far."""

    def told(self, at_us: int, notice: Notice) -> None:
        """The application was told this."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Call:
    """What is to be held, with whom. Without a `url`, with a server of our own."""

    plan: Plan
    trace: Path
    recording: Path | None = None
    url: str | None = None
    api_key: str | None = None
    model: str = "gpt-realtime"
    scenario: Scenario = field(default_factory=lambda: load_scenario(SCENARIO))


@dataclass(frozen=True, slots=True)
class Held:
    """What was seen of a conversation, and its sound: left the user, right what the ear heard.

    `sound` has the shape (n, 2), at `observed.card.rate`, on the axis of `observed`.
    """

    observed: Observed
    sound: Samples


async def hold(call: Call, screen: Screen) -> Held:
    """Hold the conversation, and give all that was seen of it.

    Raises the errors of `connect` and `serve_local` where there is no conversation to be had. One
    that breaks later is observed up to there, and `unmet` says so.
    """
    local = call.url is None
    lines = await asyncio.to_thread(lines_of, call.plan, call.recording)
    known = await asyncio.to_thread(replies_of, call.scenario) if local else ()
    said: list[str] = []
    async with _server(call, said) as server:
        return await _hold(call, screen, server, lines, known, said)


@asynccontextmanager
async def _server(call: Call, said: Sequence[str]) -> AsyncIterator[Server | None]:
    """A server of our own, if there is no other. It hears what was said by being told so."""
    if call.url is not None:
        yield None
        return
    engine = partial(ScriptEngine, call.scenario, hears=said)
    async with serve_local(call.scenario, any_model=True, engine=engine) as server:
        yield server


async def _hold(
    call: Call,
    screen: Screen,
    server: Server | None,
    lines: Sequence[Line],
    known: Sequence[Speech],
    said: list[str],
) -> Held:
    recorder = VirtualRecorder()
    user = _User(call.plan, lines, screen, recorder, known, said)
    settings = SESSION_FORMAT
    if server is not None:
        settings = {"audio": {**SESSION_FORMAT["audio"], **TRANSCRIPTION}}
    connecting = bargein.connect(
        call.model,
        url=call.url if server is None else server.url,
        api_key=call.api_key if server is None else server.api_key,
        proxy=True if server is None else None,
        session=settings,
        instructions=INSTRUCTIONS,
        turns=ServerVad(silence_duration_ms=RECORDED_PAUSE_MS) if call.recording else ServerVad(),
        audio=Audio(user.observer.player, recorder),
        trace=call.trace,
    )
    session: Session | None = None
    machine = None
    try:
        async with connecting as session:
            if server is not None:
                machine = next(iter(server.sessions.values())).machine
            await user.run(session)
            await session.close()
            await user.drained()
    except TransportError as error:
        if session is None:
            raise
        user.leave(f"the connection failed: {error}")
    finally:
        user.close()
    mirror_ids = tuple(item.id for item in session.conversation if item.state != "coming")
    observed = user.observer.observed(
        memory=None if machine is None else memory_of(machine.memory),
        mirror_ids=mirror_ids,
        known=known,
        trace=await asyncio.to_thread(_check_trace, call.trace),
        unmet=user.unmet,
    )
    return Held(observed, user.observer.sound())


class _User:
    """Carries out what the caller decides, and sees to it that it learns what happens."""

    def __init__(
        self,
        plan: Plan,
        lines: Sequence[Line],
        screen: Screen,
        recorder: VirtualRecorder,
        known: Sequence[Speech],
        said: list[str],
    ) -> None:
        self._said = said
        self.observer = Observer(WatchedPlayer(plan.card, self._progress), recorder)
        self.unmet: str | None = None
        self._caller = Caller(plan.turns)
        self._lines, self._screen, self._recorder, self._known = lines, screen, recorder, known
        self._heard: dict[Part, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._start_us = loop_us()
        self._gone = asyncio.Event()
        self._readers: list[asyncio.Task[None]] = []

    async def run(self, session: Session) -> None:
        """From the standing session to the user's leaving."""
        self._start_us = loop_us()
        self._readers = [
            asyncio.create_task(self._read_wire(session)),
            asyncio.create_task(self._read_notices(session)),
        ]
        self._feed(caller.Began())
        await self._gone.wait()

    async def drained(self) -> None:
        """Wait until everything that the closed session said was read."""
        await asyncio.gather(*self._readers)

    def close(self) -> None:
        """End what still runs."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._readers:
            task.cancel()

    def leave(self, unmet: str | None) -> None:
        """The user is gone; the first reason counts."""
        if not self._gone.is_set():
            self.unmet = unmet
            self._gone.set()

    async def _read_wire(self, session: Session) -> None:
        with self._watching():
            async for seen in session.events():
                if isinstance(seen, bargein.Passed):
                    self.observer.passed(seen)

    async def _read_notices(self, session: Session) -> None:
        with self._watching():
            async for notice in session:
                self.observer.told(notice)
                self._screen.told(loop_us() - self._start_us, notice)
                if isinstance(notice, Lost):
                    why = f": {notice.reason}" if notice.reason else ""
                    self.leave(f"the connection ended{why}")
                self._feed(notice)

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        """However the session ends, the user does not wait for it for ever."""
        try:
            yield
        except BargeinError as error:
            self.leave(f"the session failed: {error}")
        finally:
            self.leave("the session ended before the user left")

    def _progress(self, part: Part, samples: int) -> None:
        self._heard[part] = samples
        words, _ = self.observer.words_of(part, self._known)
        self._screen.heard(loop_us() - self._start_us, part, heard_words(words, samples))
        total = sum(n for each, n in self._heard.items() if each.response_id == part.response_id)
        self._feed(caller.ReplyHeard(part.response_id, ms_floor(total, 24_000)))

    def _feed(self, happened: caller.Happening) -> None:
        for deed in self._caller.handle(happened, now_us=loop_us()):
            match deed:
                case caller.Say(turn=turn):
                    self._say(self._lines[turn])
                case caller.Leave(unmet=unmet):
                    self.leave(unmet)
                case _:
                    assert_never(deed)
        self._arm()

    def _say(self, line: Line) -> None:
        speech = self._recorder.say(line.pcm, line.rate)
        self._said.append(line.text if line.words_known else "")
        self.observer.said(line.text, speech.start_us, speech.end_us)
        self._screen.said(speech.start_us - self._start_us, line.text)
        self._feed(caller.Said(speech.end_us))

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_us = self._caller.deadline_us
        if due_us is not None and not self._gone.is_set():
            loop = asyncio.get_running_loop()
            # A millisecond late rather than early, so that one tick is enough.
            self._timer = loop.call_at((due_us + US_PER_MS) / US_PER_S, self._feed, caller.Tick())


def _check_trace(path: Path) -> TraceCheck:
    """Replay the session's own trace through a fresh machine."""
    with path.open("rb") as file:
        result = replay(Reader(file), Machine)
    failure = None
    if result.difference is not None:
        failure = f"line {result.difference.line} of the trace gives something else"
    elif result.lost_at_line is not None or result.cut:
        failure = "the trace is not whole"
    return TraceCheck(result.inputs, result.commands, failure)
