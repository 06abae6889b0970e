"""A simulated conversation as a trace: what the client's side of it would have recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bargein.core import inputs
from bargein.core.machine import Machine
from bargein.sim.actors.client import MakeClient
from bargein.sim.episode import Episode
from bargein.sim.stage import settings
from bargein.sim.traces.recorded import QUIET_US
from bargein.trace import record


def traced(episode: Episode, *, version: str, make_client: MakeClient = Machine) -> Iterator[bytes]:
    """The lines of the trace. `version` is ours, `make_client` that of the episode.

    The last input is a tick after ten seconds of nothing, so that the quiet can be seen; an episode
    that did not come to rest has no end.
    """
    begun = settings(episode.options)
    yield record.header(begun, "in no time: it is simulated", version)
    machine = make_client(begun)
    final = episode.history.final
    for at_us, happened in _inputs(episode):
        try:
            done = machine.handle(happened, now_us=at_us)
        except Exception as error:  # what it raises is what the trace is to tell
            story = f"{type(error).__name__}: {error}"
            yield record.entry(at_us, happened, None, story, episode.options.format)
            return
        yield record.entry(at_us, happened, done, audio_format=episode.options.format)
    if final.quiet:
        yield record.end()


def _inputs(episode: Episode) -> Iterator[tuple[int, inputs.Input]]:
    last_us = 0
    for entry in episode.history.entries:
        what: Any = entry.what
        if entry.kind in ("client_got", "input"):
            last_us = entry.time_us
            yield last_us, inputs.Received(what) if entry.kind == "client_got" else what
    if episode.history.final.quiet:
        yield max(episode.result.virtual_us, last_us + QUIET_US), inputs.Tick()
