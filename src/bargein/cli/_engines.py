"""Which engine `bargein serve` runs, from its options."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bargein.errors import DeviceError, LocalValueError
from bargein.secret import Secret

if TYPE_CHECKING:
    from bargein.server.engines.base import EngineFactory

SCRIPT, CHAT, LOCAL = "script", "chat", "local"
_MISSING = 'the chat engine is not installed; pip install "bargein[chat]"'
_MISSING_SERVER = 'the local engine is not installed; pip install "bargein[local]"'
_NO_VOICE = (
    'the chat engine has no voice: pip install "bargein[chat,local]" for espeak-ng, or give '
    "--speak-url"
)

_F = TypeVar("_F", bound=Callable[..., Any])

_CHAT_OPTIONS = (
    click.option(
        "--chat-url",
        metavar="URL",
        help="chat: the mind's base URL, such as http://127.0.0.1:11434/v1 (Ollama) or "
        "http://127.0.0.1:8000/v1 (vLLM). Its key goes into BARGEIN_CHAT_API_KEY.",
    ),
    click.option(
        "--chat-model",
        metavar="NAME",
        help="chat: the mind's model, such as llama3.2. Without it, the one that the client asks "
        "for (see --any-model).",
    ),
    click.option(
        "--chat-body",
        metavar="JSON",
        help="""chat: further fields of every request, such as '{"temperature": 0.3}'.""",
    ),
    click.option(
        "--chat-wait",
        type=click.FloatRange(min=0, min_open=True),
        default=90.0,
        show_default=True,
        metavar="SECONDS",
        help="chat: how long the first piece of an answer may take; a model may have to be loaded.",
    ),
    click.option(
        "--mind-hears",
        is_flag=True,
        help="chat: the mind's model takes sound itself (as `input_audio`); nothing else hears.",
    ),
    click.option(
        "--hear-locally",
        is_flag=True,
        help="chat: hear with pocketsphinx on this machine, as the local engine does: English, and "
        "best what that engine talks about.",
    ),
    click.option(
        "--hear-url",
        metavar="URL",
        help="chat: the base URL of a server with /audio/transcriptions. Its key goes into "
        "BARGEIN_HEAR_API_KEY.",
    ),
    click.option(
        "--hear-model",
        metavar="NAME",
        help="chat: its model. Without it, the one that the session's transcription names.",
    ),
    click.option(
        "--speak-url",
        metavar="URL",
        help="chat: the base URL of a server with /audio/speech. Its key goes into "
        "BARGEIN_SPEAK_API_KEY. Without it, espeak-ng speaks.",
    ),
    click.option("--speak-model", metavar="NAME", help="chat: its model.  [default: tts-1]"),
    click.option(
        "--speak-voice", metavar="NAME", help="chat: its voice. Without it, the session's."
    ),
    click.option(
        "--cut-mark",
        metavar="TEXT",
        help="chat: what stands behind the last heard word of a reply that was interrupted, when "
        "the mind is told of it.  [default: a dash]",
    ),
)
_NAMES = tuple(
    option.lstrip("-").replace("-", "_")
    for option in (
        *("--chat-url", "--chat-model", "--chat-body", "--mind-hears", "--hear-url"),
        "--hear-locally",
        *("--hear-model", "--speak-url", "--speak-model", "--speak-voice", "--cut-mark"),
    )
)
"""Those that mean the chat engine when they are given."""
CHAT_FIELDS = (*_NAMES, "chat_wait")


def chat_options(command: _F) -> _F:
    """The options of the chat engine, on a command."""
    for option in reversed(_CHAT_OPTIONS):
        command = option(command)
    return command


def engine_of(
    engine: str,
    given: Mapping[str, Any],
    speed: float | None = None,
    scenario: str | None = None,
) -> EngineFactory | None:
    """The factory of the engine that was asked for; None is the script engine, of which
    `serve_local` knows more. `given` are the values of `chat_options`, `speed` and `scenario` those
    of `--speed` and `--scenario`, None where they were not given.

    Raises `LocalValueError` for what cannot be, `DeviceError` for what is not installed.
    """
    if scenario is not None and engine != SCRIPT:
        raise LocalValueError(
            f"--scenario is an option of the script engine: leave out it or --engine {engine}"
        )
    if speed is not None and engine not in (SCRIPT, LOCAL):
        raise LocalValueError(
            f"--speed is an option of the engines script and local: leave out it or --engine "
            f"{engine}"
        )
    if engine == CHAT:
        return _chat(given)
    for name in _NAMES:
        if given[name]:
            raise LocalValueError(
                f"--{name.replace('_', '-')} is an option of the chat engine: give --engine chat"
            )
    if engine == SCRIPT:
        return None
    if engine == LOCAL:
        return _local(speed)
    if ":" not in engine:
        raise LocalValueError(
            f"engine is {engine!r}: give script, local, chat, or MODULE:NAME for one of your own"
        )
    from bargein.server.engines.importing import engine_at

    return engine_at(engine)


def _local(speed: float | None) -> EngineFactory:
    try:
        from bargein.server.engines.local.engine import local_engine
    except ImportError as error:
        raise DeviceError(_MISSING_SERVER) from error
    return local_engine(speed=speed)


def _chat(given: Mapping[str, Any]) -> EngineFactory:
    if not given["chat_url"]:
        raise LocalValueError(
            "--engine chat needs --chat-url: the base URL of an OpenAI-compatible server, such as "
            "http://127.0.0.1:11434/v1 for Ollama"
        )
    try:
        from bargein.server.engines.chat.making import chat_engine
        from bargein.server.engines.chat.options import (
            CHAT_KEY_VARIABLE,
            HEAR_KEY_VARIABLE,
            SPEAK_KEY_VARIABLE,
            ChatOptions,
            Deadlines,
        )
    except ImportError as error:
        raise DeviceError(_MISSING) from error
    for name in ("hear_model", "speak_model", "speak_voice"):
        url = f"{name.partition('_')[0]}_url"
        if given[name] is not None and given[url] is None:
            raise LocalValueError(f"{name} is of the server at {url}: give that, or leave it out")
    if given["speak_url"] is None and not has_espeak():
        raise DeviceError(_NO_VOICE)
    text = {
        name: given[name]
        for name in _NAMES
        if name not in ("chat_url", "chat_body", "mind_hears", "hear_locally")
        and given[name] is not None
    }
    return chat_engine(
        ChatOptions(
            chat_url=given["chat_url"],
            chat_body=_body(given["chat_body"]),
            mind_hears=given["mind_hears"],
            hear_locally=given["hear_locally"],
            deadlines=Deadlines(first_s=given["chat_wait"]),
            chat_key=_key(CHAT_KEY_VARIABLE),
            hear_key=_key(HEAR_KEY_VARIABLE),
            speak_key=_key(SPEAK_KEY_VARIABLE),
            **text,
        )
    )


def has_espeak() -> bool:
    """Whether espeak-ng was installed with this package."""
    return importlib.util.find_spec("espeakng_loader") is not None


def _key(variable: str) -> Secret | None:
    value = os.environ.get(variable)
    if not value:
        return None
    try:
        return Secret(value)
    except LocalValueError as error:
        raise LocalValueError(f"{variable}: {error}") from None


def _body(text: str | None) -> Mapping[str, Any]:
    if text is None:
        return {}
    try:
        body = json.loads(text)
    except ValueError as error:
        raise LocalValueError(f"--chat-body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise LocalValueError(f"--chat-body is {text!r}: give a JSON object")
    return body
