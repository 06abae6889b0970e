"""Plays all stories, one after the other; of each, both clients over both transports at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from bargein.lab.ab.measure import Figures, figures_of
from bargein.lab.ab.report import Report
from bargein.lab.ab.scenario import Scenario, Story
from bargein.lab.ab.stage import TRANSPORTS, WHO, Place, Run, run
from bargein.server.engines.espeak import speak
from bargein.server.serving import serve_local

MODEL = "gpt-realtime"


class Audience(Protocol):
    """Who is told how it goes on."""

    def begins(self, story: Story) -> None:
        """This story begins now."""

    def passes(self) -> None:
        """Something of it happens still; called a few times a second."""

    def ended(self, story: Story, runs: tuple[Run, ...], figures: tuple[Figures, ...]) -> None:
        """It is over."""


async def play(scenario: Scenario, place: Place | None, audience: Audience) -> Report:
    """Play it at that place, else at a server of our own. Raises what `connect` and `serve_local`
    raise where there is no session to be had."""
    async with _server(scenario, place) as where:
        figures: list[Figures] = []
        for story in scenario.stories:
            audience.begins(story)
            runs = await _together(story, where, scenario.instructions, audience.passes)
            told = tuple(figures_of(each) for each in runs)
            figures += told
            audience.ended(story, runs, told)
    return Report(scenario=scenario, figures=tuple(figures))


async def _together(
    story: Story, place: Place, instructions: str, passes: Callable[[], None]
) -> tuple[Run, ...]:
    """The first that fails ends the others, and is raised."""
    tasks = [
        asyncio.create_task(run(story, transport, who, place, instructions))
        for transport in TRANSPORTS
        for who in WHO
    ]
    try:
        pending = set(tasks)
        while pending:
            passes()
            done, pending = await asyncio.wait(
                pending, timeout=0.25, return_when=asyncio.FIRST_EXCEPTION
            )
            for task in done:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return tuple(task.result() for task in tasks)


@asynccontextmanager
async def _server(scenario: Scenario, place: Place | None) -> AsyncIterator[Place]:
    if place is not None:
        yield place
        return
    # The voice's first sentence takes it longest, and nobody is to wait for it in the middle.
    await asyncio.to_thread(
        speak, scenario.story, voice=scenario.voice, words_per_minute=scenario.words_per_minute
    )
    async with serve_local(scenario.played(), any_model=True) as server:
        yield Place(server.url, server.api_key, MODEL, True)
