"""The client's one loop, over a scripted machine and a memory pipe, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from tests.driver_rig import Rig, elsewhere, others, settle
from tests.virtual_loop import run

from bargein import events
from bargein.audio import base, formats
from bargein.audio.formats import bytes_of
from bargein.core import commands as cmd
from bargein.core import inputs as inp
from bargein.core.asks import Interrupt
from bargein.core.notices import Dropped, FloorChanged
from bargein.driver.limits import Limits
from bargein.errors import DeviceError, TransportError
from bargein.events import codec
from bargein.transports.base import PipeEnd
from bargein.units import AudioFormat

PART = inp.Part("resp_1", "item_1", 0)
CLEAR = events.InputAudioBufferClear()


def on(kind: type[inp.Input], *todo: cmd.Command):  # type: ignore[no-untyped-def]  # a reaction
    return lambda happened: todo if isinstance(happened, kind) else ()


def frame(audio: bytes = b"") -> str:
    return codec.encode(
        events.ResponseOutputAudioDelta(
            event_id="e",
            response_id="r",
            item_id="i",
            output_index=0,
            content_index=0,
            delta=audio,
        )
    )


def test_the_machine_is_told_first_that_the_pipe_is_open_and_last_that_it_ended() -> None:
    async def main() -> None:
        rig = Rig()
        await rig.peer.send(frame())
        await settle()
        await rig.peer.close(1001, "bye")
        await rig.run
        assert rig.machine.kinds() == ["PipeOpened", "Received", "PipeClosed"]
        assert rig.machine.seen[-1] == inp.PipeClosed(1001, "bye")
        assert not others()

    run(main())


def test_all_commands_of_an_input_are_done_in_order_before_the_next_input() -> None:
    async def main() -> None:
        order: list[object] = []

        def react(happened: inp.Input) -> Sequence[cmd.Command]:
            order.append(type(happened).__name__)
            if isinstance(happened, inp.Asked):
                return [
                    cmd.StopPlayback("cut_1"),
                    cmd.Send(CLEAR),
                    cmd.Notify(FloorChanged("user")),
                    cmd.Answer(1),
                ]
            return ()

        rig = Rig(react)
        rig.player.log = rig.outlet.log = order
        # This player answers from inside the call, which must wait behind the other commands.
        rig.player.on_stop = lambda cut_id: base.Stopped(cut_id, {PART: 7})
        await settle()
        rig.driver.feed(inp.Asked(1, Interrupt()))
        await settle()
        assert order == [
            "PipeOpened",
            "Asked",
            ("stop", "cut_1"),
            ("sent", "InputAudioBufferClear"),
            FloorChanged("user"),
            cmd.Answer(1),
            "PlaybackStopped",
        ]
        assert rig.machine.seen[-1] == inp.PlaybackStopped("cut_1", (inp.Heard(PART, 7),), 0)
        assert await rig.peer.receive() == codec.encode(CLEAR)
        await rig.end()

    run(main())


def test_an_ask_from_inside_a_command_waits_for_the_commands_before_it() -> None:
    async def main() -> None:
        def react(happened: inp.Input) -> Sequence[cmd.Command]:
            if isinstance(happened, inp.PipeOpened):
                return [cmd.StopPlayback("a"), cmd.ResumePlayback()]
            return [cmd.Answer(9)] if isinstance(happened, inp.Asked) else ()

        rig = Rig(react)

        def ask(cut_id: str) -> None:
            rig.driver.feed(inp.Asked(9, Interrupt()))

        rig.player.on_stop = ask
        await settle()
        assert rig.log == [("stop", "a"), ("resume",), cmd.Answer(9)]
        assert rig.machine.kinds() == ["PipeOpened", "Asked"]
        await rig.end()

    run(main())


@pytest.mark.parametrize("audio_format", AudioFormat)
def test_sound_reaches_the_player_as_samples_at_the_rate_of_its_format(
    audio_format: AudioFormat,
) -> None:
    async def main() -> None:
        pcm = bytes_of(np.arange(-800, 800, dtype=np.int16))
        wire = formats.encode(pcm, audio_format)
        rig = Rig(on(inp.PipeOpened, cmd.Play(PART, wire, audio_format), cmd.FinishPlay(PART)))
        await settle()
        heard = formats.decode(wire, audio_format)
        assert rig.log == [("play", PART, heard, audio_format.rate), ("finish", PART)]
        assert len(heard) == len(pcm)
        await rig.end()

    run(main())


@pytest.mark.parametrize("audio_format", AudioFormat)
def test_the_microphone_is_sent_in_the_format_of_the_session(audio_format: AudioFormat) -> None:
    async def main() -> None:
        rig = Rig(on(inp.PipeOpened, cmd.UseInputFormat(audio_format)))
        await settle()
        assert rig.recorder.log == ["start"]
        for _ in range(50):
            rig.recorder.sink(bytes_of(np.full(960, 5_000, dtype=np.int16)), 48_000)
            await settle(2)
        captured = [s.audio for s in rig.machine.seen if isinstance(s, inp.Captured)]
        wire = b"".join(captured)
        samples = audio_format.samples(len(wire))
        # A second of sound, less what the filter holds back.
        assert 0.99 * audio_format.rate < samples <= audio_format.rate
        level = np.frombuffer(formats.decode(wire, audio_format), dtype=np.int16)[1000:-100]
        assert 4_800 < level.min() <= level.max() < 5_200
        await rig.end()

    run(main())


def test_half_a_sample_from_the_service_harms_nobody() -> None:
    async def main() -> None:
        rig = Rig(
            on(
                inp.PipeOpened,
                cmd.Play(PART, b"\1\2\3", AudioFormat.PCM),
                cmd.Play(PART, b"\1", AudioFormat.PCM),
            )
        )
        await settle()
        assert rig.log == [("play", PART, b"\1\2", 24_000), ("play", PART, b"", 24_000)]
        await rig.end()

    run(main())


def test_the_microphone_is_not_started_before_its_sound_is_wanted_and_only_once() -> None:
    async def main() -> None:
        rig = Rig(on(inp.Asked, cmd.UseInputFormat(AudioFormat.PCM), cmd.MuteMicrophone(True)))
        await settle()
        assert rig.recorder.log == []
        rig.driver.feed(inp.Asked(1, Interrupt()))
        rig.driver.feed(inp.Asked(2, Interrupt()))
        assert rig.recorder.log == ["start", ("mute", True), ("mute", True)]
        await rig.end()

    run(main())


@pytest.mark.parametrize(
    ("moves", "ticks"),
    [
        ([(0, 500_000)], [500_000]),
        ([(0, 900_000), (100_000, 1_500_001)], [1_500_001]),
        ([(0, 900_000), (100_000, 200_003)], [200_003]),
        ([(0, 900_000), (100_000, 1_500_000), (200_000, 700_001)], [700_001]),
        ([(0, 300_000), (200_000, None)], []),
        ([(0, -5)], [0]),
    ],
)
def test_a_tick_comes_at_its_deadline_however_that_moved(
    moves: list[tuple[int, int | None]], ticks: list[int]
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        rig = Rig()
        await settle()
        start = round(loop.time() * 1_000_000)

        def react(happened: inp.Input) -> Sequence[cmd.Command]:
            if isinstance(happened, inp.Tick):
                rig.machine.deadline_us = None
            return ()

        rig.machine.react = react
        for at, deadline in moves:
            await asyncio.sleep((start + at) / 1e6 - loop.time())
            rig.machine.deadline_us = None if deadline is None else start + deadline
            rig.driver.feed(inp.Asked(1, Interrupt()))
        await asyncio.sleep(3_600)
        seen = zip(rig.machine.times_us, rig.machine.seen, strict=True)
        assert [at - start for at, each in seen if isinstance(each, inp.Tick)] == ticks
        await rig.end()

    run(main())


def test_time_never_goes_back_for_the_machine() -> None:
    async def main() -> None:
        readings = iter([5, 9, 3, 3, 12, *([12] * 50)])
        rig = Rig()
        rig.driver._clock_us = lambda: next(readings)
        for _ in range(4):
            rig.driver.feed(inp.Drained())
        assert rig.machine.times_us == sorted(rig.machine.times_us)
        await rig.end()

    run(main())


def test_a_peer_that_never_reads_is_told_to_the_machine_and_lost_at_the_send_deadline() -> None:
    async def main() -> None:
        chunk = cmd.SendAudio(bytes(3_000))
        sent = 0

        def react(happened: inp.Input) -> Sequence[cmd.Command]:
            nonlocal sent
            if isinstance(happened, inp.Captured) and not any(
                isinstance(s, inp.Blocked) for s in rig.machine.seen
            ):
                sent += 1
                return [chunk]
            return ()

        rig = Rig(react, limits=Limits(send_s=20))
        start = asyncio.get_running_loop().time()
        for _ in range(1_000):
            rig.driver.feed(inp.Captured(b""))
            await settle(1)
        assert rig.machine.kinds().count("Blocked") == 1
        assert sent < 50
        assert rig.driver._outgoing.characters < 75_000
        await rig.run
        assert asyncio.get_running_loop().time() - start == pytest.approx(20, abs=0.1)
        assert rig.machine.seen[-1] == inp.PipeClosed(None, "the socket took nothing for 20 s")
        assert not others()

    run(main())


def test_a_socket_that_takes_again_is_told_when_all_that_waited_is_written() -> None:
    async def main() -> None:
        # The pipe takes one frame at a time, so the eleventh reading makes room for the twelfth.
        rig = Rig(on(inp.Asked, *[cmd.SendAudio(bytes(10_000))] * 12), pipe_limit=1)
        await settle()
        rig.driver.feed(inp.Asked(1, Interrupt()))
        await settle()
        assert rig.machine.kinds() == ["PipeOpened", "Asked", "Blocked"]
        for n in range(11):
            assert "Drained" not in rig.machine.kinds(), n
            await rig.peer.receive()
            await settle()
        assert rig.machine.kinds() == ["PipeOpened", "Asked", "Blocked", "Drained"]
        await rig.end()

    run(main())


def test_a_close_goes_out_behind_everything_that_was_sent_before_it() -> None:
    async def main() -> None:
        rig = Rig(
            on(inp.Asked, *[cmd.Send(CLEAR)] * 3, cmd.Close(1000, "done"), cmd.Send(CLEAR)),
            pipe_limit=1,
        )
        await settle()
        rig.driver.feed(inp.Asked(1, Interrupt()))
        got = [await rig.peer.receive() for _ in range(4)]
        assert got == [*[codec.encode(CLEAR)] * 3, PipeEnd(1000, "done")]
        await rig.run
        assert rig.log.count(("sent", "InputAudioBufferClear")) == 3

    run(main())


def test_after_the_pipe_the_player_may_still_answer_what_the_machine_waits_for() -> None:
    async def main() -> None:
        def react(happened: inp.Input) -> Sequence[cmd.Command]:
            if isinstance(happened, inp.PipeClosed):
                rig.machine.deadline_us = rig.machine.times_us[-1] + 200_000
                return [cmd.StopPlayback("c")]
            if isinstance(happened, inp.PlaybackStopped):
                rig.machine.deadline_us = None
            return ()

        rig = Rig(react)
        await settle()
        await rig.peer.close()
        await asyncio.sleep(0.1)
        assert not rig.run.done()
        rig.player.report(base.Stopped("c", {}))
        await rig.run
        assert rig.machine.kinds()[-2:] == ["PipeClosed", "PlaybackStopped"]

    run(main())


def test_a_machine_that_waits_for_ever_holds_the_end_up_for_a_second_only() -> None:
    async def main() -> None:
        rig = Rig()
        rig.machine.deadline_us = 10**15
        await settle()
        start = asyncio.get_running_loop().time()
        await rig.end()
        assert asyncio.get_running_loop().time() - start == pytest.approx(1)
        assert not others()

    run(main())


class Broken(Exception):
    pass


def test_what_the_machine_raises_ends_the_run_and_is_recorded() -> None:
    async def main() -> None:
        def react(happened: inp.Input) -> Sequence[cmd.Command]:
            if isinstance(happened, inp.Asked):
                raise Broken
            return ()

        kept: list[tuple[object, object]] = []
        rig = Rig(
            react, record=lambda now, happened, todo, raised=None: kept.append((todo, raised))
        )
        await settle()
        rig.driver.feed(inp.Asked(1, Interrupt()))
        with pytest.raises(Broken):
            await rig.run
        assert kept[0] == ([], None)
        assert kept[1][0] is None and isinstance(kept[1][1], Broken)
        assert await rig.peer.receive() == PipeEnd(1000, "")
        assert not others()

    run(main())


@pytest.mark.parametrize("where", ["attach", "play", "stop", "report", "record", "start", "sound"])
def test_what_a_device_or_a_hook_raises_ends_the_run_and_nothing_is_left(where: str) -> None:
    async def main() -> None:
        def broken(*_: object, **__: object) -> None:
            raise Broken

        def broken_by_progress(happened: inp.Input) -> Sequence[cmd.Command]:
            if isinstance(happened, inp.Rendered):
                raise Broken
            return ()

        rig = Rig(
            on(
                inp.PipeOpened,
                cmd.Play(PART, b"", AudioFormat.PCM),
                cmd.UseInputFormat(AudioFormat.PCM),
                cmd.StopPlayback("c"),
            ),
            record=broken if where == "record" else None,
        )
        if where in ("attach", "play", "stop"):
            setattr(rig.player, where, broken)
        elif where == "start":
            rig.recorder.start = broken  # type: ignore[method-assign]  # that is the test
        elif where == "report":
            rig.machine.react = broken_by_progress
        await settle(1 if where == "attach" else 20)
        if where == "report":
            rig.player.report(base.Rendered({PART: 1}))
        if where == "sound":
            rig.recorder.sink(b"odd", 24_000)
        with pytest.raises(ValueError if where == "sound" else Broken):
            await rig.run
        rig.driver.feed(inp.Drained())
        assert "Drained" not in rig.machine.kinds(), "nothing is handled after the end"
        assert not others()

    run(main())


@pytest.mark.parametrize("turns", range(1, 10))
@pytest.mark.parametrize("peer_reads", [True, False])
def test_a_run_that_is_cancelled_at_any_moment_leaves_no_task_and_no_open_pipe(
    turns: int, peer_reads: bool
) -> None:
    async def main() -> None:
        rig = Rig(on(inp.Received, cmd.SendAudio(bytes(30_000)), cmd.Close()), pipe_limit=100)
        await rig.peer.send(frame())
        reader = asyncio.create_task(rig.peer.receive()) if peer_reads else None
        await settle(turns)
        rig.run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await rig.run
        if reader is not None:
            await reader
        with pytest.raises(TransportError):
            await rig.peer.send("x")
        assert not others()
        assert asyncio.get_running_loop().time() == 1_000.0

    run(main())


def test_sound_and_reports_from_another_thread_arrive_and_late_ones_harm_nobody() -> None:
    async def main() -> None:
        rig = Rig(on(inp.PipeOpened, cmd.UseInputFormat(AudioFormat.PCM)))
        await settle()

        def device() -> None:
            for n in range(1, 101):
                rig.player.report(base.Rendered({PART: n}))
                rig.recorder.sink(bytes(960), 24_000)

        for _ in range(2):
            thread = threading.Thread(target=device)
            thread.start()
            await asyncio.sleep(0)
            thread.join()
            await settle()
            if not rig.run.done():
                heard = [s for s in rig.machine.seen if isinstance(s, inp.Rendered)]
                assert heard[-1] == inp.Rendered((inp.Heard(PART, 100),))
                captured = [s.audio for s in rig.machine.seen if isinstance(s, inp.Captured)]
                assert len(b"".join(captured)) == 96_000
                await rig.end()
        assert rig.machine.kinds()[-1] == "PipeClosed"
        rig.player.report(base.Rendered({PART: 1}))
        rig.recorder.sink(bytes(960), 24_000)
        assert rig.driver._intake.take_reports() == []
        assert rig.driver._intake.take_sound() == ([], {})

    run(main())


def test_microphone_sound_beyond_the_bound_is_dropped_oldest_first_and_counted() -> None:
    async def main() -> None:
        rig = Rig(
            on(inp.PipeOpened, cmd.UseInputFormat(AudioFormat.PCMU)),
            limits=Limits(microphone_ms=100),
        )
        await settle()
        sounds = [bytes_of(np.full(160, n * 100, dtype=np.int16)) for n in range(25)]
        elsewhere(lambda: [rig.recorder.sink(sound, 16_000) for sound in sounds])
        await settle()
        dropped = [each for each in rig.log if isinstance(each, Dropped)]
        captured = [s.audio for s in rig.machine.seen if isinstance(s, inp.Captured)]
        # What is told is counted as the wire would have counted it.
        assert dropped == [Dropped("microphone", 15 * 80)]
        heard = np.frombuffer(formats.decode(b"".join(captured), AudioFormat.PCMU), dtype=np.int16)
        assert 10 * 80 - 20 <= len(heard) <= 10 * 80
        assert heard[40] == pytest.approx(1_500, abs=64)
        assert heard[-1] == pytest.approx(2_400, abs=64)
        await rig.end()

    run(main())


def test_sounds_of_the_application_on_the_same_player_are_not_ours_to_count() -> None:
    async def main() -> None:
        rig = Rig()
        await settle()
        rig.player.report(base.Rendered({"a beep": 5, PART: 6}))
        rig.player.report(base.Changed(base.Within(48), "headset"))
        rig.player.report(base.Starved(480))
        rig.player.report(base.Held("h", {PART: 6}))
        await settle()
        assert rig.machine.seen[1:] == [
            inp.Rendered((inp.Heard(PART, 6),)),
            inp.DeviceChanged(48, "headset"),
            inp.Starved(480),
            inp.PlaybackHeld("h", (inp.Heard(PART, 6),)),
        ]
        await rig.end()

    run(main())


def test_a_player_that_reports_without_end_ends_the_session_as_a_broken_device() -> None:
    async def main() -> None:
        rig = Rig()
        await settle()
        elsewhere(lambda: [rig.player.report(base.Stopped(f"{n}", {})) for n in range(2_000)])
        with pytest.raises(DeviceError, match="player"):
            await rig.run

    run(main())
