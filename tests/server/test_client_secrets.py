"""Ephemeral keys: they expire, are kept as hashes, and make room."""

from __future__ import annotations

import pytest

from bargein.server import client_secrets
from bargein.server.client_secrets import ClientSecrets

SESSION = {"type": "realtime", "instructions": "secret words"}


def test_a_key_is_known_until_it_expires_and_then_as_expired() -> None:
    now = [1_000.0]
    keys = ClientSecrets(lambda: now[0])
    minted = keys.mint(SESSION, 60)
    assert minted is not None
    value, expires_at = minted
    assert value.startswith("ek_") and len(value) > 30 and expires_at == 1_060
    now[0] = 1_059.9
    found = keys.find(value)
    assert found is not None and found.session is SESSION and not found.expired
    now[0] = 1_060.0
    found = keys.find(value)
    assert found is not None and found.expired
    assert keys.find(value + "x") is None and keys.find("") is None


def test_no_key_and_no_session_can_be_seen_in_the_store() -> None:
    keys = ClientSecrets(lambda: 0)
    minted = keys.mint(SESSION, 60)
    assert minted is not None
    held = repr(vars(keys))
    assert minted[0] not in held and "secret words" not in held


def test_two_keys_differ_and_the_expired_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_secrets, "MOST_KEYS", 2)
    now = [0.0]
    keys = ClientSecrets(lambda: now[0])
    first, second = keys.mint(SESSION, 10), keys.mint(SESSION, 100)
    assert first != second and keys.mint(SESSION, 10) is None
    now[0] = 10
    assert keys.mint(SESSION, 10) is not None
    assert first is not None and keys.find(first[0]) is None
    assert second is not None and keys.find(second[0]) is not None
