"""What is heard of a call is judged by what was sent, and the rules of clearing by the events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bargein import events
from bargein.core import commands, inputs
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.sim.episode import Episode, run

SEEDS = range(12)


class Altered(Machine):
    """A machine whose commands are changed on their way out."""

    def __init__(self, settings: Settings, change: Callable[..., list[commands.Command]]) -> None:
        super().__init__(settings)
        self._change = change

    def handle(self, happened: inputs.Input, *, now_us: int) -> list[commands.Command]:
        return self._change(happened, super().handle(happened, now_us=now_us))


def broken(change: Callable[..., list[commands.Command]]) -> set[str]:
    """The invariants that some call breaks with a client that is changed so."""
    found: set[str] = set()
    for seed in SEEDS:
        episode = run(seed, only="webrtc", make_client=lambda given: Altered(given, change))
        found |= {violation.invariant for violation in episode.violations}
    return found


def without(kind: type[Any]) -> Callable[..., list[commands.Command]]:
    """The commands without the events of that kind."""
    return lambda happened, made: [
        one for one in made if not (isinstance(one, commands.Send) and isinstance(one.event, kind))
    ]


@pytest.fixture(scope="module")
def whole() -> list[Episode]:
    return [run(seed, only="webrtc") for seed in SEEDS]


def test_the_shipping_client_keeps_every_promise_in_a_call(whole: list[Episode]) -> None:
    assert [episode.violations for episode in whole] == [()] * len(SEEDS)
    assert any(
        isinstance(entry.what, events.OutputAudioBufferCleared)
        for episode in whole
        for entry in episode.history.entries
    )


def test_a_client_that_plays_what_was_cut_breaks_w1() -> None:
    last: list[commands.Play] = []

    def play_again(happened: inputs.Input, made: list[commands.Command]) -> list[commands.Command]:
        plays = [one for one in made if isinstance(one, commands.Play)]
        last.extend(plays)
        stops = [one for one in made if isinstance(one, commands.StopPlayback)]
        return made + (last[-1:] if stops else [])

    assert "W1" in broken(play_again)


def test_a_client_that_leaves_out_a_frame_breaks_w2() -> None:
    def drop(happened: inputs.Input, made: list[commands.Command]) -> list[commands.Command]:
        return [
            one
            for one in made
            if not (isinstance(one, commands.Play) and one.audio[:2] == b"\x05\x00")
        ]

    assert "W2" in broken(drop)


def test_a_client_that_does_not_clear_breaks_w3() -> None:
    assert "W3" in broken(without(events.OutputAudioBufferClear))


def test_a_client_that_clears_twice_breaks_w3() -> None:
    def twice(happened: inputs.Input, made: list[commands.Command]) -> list[commands.Command]:
        return [
            copy
            for one in made
            for copy in (
                (one, one)
                if isinstance(one, commands.Send)
                and isinstance(one.event, events.OutputAudioBufferClear)
                else (one,)
            )
        ]

    assert "W3" in broken(twice)


def test_a_world_without_a_call_has_no_media() -> None:
    episode = run(0, only="tools")
    assert not episode.options.webrtc
    assert not any(isinstance(entry.what, inputs.MediaArrived) for entry in episode.history.entries)
