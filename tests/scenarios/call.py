"""A talk over WebRTC: the service owns the queue of sound, and the media comes by itself.

The sender's clock is `late_ms` behind what `sound` gives now; the events come as they are said.
"""

from __future__ import annotations

import json
from typing import Any

from tests.scenarios.rig import SERVER_VAD, Talk

from bargein.capabilities import Capabilities
from bargein.core import commands, inputs
from bargein.events import dialect
from bargein.units import US_PER_MS, AudioFormat, samples_floor

FRAME_MS = 20
LOUD = b"\x10\x27"
SILENT = b"\0\0"


class Call(Talk):
    """A session that stands. `elsewhere`: the sound comes out at another peer of the call."""

    def __init__(
        self,
        turns: dict[str, Any] | None = SERVER_VAD,
        *,
        elsewhere: bool = False,
        late_ms: int = 0,
        **settings: Any,
    ) -> None:
        can = Capabilities(playback_owner="server", media="elsewhere" if elsewhere else "here")
        super().__init__(turns, can=can, **settings)
        self.late_ms = late_ms
        self.value = LOUD

    def buffer(self, what: str, response_id: str = "r1") -> None:
        """`output_audio_buffer.started`, `.stopped` or `.cleared`."""
        self._events += 1
        said = {"type": f"output_audio_buffer.{what}", "response_id": response_id}
        frame = json.dumps(said | {"event_id": f"event_{self._events}"})
        self.give(inputs.Received(dialect.decode_server(frame)))

    def sound(self, ms: int, value: bytes = LOUD) -> None:
        """So much sound comes, paced, and the time passes with it."""
        samples = samples_floor(FRAME_MS, AudioFormat.PCM.rate)
        for _ in range(ms // FRAME_MS):
            place = (self.now_us - self.late_ms * US_PER_MS) * AudioFormat.PCM.rate // 1_000_000
            self.give(inputs.MediaArrived(place, value * samples))
            self.pass_ms(FRAME_MS)

    def begins(self, response_id: str = "r1", item_id: str = "A", text: str = "") -> None:
        """A response whose sound has begun to leave."""
        self.response(response_id)
        self.item(item_id)
        self.part(item_id)
        if text:
            self.words(item_id, text)
        self.buffer("started", response_id)

    def speaks(self, ms: int = 1_000, response_id: str = "r1", item_id: str = "A") -> None:
        """So much of a response has come and was heard."""
        self.begins(response_id, item_id)
        self.sound(ms)
        self.heard(item_id, ms)

    def cut_by_service(self, item_id: str, left_ms: int, response_id: str = "r1") -> None:
        """What the service does of its own accord when the user speaks (protocol.md §4.6)."""
        self.buffer("cleared", response_id)
        self.truncated(item_id, left_ms)

    def played(self, item_id: str) -> list[bytes]:
        """The sound of the item that was given to the player, piece by piece."""
        return [
            command.audio
            for command in self.commands
            if isinstance(command, commands.Play) and command.part.item_id == item_id
        ]
