"""What a session begins with where a client says so in advance: with its call, or bound to a key
(protocol.md §1.2.1, §1.3).

It is tried on a machine of its own, so that it is refused as a `session.update` is, in the same
words, and what it comes to is what the session will show.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import msgspec

from bargein import events
from bargein.server.model.commands import SendEvent
from bargein.server.model.ids import Ids
from bargein.server.model.inputs import FrameReceived, Opened, SessionKind
from bargein.server.model.machine import Machine
from bargein.server.model.options import Options
from bargein.server.model.schema import EVENTS
from bargein.server.model.vad import EnergyVad
from bargein.server.model.validate import Record, Text, Whole, check

DEFAULT_MODEL = "gpt-realtime"
"""Where nobody names one."""
DEFAULT_LIFE_S = 600
_UPDATE = EVENTS["session.update"]
assert _UPDATE is not None, "every session has updates"
_SECRET = Record(
    {
        "expires_after": Record(
            {"anchor": Text(choices=("created_at",)), "seconds": Whole(10, 7_200)}
        ),
        "session": _UPDATE.fields["session"],
    }
)


def asked_secret(body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The session and the seconds that a request for an ephemeral key asks for. Raises
    `RefusedError`."""
    check(body, _SECRET, "")
    life_s: int = body.get("expires_after", {}).get("seconds", DEFAULT_LIFE_S)
    return body.get("session", {"type": "realtime"}), life_s


def model_of(session: dict[str, Any]) -> str:
    """The model that it names; of a session without a shape, the default one."""
    model = session.get("model", DEFAULT_MODEL)
    return model if isinstance(model, str) else DEFAULT_MODEL


def kind_of(session: dict[str, Any]) -> SessionKind:
    return "transcription" if session.get("type") == "transcription" else "realtime"


def tried(
    session: dict[str, Any], options: Options, *, session_id: str
) -> events.Session | events.TranscriptionSession | events.ErrorBody:
    """The effective session, or why it cannot be. `expires_at` is 0: no session runs yet."""
    kind = kind_of(session)
    machine = Machine(
        ids=Ids(itertools.count(1).__next__),
        detector=EnergyVad(),
        options=replace(options, processing_us=0),
    )
    model = "" if kind == "transcription" else model_of(session)
    opened = Opened(model, wall_time_s=0, kind=kind, session_id=session_id)
    machine.handle(opened, now_us=0)
    update = msgspec.json.encode({"type": "session.update", "session": session}).decode()
    for command in machine.handle(FrameReceived(update), now_us=0):
        match command:
            case SendEvent(event=events.Error(error=error)):
                return error
            case SendEvent(event=events.SessionUpdated(session=shown)):
                assert isinstance(shown, events.Session | events.TranscriptionSession)
                return msgspec.structs.replace(shown, expires_at=0)
            case _:
                # It would import the tools of MCP servers; nobody does.
                pass
    raise AssertionError("an update is answered")
