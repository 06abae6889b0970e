"""The demo's conversation: on virtual time over real sockets, and once in real time."""

from __future__ import annotations

import asyncio
import importlib
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from tests.virtual_loop import run

from bargein.audio.card_settings import CardSettings
from bargein.audio.files import write_wav
from bargein.core.inputs import Part
from bargein.core.notices import Interruption, Notice, Transcript
from bargein.errors import AdmissionError, DeviceError, LocalValueError, TransportError
from bargein.lab.caller import Turn
from bargein.lab.demo import Call, Held, hold
from bargein.lab.plan import Plan, plan_of
from bargein.lab.report import Report, report_of
from bargein.lab.timeline import timeline
from bargein.lab.voices import lines_of
from bargein.server.engines.scenario import Scenario
from bargein.server.serving import serve_local

STORY = (
    "Once upon a time there was a fox who lived by the sea, and every evening she counted the "
    "boats that came home."
)


def scenario(*texts: str) -> Scenario:
    replies = [{"outputs": [{"say": text}]} for text in texts]
    return Scenario.of({"voice": "en-us", "words_per_minute": 165, "replies": replies})


SCENARIO = scenario(STORY, "There was once a clockmaker in a crooked street.", "Goodbye.")
TURNS = (Turn("Tell me a story.", 1_500), Turn("Wait a moment please.", 500), Turn("Say goodbye."))
CARD = CardSettings(block=480, latency_us=60_000, on_stop="drain")
PLAN = Plan(1, TURNS, CARD)


