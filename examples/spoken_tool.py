"""Speak while a function runs, and interrupt: its result is told when the floor is free.

python examples/spoken_tool.py WEATHER.flac STORY.flac STOP.flac EAR.wav: a user asks for the
weather, then for a story, and interrupts that; the last gets what the ear got.
"""

import asyncio
import sys

import bargein
from bargein.audio.files import ear_of, read_sound, write_wav
from bargein.audio.virtual import VirtualPlayer, VirtualRecorder
from bargein.server.engines.local.engine import local_engine
from bargein.server.serving import serve_local

interrupted = asyncio.Event()


@bargein.tool
async def weather(city: str) -> str:
    """Ask a slow station for the weather."""
    await interrupted.wait()
    return f"It rains in {city}."


async def main(ask: str, story: str, stop: str, ear: str) -> None:
    player, microphone = VirtualPlayer(), VirtualRecorder()
    async with (
        serve_local(engine=local_engine()) as server,
        bargein.connect(
            url=server.url,
            api_key=server.api_key,
            turns=bargein.ServerVad(),
            tools=[weather],
            audio=bargein.Audio(player, microphone),
            session={"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}},
        ) as session,
    ):
        microphone.say(*read_sound(ask))
        async for notice in session:
            match notice:
                case bargein.ToolCalled(name=name, arguments=arguments):
                    print(f"runs: {name}({arguments})")
                    microphone.say(*read_sound(story))
                case bargein.FloorChanged(floor="assistant") if not interrupted.is_set():
                    await asyncio.sleep(2)
                    microphone.say(*read_sound(stop))
                case bargein.InterruptionSettled() as cut:
                    interrupted.set()
                    print(f"cut: heard {cut.heard_ms} ms, kept {cut.kept_ms} ms, {cut.exactness}")
                case bargein.ToolAnswered(status=status, output=output):
                    print(f"{status}: {output}")
                case bargein.Transcript(role=role, text=text, final=True):
                    print(f"{role}: {text}")
                    if role == "assistant" and "rains" in text:
                        break
        write_wav(ear, ear_of(player, microphone), player.settings.rate)


asyncio.run(main(*sys.argv[1:5]))
