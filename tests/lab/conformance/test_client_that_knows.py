"""A client that is told what `bargein conform` found keeps the promises that are possible there,
and one that is not told finds out the hard way: end to end, on virtual time.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.driver_rig import others
from tests.hosted import ServerEnd
from tests.lab.conformance.made import (
    REPLIES,
    Frame,
    Made,
    asked,
    like_a_subset,
    made_server,
    never_acknowledging,
    never_interrupting,
    refusing,
)
from tests.server.serving_rig import KEY, MODEL
from tests.virtual_loop import run

import bargein
from bargein.audio.formats import samples_of
from bargein.audio.virtual import VirtualPlayer, VirtualRecorder
from bargein.capabilities import Capabilities
from bargein.lab.conformance.learned import as_file
from bargein.lab.conformance.voice import SPEECH
from bargein.server.engines.script import ScriptEngine
from bargein.server.host import Host
from bargein.server.model.options import Options
from bargein.server.serving import serve_local
from bargein.transports.memory import MemoryPipe, pair

BETA_MODEL = "gpt-4o-realtime-preview"
FIVE_SECONDS_US = 5_000_000
WAITED_FOR_IN_VAIN_US = 2_000_000


class MadeEnd(ServerEnd):
    """The far end of a memory pipe, with a `Made` before it."""

    def __init__(self, pipe: MemoryPipe, made: Made) -> None:
        super().__init__(pipe)
        self._made = made
        self._heard: deque[Frame] = deque()

    async def receive(self) -> str | bytes | None:
        while not self._heard:
            frame = await super().receive()
            if frame is None:
                return None
            plain = json.loads(frame)
            own = self._made.answers(plain)
            if own is None:
                self._heard.extend(self._made.hears(plain))
            for each in own or ():
                await super().send(json.dumps(each))
        return json.dumps(self._heard.popleft())

    async def send(self, frame: str) -> None:
        for each in self._made.says(json.loads(frame)):
            await super().send(json.dumps(each))


@dataclass(frozen=True)
class Told:
    """What an interruption was for the application."""

    cut: bargein.InterruptionSettled
    faults: tuple[str, ...]
    cancelled: bool

    @property
    def sent(self) -> tuple[str, ...]:
        return tuple(name.rpartition(".")[2] for name in self.cut.commands)

    @property
    def answer(self) -> str:
        return self.cut.parts[0].answer


def interruption(
    made: Made,
    known: Path | None,
    *,
    options: Options | None = None,
    by_voice: bool = False,
) -> Told:
    """Interrupt a story that has been heard for a while, with or without the capability file."""
    found: list[Told] = []

    async def main() -> None:
        host = Host(lambda: ScriptEngine(REPLIES), options=options)
        near, far = pair()
        serving = asyncio.create_task(host.run(MadeEnd(far, made), model=MODEL))
        player, recorder = VirtualPlayer(), VirtualRecorder()
        async with bargein.connect(
            MODEL,
            transport=near,
            turns=bargein.ServerVad(),
            audio=bargein.Audio(player, recorder),
            capabilities=known,
        ) as session:
            notices = session.notices(bargein.InterruptionSettled, bargein.Fault)
            ended = session.notices(bargein.TurnEnded)
            await session.say("Tell me a story.")
            # All that was sent of it is heard by then: it stalls after three seconds.
            await asyncio.sleep(6)
            if by_voice:
                recorder.say(samples_of(SPEECH), 24_000)
            else:
                await session.interrupt()
            faults: list[str] = []
            async for notice in notices:
                if isinstance(notice, bargein.InterruptionSettled):
                    end = await anext(ended)
                    assert isinstance(end, bargein.TurnEnded)
                    cancelled = end.status == "cancelled"
                    found.append(Told(notice, tuple(faults), cancelled))
                    break
                if isinstance(notice, bargein.Fault):
                    faults.append(f"{notice.blame}: {notice.about}")
        await serving
        assert not others()

    run(main())
    return found[0]


async def the_file(made: Made, folder: Path, *sections: str, **options: Any) -> Path:
    """What `bargein conform` writes about the server."""
    async with made_server(made, **options) as url:
        result = await asked(url, "session", *sections, aside_s=0.02)
    file = folder / "server.json"
    file.write_text(as_file(result.learned, {}))
    return file


Body = Callable[[], Awaitable[Path]]


def learned(body: Body) -> Path:
    return asyncio.run(_awaited(body))


async def _awaited(body: Body) -> Path:
    return await body()


def test_where_nothing_is_acknowledged_the_record_is_not_waited_for(tmp_path: Path) -> None:
    file = learned(lambda: the_file(never_acknowledging(), tmp_path, "truncate", "items"))
    untold = interruption(never_acknowledging(), None)
    told = interruption(never_acknowledging(), file)
    assert untold.sent == told.sent == ("cancel", "truncate")
    assert untold.cut.exactness == told.cut.exactness == "unconfirmed"
    assert untold.cut.settle_latency_us >= WAITED_FOR_IN_VAIN_US
    assert told.cut.settle_latency_us < WAITED_FOR_IN_VAIN_US / 10


def test_where_truncates_are_refused_none_is_sent(tmp_path: Path) -> None:
    made = refusing("conversation.item.truncate")
    file = learned(lambda: the_file(made, tmp_path, "truncate", "items"))
    untold, told = interruption(made, None), interruption(made, file)
    assert (untold.sent, untold.faults) == (
        ("cancel", "truncate"),
        ("theirs: conversation.item.truncate",),
    )
    assert (told.sent, told.faults, told.answer) == (("cancel",), (), "unsupported")
    assert told.cut.heard_ms == untold.cut.heard_ms > 2_500, "silence is exact all the same"


def test_where_lengths_are_counted_in_steps_nothing_is_refused(tmp_path: Path) -> None:
    coarse = Options(lengths_grid_ms=50)
    file = learned(lambda: the_file(Made(), tmp_path, "truncate", options=coarse))
    untold = interruption(Made(), None, options=coarse)
    told = interruption(Made(), file, options=coarse)
    assert untold.sent == ("cancel", "truncate", "truncate")
    assert untold.faults == ("theirs: conversation.item.truncate",)
    assert (told.sent, told.faults) == (("cancel", "truncate"), ())
    assert told.cut.kept_ms == untold.cut.kept_ms == told.cut.heard_ms // 50 * 50


def test_where_most_is_ignored_nothing_is_sent_in_vain(tmp_path: Path) -> None:
    sections = ("truncate", "items", "cancel", "speech")
    file = learned(lambda: the_file(like_a_subset(), tmp_path, *sections))
    untold, told = interruption(like_a_subset(), None), interruption(like_a_subset(), file)
    assert untold.sent == ("cancel", "truncate")
    assert untold.cut.settle_latency_us >= WAITED_FOR_IN_VAIN_US
    assert (told.sent, told.answer) == (("cancel",), "unsupported")
    assert told.cut.settle_latency_us < WAITED_FOR_IN_VAIN_US / 10


def test_where_the_server_does_not_interrupt_the_client_does(tmp_path: Path) -> None:
    made = never_interrupting()
    file = learned(lambda: the_file(made, tmp_path, "speech"))
    told = interruption(made, file, by_voice=True)
    assert told.sent == ("cancel", "truncate")
    assert told.cut.kept_ms == told.cut.heard_ms
    assert told.cancelled
    untold = interruption(made, None, by_voice=True)
    assert untold.sent == ("truncate",), "it believes what it was told"
    assert not untold.cancelled
    assert untold.cut.settle_latency_us >= FIVE_SECONDS_US > told.cut.settle_latency_us


async def test_where_beta_is_spoken_an_interruption_is_exact(tmp_path: Path) -> None:
    async with serve_local(REPLIES, api_key=KEY, dialect="beta") as server:
        url = f"{server.ws_url}?model={BETA_MODEL}"
        result = await asked(url, "session", "turns", dialect="beta")
        file = tmp_path / "beta.json"
        file.write_text(as_file(result.learned, {}))
        async with bargein.connect(
            BETA_MODEL,
            url=server.url,
            api_key=KEY,
            capabilities=file,
            audio=bargein.Audio(VirtualPlayer(), VirtualRecorder()),
        ) as session:
            settled = session.notices(bargein.InterruptionSettled)
            floors = session.notices(bargein.FloorChanged)
            await session.say("Tell me a story.")
            async for floor in floors:
                if floor == bargein.FloorChanged("assistant"):
                    break
            await session.interrupt()
            cut = await anext(settled)
    assert isinstance(cut, bargein.InterruptionSettled)
    assert cut.exactness == "exact" and cut.kept_ms == cut.heard_ms
    assert {each.name: each.value for each in result.learned}["dialect"] == "beta"
    assert Capabilities(dialect="beta") != Capabilities()
