"""Who may open a session: decided from the head of the request alone (protocol.md §1.1). Pure.

1. What a browser's page could send from elsewhere is refused before the upgrade, with HTTP 403:
   any web page can reach 127.0.0.1, and a foreign name can be made to point there. `Host` must
   name this server, and `Origin`, where there is one, the same host or one that was allowed.
2. Every other refusal comes after the upgrade, as the service has it: one `error`, then a close
   with 3000 for who you are and 4000 for what you ask, and `type.code` as its reason.
3. Keys are compared in constant time and shown masked: what was sent to the wrong server may be a
   right key elsewhere.
4. The texts are the service's own, to the letter where they are recorded, although they speak of
   its addresses. Ours are the tail of an unknown model's, that of the beta header, and the code of
   a model that is not for beta.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeAlias

from bargein.errors import LocalValueError
from bargein.events.dialect import Dialect
from bargein.server.model.inputs import SessionKind
from bargein.server.model.models import TRANSCRIPTION_MODELS
from bargein.server.model.starting import kind_of, model_of

Dialects: TypeAlias = Literal["ga", "beta", "both"]
BAD_KEY, BAD_REQUEST, TRY_LATER = 3000, 4000, 1013
INVALID_REQUEST = "invalid_request_error"

SPEECH_MODELS = frozenset(
    {
        "gpt-realtime",
        "gpt-realtime-1.5",
        "gpt-realtime-2",
        "gpt-realtime-2.1",
        "gpt-realtime-2.1-mini",
        "gpt-realtime-2025-08-28",
        "gpt-realtime-mini",
        "gpt-realtime-mini-2025-10-06",
        "gpt-realtime-mini-2025-12-15",
        "gpt-4o-realtime-preview",
        "gpt-4o-realtime-preview-2024-10-01",
        "gpt-4o-realtime-preview-2024-12-17",
        "gpt-4o-realtime-preview-2025-06-03",
        "gpt-4o-mini-realtime-preview",
        "gpt-4o-mini-realtime-preview-2024-12-17",
        "gpt-audio-1.5",
        "gpt-audio-mini",
        "gpt-audio-mini-2025-10-06",
        "gpt-audio-mini-2025-12-15",
    }
)
"""What a session may name as its model (protocol.md §2.7). They all sound alike here; what differs
are the session's defaults."""

