"""The virtual player and recorder on an event loop, in virtual time."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from tests.virtual_loop import run

from bargein.audio.base import Changed, Held, Player, Recorder, Rendered, Report, Stopped, Unknown
from bargein.audio.card_settings import CardSettings
from bargein.audio.formats import Samples, bytes_of, samples_of
from bargein.audio.virtual import VirtualPlayer, VirtualRecorder
from bargein.errors import DeviceError, LocalValueError


def sound(samples: int) -> Samples:
    return np.random.default_rng(3).integers(1_000, 9_000, samples).astype(np.int16)


def now_us() -> int:
    return round(asyncio.get_running_loop().time() * 1_000_000)


def test_both_are_what_the_session_asks_for() -> None:
    player: Player = VirtualPlayer()
    recorder: Recorder = VirtualRecorder()
    assert player.accuracy is not None
    assert recorder is not None


@pytest.mark.parametrize("on_stop", ["drain", "discard"])
def test_the_answer_to_a_stop_is_what_the_ear_has_in_the_end(on_stop: str) -> None:
    async def main() -> None:
        player = VirtualPlayer(CardSettings(rate=48_000, on_stop=on_stop))  # type: ignore[arg-type]  # a literal by the table
        reports: list[Report] = []
        player.attach(reports.append)
        player.play("a", bytes_of(sound(48_000)), 24_000)
        await asyncio.sleep(0.5123)
        player.stop("cut")
        assert not any(isinstance(report, Stopped) for report in reports)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        answer = reports[-1]
        assert isinstance(answer, Stopped)
        await asyncio.sleep(2)
        player.close()
        assert answer.heard_samples == {"a": player.card.heard("a")}
        assert abs(len(player.ear.samples("a")) - 2 * answer.heard_samples["a"]) <= 1
        assert 0.4 < answer.heard_samples["a"] / 24_000 < 0.56

    run(main())


def test_progress_arrives_block_by_block_until_all_is_heard() -> None:
    async def main() -> list[tuple[int, int]]:
        player = VirtualPlayer(CardSettings(block=480, latency_us=40_000))
        start, seen = now_us(), list[tuple[int, int]]()

        def sink(report: Report) -> None:
            assert isinstance(report, Rendered)
            seen.append(((now_us() - start) // 1_000, report.heard_samples["a"]))

        player.attach(sink)
        player.play("a", bytes_of(sound(1_440)), 24_000)
        player.finish("a")
        await asyncio.sleep(5)
        return seen

    # Block 0 is taken, silent, before the sound is there; 20 ms blocks, heard 40 ms later.
    assert run(main()) == [(80, 480), (100, 960), (120, 1_440)]


def test_a_sink_may_call_the_player_back() -> None:
    async def main() -> list[Report]:
        player = VirtualPlayer()
        reports: list[Report] = []

        def sink(report: Report) -> None:
            reports.append(report)
            if isinstance(report, Rendered) and len(reports) == 3:
                player.hold("h")
            if isinstance(report, Held):
                player.stop("h")
            if isinstance(report, Stopped):
                player.close()

        player.attach(sink)
        player.play("a", bytes_of(sound(24_000)), 24_000)
        await asyncio.sleep(2)
        return reports

    *_, held, stopped = run(main())
    assert isinstance(held, Held)
    assert isinstance(stopped, Stopped)
    assert held.heard_samples == stopped.heard_samples


def test_hold_and_resume_go_on_at_the_very_sample() -> None:
    async def main() -> None:
        player = VirtualPlayer(CardSettings(fade_us=0))
        player.attach(lambda report: None)
        player.play("a", bytes_of(sound(12_000)), 24_000)
        await asyncio.sleep(0.2)
        player.hold("h")
        await asyncio.sleep(3)
        assert player.card.next_us is None
        player.resume()
        await asyncio.sleep(3)
        assert np.array_equal(player.ear.samples("a"), sound(12_000))

    run(main())


def test_a_change_of_device_and_a_missed_block_are_reported() -> None:
    async def main() -> list[Report]:
        player = VirtualPlayer()
        reports: list[Report] = []
        player.attach(reports.append)
        player.change(CardSettings(accuracy=Unknown()), "unplugged")
        player.miss(1)
        await asyncio.sleep(1)
        assert player.accuracy == Unknown()
        return reports

    assert run(main()) == [Changed(Unknown(), "unplugged")]


def test_with_another_device_the_sound_goes_on_in_another_ear() -> None:
    async def main() -> None:
        player = VirtualPlayer(CardSettings(latency_us=100_000))
        player.attach(lambda report: None)
        first = player.ear
        player.play("a", bytes_of(sound(24_000)), 24_000)
        player.finish("a")
        await asyncio.sleep(0.5)
        player.change(CardSettings(block=960), "headphones")
        await asyncio.sleep(2)
        got = np.concatenate((first.samples("a"), player.ear.samples("a")))
        assert np.array_equal(got, sound(24_000))
        assert player.settings.block == 960
        assert len(first.samples("a")) > 0

    run(main())


def test_after_close_nothing_is_reported_and_nothing_is_played() -> None:
    async def main() -> None:
        player = VirtualPlayer()
        reports: list[Report] = []
        player.attach(reports.append)
        player.play("a", bytes_of(sound(24_000)), 24_000)
        await asyncio.sleep(0.3)
        player.close()
        player.close()
        count = len(reports)
        await asyncio.sleep(1)
        assert len(reports) == count
        with pytest.raises(DeviceError, match="closed"):
            player.play("a", b"", 24_000)

    run(main())


def test_a_sink_that_closes_the_player_is_told_nothing_more() -> None:
    async def main() -> list[Report]:
        player = VirtualPlayer()
        reports: list[Report] = []

        def sink(report: Report) -> None:
            reports.append(report)
            player.close()

        player.attach(sink)
        player.change(CardSettings(accuracy=Unknown()), "one")
        player.change(CardSettings(accuracy=Unknown()), "two")
        await asyncio.sleep(1)
        return reports

    assert run(main()) == [Changed(Unknown(), "one")]


def test_a_player_without_a_sink_says_what_to_do() -> None:
    with pytest.raises(DeviceError, match="attach"):
        VirtualPlayer().play("a", b"", 24_000)


def test_the_microphone_delivers_20_ms_chunks_and_silence_without_speech() -> None:
    async def main() -> list[tuple[int, bytes, int]]:
        recorder = VirtualRecorder(24_000)
        seen: list[tuple[int, bytes, int]] = []
        start = now_us()
        recorder.attach(lambda pcm, rate: seen.append((now_us() - start, pcm, rate)))
        recorder.start()
        recorder.start()
        await asyncio.sleep(0.1)
        recorder.stop()
        await asyncio.sleep(1)
        return seen

    seen = run(main())
    assert [at for at, _, _ in seen] == [20_000, 40_000, 60_000, 80_000, 100_000]
    assert all(pcm == bytes(960) and rate == 24_000 for _, pcm, rate in seen)


def test_what_is_said_is_captured_at_the_times_that_say_gives() -> None:
    async def main() -> None:
        recorder = VirtualRecorder(8_000, chunk_ms=30)
        heard: list[Samples] = []
        recorder.attach(lambda pcm, rate: heard.append(samples_of(pcm)))
        recorder.start()
        await asyncio.sleep(0.1234)
        first = recorder.say(sound(1_000))
        second = recorder.say(bytes_of(sound(500)))
        await asyncio.sleep(1)
        whole = np.concatenate(heard)
        at = (first.start_us - recorder.start_us) * 8_000 // 1_000_000
        assert 0 <= first.start_us - recorder.start_us - 123_400 < 126
        assert np.array_equal(whole[at : at + 1_000], sound(1_000))
        assert second.start_us == first.end_us
        assert np.array_equal(whole[at + 1_000 : at + 1_500], sound(500))
        assert not whole[:at].any()
        assert not whole[at + 1_500 :].any()
        assert np.array_equal(recorder.captured(), whole)
        recorder.stop()

    run(main())


def test_a_muted_microphone_delivers_silence_and_its_clock_goes_on() -> None:
    async def main() -> None:
        recorder = VirtualRecorder()
        heard: list[bytes] = []
        recorder.attach(lambda pcm, rate: heard.append(pcm))
        recorder.say(sound(9_600))
        recorder.start()
        await asyncio.sleep(0.1)
        recorder.mute(True)
        await asyncio.sleep(0.1)
        recorder.mute(False)
        await asyncio.sleep(0.1)
        recorder.stop()
        whole = np.concatenate([samples_of(pcm) for pcm in heard])
        assert np.array_equal(whole[:2_400], sound(9_600)[:2_400])
        assert not whole[2_400:4_800].any()
        assert np.array_equal(whole[4_800:], sound(9_600)[4_800 : len(whole)])
        assert np.array_equal(recorder.captured()[:7_200], sound(9_600)[:7_200])

    run(main())


def test_speech_at_another_rate_is_resampled_to_the_microphones() -> None:
    async def main() -> None:
        recorder = VirtualRecorder(24_000)
        recorder.attach(lambda pcm, rate: None)
        recorder.start()
        speech = recorder.say(sound(22_050), 22_050)
        assert speech.end_us - speech.start_us == 1_000_000
        recorder.stop()

    run(main())


def test_a_loop_that_stood_still_for_long_loses_sound_and_counts_it() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        recorder = VirtualRecorder()
        delivered = 0

        def sink(pcm: bytes, rate: int) -> None:
            nonlocal delivered
            delivered += len(pcm) // 2

        recorder.attach(sink)
        recorder.start()
        # As if the machine had slept: the clock is a minute on before any timer could run.
        loop._jumping.now += 60  # type: ignore[attr-defined]  # only the virtual loop has it
        await asyncio.sleep(0.02)
        recorder.stop()
        assert delivered + recorder.lost_samples == pytest.approx(60 * 24_000, abs=960)
        return recorder.lost_samples

    assert run(main()) > 50 * 24_000


def test_a_recorder_without_a_sink_or_after_stop_does_not_start() -> None:
    recorder = VirtualRecorder()
    with pytest.raises(DeviceError, match="attach a sink"):
        recorder.start()
    recorder.attach(lambda pcm, rate: None)
    recorder.stop()
    with pytest.raises(DeviceError, match="stopped"):
        recorder.start()


def test_a_chunk_that_cannot_be_is_refused_by_name() -> None:
    with pytest.raises(LocalValueError, match="chunk_ms: 0"):
        VirtualRecorder(chunk_ms=0)