class Watched:
    """A screen that keeps what it was shown."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.words: list[str] = []
        self.notices: list[Notice] = []
        self.times_us: list[int] = []

    def said(self, at_us: int, text: str) -> None:
        self.lines.append(text)

    def heard(self, at_us: int, part: Part, text: str) -> None:
        self.times_us.append(at_us)
        self.words.append(text)

    def told(self, at_us: int, notice: Notice) -> None:
        self.notices.append(notice)


def call(folder: Path, **changes: object) -> Call:
    settings: dict[str, object] = {"plan": PLAN, "scenario": SCENARIO, **changes}
    return Call(trace=folder / "session.trace", **settings)  # type: ignore[arg-type]  # mixed types


def judged(held: Held, plan: Plan = PLAN) -> Report:
    return report_of(held.observed, plan)


def assert_kept(report: Report) -> None:
    """Every promise was kept, or the test says which was not and why."""
    assert [fault for promise in report.promises for fault in promise.faults] == []
    assert report.unmet is None
    assert report.ok


@pytest.mark.real_time
def test_the_demo_keeps_every_promise_in_real_time(tmp_path: Path) -> None:
    held = asyncio.run(hold(call(tmp_path), Watched()))
    report = judged(held)
    assert_kept(report)
    assert len(report.interruptions) == 2
    assert report.kept_from_memory


@pytest.mark.parametrize(
    ("block", "latency_ms", "on_stop"),
    list(itertools.product((240, 2_048), (0, 250), ("drain", "discard"))),
)
def test_it_keeps_them_on_every_card(
    tmp_path: Path, block: int, latency_ms: int, on_stop: Literal["drain", "discard"]
) -> None:
    card = replace(CARD, block=block, latency_us=latency_ms * 1_000, on_stop=on_stop)
    plan = replace(PLAN, card=card)
    held = run(hold(call(tmp_path, plan=plan), Watched()))
    report = judged(held, plan)
    assert_kept(report)
    assert [row.exactness for row in report.interruptions] == ["exact", "exact"]
    assert all(part.kept_from == "memory" for part in report.parts)
    assert [part.told_samples == part.heard_samples for part in report.parts] == [True, True, False]


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Held, Watched]:
    """The demo as it ships, with its own scenario and the first seed."""
    screen = Watched()
    trace = tmp_path_factory.mktemp("demo") / "session.trace"
    return run(hold(Call(plan=plan_of(1), trace=trace), screen)), screen


def test_the_demo_as_it_ships_goes_as_planned(conversation: tuple[Held, Watched]) -> None:
    held, screen = conversation
    plan = plan_of(1)
    report = judged(held, plan)
    assert_kept(report)
    assert screen.lines == [turn.line for turn in plan.turns]
    first, second = report.interruptions
    assert plan.turns[0].listen_ms is not None and plan.turns[1].listen_ms is not None
    # It is talked over there, and cut when the service has noticed.
    assert plan.turns[0].listen_ms <= first.heard_ms <= plan.turns[0].listen_ms + 500
    assert plan.turns[1].listen_ms <= second.heard_ms <= plan.turns[1].listen_ms + 500
    assert 20 <= report.lasted_ms / 1_000 <= 40
    heard = [
        notice.text
        for notice in screen.notices
        if isinstance(notice, Transcript) and notice.role == "user" and notice.final
    ]
    assert heard == screen.lines


def test_the_story_is_cut_in_mid_sentence(conversation: tuple[Held, Watched]) -> None:
    first, _ = judged(conversation[0], plan_of(1)).interruptions
    assert first.heard_text.startswith("Once upon a time, at the very edge")
    assert not first.heard_text.endswith((".", ",", "!"))
    assert first.parts[0].received_samples > 2 * first.parts[0].heard_samples


def test_the_words_are_shown_as_they_are_heard(conversation: tuple[Held, Watched]) -> None:
    _, screen = conversation
    assert "Once upon a" in screen.words
    assert screen.times_us == sorted(screen.times_us)
    assert sum(isinstance(notice, Interruption) for notice in screen.notices) == 2


def test_the_sound_has_the_user_left_and_the_ear_right(
    conversation: tuple[Held, Watched],
) -> None:
    held, _ = conversation
    left, right = held.sound[:, 0], held.sound[:, 1]
    observed = held.observed
    for line in observed.spoken:
        start, end = (at_us * 24 // 1_000 for at_us in (line.start_us, line.end_us))
        assert not left[start - 2_400 : start - 1].any()
        assert np.abs(left[start : start + 2_400]).max() > 300
        assert not left[end + 24 : end + 2_400].any()
    for part in judged(held, plan_of(1)).parts:
        spans = [span for span in observed.spans if span.part == part.part]
        start, end = (at_us * 24 // 1_000 for at_us in (spans[0].start_us, spans[-1].end_us))
        assert np.abs(right[start:end]).max() > 3_000
        assert not right[end + 1 : end + 2_400].any()


def test_the_ear_is_silent_within_a_block_of_the_stop(
    conversation: tuple[Held, Watched],
) -> None:
    held, _ = conversation
    card = held.observed.card
    assert card.on_stop == "discard"
    for stop in held.observed.stops:
        silent = stop.asked_us * 24 // 1_000 + card.block
        assert not held.sound[silent : silent + 12_000, 1].any()
        assert held.sound[silent - card.block - 4_800 : silent - card.block, 1].any()


def test_the_picture_of_a_real_conversation_can_be_drawn(
    conversation: tuple[Held, Watched],
) -> None:
    held, _ = conversation
    report = judged(held, plan_of(1))
    written = timeline(held.observed, report, plan_of(1))
    assert "Interrupted twice" in written
    for row in report.interruptions:
        assert f"<title>{row.heard_text.split()[-1]}</title>" in written


def test_with_a_url_the_acknowledgements_stand_for_the_memory(tmp_path: Path) -> None:
    async def main() -> Held:
        async with serve_local(SCENARIO) as server:
            return await hold(call(tmp_path, url=server.url, api_key=server.api_key), Watched())

    held = run(main())
    report = judged(held)
    assert_kept(report)
    assert not report.kept_from_memory
    assert {part.kept_from for part in report.parts} == {"acknowledged", "untouched"}
    assert not any(words.exact for words in held.observed.words)


def test_with_a_url_and_a_wrong_key_nothing_begins(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve_local(SCENARIO) as server:
            await hold(call(tmp_path, url=server.url, api_key="sk-wrong"), Watched())

    with pytest.raises(AdmissionError):
        run(main())


def test_with_a_url_where_nobody_listens_nothing_begins(tmp_path: Path) -> None:
    with pytest.raises(TransportError):
        run(hold(call(tmp_path, url="http://127.0.0.1:9/v1", api_key="sk-x"), Watched()))


def test_replies_that_are_too_short_are_asked_for_again_and_then_given_up(tmp_path: Path) -> None:
    held = run(hold(call(tmp_path, scenario=scenario("Yes.")), Watched()))
    report = judged(held)
    assert len(held.observed.spoken) == 3
    assert report.verdict == "not shown"
    assert report.unmet is not None and "too early to talk over them" in report.unmet


def test_a_connection_that_breaks_is_reported_with_what_was_seen_up_to_there(
    tmp_path: Path,
) -> None:
    class Cutting(Watched):
        """Ends the server's sessions at the first words."""

        cut = False

        def heard(self, at_us: int, part: Part, text: str) -> None:
            if text and not self.cut:
                self.cut = True
                for session in servers[0].sessions.values():
                    session.end(1011, "broken on purpose")

    servers = []

    async def main() -> Held:
        async with serve_local(SCENARIO) as server:
            servers.append(server)
            return await hold(call(tmp_path, url=server.url, api_key=server.api_key), Cutting())

    held = run(main())
    assert held.observed.unmet is not None
    assert "broken on purpose" in held.observed.unmet
    assert judged(held).verdict != "kept"
    assert any(span.samples for span in held.observed.spans)


