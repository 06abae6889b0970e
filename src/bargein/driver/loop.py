"""The only loop of the client: pipe, player, recorder, tools ⇄ machine. It decides nothing.

1. Everything that happens becomes one input, with the time; its commands are done, in order,
   before the next input. What a command causes at once (a full socket) waits behind them.
2. One timer is armed, from the machine's `deadline_us`.
3. What devices say from other threads comes in through bounded queues (`intake`). Sound that had
   to be dropped there never reaches the machine: it is counted, and told as `Dropped`.
4. `run` owns every task it starts, and they are over when it returns. An exception of the machine,
   a device or a hook of the application ends it, and is raised by it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, assert_never

from bargein import events
from bargein.audio import base
from bargein.capabilities import Capabilities
from bargein.core import commands as cmd
from bargein.core import inputs as inp
from bargein.core.notices import Dropped
from bargein.driver.intake import Intake, WireSound, as_input, sound_of
from bargein.driver.limits import Limits
from bargein.driver.outgoing import Outgoing
from bargein.driver.ports import Core, Outlet, Record
from bargein.events import codec, dialect
from bargein.tools.base import Approved, Toolbox, ToolReport
from bargein.transports.base import MediaPipe, Pipe, PipeEnd
from bargein.units import US_PER_S

if TYPE_CHECKING:
    from bargein.driver.media import Media

_AFTERMATH_S = 1.0


class Driver:
    """One session's loop. `feed` and `run` belong to the loop's thread."""

    def __init__(
        self,
        machine: Core,
        pipe: Pipe,
        player: base.Player,
        recorder: base.Recorder | None,
        outlet: Outlet,
        *,
        capabilities: Capabilities | None = None,
        limits: Limits | None = None,
        tools: Toolbox | None = None,
        record: Record | None = None,
        clock_us: Callable[[], int] | None = None,
    ) -> None:
        """`pipe` is open already. `clock_us` is monotonic and runs as `loop.time()` does."""
        self._machine, self._pipe, self._outlet = machine, pipe, outlet
        self._player, self._recorder = player, recorder
        self._capabilities = capabilities or Capabilities()
        beta = self._capabilities.dialect == "beta"
        self._encode = dialect.encode_client if beta else codec.encode
        self._limits = limits or Limits()
        self._record = record
        self._tools = tools
        self._loop = asyncio.get_running_loop()
        self._clock_us = clock_us or (lambda: round(self._loop.time() * US_PER_S))
        self._now_us = 0
        self._inputs: deque[inp.Input] = deque()
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_us = 0
        self._intake = Intake(self._take_in, sound_limit_ms=self._limits.microphone_ms)
        self._wire_sound: WireSound | None = None
        self._outgoing = Outgoing(
            pipe,
            limit_characters=self._limits.outgoing_characters,
            send_s=self._limits.send_s,
            blocked=lambda: self._inputs.append(inp.Blocked()),
            drained=lambda: self.feed(inp.Drained()),
        )
        self._media: Media | None = None
        if isinstance(pipe, MediaPipe) and self._capabilities.playback_owner == "server":
            # What it stands on is an extra that only calls need.
            from bargein.driver.media import Media

            self._media = Media(pipe, self.feed, self._clock_us)
        self._pipe_over = False
        self._end: asyncio.Future[None] = self._loop.create_future()

    async def run(self) -> None:
        """From the open pipe to its end and to what the machine still waits for after it.

        May be cancelled; then the pipe is closed at once. Raises what ended it, if not the pipe.
        """
        tasks: list[asyncio.Task[None]] = []
        try:
            self._player.attach(self._intake.report)
            if self._recorder is not None:
                self._recorder.attach(self._intake.sound)
            if self._tools is not None:
                self._tools.attach(self._reported)
            self.feed(inp.PipeOpened(self._capabilities))
            tasks = [self._loop.create_task(work()) for work in (self._read, self._write)]
            await self._end
        finally:
            if not self._end.cancel() and not self._end.cancelled():
                self._end.exception()  # seen here where a cancellation hid it from the caller
            if self._timer is not None:
                self._timer.cancel()
            self._intake.close()
            if self._media is not None:
                self._media.close()
            for task in tasks:
                task.cancel()
            try:
                await self._pipe.close()
            finally:
                if self._tools is not None:
                    await self._tools.close()
                if tasks:
                    await asyncio.wait(tasks)

    def stop(self) -> None:
        """End `run` now, whatever the machine still waits for."""
        self._finish()

    def feed(self, happened: inp.Input) -> None:
        """Handle an input now, or behind the one that is being handled. Does nothing at the end."""
        self._inputs.append(happened)
        if self._busy:
            return
        self._busy = True
        try:
            while self._inputs and not self._end.done():
                self._handle(self._inputs.popleft())
        except Exception as error:
            self._fail(error)
        finally:
            self._busy = False
        self._arm()

    def _handle(self, happened: inp.Input) -> None:
        self._now_us = max(self._now_us, self._clock_us())
        try:
            todo = self._machine.handle(happened, now_us=self._now_us)
        except Exception as error:
            if self._record is not None:
                self._record(self._now_us, happened, None, error)
            raise
        if self._record is not None:
            self._record(self._now_us, happened, todo)
        for command in todo:
            self._do(command)

    def _do(self, command: cmd.Command) -> None:
        match command:
            case cmd.Send(event=event):
                self._send(event)
            case cmd.SendAudio(audio=audio) if self._media is not None:
                self._speak(audio)
            case cmd.SendAudio(audio=audio):
                self._send(events.InputAudioBufferAppend(audio=audio))
            case cmd.Play(part=part, audio=audio, format=audio_format):
                self._player.play(part, sound_of(audio, audio_format), audio_format.rate)
            case cmd.FinishPlay(part=part):
                self._player.finish(part)
            case cmd.HoldPlayback(cut_id=cut_id):
                self._player.hold(cut_id)
            case cmd.ResumePlayback():
                self._player.resume()
            case cmd.StopPlayback(cut_id=cut_id):
                self._player.stop(cut_id)
            case cmd.UseInputFormat(format=audio_format):
                self._capture(WireSound(audio_format))
            case cmd.MuteMicrophone(muted=muted):
                if self._recorder is not None:
                    self._recorder.mute(muted)
            case cmd.AskApproval() | cmd.RunTool() | cmd.CancelTool():
                self._call_tool(command)
            case cmd.Answer():
                self._outlet.answer(command)
            case cmd.Notify(notice=notice):
                self._outlet.notify(notice)
            case cmd.Close():
                self._outgoing.close(command)
            case _:
                assert_never(command)

    def _speak(self, wire: bytes) -> None:
        assert self._media is not None and self._wire_sound is not None
        self._media.speak(sound_of(wire, self._wire_sound.audio_format))

    def _call_tool(self, command: cmd.AskApproval | cmd.RunTool | cmd.CancelTool) -> None:
        assert self._tools is not None, "a machine that knows tools is given what runs them"
        match command:
            case cmd.AskApproval(call_id=call_id, name=name, arguments=arguments):
                self._tools.ask(call_id, name, arguments, command.server_label)
            case cmd.RunTool(call_id=call_id, name=name, arguments=arguments):
                self._tools.run(call_id, name, arguments)
            case cmd.CancelTool(call_id=call_id):
                self._tools.cancel(call_id)

    def _reported(self, report: ToolReport) -> None:
        if isinstance(report, Approved):
            self.feed(inp.ToolApproved(report.call_id, report.granted, report.reason))
        else:
            self.feed(inp.ToolReturned(report.call_id, report.output, report.failed))

    def _capture(self, wire_sound: WireSound) -> None:
        first = self._wire_sound is None
        self._wire_sound = wire_sound
        if first and self._recorder is not None:
            self._recorder.start()

    def _send(self, event: events.ClientEvent) -> None:
        if self._outgoing.put(self._encode(event)):
            self._outlet.passed("sent", event)

    async def _write(self) -> None:
        with self._failing():
            await self._outgoing.run()

    async def _read(self) -> None:
        with self._failing():
            while not isinstance(frame := await self._pipe.receive(), PipeEnd):
                event = dialect.decode_server(frame)
                self._outlet.passed("received", event)
                self.feed(inp.Received(event))
            self._pipe_over = True
            # The machine may still wait for the player's answer to a stop.
            self._loop.call_later(_AFTERMATH_S, self._finish)
            if why := self._outgoing.why_lost:
                frame = PipeEnd(None, why)
            self.feed(inp.PipeClosed(frame.code, frame.reason))

    def _take_in(self) -> None:
        try:
            if self._intake.has_reports:
                for report in self._intake.take_reports():
                    self.feed(as_input(report))
            if not self._intake.has_sound:
                return
            sound, dropped = self._intake.take_sound()
            if self._wire_sound is None:
                return
            rate_out = self._wire_sound.audio_format.rate
            if count := sum(n * rate_out // rate for rate, n in dropped.items()):
                self._outlet.notify(Dropped("microphone", count))
            for pcm, rate in sound:
                if wire := self._wire_sound.push(pcm, rate):
                    self.feed(inp.Captured(wire))
        except Exception as error:
            self._fail(error)

    def _arm(self) -> None:
        due_us = self._machine.deadline_us
        if due_us is None and self._pipe_over:
            self._finish()
        if self._timer is not None:
            # Most deadlines only move back: then the timer fires early once and is armed again,
            # which costs less than a new one after every input.
            if due_us is not None and self._timer_us <= due_us and not self._end.done():
                return
            self._timer.cancel()
            self._timer = None
        if due_us is not None and not self._end.done():
            delay_s = max(0, due_us - self._clock_us()) / US_PER_S
            self._timer_us = due_us
            self._timer = self._loop.call_later(delay_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        due_us = self._machine.deadline_us
        if due_us is not None and due_us <= self._clock_us():
            self.feed(inp.Tick())
        else:
            self._arm()

    def _finish(self) -> None:
        if not self._end.done():
            self._end.set_result(None)

    def _fail(self, error: Exception) -> None:
        if not self._end.done():
            self._end.set_exception(error)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._fail(error)
