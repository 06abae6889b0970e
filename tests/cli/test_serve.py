"""`bargein serve`, as a process and as a command."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from websockets.sync.client import connect

from bargein.cli import main
from bargein.cli.serve import KEY_VARIABLE
from bargein.server.engines.scenario import builtin_scenarios

RUN = "from bargein.cli import main; main()"
SECRET = "sk-given-0123456789abcdef"


def quiet_environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != KEY_VARIABLE}
    return {**kept, **more}


@contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command, in a process of its own, ended if the test did not."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=quiet_environment(**environment),
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_printed_lines_point_a_client_at_it_and_a_signal_ends_it(
    number: signal.Signals,
) -> None:
    with serving() as process:
        url = line(process).removeprefix("export OPENAI_BASE_URL=")
        key = line(process).removeprefix("export OPENAI_API_KEY=")
        address = f"ws{url.removeprefix('http')}/realtime?model=gpt-realtime"
        headers = {"Authorization": f"Bearer {key}"}
        with connect(address, additional_headers=headers, compression=None) as socket:
            assert json.loads(socket.recv())["type"] == "session.created"
            process.send_signal(number)
            _, errors = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "Traceback" not in errors
        assert errors.splitlines()[-1] == "Ended."


@pytest.mark.parametrize("way", ["option", "environment"])
def test_a_key_that_was_given_is_never_printed(way: str) -> None:
    given = ("--api-key", SECRET) if way == "option" else ()
    more = {KEY_VARIABLE: SECRET} if way == "environment" else {}
    with serving(*given, **more) as process:
        base_url = line(process)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)
    assert base_url.startswith("export OPENAI_BASE_URL=http://127.0.0.1:")
    assert SECRET not in base_url + output + errors
    assert "export OPENAI_API_KEY" not in output


def test_a_machine_can_read_where_it_is(tmp_path: Path) -> None:
    trace = tmp_path / "frames.jsonl"
    with serving("--json", "--trace", str(trace)) as process:
        told = json.loads(line(process))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    urls = {"base_url", "ws_url", "calls_url", "page_url"}
    assert set(told) == urls | {"api_key", "engine", "scenario"}
    assert told["page_url"].startswith(told["base_url"].removesuffix("v1") + "#")
    assert told["calls_url"] == f"{told['base_url']}/realtime/calls"
    assert told["ws_url"].startswith("ws://127.0.0.1:")
    assert told["api_key"].startswith("sk-local-")
    assert stat.S_IMODE(trace.stat().st_mode) == 0o600


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    """A call that ends by itself: its exit code and what it said on stderr."""
    result = CliRunner(env={KEY_VARIABLE: None, **environment}).invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stderr


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, errors = run("serve", "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert errors.count("\n") == 1
    assert "cannot be listened on: Address already in use; give another port" in errors


CHAT = "--engine", "chat", "--chat-url"


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--scenario", "nowhere.toml"), "Error: nowhere.toml: No such file or directory"),
        (("--port", "70000"), "Error: --port is 70000: give 0 to 65535"),
        (("--speed", "nan"), "Error: --speed is nan: give 0.1 to 1000"),
        (("--api-key", "two words"), "Error: --api-key cannot be sent in a header"),
        (("--allow-host", "http://a"), "Error: --allow-host is 'http://a': give a name"),
        (("--allow-origin", "a.example"), "Error: --allow-origin is 'a.example': give scheme"),
        (("--max-sessions", "0"), "Error: --max-sessions is 0: give more than 0"),
        (("--workers", "0"), "Error: --workers is 0: give 1 to 64"),
        (("--workers", "2", "--tls"), "Error: --tls: the page and its certificate have one"),
        (("--tls-cert", __file__), "Error: --tls-cert and --tls-key belong together: give both"),
        (("--tls-cert", __file__, "--tls-key", __file__), "Error: TLS: certificate and key cannot"),
        (("--engine", "no"), "Error: --engine is 'no': give script, local, chat, or MODULE:NAME"),
        ((*CHAT, "ftp://a"), "Error: --chat-url is no http(s) URL"),
        ((*CHAT, "http://a", "--hear-url", "b"), "Error: --hear-url is no http(s) URL"),
        (
            (*CHAT, "http://a", "--mind-hears", "--hear-url", "http://b"),
            "Error: --mind-hears and --hear-url are two ways to hear: give one",
        ),
        (
            (*CHAT, "http://a", "--speak-voice", "eve"),
            "Error: --speak-voice is of the server at --speak-url: give that, or leave it out",
        ),
    ],
)
def test_what_cannot_be_is_one_line_that_names_the_way_out(
    arguments: tuple[str, ...], fault: str
) -> None:
    code, errors = run("serve", *arguments)
    assert code == 2
    assert errors.startswith(fault)
    assert errors.count("\n") == 1


@pytest.mark.parametrize("missing", ["espeakng_loader", "uvicorn", "starlette"])
def test_a_part_that_is_not_installed_is_named_with_the_command_that_installs_it(
    missing: str,
) -> None:
    script = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from bargein.cli import main; main(['serve'])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=quiet_environment()
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert 'pip install "bargein[local]"' in result.stderr


def test_the_help_teaches_and_needs_no_server() -> None:
    result = CliRunner().invoke(main, ["serve", "--help"])
    assert result.exit_code == 0
    for word in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "[[replies]]", KEY_VARIABLE):
        assert word in result.output


def test_the_help_names_every_built_in_scenario() -> None:
    text = CliRunner().invoke(main, ["serve", "--help"]).output
    assert all(f"'{name}'" in text for name in builtin_scenarios())


def test_the_list_of_commands_imports_none_of_them() -> None:
    script = (
        "import sys\nfrom click.testing import CliRunner\nfrom bargein.cli import main\n"
        "result = CliRunner().invoke(main, ['--help'])\n"
        "assert 'Run a local Realtime server' in result.output, result.output\n"
        "heavy = {'numpy', 'uvicorn', 'starlette', 'bargein.cli.serve'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_unknown_command_is_told() -> None:
    code, errors = run("sing")
    assert code == 2
    assert "No such command 'sing'" in errors
