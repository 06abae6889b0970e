"""`bargein conform`: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.lab.conformance.made import REPLIES
from tests.server.serving_rig import KEY

from bargein.capabilities import Capabilities
from bargein.cli import main
from bargein.client.servers import capabilities_of
from bargein.lab.conformance.topics import QUESTIONS, SECTIONS
from bargein.server.model.options import Options
from bargein.server.serving import serve_local

PAGE = Path(__file__).parents[2] / "docs" / "conform.md"


class Served(Thread):
    """A server on a loop of its own, for a command that has one itself."""

    def __init__(self, **options: Any) -> None:
        super().__init__(daemon=True)
        self.options = options
        self.url = ""
        self.up = Event()
        self.over = Event()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        async with serve_local(REPLIES, api_key=KEY, **self.options) as server:
            self.url = server.url
            self.up.set()
            await asyncio.to_thread(self.over.wait, 60)


@contextmanager
def served(**options: Any) -> Iterator[str]:
    server = Served(**options)
    server.start()
    assert server.up.wait(30)
    yield server.url
    server.over.set()
    server.join(30)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(options=Options(lengths_grid_ms=50)) as address:
        yield address


def conform(*words: str, key: str | None = KEY) -> Result:
    environment = {"OPENAI_API_KEY": key, "AZURE_OPENAI_API_KEY": None}
    return CliRunner().invoke(main, ["conform", *words], env=environment)


def test_it_names_the_difference_and_writes_what_a_client_must_know(
    url: str, tmp_path: Path
) -> None:
    page, file = tmp_path / "page.html", tmp_path / "can.json"
    result = conform(url, "--only", "truncate", "--report", str(page), "--capabilities", str(file))
    assert result.exit_code == 1
    assert "5 of 6 as the reference" in result.stdout
    assert "counts in steps of: 50 ms, not 1 ms" in result.stdout
    assert result.stdout.rstrip().endswith("5 as the reference, 1 different, of 6 questions.")
    assert "\x1b" not in result.stdout, "no colours where nobody sees them"
    assert capabilities_of(file) == Capabilities(lengths_grid_ms=50)
    assert json.loads(file.read_text())["because"]["cancel"] == "assumed: not answered"
    html = page.read_text()
    assert html.count("<svg") == 1 and "http://" not in html.replace("http://www.w3.org/2000", "")
    for text in (result.stdout, result.stderr, html, file.read_text()):
        assert KEY not in text


def test_as_json_it_prints_nothing_else(url: str) -> None:
    result = conform(url, "--only", "session", "--json")
    told = json.loads(result.output)
    assert result.exit_code == 0
    assert (told["format"], told["conforms"], told["differ"]) == ("bargein-conform/1", True, 0)
    assert told["same"] == len(told["questions"]) == sum(q.section == "session" for q in QUESTIONS)
    assert told["questions"][0]["source"] == "docs/protocol.md §1.1.5, §3.1"


def test_what_the_page_shows_is_what_is_printed() -> None:
    """docs/conform.md, but for the port."""
    words = ("--dialect", "beta", "--model", "gpt-4o-realtime-preview", "--only", "turns")
    with served(dialect="beta") as address:
        printed = conform(address, *words).stdout.splitlines()
    text = PAGE.read_text()
    assert f"$ bargein conform http://127.0.0.1:8765/v1 {' '.join(words)}\n" in text
    assert "\n".join(line.rstrip() for line in printed[1:]) in text


def test_what_the_page_says_of_numbers_is_so() -> None:
    text = PAGE.read_text()
    assert f"{len(QUESTIONS)} questions in eleven sections" in text and len(SECTIONS) == 11
    for section in SECTIONS:
        assert f"| `{section}` |" in text, section
    refusals = sum(each.section == "refusals" for each in QUESTIONS)
    assert f"| `refusals` | {refusals} wrong events" in text
    assert (
        "18 replies, most of them cut short; roughly 1200 tokens of sound made,\n160 heard" in text
    )
    for name in {*Capabilities.__struct_fields__} - {"playback_owner", "media"}:
        assert f"| `{name}` |" in text, name


def test_all_shows_also_what_is_as_the_reference(url: str) -> None:
    short, long = conform(url, "--only", "items"), conform(url, "--only", "items", "--all")
    assert "delete again" not in short.stdout
    assert "delete again" in long.stdout


def test_without_the_right_key_it_says_that_no_session_began(url: str) -> None:
    result = conform(url, "--only", "session", key="sk-another-key-0123456789")
    assert result.exit_code == 1
    assert "9 without an answer" in result.stdout
    assert "No session began" in result.stderr
    assert "sk-another" not in result.output


def test_the_list_has_every_question_and_asks_none() -> None:
    result = conform("--list")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == len(QUESTIONS)
    assert len(conform("--list", "--only", "tools").stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Missing argument 'URL'"),
        (("ftp://host",), "url: give http(s)://host/v1"),
        (("http://127.0.0.1:1/v1", "--only", "weather"), "there is no section 'weather'"),
        (("http://127.0.0.1:1/v1", "--timeout", "0"), "--timeout"),
        (("https://example.org/v1",), "give --yes"),
        (("http://127.0.0.1:1/v1", "--report", "/dev/null/x.html"), "out: /dev/null"),
    ],
)
def test_a_call_that_cannot_be_ends_with_2(words: tuple[str, ...], said: str) -> None:
    result = conform(*words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_it_says_roughly_what_it_costs_before_anything_is_sent() -> None:
    result = conform("https://example.org/v1")
    assert "example.org is asked for 18 replies" in result.stderr
    assert "tokens of sound made" in result.stderr


def test_a_server_that_is_not_there_ends_with_1_and_a_line() -> None:
    result = conform("http://127.0.0.1:1/v1", "--only", "session")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ws://127.0.0.1:1/v1/realtime: ")


def test_the_sections_are_named_in_the_order_of_asking() -> None:
    assert SECTIONS[0] == "session", "it shows what can serve as a fence"
    assert SECTIONS[-2:] == ("refusals", "calls")


@pytest.fixture
def without_aiortc(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "aiortc" else find(name)
    )


@pytest.mark.usefixtures("without_aiortc")
def test_where_no_call_can_be_made_from_here_it_is_said(url: str) -> None:
    result = conform(url, "--only", "session")
    assert result.exit_code == 0
    assert "Calls over WebRTC are not asked about" in result.stderr
    result = conform(url, "--only", "calls")
    assert result.exit_code == 2
    assert "only: 'calls' needs pip install \"bargein[webrtc]\"" in result.stderr


def test_what_is_known_of_calls_is_in_the_capability_file(tmp_path: Path) -> None:
    file = tmp_path / "can.json"
    with served(media_hosts=None) as address:
        result = conform(address, "--only", "calls", "--capabilities", str(file))
    assert "refused: HTTP 501, not a call" in result.stdout
    assert json.loads(file.read_text())["calls"] == {"offered": False}
    assert capabilities_of(file) == Capabilities()
