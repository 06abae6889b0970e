"""A test of your own program against the local server: `pytest examples/test_with_local_server.py`.

Needs `pip install "bargein[local]" pytest`.
"""

import asyncio
import json

import bargein
from bargein.server.engines.scenario import Scenario
from bargein.server.serving import serve_local

SCENARIO = Scenario.of(
    {
        "first_event_after_ms": 0,
        "replies": [
            {"when": "weather", "outputs": [{"call": "weather", "arguments": {"city": "Lisbon"}}]},
            {"outputs": [{"write": "Once upon a time."}]},
        ],
    }
)
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}}


async def program(url: str, api_key: str) -> tuple[str, str]:
    """What is under test; here it stands for yours."""
    async with bargein.connect(url=url, api_key=api_key, tools=[WEATHER]) as session:
        story = await (await session.say("Tell me a story.")).text()
        calls = session.notices(bargein.ToolCalled)
        await session.say("What is the weather in Lisbon?")
        async for call in calls:
            if isinstance(call, bargein.ToolCalled):
                return story, call.arguments
    return story, ""


def test_the_program_tells_the_story_and_asks_for_the_weather() -> None:
    async def conversation() -> tuple[str, str]:
        async with serve_local(SCENARIO) as server:
            return await program(server.url, server.api_key)

    story, arguments = asyncio.run(conversation())
    assert story == "Once upon a time."
    assert json.loads(arguments) == {"city": "Lisbon"}
