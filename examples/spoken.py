"""Speak with the local engine: no key, no network, no model of anybody's.

python examples/spoken.py STORY.flac STOP.flac GO_ON.flac: recordings in which a user asks for a
story, interrupts it, and wants to hear the rest. Needs `pip install "bargein[local]"`.
"""

import asyncio
import sys

import bargein
from bargein.audio.files import read_sound
from bargein.audio.virtual import VirtualPlayer, VirtualRecorder
from bargein.server.engines.local.engine import local_engine
from bargein.server.serving import serve_local

WRITE_DOWN = {"audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}}


async def main(story: str, stop: str, go_on: str) -> None:
    microphone = VirtualRecorder()
    async with (
        serve_local(engine=local_engine()) as server,
        bargein.connect(
            url=server.url,
            api_key=server.api_key,
            turns=bargein.ServerVad(),
            audio=bargein.Audio(VirtualPlayer(), microphone),
            session=WRITE_DOWN,
        ) as session,
    ):
        microphone.say(*read_sound(story))
        answers = 0
        async for notice in session:
            match notice:
                case bargein.FloorChanged(floor="assistant"):
                    answers += 1
                    await asyncio.sleep(3)
                    if answers == 3:
                        break
                    microphone.say(*read_sound(stop if answers == 1 else go_on))
                case bargein.Transcript(role="user", text=text, final=True):
                    print(f"user: {text}")
                case bargein.InterruptionSettled() as cut:
                    print(f"heard {cut.heard_ms}, kept {cut.kept_ms}, {cut.exactness}")
        for item in next(iter(server.sessions.values())).machine.memory:
            if item.role == "assistant":
                # Of a reply that was cut, the server has the words that were heard.
                print(f"assistant: {item.parts[0].text or ''.join(item.parts[0].words)}")


asyncio.run(main(*sys.argv[1:4]))
