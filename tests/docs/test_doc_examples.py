"""The examples that the documentation explains do what it says of them."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.server.serving_rig import KEY, MODEL, a_client, a_server, says
from tests.virtual_loop import run

import bargein
from bargein.audio.base import Held, Rendered, Report, Stopped
from bargein.audio.virtual import VirtualRecorder
from bargein.errors import LocalValueError
from bargein.secret import Secret
from bargein.server.serving import serve_local
from bargein.transports.base import PipeEnd
from bargein.transports.memory import MemoryPipe, pair
from bargein.transports.websocket import WebSocketPipe

EXAMPLES = Path(__file__).parents[2] / "examples"
FRAME_SAMPLES = 160


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Line:
    """In place of a datagram transport: keeps what was sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.five = asyncio.Event()

    def sendto(self, frame: bytes) -> None:
        self.frames.append(frame)
        if len(self.frames) == 5:
            self.five.set()


class Call:
    """A LinePlayer on a line, and its reports."""

    def __init__(self) -> None:
        self.line = Line()
        self.reports: list[Report] = []
        self.player: Any = example("own_player").LinePlayer(self.line)
        self.player.attach(self.reports.append)

    async def frames(self, count: int) -> None:
        await asyncio.sleep(0.02 * count + 0.001)

    def last(self) -> Report:
        return self.reports[-1]


def test_the_pure_cut_stops_first_and_tells_whole_milliseconds_of_what_was_heard(
    capsys: pytest.CaptureFixture[str],
) -> None:
    example("pure_cut").main()
    stop, send = capsys.readouterr().out.splitlines()
    assert stop == "  710 ms  stop the player, cut_0_1"
    assert send.startswith('  712 ms  send {"type":"conversation.item.truncate"')
    assert send.endswith('"audio_end_ms":719}')


def test_the_line_player_counts_what_left_and_sends_nothing_after_the_stop() -> None:
    async def call() -> None:
        line = Call()
        line.player.play("a", bytes(2 * 8_000), 8_000)
        await line.frames(5)
        assert line.last() == Rendered({"a": 5 * FRAME_SAMPLES})
        line.player.stop("cut_1")
        line.player.play("a", bytes(320), 8_000)
        line.player.play("b", bytes(320), 8_000)
        await line.frames(2)
        assert Stopped("cut_1", {"a": 5 * FRAME_SAMPLES}, FRAME_SAMPLES) in line.reports
        assert line.last() == Rendered({"b": FRAME_SAMPLES})
        assert len(line.line.frames) == 6
        line.player.close()

    run(call())


def test_the_line_players_second_stop_with_the_same_cut_id_says_the_same() -> None:
    async def call() -> None:
        line = Call()
        line.player.play("a", bytes(3_200), 8_000)
        await line.frames(2)
        line.player.stop("cut_1")
        line.player.stop("cut_1")
        await line.frames(1)
        first, second = line.reports[-2:]
        assert first == second == Stopped("cut_1", {"a": 2 * FRAME_SAMPLES}, FRAME_SAMPLES)
        line.player.close()

    run(call())


def test_the_line_players_hold_keeps_the_queue_for_the_resume() -> None:
    async def call() -> None:
        line = Call()
        line.player.play("a", bytes(3_200), 8_000)
        await line.frames(2)
        line.player.hold("hold_1")
        await line.frames(3)
        assert line.last() == Held("hold_1", {"a": 2 * FRAME_SAMPLES})
        line.player.resume()
        await line.frames(20)
        assert line.last() == Rendered({"a": 1_600})
        assert b"".join(line.line.frames) == bytes(3_200)
        line.player.close()

    run(call())


def test_the_line_player_refuses_other_rates_and_halves_of_samples() -> None:
    async def call() -> None:
        line = Call()
        for pcm, rate in ((bytes(2), 24_000), (bytes(3), 8_000)):
            with pytest.raises(LocalValueError):
                line.player.play("a", pcm, rate)
        line.player.close()

    run(call())


