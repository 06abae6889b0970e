"""What each client does when the user interrupts: measured against our server, with a clock.

    python -m tests.strangers.interruptions [--out FOLDER]

A situation says what is spoken to the user and when he interrupts. What a listener would have heard
is worked out from the server's log: the sound begins with its first delta, plays without a delay in
the order of the parts, and waits where there is none. No real listener hears earlier, so this is
the best case for a client that goes by its own clock. Of bargein it is what came out of its
(virtual) sound card.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import click
from agents.realtime import RealtimePlaybackTracker
from tests.server.serving_rig import KEY, MODEL, STALL_MS, STORY, says, user_speech
from tests.strangers import node_rig
from tests.strangers.stage import GREETING, STALLED, YES, Stage, a_stage, user
from tests.strangers.test_openai_agents import a_talk, forecaster

import bargein
from bargein.audio.virtual import VirtualPlayer, VirtualRecorder
from bargein.core.inputs import Part
from bargein.lab.bench import evidence

LONG = f"{STORY} {STORY}"
GAP_MS = 1_500
QUIET_S = 0.6
"""So long nothing more happens until it is looked at what is remembered."""
ASKED = ("conversation.item.truncate", "conversation.item.delete", "response.cancel")


@dataclass(frozen=True)
class Situation:
    """What is spoken, and the interruption: `after_ms` of the first sound, by the user's voice or
    by the program's own call."""

    replies: tuple[dict[str, Any], ...]
    after_ms: int
    by: Literal["voice", "program"] = "voice"
    speed: float = 4.0


def stalls(text: str, at_ms: int, for_ms: int = STALL_MS) -> dict[str, Any]:
    return {"say": text, "gaps": [{"at_ms": at_ms, "for_ms": for_ms}]}


SITUATIONS = {
    "while it is made": Situation(({"outputs": [stalls(LONG, 6_000)]},), 1_000),
    "after a gap in delivery": Situation(({"outputs": [stalls(LONG, 600, GAP_MS)]},), 3_000),
    "made so far, and heard": Situation((STALLED,), 1_700),
    "two spoken items": Situation(
        ({"outputs": [{"say": STORY}, stalls(STORY, 4_000)]},), 1_000, speed=50
    ),
    "heard to its end": Situation((says(GREETING),), 2_000),
    "by the program": Situation(({"outputs": [stalls(LONG, 6_000)]},), 1_000, by="program"),
}


@dataclass(frozen=True)
class Spoken:
    """A spoken item when the user interrupted: what had been sent and heard, and what is kept."""

    sent_ms: int
    heard_ms: int
    kept_ms: int | None
    """None: the item was deleted."""


@dataclass(frozen=True)
class Outcome:
    """What the client asked for at the interruption, what was refused, what is remembered."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    parts: list[Spoken] = field(default_factory=list)
    cancelled: bool = False

    @property
    def unheard_ms(self) -> int:
        """Remembered beyond what was heard, over all items."""
        return sum(max(0, (part.kept_ms or 0) - part.heard_ms) for part in self.parts)


Heard = Callable[[], dict[str, int]]
"""What came out of the client's own sound card: milliseconds of each item."""

Client = Callable[[Stage, Situation, Path], AbstractAsyncContextManager[Heard | None]]
"""Holds the session while the situation runs; it gives what was heard, if it has an ear."""


@asynccontextmanager
async def _agents(
    stage: Stage, situation: Situation, tracker: RealtimePlaybackTracker | None
) -> AsyncIterator[None]:
    async with a_talk(stage, forecaster(), tracker) as talk:
        await talk.speak()
        first = await talk.until(lambda event: event.type == "audio")
        playing = asyncio.create_task(_track(talk, tracker, first)) if tracker else None
        await asyncio.sleep(situation.after_ms / 1_000)
        if situation.by == "voice":
            await talk.speak()
        else:
            await talk.session.interrupt()
        await talk.until(lambda event: event.type == "audio_interrupted")
        yield
        if playing is not None:
            playing.cancel()


