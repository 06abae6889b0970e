"""A machine that does what a test says, and devices that write down what was done to them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Literal

from bargein.audio.base import Accuracy, Exact, Mark, Report, ReportSink, SoundSink
from bargein.core.commands import Answer, Command
from bargein.core.inputs import Input
from bargein.core.notices import Notice
from bargein.driver.limits import Limits
from bargein.driver.loop import Driver
from bargein.driver.ports import Record, WireEvent
from bargein.transports.base import Pipe
from bargein.transports.memory import MemoryPipe, pair

Reaction = Callable[[Input], Sequence[Command]]


def now_us() -> int:
    return round(asyncio.get_running_loop().time() * 1_000_000)


class Scripted:
    """Writes down what it is told, and answers with what `react` says."""

    def __init__(self, react: Reaction | None = None) -> None:
        self.react = react or (lambda _: [])
        self.seen: list[Input] = []
        self.times_us: list[int] = []
        self.deadline_us: int | None = None

    def handle(self, happened: Input, /, *, now_us: int) -> list[Command]:
        self.seen.append(happened)
        self.times_us.append(now_us)
        return list(self.react(happened))

    def kinds(self) -> list[str]:
        return [type(each).__name__ for each in self.seen]


class LoggingPlayer:
    """Notes every call in `log`. `on_stop` may report at once, from inside the call."""

    accuracy: Accuracy = Exact()

    def __init__(self, log: list[object] | None = None) -> None:
        self.log: list[object] = [] if log is None else log
        self.report: ReportSink = lambda report: None
        self.on_stop: Callable[[str], Report | None] = lambda cut_id: None

    def attach(self, report: ReportSink) -> None:
        self.report = report

    def play(self, mark: Mark, pcm: bytes, rate: int) -> None:
        self.log.append(("play", mark, pcm, rate))

    def finish(self, mark: Mark) -> None:
        self.log.append(("finish", mark))

    def hold(self, cut_id: str) -> None:
        self.log.append(("hold", cut_id))

    def resume(self) -> None:
        self.log.append(("resume",))

    def stop(self, cut_id: str) -> None:
        self.log.append(("stop", cut_id))
        if (report := self.on_stop(cut_id)) is not None:
            self.report(report)

    def close(self) -> None:
        self.log.append(("close",))


class LoggingRecorder:
    def __init__(self) -> None:
        self.log: list[object] = []
        self.sink: SoundSink = lambda pcm, rate: None

    def attach(self, sink: SoundSink) -> None:
        self.sink = sink

    def start(self) -> None:
        self.log.append("start")

    def mute(self, muted: bool) -> None:
        self.log.append(("mute", muted))

    def stop(self) -> None:
        self.log.append("stop")


class LoggingOutlet:
    def __init__(self, log: list[object] | None = None) -> None:
        self.log: list[object] = [] if log is None else log

    def answer(self, answer: Answer) -> None:
        self.log.append(answer)

    def notify(self, notice: Notice) -> None:
        self.log.append(notice)

    def passed(self, direction: Literal["sent", "received"], event: WireEvent) -> None:
        self.log.append((direction, type(event).__name__))


class Rig:
    """A driver over a scripted machine, with a memory pipe whose far end is `peer`."""

    def __init__(
        self,
        react: Reaction | None = None,
        *,
        limits: Limits | None = None,
        record: Record | None = None,
        pipe: Pipe | None = None,
        pipe_limit: int = 65_536,
    ) -> None:
        self.machine = Scripted(react)
        near, self.peer = pair(pipe_limit)
        self.near: MemoryPipe = near
        self.log: list[object] = []
        self.player = LoggingPlayer(self.log)
        self.recorder = LoggingRecorder()
        self.outlet = LoggingOutlet(self.log)
        self.driver = Driver(
            self.machine,
            pipe or near,
            self.player,
            self.recorder,
            self.outlet,
            limits=limits,
            record=record,
        )
        self.run = asyncio.create_task(self.driver.run())

    async def end(self) -> None:
        """The peer hangs up, and the driver ends."""
        await self.peer.close()
        await self.run


def elsewhere(work: Callable[[], object]) -> None:
    """Do it in another thread, while the loop stands still."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


async def settle(turns: int = 20) -> None:
    """Let everything that is ready happen."""
    for _ in range(turns):
        await asyncio.sleep(0)


def others() -> set[asyncio.Task[object]]:
    """The tasks that run besides the test's own."""
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