@pytest.mark.real_time
async def test_a_session_over_the_line_player_keeps_what_left_within_a_frame() -> None:
    story = says("Once upon a time there was a fox who lived by the sea, and counted the boats.")
    line = Line()
    audio = bargein.Audio(example("own_player").LinePlayer(line), VirtualRecorder(8_000))
    telephone = {"format": {"type": "audio/pcmu"}}
    session_json = {"audio": {"input": telephone, "output": telephone}}
    async with (
        a_server(story) as server,
        bargein.connect(MODEL, url=server.url, api_key=KEY, session=session_json, audio=audio) as s,
    ):
        settled = s.notices(bargein.InterruptionSettled)
        await s.say("Tell me a story.")
        await line.five.wait()
        await s.interrupt()
        frames_at_the_stop = len(line.frames)
        cut = await anext(settled)
        assert isinstance(cut, bargein.InterruptionSettled)
    assert len(line.frames) == frames_at_the_stop
    assert cut.exactness == "within"
    assert cut.heard_ms == cut.kept_ms == 20 * frames_at_the_stop


async def test_the_loop_with_sound_writes_all_that_the_service_sent(tmp_path: Path) -> None:
    sound, frames = tmp_path / "story.pcm", tmp_path / "frames.jsonl"
    async with a_server(says("Once upon a time."), trace=frames) as server:
        url = f"{server.ws_url}?model={MODEL}"
        loop = example("own_loop_sound").run
        told = await asyncio.to_thread(loop, url, KEY, "Tell me a story.", sound)
    assert told == "Once upon a time."
    log = [json.loads(line)["frame"] for line in frames.read_text().splitlines()]
    deltas = [frame["delta"] for frame in log if frame["type"] == "response.output_audio.delta"]
    # "[n characters of base64]": four for three bytes, padded at the end of each delta.
    characters = sum(int(re.findall(r"\d+", delta)[0]) for delta in deltas)
    padding = 2 * len(deltas)
    assert 0 <= characters * 3 // 4 - sound.stat().st_size <= padding
    assert sound.stat().st_size > 24_000
    assert not [frame["type"] for frame in log if "truncate" in frame["type"]]


def test_the_slow_line_delays_in_order_and_ends_as_the_inner_one() -> None:
    async def conversation() -> None:
        near, far = pair()
        slow: Any = example("own_pipe").SlowLine(near, 0.3)
        loop = asyncio.get_running_loop()
        await slow.open()
        began = loop.time()
        await far.send("one")
        await far.send("two")
        assert await slow.receive() == "one"
        assert loop.time() - began == pytest.approx(0.3)
        assert await slow.receive() == "two"
        await far.close(1001, "over")
        end = PipeEnd(1001, "over")
        assert [await slow.receive(), await slow.receive()] == [end, end]
        await slow.close()

    run(conversation())


def test_the_slow_line_loses_nothing_when_a_receive_is_cancelled() -> None:
    async def conversation() -> None:
        near, far = pair()
        slow: Any = example("own_pipe").SlowLine(near, 0.3)
        await slow.open()
        await far.send("one")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await slow.receive()
        assert await slow.receive() == "one"
        await slow.close()

    run(conversation())


async def test_a_session_stands_on_the_slow_line() -> None:
    async with a_server({"outputs": [{"write": "Hello."}]}) as server:
        inner = WebSocketPipe(f"{server.ws_url}?model={MODEL}", Secret(KEY))
        pipe = example("own_pipe").SlowLine(inner, 0.01)
        async with bargein.connect(transport=pipe) as session:
            reply = await session.say("Hello?")
            assert await reply.text() == "Hello."


async def test_the_parrot_writes_what_was_typed_and_plays_what_was_spoken() -> None:
    parrot = example("own_engine").Parrot
    speech = bytes(range(256)) * 200
    async with serve_local(engine=parrot, api_key=KEY) as server, a_client(server) as client:
        await client.configure(None, audio={"input": {"transcription": {"model": "whisper-1"}}})
        await client.type("Who is a pretty bird?")
        await client.send("response.create")
        assert (await client.until("response.output_text.done"))["text"] == "Who is a pretty bird?"
        await client.until("response.done")
        await client.speak(speech)
        await client.send("input_audio_buffer.commit")
        heard = await client.until("conversation.item.input_audio_transcription.completed")
        await client.send("response.create")
        await client.until("response.done")
    sound = b"".join(
        base64.b64decode(event["delta"])
        for event in client.seen
        if event["type"] == "response.output_audio.delta"
    )
    assert sound == speech
    assert heard["transcript"] == "(something that takes 1.1 seconds to say)"


def test_the_test_of_a_program_passes() -> None:
    module = example("test_with_local_server")
    module.test_the_program_tells_the_story_and_asks_for_the_weather()


def test_memory_pipes_are_pipes_that_the_slow_line_takes() -> None:
    near, _ = pair()
    assert isinstance(near, MemoryPipe)