async def _track(talk: Any, tracker: RealtimePlaybackTracker, first: Any) -> None:
    """A loudspeaker that tells the kit every 10 ms what it has played, while it may play."""
    clock = asyncio.get_running_loop().time
    began_s, told_ms = clock(), 0.0
    while not talk.of("audio_interrupted"):
        await asyncio.sleep(0.01)
        due_ms = (clock() - began_s) * 1_000
        start_ms = 0.0
        for event in talk.of("audio"):
            end_ms = start_ms + len(event.audio.data) / 48
            if told_ms < end_ms and start_ms < due_ms:
                played_ms = min(end_ms, due_ms) - max(start_ms, told_ms)
                tracker.on_play_ms(event.item_id, event.content_index, played_ms)
                told_ms = min(end_ms, due_ms)
            start_ms = end_ms
        if due_ms > start_ms:  # Nothing is there to be played: the sound waits.
            began_s += (due_ms - start_ms) / 1_000


@asynccontextmanager
async def openai_agents(stage: Stage, situation: Situation, folder: Path) -> AsyncIterator[None]:
    async with _agents(stage, situation, None):
        yield


@asynccontextmanager
async def tracked_agents(stage: Stage, situation: Situation, folder: Path) -> AsyncIterator[None]:
    async with _agents(stage, situation, RealtimePlaybackTracker()):
        yield


@asynccontextmanager
async def agents_js(stage: Stage, situation: Situation, folder: Path) -> AsyncIterator[None]:
    settings = {"AFTER_MS": str(situation.after_ms), "BY": situation.by}
    program = asyncio.create_task(
        node_rig.run("interrupt.mjs", stage, folder, voice=user(), settings=settings)
    )
    while not (folder / "interrupted").exists():
        assert not program.done(), program.result()
        await asyncio.sleep(0.02)
    yield
    (folder / "done").touch()
    await program


@asynccontextmanager
async def ours(stage: Stage, situation: Situation, folder: Path) -> AsyncIterator[Heard]:
    player, recorder = VirtualPlayer(), VirtualRecorder()
    audio = bargein.Audio(player, recorder)
    async with bargein.connect(MODEL, url=stage.server.url, api_key=KEY, audio=audio) as session:
        await session.say("Tell me a story.")
        await _sounds(player)
        await asyncio.sleep(situation.after_ms / 1_000)
        if situation.by == "voice":
            recorder.say(user_speech())
        else:
            await session.interrupt()
        yield lambda: _came_out(player)


async def _sounds(player: VirtualPlayer) -> None:
    """Wait for the first sound."""
    while not player.ear.heard:  # noqa: ASYNC110  # An ear has no event to wait for.
        await asyncio.sleep(0.01)


def _came_out(player: VirtualPlayer) -> dict[str, int]:
    """What was heard of each item, in milliseconds."""
    heard: dict[str, int] = {}
    for mark in dict.fromkeys(piece.mark for piece in player.ear.heard):
        assert isinstance(mark, Part), "the driver marks sound with its part"
        ms = len(player.ear.samples(mark)) * 1_000 // player.settings.rate
        heard[mark.item_id] = heard.get(mark.item_id, 0) + ms
    return heard


CLIENTS: dict[str, Client] = {
    "bargein": ours,
    "openai-agents": openai_agents,
    "openai-agents with its tracker": tracked_agents,
    "@openai/agents-realtime": agents_js,
}


async def measure(client: Client, situation: Situation, folder: Path) -> Outcome:
    """Run one client through one situation."""
    manner = {"speed": situation.speed, "first_event_after_ms": 0}
    replies = (*situation.replies, says(YES))
    async with a_stage(folder, *replies, manner=manner, api_key=KEY) as stage:
        async with client(stage, situation, folder) as came_out:
            # An open microphone never ends; what the others say is over at some time.
            await _settled(stage, situation, streams=came_out is not None)
            return _outcome(stage, situation, came_out and came_out())


async def _settled(stage: Stage, situation: Situation, *, streams: bool) -> None:
    """Wait for the answer to who spoke, if it was he, and until nothing happens any more."""
    wanted = 2 if situation.by == "voice" else 0
    size, quiet_s = -1, 0.0
    while quiet_s < QUIET_S or len(stage.told("response.done")) < wanted or _unanswered(stage):
        await asyncio.sleep(0.05)
        now = len(stage.log.lines()) + (0 if streams else stage.log.appends)
        quiet_s, size = (quiet_s + 0.05, size) if now == size else (0.0, now)


