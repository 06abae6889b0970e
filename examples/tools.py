"""Functions that the assistant may call, one of which wants your consent, and an interruption."""

import asyncio

import bargein


@bargein.tool
async def weather(city: str, days: int = 1) -> str:
    """Tell the weather.

    Args:
        city: Where, in English.
        days: How many days from today.
    """
    await asyncio.sleep(0.1)
    return f"Rain in {city} for {days} days."


@bargein.tool(at_barge_in="cancel", timeout_s=20, approval=True)
def order(dish: str, context: bargein.ToolContext) -> dict[str, str]:
    """Order a dish."""
    context.cancelled.wait(0.1)  # A function that is no coroutine runs in a thread of its own.
    if context.cancelled.is_set():
        raise bargein.ToolError("The kitchen was told to stop.")
    return {"dish": dish, "comes": "soon"}


async def approve(call: bargein.ToolCall) -> bool:
    print(f"may it call {call.name}({call.arguments})? yes")
    return True


async def main() -> None:
    async with bargein.connect(tools=[weather, order], approve=approve) as session:
        told = session.notices(bargein.ToolAnswered)
        reply = await session.say("What is the weather in Lisbon?")
        print("assistant:", await reply.text())
        answer = await anext(told)
        if isinstance(answer, bargein.ToolAnswered):
            print(f"{answer.name}: {answer.status}, {answer.output}")


if __name__ == "__main__":
    asyncio.run(main())
