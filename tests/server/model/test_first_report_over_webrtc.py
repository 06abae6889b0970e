"""The report that WebRTC was added for (S1): truncate and cancel are obeyed, and the sound goes on
for seconds. Its log, event by event, in the names of its time and in today's.

The report shows what the client received between its own two lines; of the deltas it shows some.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

import pytest
from tests.server.model.model_rig import Rig, sound, steps, types

from bargein.events import dialect
from bargein.events.beta import EARLY_NAMES
from bargein.server.model import score
from bargein.server.model.commands import SendEvent
from bargein.server.model.inputs import Produced

TRUNCATE_AT_MS, STOP_MS, MADE_MS = 2_449, 2_517, 11_850
"""As the report has them: the mark, from the first delta of text to the stop, and what its usage
counts (237 tokens of 50 ms)."""
LOG = [
    "conversation.item.created",
    "response.created",
    "rate_limits.updated",
    "response.output_item.added",
    "conversation.item.created",
    "response.content_part.added",
    "response.audio_transcript.delta",
    "conversation.item.truncated",
    "response.audio.done",
    "response.audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
    "output_audio_buffer.audio_stopped",
]
TODAY = [
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "conversation.item.truncated",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
    "output_audio_buffer.stopped",
]


class Wire(Rig):
    """Keeps the frames as they are written for the client."""

    def __init__(self, dialect: Any) -> None:
        self.frames: list[dict[str, Any]] = []
        self._dialect = dialect
        super().__init__(pipe="webrtc", dialect=dialect)

    def note(self, commands: Any) -> list[dict[str, Any]]:
        commands = list(commands)
        for command in commands:
            if isinstance(command, SendEvent):
                frame = dialect.ENCODERS[self._dialect](command.event)
                if frame is not None:
                    self.frames.append(json.loads(frame))
        return super().note(commands)


def told(wire: Wire) -> list[str]:
    """The types, runs of deltas as one; without what the report does not show: the begin of the
    sound, whose event it did not log."""
    named = [each for each in types(wire.frames[1:]) if not each.endswith("started")]
    return [each for each, _ in groupby(named)]


@pytest.mark.parametrize(("spoken", "log"), [("beta", LOG), ("ga", TODAY)])
def test_truncate_and_cancel_do_not_stop_the_sound_of_a_call(spoken: str, log: list[str]) -> None:
    wire = Wire(spoken)
    text = {"type": "input_text", "text": "tell me a story"}
    item = {"type": "message", "role": "user", "content": [text]}
    wire.say("conversation.item.create", item=item)
    wire.say("response.create")
    (request,) = wire.started
    words = ("Once", " upon", " a", " time", ",")
    wire.give(
        Produced(
            request.response_id,
            steps(
                score.OpenMessage(),
                score.OpenPart("audio"),
                *(score.SayText(each) for each in words),
                every_us=10_000,
            )
            + steps(*(sound(250) for _ in range(MADE_MS // 250)), sound(100), every_us=53_000),
            final=False,
        )
    )
    wire.wait(STOP_MS)
    item_id = wire.machine.memory[-1].id
    where = {"item_id": item_id, "content_index": 0}
    wire.say("conversation.item.truncate", **where, audio_end_ms=TRUNCATE_AT_MS)
    wire.say("response.cancel")
    left_at_the_stop = len(wire.left)
    done = next(each for each in wire.frames if each["type"] == "response.done")
    # The transcript of the events is whole, though the memory is cut.
    assert done["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert done["response"]["output"][0]["status"] == "incomplete"
    assert done["response"]["output"][0]["content"][0]["transcript"] == "".join(words)
    assert wire.machine.memory[-1].parts[0].kept_samples == TRUNCATE_AT_MS * 24
    wire.wait(15_000)
    # "... 8 SECONDS PASS!!"
    went_on_ms = 20 * (len(wire.left) - left_at_the_stop)
    assert 8_000 < went_on_ms < 10_000
    made_ms = wire.machine.memory[-1].parts[0].made_samples // 24
    assert 20 * len(wire.left) == made_ms <= MADE_MS
    # The day after the report the last event lost the second half of its name.
    assert told(wire) == [EARLY_NAMES.get(each, each) for each in log]


@pytest.mark.parametrize("spoken", ["beta", "ga"])
def test_a_clear_would_have_stopped_it(spoken: str) -> None:
    wire = Wire(spoken)
    wire.say("response.create")
    (request,) = wire.started
    spoken_steps = steps(score.OpenMessage(), score.OpenPart("audio"), sound(10_000))
    wire.give(Produced(request.response_id, spoken_steps, final=False))
    wire.wait(2_000)
    wire.say("response.cancel")
    wire.say("output_audio_buffer.clear")
    left = len(wire.left)
    wire.wait(15_000)
    assert len(wire.left) == left
    assert types(wire.frames)[-2:] != ["output_audio_buffer.stopped"]
    assert wire.machine.memory[-1].parts[0].kept_samples == left * 480
