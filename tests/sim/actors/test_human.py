"""The user and the application: acts at moments, from inside notices, and what is right to send."""

from __future__ import annotations

from bargein import events
from bargein.core import asks, inputs, notices
from bargein.sim.choices import Choices, SeedSource, Tape
from bargein.sim.episode import Episode, run
from bargein.sim.history import Entry
from bargein.sim.options import Options, draw_options


def _asked(episode: Episode, kind: type[asks.Ask]) -> list[Entry]:
    return [
        entry
        for entry in episode.history.entries
        if isinstance(entry.what, inputs.Asked) and isinstance(entry.what.ask, kind)
    ]


def _sent(episode: Episode, kind: type) -> list[Entry]:
    return [
        entry
        for entry in episode.history.entries
        if entry.kind == "client_sent" and isinstance(entry.what, kind)
    ]


def _seeds(count: int, only: str | None = None) -> list[Episode]:
    return [
        run(seed, options=draw_options(Choices(SeedSource(seed)), only)) for seed in range(count)
    ]


def test_the_application_acts_in_the_instant_of_a_notice() -> None:
    # The anchor `told_turn_started`, without an offset; then the first act there is: interrupt().
    tape: Tape = {"human/1": [0, 1, 14, 0]}
    episode = run(tape, options=Options())

    told = next(
        entry.time_us
        for entry in episode.history.entries
        if isinstance(getattr(entry.what, "notice", None), notices.TurnStarted)
    )
    (interrupt,) = _asked(episode, asks.Interrupt)
    assert interrupt.time_us == told


def test_an_echo_is_speech_while_the_assistant_is_heard_and_nobody_speaks() -> None:
    echoed = 0
    for episode in _seeds(20, "echo"):
        notes = [e for e in episode.history.entries if e.kind == "note"]
        echoes = [e for e in notes if str(e.what).startswith("echo for")]
        assert len(echoes) <= episode.options.echoes
        for echo in echoes:
            assert 80 <= int(str(echo.what).split()[2]) <= 250
        echoed += len(echoes)

    assert echoed >= 10


def test_the_answer_of_a_function_may_be_late_and_may_be_an_error() -> None:
    outputs = []
    for episode in _seeds(60, "tools"):
        called = {
            notice.call_id: entry.time_us
            for entry in episode.history.entries
            if isinstance(notice := getattr(entry.what, "notice", None), notices.ToolCalled)
        }
        for entry in _sent(episode, events.ConversationItemCreate):
            item = getattr(entry.what, "item", None)
            if isinstance(item, events.FunctionCallOutputItem):
                outputs.append((entry.time_us - called[item.call_id], item.output))

    assert max(wait_us for wait_us, _ in outputs) > 8_000_000
    assert any("error" in output for _, output in outputs)


def test_an_item_of_its_own_is_looked_at_or_deleted_when_it_is_there() -> None:
    for looked, kind in enumerate((events.ConversationItemRetrieve, events.ConversationItemDelete)):
        tape: Tape = {"human/1": [0, 0, 0], "human/2": [32], "human/2.touch": [0, looked]}
        episode = run(tape, options=Options())

        (created,) = _asked(episode, asks.SendEvent)[:1]
        (touched,) = _sent(episode, kind)
        assert getattr(touched.what, "item_id", None) == "app_0"
        assert touched.time_us > created.time_us
        assert episode.violations == ()
