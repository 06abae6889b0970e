"""What of the microphone goes out."""

from __future__ import annotations

import pytest
from tests.sim.invariants.telling import details
from tests.sim.tale import MS, begun

from bargein import events
from bargein.core import commands, inputs, notices

SOUND = bytes(2 * MS * 20)


@pytest.mark.parametrize("becomes", ["sent", "dropped", "nothing"])
def test_all_that_is_captured_is_sent_or_told_as_dropped(becomes: str) -> None:
    tale = begun()
    tale.write("command", commands.Notify(notices.Connected(events.Session())))
    tale.write("input", inputs.Captured(SOUND))
    if becomes == "sent":
        tale.client(events.InputAudioBufferAppend(audio=SOUND))
    elif becomes == "dropped":
        tale.write("command", commands.Notify(notices.Dropped("microphone", MS * 20)))
    tale.write("input", inputs.Captured(SOUND))

    assert details(tale.judged(), "microphone") == (
        ["20.00 ms are neither sent nor dropped"] if becomes == "nothing" else []
    )


def test_what_waits_for_the_socket_is_not_lost() -> None:
    tale = begun()
    tale.write("command", commands.Notify(notices.Connected(events.Session())))
    tale.write("input", inputs.Blocked())
    tale.write("input", inputs.Captured(SOUND))
    tale.write("input", inputs.Captured(SOUND))

    assert details(tale.judged(), "microphone") == []
