"""Turns by a button: hold it for two seconds, let go, and hear the answer.

python examples/push_to_talk.py IN.wav, with OPENAI_BASE_URL and OPENAI_API_KEY set.
"""

import asyncio
import sys

import bargein


async def main(microphone: str) -> None:
    async with bargein.connect(
        "gpt-realtime-2.1",
        turns=bargein.PushToTalk(pre_roll_ms=300),
        audio=bargein.Wav(microphone),
    ) as session:
        async with session.push_to_talk() as pressed:
            await asyncio.sleep(2)
        if pressed.reply is None:
            print("That was too short to be answered.")
            return
        await asyncio.sleep(3)

        # Pressing again stops the answer; what was not heard is not remembered.
        settled = session.notices(bargein.InterruptionSettled)
        async with session.push_to_talk() as again:
            await asyncio.sleep(1)
        async for cut in settled:
            if isinstance(cut, bargein.InterruptionSettled):
                print(f"heard {cut.heard_ms} ms, kept {cut.kept_ms} ms, by {cut.askers[0]}")
                break
        if again.reply is not None:
            await again.reply.cancel()


asyncio.run(main(sys.argv[1]))
