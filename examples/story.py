"""Ask for a story, talk over it, and read what the service remembers of it.

The microphone is a file, and what was heard is written to another:
python examples/story.py IN.wav EAR.wav, with OPENAI_BASE_URL and OPENAI_API_KEY set.
"""

import asyncio
import sys

import bargein


async def main(microphone: str, ear: str) -> None:
    async with bargein.connect(
        "gpt-realtime-2.1",
        instructions="You tell stories.",
        turns=bargein.ServerVad(),  # SemanticVad(), PushToTalk()
        audio=bargein.Wav(microphone, ear),
    ) as session:
        await session.say("Tell me a story.")
        async for notice in session:
            match notice:
                case bargein.Transcript(role=role, text=text, final=True):
                    print(f"{role}: {text}")
                case bargein.InterruptionSettled() as cut:
                    print(f"heard {cut.heard_ms}, kept {cut.kept_ms}, {cut.exactness}")
                    break


asyncio.run(main(*sys.argv[1:3]))
