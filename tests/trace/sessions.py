"""A session as its machine lived it: typed words, a reply, the user talks over it."""

from __future__ import annotations

import json
from typing import Any

from bargein import events
from bargein.core import asks
from bargein.core import inputs as inp

PART = inp.Part("resp_1", "item_1", 0)
PLACE: dict[str, Any] = {
    "event_id": "event_1",
    "response_id": "resp_1",
    "item_id": "item_1",
    "output_index": 0,
    "content_index": 0,
}
ITEM = {"id": "item_1", "type": "message", "role": "assistant", "status": "in_progress"}
SESSION = {
    "type": "realtime",
    "id": "sess_1",
    "model": "gpt-realtime-2.1",
    "audio": {
        "input": {
            "turn_detection": {
                "type": "server_vad",
                "interrupt_response": True,
                "create_response": True,
            }
        }
    },
}


def received(type: str, **fields: Any) -> inp.Received:
    return inp.Received(events.decode_server(json.dumps({"type": type} | fields)))


def interrupted() -> list[tuple[int, inp.Input]]:
    """3.5 s of a reply arrive, 0.3 s are heard, then the user speaks; in 20 ms steps from 1 s."""
    e: dict[str, Any] = {"event_id": "event_1"}
    response = {"id": "resp_1", "status": "in_progress", "output": []}
    story: list[inp.Input] = [
        inp.PipeOpened(),
        received("session.created", **e, session=SESSION),
        received("session.updated", **e, session=SESSION),
        inp.Asked(1, asks.Say("Tell me a story.")),
        *(inp.Captured(bytes(960)) for _ in range(20)),
        received("response.created", **e, response=response),
        received(
            "response.output_item.added",
            **e,
            response_id="resp_1",
            output_index=0,
            item=ITEM | {"content": []},
        ),
        received("conversation.item.added", **e, item=ITEM | {"content": []}),
        received("response.content_part.added", **PLACE, part={"type": "audio", "transcript": ""}),
        received("response.output_audio_transcript.delta", **PLACE, delta="Once upon"),
    ]
    delta = events.ResponseOutputAudioDelta(**PLACE, delta=bytes(12_000))
    story += [inp.Received(delta) for _ in range(14)]
    story += [
        received("response.output_audio_transcript.delta", **PLACE, delta=" a time"),
        inp.Rendered((inp.Heard(PART, 7_200),)),
        received("input_audio_buffer.speech_started", **e, audio_start_ms=200, item_id="item_2"),
        inp.PlaybackStopped("cut_unasked", (inp.Heard(PART, 7_200),)),
        received("error", **e, error={"type": "server_error", "code": "odd", "message": "Odd."}),
        inp.Tick(),
    ]
    return [(1_000_000 + i * 20_000, each) for i, each in enumerate(story)]
