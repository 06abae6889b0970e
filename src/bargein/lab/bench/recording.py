"""A conversation, held on virtual time, of which everything is kept: frames, inputs, commands."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bargein.audio.card_settings import margin_of
from bargein.client.board import Board
from bargein.client.config import merged_session
from bargein.core.commands import Command
from bargein.core.inputs import Input
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.driver.loop import Driver
from bargein.events import ServerVad
from bargein.lab.bench import virtual_time
from bargein.lab.bench.stage import Devices, Tap, server
from bargein.lab.bench.user import track


@dataclass(frozen=True, slots=True)
class Happened:
    """One input of the client's machine, when it came, and what followed from it."""

    now_us: int
    input: Input
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Conversation:
    """`frames` are those that the client received, in order."""

    settings: Settings
    frames: tuple[str, ...]
    happened: tuple[Happened, ...]


def record(seconds: float) -> Conversation:
    """Hold a conversation of so many seconds with the local server; takes a small part of them."""
    return virtual_time.run(_record(seconds))


async def _record(seconds: float) -> Conversation:
    devices = Devices(track(seconds))
    settings = Settings(
        session=merged_session(None, turns=ServerVad()),
        player_margin_samples=margin_of(devices.player.accuracy),
    )
    happened: list[Happened] = []

    def keep(
        now_us: int,
        input: Input,
        commands: Sequence[Command] | None,
        raised: BaseException | None = None,
    ) -> None:
        happened.append(Happened(now_us, input, tuple(commands or ())))

    async with server() as pipe:
        tap = Tap(pipe)
        driver = Driver(
            Machine(settings), tap, devices.player, devices.recorder, Board(), record=keep
        )
        running = asyncio.create_task(driver.run())
        await asyncio.sleep(seconds)
        driver.stop()
        await running
        devices.close()
    return Conversation(settings, tuple(tap.frames), tuple(happened))