def test_a_recording_is_the_opening_whatever_its_rate_and_format(tmp_path: Path) -> None:
    line = lines_of(PLAN, None)[0]
    silence = np.zeros(line.rate // 2, np.int16)
    mono = np.concatenate((silence, line.pcm, silence))
    # A third of the rate is 8 kHz: every third sample, good enough to be understood as speech.
    stereo = np.stack((mono[::3], mono[::3]), axis=1)
    file = tmp_path / "mine.flac"
    importlib.import_module("soundfile").write(file, stereo, 8_000)
    held = run(hold(call(tmp_path, recording=file), Watched()))
    assert_kept(judged(held))
    opening = held.observed.spoken[0]
    assert opening.text == "mine.flac"
    # The silence before and after it was left out.
    lasted_s = (opening.end_us - opening.start_us) / 1e6
    assert lasted_s == pytest.approx(len(line.pcm) / line.rate, abs=0.05)


def test_a_recording_without_speech_shows_nothing_and_says_why(tmp_path: Path) -> None:
    file = tmp_path / "hum.wav"
    write_wav(file, (np.sin(np.arange(24_000) / 40) * 300).astype(np.int16), 24_000)
    held = run(hold(call(tmp_path, recording=file), Watched()))
    report = judged(held)
    assert report.verdict == "not shown"
    assert report.unmet == "nothing was heard for 20 s after turn 1 of the user"


def test_a_recording_that_is_too_long_or_silent_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "long.wav"
    write_wav(file, np.full(8_000 * 61, 100, np.int16), 8_000)
    with pytest.raises(LocalValueError, match=r"wav: .*long\.wav lasts 61 s; give at most 60 s"):
        lines_of(PLAN, file)
    write_wav(file, np.zeros(8_000, np.int16), 8_000)
    with pytest.raises(DeviceError, match=r"long\.wav: is silent from beginning to end"):
        lines_of(PLAN, file)


def test_a_pause_in_a_recording_does_not_end_the_turn(tmp_path: Path) -> None:
    line = lines_of(PLAN, None)[0]
    file = tmp_path / "thoughtful.wav"
    pause = np.zeros(line.rate * 7 // 10, np.int16)
    write_wav(file, np.concatenate((line.pcm, pause, line.pcm)), line.rate)
    held = run(hold(call(tmp_path, recording=file), Watched()))
    assert_kept(judged(held))
    turns = [seen for seen in held.observed.wire if type(seen.event).__name__.endswith("Committed")]
    assert len(turns) == 3


def test_the_local_server_is_reached_past_any_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert_kept(judged(run(hold(call(tmp_path), Watched()))))