def _unanswered(stage: Stage) -> int:
    """How many requests the server has not answered."""
    answers = ("conversation.item.truncated", "conversation.item.deleted", "error")
    asked = sum(len(stage.asked(type)) for type in ASKED if type != "response.cancel")
    return asked - sum(len(stage.told(type)) for type in answers)


def _outcome(stage: Stage, situation: Situation, came_out: dict[str, int] | None) -> Outcome:
    lines = stage.log.lines()
    (reply, *_) = [line["frame"] for line in lines if _is(line, "response.created")]
    reply_id = reply["response"]["id"]
    sounds = [line for line in lines if _is(line, "response.output_audio.delta")]
    sounds = [line for line in sounds if line["frame"]["response_id"] == reply_id]
    began_us = sounds[0]["t_us"]
    at_us = _cut_at_us(lines, situation, began_us)
    asked = [
        line["frame"]
        for line in lines
        if line["from"] == "client" and line["t_us"] >= at_us and line["frame"]["type"] in ASKED
    ]
    ends = [line["frame"]["response"] for line in lines if _is(line, "response.done")]
    return Outcome(
        asked=asked,
        refused=[message for _, message in stage.refusals],
        parts=_parts(stage, sounds, at_us, came_out),
        cancelled=any(end["id"] == reply_id and end["status"] == "cancelled" for end in ends),
    )


def _is(line: dict[str, Any], type: str) -> bool:
    return line["from"] == "server" and bool(line["frame"]["type"] == type)


def _cut_at_us(lines: list[dict[str, Any]], situation: Situation, began_us: int) -> int:
    """When the user was heard to begin; of a program, when it was due."""
    if situation.by == "program":
        return int(began_us + situation.after_ms * 1_000)
    return int(
        next(
            line["t_us"]
            for line in lines
            if _is(line, "input_audio_buffer.speech_started") and line["t_us"] > began_us
        )
    )


def _parts(
    stage: Stage, sounds: list[dict[str, Any]], at_us: int, came_out: dict[str, int] | None
) -> list[Spoken]:
    sent: dict[str, float] = {}
    heard: dict[str, float] = {}
    free_us = 0.0
    for line in sounds:
        item_id = line["frame"]["item_id"]
        ms = _sound_ms(line["frame"]["delta"])
        sent[item_id] = sent.get(item_id, 0) + (ms if line["t_us"] <= at_us else 0)
        start_us = max(free_us, line["t_us"])
        free_us = start_us + ms * 1_000
        heard.setdefault(item_id, 0)
        heard[item_id] += max(0, min(free_us, at_us) - start_us) / 1_000
    if came_out is not None:
        heard = {item_id: came_out.get(item_id, 0) for item_id in heard}
    kept = stage.remembered_ms
    return [
        Spoken(round(sent[item_id]), round(heard[item_id]), kept.get(item_id)) for item_id in heard
    ]


def _sound_ms(shown: str) -> float:
    """How long a delta of the log sounds: it tells the characters of its base64."""
    return int(shown.strip("(").partition(" ")[0]) * 3 / 4 / 48


async def measure_all() -> dict[str, dict[str, Any]]:
    """Every client in every situation."""
    told: dict[str, dict[str, Any]] = {}
    for name, situation in SITUATIONS.items():
        for who, client in CLIENTS.items():
            with tempfile.TemporaryDirectory() as folder:
                outcome = await measure(client, situation, Path(folder))
            told.setdefault(name, {})[who] = asdict(outcome) | {"unheard_ms": outcome.unheard_ms}
            asked = [(one["type"], one.get("audio_end_ms")) for one in outcome.asked]
            sys.stdout.write(f"{name}, {who}: {asked} {outcome.parts} {outcome.refused}\n")
    return told


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="a folder for the evidence")
def main(out: Path | None) -> None:
    """Measure, print, and write the evidence."""
    told = asyncio.run(measure_all())
    if out is not None:
        sys.stdout.write(f"{evidence.write(out, 'strangers', {'situations': told})}\n")


if __name__ == "__main__":
    main()