_GA_ONLY = {"gpt-realtime-2", "gpt-realtime-2.1", "gpt-realtime-2.1-mini"}
_KEY_PROTOCOL = "openai-insecure-api-key."
_BETA_PROTOCOL = "openai-beta.realtime-v1"
_HOST = re.compile(r"([^\s/@?#:,*\[\]]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/@?#,*]+|null")
_MASKED_FROM = 24
"""A shorter key is not shown at all."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Whom this server admits. `port` is the one it listens on.

    `dialects` says what is spoken (protocol.md §1.1.2): "ga", and the beta header is refused, as
    since May 2026; "both", and the header decides, as before; "beta", header or not.

    `hosts` are further names by which it may be called ("name" or "name:port", in lower case),
    `origins` the pages of other hosts that may use it ("https://name:port"). `any_address`: it
    listens beyond loopback, so any numerical address may be its own; a name must still be in
    `hosts`, since only a name can be made to point here by somebody else.
    """

    api_key: str = field(repr=False)
    port: int
    any_address: bool = False
    any_model: bool = False
    dialects: Dialects = "ga"
    tls: bool = False
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, repr=False)
class Head:
    """The head of a WebSocket request. Header names in lower case; a repeated one by its last. It
    may hold a key anywhere, so its repr shows nothing of it."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    subprotocols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Admitted:
    """Open a session in this dialect. One that only writes down what it hears has no model of its
    own."""

    model: str
    kind: SessionKind = "realtime"
    dialect: Dialect = "ga"
    wanted: dict[str, Any] | None = None
    """What the session is to begin with; None: nothing in particular."""


class Bound(Protocol):
    """What an ephemeral key is bound to."""

    @property
    def session(self) -> dict[str, Any]:
        """The session that it begins, checked."""

    @property
    def expired(self) -> bool: ...


class Secrets(Protocol):
    """The ephemeral keys that were given out (protocol.md §1.3)."""

    def find(self, value: str) -> Bound | None: ...


@dataclass(frozen=True, slots=True)
class NotAdmitted:
    """Tell why by an `error` event, then close."""

    close_code: int
    code: str | None
    message: str
    type: str = INVALID_REQUEST

    @property
    def close_reason(self) -> str:
        """As the service forms it (protocol.md §1.1.3)."""
        return self.type if self.code is None else f"{self.type}.{self.code}"


def forbidden(headers: Mapping[str, str], policy: Policy) -> str | None:
    """Why a request is refused with HTTP 403; None if it may go on."""
    host = headers.get("host", "")
    if not _is_own(host, policy):
        return (
            f"Host is {host[:100]!r}, which is not this server. Call it by the address that it "
            f"printed, or allow the name when it starts."
        )
    origin = headers.get("origin")
    if origin is None or origin in policy.origins:
        return None
    if origin in (f"http://{host}", f"https://{host}"):
        return None
    return (
        f"Origin is {origin[:100]!r}, a page of another host. Allow it when the server starts, if "
        "the page is yours."
    )


def checked_host(name: str) -> str:
    """A further name of this server, as `Policy.hosts` has it. Raises `LocalValueError` for what no
    `Host` header could be."""
    if not _HOST.fullmatch(name.lower()):
        raise LocalValueError(
            f"allowed host is {name!r}: give a name, or name:port, such as proxy.example.org"
        )
    return name.lower()


def checked_origin(page: str) -> str:
    """The origin of a page, as `Policy.origins` has it. Raises `LocalValueError` for what no
    `Origin` header could be."""
    if not _ORIGIN.fullmatch(page.lower()):
        raise LocalValueError(
            f"allowed origin is {page!r}: give scheme, name and port alone, such as "
            "https://example.org"
        )
    return page.lower()


def checked_address(address: str) -> str:
    """An address of this machine for media. Raises `LocalValueError` for what is none."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise LocalValueError(
            f"media host is {address!r}: give a numerical address of this machine"
        ) from None


def _is_own(host: str, policy: Policy) -> bool:
    host = host.lower()
    if host in policy.hosts:
        return True
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, "443" if policy.tls else "80"
    if port != str(policy.port):
        return False
    if name == "localhost" or name in policy.hosts:
        return True
    bracketed = name.startswith("[") and name.endswith("]")
    if bracketed is not (":" in name):
        return False
    try:
        address = ipaddress.ip_address(name[1:-1] if bracketed else name)
    except ValueError:
        return False
    return address.is_loopback or policy.any_address


def admit(head: Head, policy: Policy, secrets: Secrets | None = None) -> Admitted | NotAdmitted:
    """Who asks, in which dialect, then for what: the first fault counts. What an ephemeral key is
    bound to stands in place of what the query says."""
    who = who_asks(head, policy, secrets)
    if isinstance(who, NotAdmitted):
        return who
    dialect = dialect_of(head, policy)
    if isinstance(dialect, NotAdmitted):
        return dialect
    if who is not None:
        return admit_session(who.session, policy, dialect)
    model = head.query.get("model")
    intent = head.query.get("intent")
    if intent == "transcription":
        if model is not None:
            return _bad_request(
                None, "You must not provide a model parameter for transcription sessions."
            )
        return Admitted("", "transcription", dialect)
    if intent is not None:
        return _bad_request("invalid_intent", f"Invalid intent {_quoted(intent)}")
    if not model:
        return _bad_request(
            "missing_model",
            "You must provide a model parameter, for example "
            "wss://api.openai.com/v1/realtime?model=gpt-realtime-1.5",
        )
    return _model(model, policy, dialect)


