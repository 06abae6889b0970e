"""The pool of ears, with children that stand in for the recogniser: they are quick, and can die."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bargein.server.engines.local.ears import EarLimits, Ears, EarsError
from bargein.units import AudioFormat

pytestmark = pytest.mark.real_time

CHILD = """
import json, os, sys

def frame():
    head = sys.stdin.buffer.read(5)
    if len(head) < 5:
        sys.exit()
    return head[:1], sys.stdin.buffer.read(int.from_bytes(head[1:], "little"))

def tell(**told):
    print(json.dumps(told), flush=True)

frame()
tell(ready=1)
heard = 0
while True:
    kind, body = frame()
    if kind == b"B":
        heard, begun = 0, body.decode()
    elif kind == b"A":
        heard += len(body) // 2
        {on_sound}
    elif kind == b"E":
        {at_end}
        tell(grammar=f"heard {{heard}} {{os.getpid()}}", score={score}, sounds_score=1.0,
             grammar_sounds=9, sounds=9, frames=1000, means=begun + "+")
    elif kind == b"F":
        tell(free=f"freely {{heard}}")
"""


@asynccontextmanager
async def ears(
    folder: Path,
    limits: EarLimits | None = None,
    *,
    on_sound: str = "pass",
    at_end: str = "pass",
    score: float = 1.0,
) -> AsyncIterator[Ears]:
    program = folder / "child.py"
    program.write_text(CHILD.format(on_sound=on_sound, at_end=at_end, score=score))
    pool = Ears(limits, program=program)
    pool.join()
    try:
        yield pool
    finally:
        await pool.leave()


def second(format: AudioFormat = AudioFormat.PCM) -> bytes:
    return b"\xff" * (format.rate * format.bytes_per_sample)


async def heard(pool: Ears, format: AudioFormat = AudioFormat.PCM, means: str = "") -> str:
    turn = pool.listen(format, means)
    turn.push(second(format))
    turn.finish()
    return await turn.words()


@pytest.mark.parametrize("format", AudioFormat)
async def test_a_second_of_any_format_is_a_second_at_16_khz(
    tmp_path: Path, format: AudioFormat
) -> None:
    async with ears(tmp_path) as pool:
        assert (await heard(pool, format)).startswith("heard 16000 ")


async def test_what_does_not_fit_the_grammar_is_asked_of_the_free_model(tmp_path: Path) -> None:
    async with ears(tmp_path, score=0.001) as pool:
        assert await heard(pool) == "freely 16000"


async def test_a_turn_is_heard_while_it_is_spoken(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    async with ears(tmp_path, on_sound=f"open({str(seen)!r}, 'w').write(str(heard))") as pool:
        turn = pool.listen(AudioFormat.PCM)
        turn.push(second())
        for _ in range(2_000):
            if seen.exists() and seen.read_text() == "14400":  # the last 100 ms wait
                break
            await asyncio.sleep(0.01)
        else:
            pytest.fail("nothing was heard while the turn went on")
        assert not turn.result.done()
        turn.finish()
        assert (await turn.words()).startswith("heard 16000 ")


async def test_the_speakers_voice_goes_from_turn_to_turn(tmp_path: Path) -> None:
    async with ears(tmp_path) as pool:
        turn = pool.listen(AudioFormat.PCM, "voice")
        turn.finish()
        await turn.words()
        assert turn.means == "voice+"
        narrow = pool.listen(AudioFormat.PCMU)
        narrow.finish()
        await narrow.words()
        assert narrow.means.startswith("31.9,")


async def test_no_more_children_than_allowed_and_each_is_used_again(tmp_path: Path) -> None:
    async with ears(tmp_path, EarLimits(children=2)) as pool:
        words = await asyncio.gather(*(heard(pool) for _ in range(8)))
        assert 1 <= len({each.split()[-1] for each in words}) <= 2
        assert len(pool.child_ids) <= 2


async def test_a_child_that_was_killed_is_replaced_and_the_turn_heard(tmp_path: Path) -> None:
    async with ears(tmp_path, EarLimits(children=1)) as pool:
        before = await heard(pool)
        os.kill(int(before.split()[-1]), signal.SIGKILL)
        after = await heard(pool)
        assert after.startswith("heard 16000 ") and after != before
        assert pool.replaced == 1


async def test_one_that_always_dies_fails_the_turn_and_not_the_pool(tmp_path: Path) -> None:
    async with ears(tmp_path, at_end="os._exit(3)") as pool:
        with pytest.raises(EarsError, match="died twice"):
            await heard(pool)
        with pytest.raises(EarsError, match="died twice"):
            await heard(pool)
        assert pool.replaced == 4


async def test_one_that_never_answers_is_killed_at_the_deadline(tmp_path: Path) -> None:
    limits = EarLimits(children=1, deadline_s=0.3)
    async with ears(tmp_path, limits, at_end="import time; time.sleep(60)") as pool:
        with pytest.raises(EarsError, match="deadline"):
            await heard(pool)
        assert pool.child_ids == () and pool.replaced == 1


async def test_a_turn_that_stands_still_gives_its_child_to_others(tmp_path: Path) -> None:
    async with ears(tmp_path, EarLimits(children=1, idle_s=0.1)) as pool:
        slow = pool.listen(AudioFormat.PCM)
        slow.push(second())
        assert (await heard(pool)).startswith("heard 16000 ")
        slow.push(second())
        slow.finish()
        assert (await slow.words()).startswith("heard 32000 ")


async def test_only_the_beginning_of_an_endless_turn_is_kept(tmp_path: Path) -> None:
    async with ears(tmp_path, EarLimits(turn_s=1.5)) as pool:
        turn = pool.listen(AudioFormat.PCM)
        for _ in range(20):
            turn.push(second())
        turn.finish()
        assert (await turn.words()).startswith("heard 24000 ")


async def test_the_children_end_with_the_last_user(tmp_path: Path) -> None:
    async with ears(tmp_path) as pool:
        pool.join()
        child = int((await heard(pool)).split()[-1])
        await pool.leave()
        os.kill(child, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


async def test_a_child_ends_with_its_input_so_it_cannot_outlive_the_server() -> None:
    from bargein.server.engines.local import ear_child

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", str(ear_child.__file__), stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(b"G\xff\xff")
    process.stdin.close()
    async with asyncio.timeout(30):
        assert await process.wait() == 0
