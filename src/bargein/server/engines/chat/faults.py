"""What goes wrong at an OpenAI-compatible server, as the error of a failed response. Pure.

1. The codes are those that clients of the Realtime API know (protocol.md section 4.15):
   `rate_limit_exceeded`, `insufficient_quota`, `server_error`, and those of wrong requests.
2. A server's own words are passed on, shortened and without the key: they say what to do.
3. A URL is named by scheme, host, port and path: what else is in it may be a secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from bargein.secret import Secret
from bargein.server.engines.base import EngineError

_MOST_WORDS = 300
_BY_STATUS = {
    400: ("invalid_request_error", "invalid_request"),
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_quota"),
    403: ("invalid_request_error", "permission_denied"),
    404: ("invalid_request_error", "model_not_found"),
    413: ("invalid_request_error", "request_too_large"),
    422: ("invalid_request_error", "invalid_request"),
    429: ("invalid_request_error", "rate_limit_exceeded"),
}
_TELLING_CODES = {
    "insufficient_quota",
    "rate_limit_exceeded",
    "context_length_exceeded",
    "invalid_api_key",
    "model_not_found",
}
"""Codes of a body that say more than the status."""


def shown_url(url: str) -> str:
    """The URL without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def fault_of_status(where: str, status: int, body: str, key: Secret | None) -> EngineError:
    """An answer that is no success."""
    type, code = _BY_STATUS.get(status, ("server_error", "server_error"))
    if 400 <= status < 500 and status not in _BY_STATUS:
        type, code = "invalid_request_error", "invalid_request"
    error = _error_in(body)
    told = _code_of(error)
    if told is not None:
        type, code = _type_of(told), told
    words = _shortened(_words_of(error) or body, key)
    return EngineError(f"{where} answered {status}{f': {words}' if words else ''}",
                       type=type, code=code)  # fmt: skip


def fault_in_stream(where: str, error: object) -> EngineError:
    """An error that comes where a part of the answer was due."""
    told = error if isinstance(error, dict) else {"message": error}
    code = _code_of(told) or "server_error"
    words = _shortened(_words_of(told), None)
    return EngineError(
        f"{where} broke off{f': {words}' if words else ''}", type=_type_of(code), code=code
    )


def fault_of_content(where: str, content_type: str, wanted: str) -> EngineError:
    """A success that is something else than what was asked for."""
    named = content_type.partition(";")[0].strip()[:60] or "no content type"
    return EngineError(
        f"{where} answered with {named} where {wanted} was asked for: is the URL right?",
        code="server_error",
    )


def _type_of(code: str) -> str:
    if code in ("server_error", "insufficient_quota"):
        return code
    return "invalid_request_error"


def _error_in(body: str) -> Mapping[str, Any]:
    """The `error` of a JSON body, in the shapes that are about."""
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(told, dict):
        return {}
    error = told.get("error", told)
    return error if isinstance(error, dict) else {"message": error}


def _code_of(error: Mapping[str, Any]) -> str | None:
    for name in ("code", "type"):
        value = error.get(name)
        if isinstance(value, str) and value in _TELLING_CODES:
            return value
    return None


def _words_of(error: Mapping[str, Any]) -> str:
    for name in ("message", "detail"):
        value = error.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def _shortened(words: str, key: Secret | None) -> str:
    words = " ".join(words.split())[: 4 * _MOST_WORDS]
    words = words if key is None else key.hidden_in(words)
    return words if len(words) <= _MOST_WORDS else f"{words[: _MOST_WORDS - 1]}…"
