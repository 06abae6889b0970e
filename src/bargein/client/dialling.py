"""Where a session is dialled and as whom: the address, the key, and the pipe that has both.

1. A key from a callable is asked for when the session begins: one that was asked for earlier may be
   too old then.
2. The key is shown nowhere: not in an error, not in a repr.
"""

from __future__ import annotations

import inspect
import os
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from bargein.client import config
from bargein.client.servers import key_variable
from bargein.errors import LocalValueError, TransportError
from bargein.secret import Secret
from bargein.transports.base import Pipe

ApiKey: TypeAlias = str | Callable[[], str] | Callable[[], Awaitable[str]]

MakePipe: TypeAlias = Callable[[], Awaitable[Pipe]]


def dialling(
    url: str | None,
    model: str,
    api_key: ApiKey | None,
    new_pipe: Callable[[str, Secret], Pipe],
    *,
    call_id: str | None = None,
) -> MakePipe:
    """A WebSocket to make when the session begins: a key from a callable must not be old then."""
    base = base_of(url)
    address = config.socket_url(base, model) if call_id is None else config.call_url(base, call_id)
    variable = key_variable(address)
    if api_key is None and not os.environ.get(variable):
        raise LocalValueError(
            f"api_key: none was given and {variable} is not set; set it, or give api_key"
        )

    async def dial() -> Pipe:
        return new_pipe(address, await _secret(api_key, variable))

    return dial


def calling(
    url: str | None,
    model: str,
    api_key: ApiKey | None,
    headers: Mapping[str, str] | None,
    open_timeout_s: float,
    ssl: ssl_module.SSLContext | None,
) -> MakePipe:
    """A call over WebRTC to make when the session begins. Raises `LocalValueError`, also where the
    extra is missing."""
    base = base_of(url)
    variable = key_variable(base)
    if api_key is None and not os.environ.get(variable):
        raise LocalValueError(
            f"api_key: none was given and {variable} is not set; set it, or give api_key"
        )
    try:
        from bargein.transports.signaling import Signaling
        from bargein.transports.webrtc import WebRtcPipe
    except ImportError:
        raise LocalValueError(
            'transport: "webrtc" needs an extra: pip install "bargein[webrtc]"'
        ) from None

    async def call() -> Pipe:
        secret = await _secret(api_key, variable)
        signaling = Signaling(base, secret, headers=headers, timeout_s=open_timeout_s, ssl=ssl)
        session = {"type": "realtime", "model": model}
        return WebRtcPipe(signaling, session, open_timeout_s=open_timeout_s)

    return call


def base_of(url: str | None) -> str:
    """Where, without the path: what was given, else the environment, else OpenAI."""
    return url or os.environ.get("OPENAI_BASE_URL") or config.OPENAI_URL


def taking(pipe: Pipe) -> MakePipe:
    """A pipe of the application's own."""

    async def take() -> Pipe:
        return pipe

    return take


async def _secret(api_key: ApiKey | None, variable: str) -> Secret:
    if api_key is None:
        return Secret(os.environ.get(variable, ""))
    if isinstance(api_key, str):
        return Secret(api_key)
    if not callable(api_key):
        raise LocalValueError(f"api_key: a {type(api_key).__name__}; give a str or a callable")
    failed = ""
    value: Any = None
    try:
        value = api_key()
        if inspect.isawaitable(value):
            value = await value
    except Exception as error:
        failed = type(error).__name__
    if failed:
        # Raised outside of the handler: the other exception may quote what it worked with.
        raise TransportError(f"api_key: the callable raised {failed}")
    return Secret(value)
