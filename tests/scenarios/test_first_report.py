"""The report this project was made from (openai_realtime_client#6): speech over a reply made the
client send a bare cancel and a truncate without its fields, and the session ended.
"""

from __future__ import annotations

import json

from tests.scenarios.rig import Talk

from bargein import events
from bargein.core.notices import Fault, InterruptionSettled


def _the_recorded_exchange(talk: Talk, heard_ms: int) -> None:
    """The server's side, event for event; the user hears the reply until it is stopped."""
    talk.response("r1")
    talk.item("A")
    talk.part("A")
    for _ in range(5):
        talk.delta("A", 250)
        talk.capture(42)
    talk.words("A", "¡Hola! ¿En qué puedo ayudarte hoy?")
    talk.heard("A", heard_ms)
    talk.speech_started("U1")
    talk.stopped({"A": heard_ms})
    talk.capture(42)
    talk.audio_done("A")
    talk.capture(42)
    talk.all_words("A", "¡Hola! ¿En qué puedo ayudarte hoy?")
    talk.item_done("A", "incomplete")
    talk.response_done(status="cancelled", reason="turn_detected")
    talk.receive(
        "conversation.item.input_audio_transcription.completed",
        item_id="U0",
        content_index=0,
        transcript="Hey.\n",
    )


def test_the_events_of_the_first_report_draw_neither_of_its_errors() -> None:
    """No `Missing required parameter: 'content_index'`, no `Cancellation failed`."""
    talk = Talk()
    _the_recorded_exchange(talk, 640)
    told = [one for one in talk.sent() if not one.startswith("sound")]
    assert told == ["truncate A/0 640"]
    (truncate,) = talk.events_sent(events.ConversationItemTruncate)
    frame = json.loads(events.encode(truncate))
    assert frame.pop("event_id")
    assert frame == {
        "type": "conversation.item.truncate",
        "item_id": "A",
        "content_index": 0,
        "audio_end_ms": 640,
    }


def test_the_session_of_the_first_report_goes_on() -> None:
    """The microphone is never interrupted, the record is settled, the next reply is heard."""
    talk = Talk()
    _the_recorded_exchange(talk, 640)
    talk.agree()
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.kept_ms, settled.drift_ms, settled.exactness) == (640, 0, "exact")
    talk.speech_ended("U1")
    talk.sent()
    talk.speaking("r2", "B", 500)
    talk.capture(42)
    assert talk.played_ms("B") == 500
    assert talk.sent() == ["sound 42"]
    assert talk.told(Fault) == []