def who_asks(
    head: Head, policy: Policy, secrets: Secrets | None = None
) -> Bound | NotAdmitted | None:
    """None: whoever has the API key. Else what his ephemeral key is bound to, or why nobody."""
    given = _key(head)
    if given is None:
        return NotAdmitted(BAD_KEY, None, "Missing bearer or basic authentication in header")
    if hmac.compare_digest(given.encode("utf-8", "replace"), policy.api_key.encode()):
        return None
    bound = None if secrets is None else secrets.find(given)
    if bound is None:
        return NotAdmitted(
            BAD_KEY,
            "invalid_api_key",
            f"Incorrect API key provided: {masked(given)}. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
        )
    if bound.expired:
        return NotAdmitted(
            BAD_KEY,
            "client_secret_expired",
            f"The client secret {masked(given)} has expired. Create another one.",
        )
    return bound


def admit_session(
    session: dict[str, Any], policy: Policy, dialect: Dialect
) -> Admitted | NotAdmitted:
    """By what a session is to begin with (`model.starting`), as a call brings it."""
    kind = kind_of(session)
    if kind == "transcription":
        return Admitted("", kind, dialect, session)
    answer = _model(model_of(session), policy, dialect)
    return replace(answer, wanted=session) if isinstance(answer, Admitted) else answer


def dialect_of(head: Head, policy: Policy) -> Dialect | NotAdmitted:
    """What the client's frames are to be written in."""
    asks_for_beta = _asks_for_beta(head)
    if asks_for_beta and policy.dialects == "ga":
        return _bad_request(
            "beta_api_shape_disabled",
            "The beta shape of the Realtime API is no longer supported: leave out "
            "'OpenAI-Beta: realtime=v1' and use the GA events.",
        )
    return "beta" if asks_for_beta or policy.dialects == "beta" else "ga"


def _asks_for_beta(head: Head) -> bool:
    named = head.headers.get("openai-beta", "").replace(" ", "").split(",")
    return "realtime=v1" in named or _BETA_PROTOCOL in head.subprotocols


def _model(model: str, policy: Policy, dialect: Dialect) -> Admitted | NotAdmitted:
    if model in TRANSCRIPTION_MODELS:
        return _bad_request(
            "invalid_model",
            f'Model "{model}" is a transcription model and cannot be used as the realtime session '
            "model",
        )
    if model in _GA_ONLY and dialect == "beta":
        return _bad_request("invalid_model", f"Model {model} is only available on the GA API")
    if model in SPEECH_MODELS or policy.any_model:
        return Admitted(model, dialect=dialect)
    return _bad_request(
        "invalid_model",
        f'Model "{_quoted(model)}" is not supported in realtime mode. Use gpt-realtime-2.1, or '
        "start the server so that it takes any model.",
    )


def masked(key: str) -> str:
    """What may be shown of a key that was refused."""
    if len(key) < _MASKED_FROM:
        return "********"
    return f"{_quoted(key[:3])}********{_quoted(key[-4:])}"


def selected_subprotocol(offered: Iterable[str]) -> str | None:
    """The subprotocol to agree on: `realtime`, if the client offers it."""
    return "realtime" if "realtime" in offered else None


def _key(head: Head) -> str | None:
    scheme, _, token = head.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for offered in head.subprotocols:
        if offered.startswith(_KEY_PROTOCOL) and len(offered) > len(_KEY_PROTOCOL):
            return offered.removeprefix(_KEY_PROTOCOL)
    return None


def _bad_request(code: str | None, message: str) -> NotAdmitted:
    return NotAdmitted(BAD_REQUEST, code, message)


def _quoted(text: str) -> str:
    """A client's own text, short and printable, for an error."""
    return "".join(c if c.isprintable() else "?" for c in text[:100])
