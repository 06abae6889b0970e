"""What a session may begin with is what an update may bring, in the same words."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.model.model_rig import Rig, error

from bargein import events
from bargein.server.model.options import Options
from bargein.server.model.refusal import RefusedError
from bargein.server.model.starting import asked_secret, kind_of, model_of, tried

SESSION_ID = "sess_u0_E4xw9V7Wm6BbwNyTjXvsL"


def test_the_effective_session_is_shown_with_its_id_and_no_end() -> None:
    shown = tried(
        {"type": "realtime", "model": "gpt-realtime-2.1", "instructions": "Be brief."},
        Options(processing_us=1_000),
        session_id=SESSION_ID,
    )
    assert isinstance(shown, events.Session)
    assert (shown.id, shown.model, shown.expires_at) == (SESSION_ID, "gpt-realtime-2.1", 0)
    assert shown.instructions == "Be brief."


@pytest.mark.parametrize(
    "session",
    [
        {},
        {"type": "realtime", "nonsense": 1},
        {"type": "realtime", "audio": {"output": {"voice": "nobody"}}},
        {"type": "realtime", "tools": [{"type": "mcp", "server_label": "x"}]},
        {"type": "realtime", "max_output_tokens": 5_000},
    ],
)
def test_it_is_refused_as_an_update_is(session: dict[str, Any]) -> None:
    refused = tried(session, Options(), session_id=SESSION_ID)
    assert isinstance(refused, events.ErrorBody)
    updated = error(Rig().say("session.update", session=session))
    assert (refused.code, refused.message, refused.param) == (
        updated["code"],
        updated["message"],
        updated["param"],
    )


def test_a_transcription_session_may_be_begun_too() -> None:
    session = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}
    shown = tried(session, Options(), session_id=SESSION_ID)
    assert isinstance(shown, events.TranscriptionSession) and kind_of(session) == "transcription"


def test_tools_of_mcp_servers_are_shown_without_being_asked_for() -> None:
    tool = {"type": "mcp", "server_label": "x", "server_url": "http://127.0.0.1:1/mcp"}
    shown = tried(
        {"type": "realtime", "tools": [{**tool, "authorization": "secret"}]},
        Options(),
        session_id=SESSION_ID,
    )
    assert isinstance(shown, events.Session) and "secret" not in repr(shown)


def test_a_key_is_asked_for_with_limits() -> None:
    assert asked_secret({}) == ({"type": "realtime"}, 600)
    with pytest.raises(RefusedError):
        asked_secret({"expires_after": {"seconds": 5}})


def test_a_session_names_its_model_or_has_the_default_one() -> None:
    assert model_of({"model": "x"}) == "x"
    assert model_of({}) == model_of({"model": 5}) == "gpt-realtime"
