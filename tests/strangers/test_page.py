"""The page about strangers names the clients that are tried, and the evidence that is there."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path

from tests.strangers.interruptions import CLIENTS, SITUATIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "strangers.md").read_text()


def test_every_client_is_named_with_the_version_that_is_tried() -> None:
    locked = json.loads((Path(__file__).parent / "node" / "package.json").read_text())
    versions = [
        ("openai", metadata.version("openai")),
        ("openai-agents", metadata.version("openai-agents")),
        *((name, locked["dependencies"][name]) for name in ("openai", "@openai/agents-realtime")),
    ]
    for name, version in versions:
        row = rf"^\| `{re.escape(name)}`[^|]*\| {re.escape(version)}\b"
        assert re.search(row, PAGE, re.MULTILINE), (name, version)


def test_the_figures_are_those_of_the_evidence() -> None:
    (name,) = re.findall(r"\(evidence/(strangers-[\w-]+\.json)\)", PAGE)
    told = json.loads((ROOT / "docs" / "evidence" / name).read_text())["situations"]
    assert set(told) == set(SITUATIONS)
    for situation, clients in told.items():
        assert set(clients) == set(CLIENTS)
        for client, outcome in clients.items():
            parts = "; ".join(
                f"{part['heard_ms']} → {'deleted' if part['kept_ms'] is None else part['kept_ms']}"
                for part in outcome["parts"]
            )
            (row,) = [
                row for row in PAGE.splitlines() if row.startswith(f"| {situation} | {client} |")
            ]
            assert f"| {parts} |" in row, row
