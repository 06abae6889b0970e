"""docs/dialects.md, made from what the client does. Pure.

The first tables are measured (`scene`); the last one is public record (`servers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bargein.capabilities import Capabilities
from bargein.lab.dialects.scene import Effect, effects
from bargein.lab.dialects.servers import SERVERS

UNUSUAL: Mapping[str, tuple[Capabilities, str]] = {
    "truncate=False": (
        Capabilities(truncate=False),
        "It does not truncate. A cut is silence for the user, and the server's memory keeps all.",
    ),
    "delete=False": (
        Capabilities(delete=False),
        "It does not delete. What nobody heard stays in its memory.",
    ),
    "cancel=False": (
        Capabilities(cancel=False),
        "It does not cancel. A cut reply is muted to its end, and settled then.",
    ),
    "acknowledges=False": (
        Capabilities(acknowledges=False),
        "It obeys without a word. Records are closed at once, unconfirmed.",
    ),
    "lengths_grid_ms=50": (
        Capabilities(lengths_grid_ms=50),
        "It counts lengths in steps. What is asked for is rounded down to them.",
    ),
    'interrupts="never"': (
        Capabilities(interrupts="never"),
        "It goes on when the user speaks. The client cancels.",
    ),
    'interrupts="always"': (
        Capabilities(interrupts="always"),
        "It cancels when the user speaks, told or not. The client leaves that to it.",
    ),
}
"""Every capability that changes what is sent or told, away from its usual value."""


def shown(can: Capabilities) -> str:
    """As it is written in a program: only what is unusual."""
    usual = Capabilities()
    words = [
        f"{name}={value!r}".replace("'", '"')
        for name in can.__struct_fields__
        if (value := getattr(can, name)) != getattr(usual, name)
    ]
    return f"Capabilities({', '.join(words)})"


_HEAD = """\
# Dialects

The client is built on the Realtime protocol as OpenAI's service speaks it today (GA). Other servers
speak it with less, or with the names and shapes of the retired beta. What a server does is told to
`connect(capabilities=…)`, as an object or as the file that `bargein conform` writes
([conform.md](conform.md)); what is not told, the client learns from refusals, where there are any.

This page is made by `scripts/dialects.py`; a test fails when it is not what the code does.

## What each capability changes

Measured, not described: the client's machine lives through the same interruption with a server that
is so. A reply of two items was being made, A and B; of A 1010 of 1020 ms were heard, of B nothing.
Each cell says what the client sends, how much of that is refused, and what its record says and
when. *Told* is the client that was given the capability, *not told* the one that was not.
"""

_UNDERSTOOD = """
`dialect="beta"` changes the shape of what is sent, and nothing else: `session.update` and
`response.create` are flat, and the connection asks for it with the header
`OpenAI-Beta: realtime=v1`. What arrives is understood in both dialects, whatever was told: old
names, flat sessions, `conversation.item.created`. Events that are missing are not waited for:
`conversation.item.done`, `response.output_item.*`, `response.content_part.*`,
`rate_limits.updated`, `conversation.created`. `playback_owner="server"` belongs to WebRTC, and is
refused over WebSocket.

## Servers

From public record (protocol.md §8), not measured by us, and servers change: run `bargein conform`
against yours. The last column is what to begin with.

| server | where | what is known | begin with |
|---|---|---|---|"""


def page() -> str:
    """The whole page."""
    return "\n".join((_HEAD, *_measured(), _UNDERSTOOD, *_known())) + "\n"


def _measured() -> Iterator[str]:
    for place, title in enumerate(("The user talks over it", "The application stops it")):
        yield f"### {title}\n"
        yield "| capability | told | not told |"
        yield "|---|---|---|"
        yield f"| (none) | {effects(Capabilities(), known=True)[place]} | |"
        for name, (can, _) in UNUSUAL.items():
            told, untold = (effects(can, known=known)[place] for known in (True, False))
            yield f"| `{name}` | {told} | {_unless_same(untold, told)} |"
        yield ""
    for name, (_, words) in UNUSUAL.items():
        yield f"- `{name}`: {words}"


def _unless_same(effect: Effect, other: Effect) -> str:
    return "the same" if effect == other else str(effect)


def _known() -> Iterator[str]:
    for each in SERVERS:
        begin = "`bargein conform`" if each.begin is None else f"`{shown(each.begin)}`"
        yield f"| {each.name} | {each.where} | {each.says} | {begin} |"
