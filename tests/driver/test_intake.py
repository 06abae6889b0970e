"""The queues between the threads of the devices and the loop."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from tests.driver_rig import elsewhere, settle
from tests.virtual_loop import run

from bargein.audio.base import Changed, Exact, Held, Rendered, Report, Starved, Stopped, Unknown
from bargein.audio.formats import bytes_of, encode
from bargein.core import inputs as inp
from bargein.driver.intake import Intake, WireSound, as_input
from bargein.errors import DeviceError, LocalValueError
from bargein.units import AudioFormat

PART = inp.Part("r", "i", 0)
CUT = Stopped("c", {PART: 5})


def taken(*reports: Report) -> list[Report]:
    async def main() -> list[Report]:
        intake = Intake(lambda: None, sound_limit_ms=100)
        for report in reports:
            intake.report(report)
        return intake.take_reports()

    return run(main())


def test_progress_is_merged_and_loses_no_count() -> None:
    assert taken(Rendered({"a": 1}), Rendered({"b": 2}), Rendered({"a": 3})) == [
        Rendered({"a": 3, "b": 2})
    ]
    assert taken(Starved(3), Rendered({"a": 1}), Starved(4), Rendered({"a": 2})) == [
        Starved(7),
        Rendered({"a": 2}),
    ]


@pytest.mark.parametrize("between", [CUT, Held("h", {}), Changed(Exact())])
def test_progress_is_not_moved_over_anything_that_is_no_progress(between: Report) -> None:
    reports = [Rendered({"a": 1}), between, Rendered({"a": 2})]
    assert taken(*reports) == reports


def test_an_answer_is_never_merged() -> None:
    assert taken(CUT, CUT) == [CUT, CUT]


def test_an_hour_of_progress_while_the_loop_stands_still_takes_the_room_of_one() -> None:
    progress: list[Report] = [Rendered({PART: n}) for n in range(100_000)]
    assert taken(*progress) == [Rendered({PART: 99_999})]


def test_what_is_put_on_the_loop_is_taken_at_once() -> None:
    async def main() -> None:
        woken: list[int] = []
        intake = Intake(lambda: woken.append(len(intake.take_reports())), sound_limit_ms=100)
        intake.report(CUT)
        intake.report(CUT)
        assert woken == [1, 1]

    run(main())


def test_a_wake_that_finds_nothing_does_not_silence_the_next_one() -> None:
    """Another thread put something, and the loop took it before that thread asked for a wake."""

    async def main() -> None:
        woken: list[int] = []
        intake = Intake(lambda: woken.append(len(intake.take_reports())), sound_limit_ms=100)
        elsewhere(lambda: intake.report(CUT))
        assert intake.take_reports() == [CUT]
        await settle()
        elsewhere(lambda: intake.report(CUT))
        await settle()
        assert woken == [0, 1]

    run(main())


def test_the_loop_is_woken_once_for_all_that_waits_and_again_for_what_follows() -> None:
    async def main() -> None:
        woken: list[int] = []
        intake = Intake(lambda: woken.append(len(intake.take_reports())), sound_limit_ms=100)

        def reports() -> None:
            for _ in range(5):
                intake.report(CUT)

        for _ in range(2):
            elsewhere(reports)
            assert not woken or len(woken) == 1
            await settle()
        assert woken == [5, 5]

    run(main())


def test_a_report_from_another_thread_wakes_a_loop_that_sleeps() -> None:
    async def main() -> None:
        arrived = asyncio.Event()
        intake = Intake(arrived.set, sound_limit_ms=100)
        thread = threading.Thread(target=intake.report, args=(CUT,))
        thread.start()
        await arrived.wait()
        thread.join()
        assert intake.take_reports() == [CUT]

    run(main())


def test_a_device_that_reports_after_the_end_of_the_loop_is_ignored() -> None:
    async def main() -> Intake:
        return Intake(lambda: pytest.fail("woken"), sound_limit_ms=100)

    intake = run(main())
    for late in (
        threading.Thread(target=intake.report, args=(CUT,)),
        threading.Thread(target=intake.sound, args=(bytes(4), 8_000)),
    ):
        late.start()
        late.join()
    intake.close()
    intake.report(CUT)
    intake.sound(bytes(4), 8_000)
    assert intake.take_reports() == []
    assert intake.take_sound() == ([], {})


def test_reports_beyond_all_reason_are_told_as_a_broken_device_and_bounded() -> None:
    with pytest.raises(DeviceError, match="player"):
        taken(*[CUT] * 5_000)


def test_sound_beyond_the_bound_goes_oldest_first_and_is_counted_by_its_rate() -> None:
    async def main() -> None:
        intake = Intake(lambda: None, sound_limit_ms=100)
        for n in range(10):
            intake.sound(bytes([n] * 320), 8_000)
        for n in range(5):
            intake.sound(bytes([n] * 960), 24_000)
        sound, dropped = intake.take_sound()
        # 200 ms at the one rate and 100 ms at the other came; 100 ms stay.
        assert dropped == {8_000: 1_600}
        assert [(pcm[0], rate) for pcm, rate in sound] == [(n, 24_000) for n in range(5)]
        assert intake.take_sound() == ([], {})

    run(main())


def test_one_chunk_that_is_longer_than_the_bound_is_kept() -> None:
    async def main() -> None:
        intake = Intake(lambda: None, sound_limit_ms=1)
        intake.sound(bytes(9_600), 24_000)
        assert intake.take_sound() == ([(bytes(9_600), 24_000)], {})

    run(main())


def test_each_report_has_its_word_among_the_inputs() -> None:
    heard = (inp.Heard(PART, 5),)
    assert as_input(Rendered({PART: 5, "other": 9})) == inp.Rendered(heard)
    assert as_input(Stopped("c", {PART: 5}, None)) == inp.PlaybackStopped("c", heard, None)
    assert as_input(Held("c", {PART: 5})) == inp.PlaybackHeld("c", heard)
    assert as_input(Changed(Unknown(), "x")) == inp.DeviceChanged(None, "x")
    assert as_input(Starved(7)) == inp.Starved(7)


def test_sound_at_the_wire_rate_goes_through_without_delay() -> None:
    pcm = bytes_of(np.arange(-300, 300, dtype=np.int16))
    assert WireSound(AudioFormat.PCM).push(pcm, 24_000) == pcm
    assert WireSound(AudioFormat.PCMA).push(pcm, 8_000) == encode(pcm, AudioFormat.PCMA)


def test_a_microphone_that_changes_its_rate_goes_on_in_the_wire_format() -> None:
    wire_sound = WireSound(AudioFormat.PCM)
    total = 0
    for rate in (48_000, 16_000, 48_000):
        for _ in range(50):
            total += len(wire_sound.push(bytes(rate // 50 * 2), rate)) // 2
    # Three seconds, less the few milliseconds that each filter held back.
    assert 72_000 - 3 * 240 < total <= 72_000


@pytest.mark.parametrize(("pcm", "rate"), [(b"odd", 24_000), (bytes(4), 0), (bytes(4), -1)])
def test_sound_that_cannot_be_is_refused(pcm: bytes, rate: int) -> None:
    with pytest.raises(LocalValueError):
        WireSound(AudioFormat.PCM).push(pcm, rate)
