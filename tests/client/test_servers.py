"""What is known of a server before it is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bargein.capabilities import FILE_FORMAT, Capabilities
from bargein.client.connecting import connect
from bargein.client.servers import (
    capabilities_of,
    headers_for,
    is_azure,
    key_variable,
    usual_auth,
)
from bargein.errors import LocalProtocolError, LocalValueError

AZURE = "wss://res.openai.azure.com/openai/v1/realtime?model=deployed"


def test_azure_is_known_by_its_host_and_takes_the_key_as_api_key() -> None:
    assert is_azure(AZURE) and usual_auth(AZURE) == "api-key"
    for other in ("wss://api.openai.com/v1", "wss://openai.azure.com.example.org/v1", "ws://[/"):
        assert not is_azure(other) and usual_auth(other) == "header"


def test_azures_own_variable_is_read_for_azure_only_and_only_if_it_is_set() -> None:
    both = {"AZURE_OPENAI_API_KEY": "a", "OPENAI_API_KEY": "b"}
    assert key_variable(AZURE, both) == "AZURE_OPENAI_API_KEY"
    assert key_variable("wss://api.openai.com/v1", both) == "OPENAI_API_KEY"
    assert key_variable(AZURE, {}) == "OPENAI_API_KEY"


def test_beta_is_asked_for_by_a_header_that_the_application_can_replace() -> None:
    beta = Capabilities(dialect="beta")
    assert headers_for(Capabilities(), None) is None
    assert headers_for(Capabilities(), {"A": "b"}) == {"A": "b"}
    assert headers_for(beta, {"A": "b"}) == {"OpenAI-Beta": "realtime=v1", "A": "b"}
    assert headers_for(beta, {"OpenAI-Beta": "x"}) == {"OpenAI-Beta": "x"}


def test_capabilities_may_be_an_object_or_a_file(tmp_path: Path) -> None:
    known = Capabilities(truncate=False)
    file = tmp_path / "server.json"
    file.write_text(json.dumps({"format": FILE_FORMAT, "capabilities": {"truncate": False}}))
    assert capabilities_of(known) is known
    assert capabilities_of(file) == capabilities_of(str(file)) == known
    assert capabilities_of(None) == Capabilities()


def test_a_file_that_is_missing_or_wrong_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(LocalValueError, match=r"nowhere\.json: No such file"):
        capabilities_of(tmp_path / "nowhere.json")
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}")
    with pytest.raises(LocalValueError, match=r"capabilities: .*wrong\.json: is no capability"):
        capabilities_of(wrong)
    wrong_type: Any = 3
    with pytest.raises(LocalValueError, match="capabilities: 3; give Capabilities"):
        capabilities_of(wrong_type)


def test_keep_talking_is_refused_where_the_server_always_cancels() -> None:
    detection = {"type": "server_vad", "interrupt_response": False}
    told = {"audio": {"input": {"turn_detection": detection}}}
    with pytest.raises(LocalProtocolError, match="keep_talking"):
        connect(
            api_key="k",
            barge_in="keep_talking",
            session=told,
            capabilities=Capabilities(interrupts="always"),
        )
    connect(api_key="k", barge_in="keep_talking", session=told)
    connect(api_key="k", barge_in="keep_talking", capabilities=Capabilities(interrupts="never"))
