"""Who is admitted, as a table over the head of the request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bargein.errors import LocalValueError
from bargein.server.admission import (
    SPEECH_MODELS,
    Admitted,
    Head,
    NotAdmitted,
    Policy,
    admit,
    checked_host,
    checked_origin,
    forbidden,
    masked,
    selected_subprotocol,
)
from bargein.server.client_secrets import BoundKey

KEY = "sk-local-0123456789abcdefghijklmnopqrstuv"
POLICY = Policy(api_key=KEY, port=8765)
BEARER = {"authorization": f"Bearer {KEY}"}
MODEL = {"model": "gpt-realtime-2.1"}


class Keys:
    """Ephemeral keys that were given out."""

    def find(self, value: str) -> BoundKey | None:
        session = {"type": "realtime", "model": "gpt-realtime-2.1", "instructions": "Hm."}
        known = {
            "ek_live": BoundKey(session, 0),
            "ek_late": BoundKey(session, 0, expired=True),
            "ek_writes": BoundKey({"type": "transcription"}, 0),
            "ek_odd": BoundKey({**session, "model": "gpt-nope"}, 0),
        }
        return known.get(value)


def by_key(value: str, query: dict[str, str]) -> Admitted | NotAdmitted:
    return admit(Head({"authorization": f"Bearer {value}"}, query), POLICY, Keys())


def test_an_ephemeral_key_brings_its_session_whatever_the_query_says() -> None:
    for query in ({}, {"model": "gpt-realtime"}, {"intent": "transcription"}):
        answer = by_key("ek_live", query)
        assert isinstance(answer, Admitted) and answer.model == "gpt-realtime-2.1"
        assert answer.wanted is not None and answer.wanted["instructions"] == "Hm."
    answer = by_key("ek_writes", {})
    assert isinstance(answer, Admitted) and (answer.model, answer.kind) == ("", "transcription")
    assert admit(Head(BEARER, MODEL), POLICY, Keys()) == admit(Head(BEARER, MODEL), POLICY)


def test_an_ephemeral_key_that_is_unknown_or_late_is_refused() -> None:
    for value, code in (
        ("ek_late", "client_secret_expired"),
        ("ek_nope", "invalid_api_key"),
        ("ek_odd", "invalid_model"),
    ):
        answer = by_key(value, MODEL)
        assert isinstance(answer, NotAdmitted) and answer.code == code
        assert value not in answer.message
    assert refused(Head({"authorization": "Bearer ek_live"}, MODEL)).code == "invalid_api_key"


def refused(head: Head, policy: Policy = POLICY) -> NotAdmitted:
    answer = admit(head, policy)
    assert isinstance(answer, NotAdmitted)
    return answer


@pytest.mark.parametrize(
    "head",
    [
        Head(BEARER, MODEL),
        Head({"authorization": f"bearer {KEY}"}, MODEL),
        Head({}, MODEL, ("realtime", f"openai-insecure-api-key.{KEY}")),
        Head({}, MODEL, ("realtime", f"openai-insecure-api-key.{KEY}", "some-sdk.1.2")),
        Head({**BEARER, "openai-beta": "assistants=v2"}, MODEL),
    ],
)
def test_the_right_key_is_admitted_by_header_and_by_subprotocol(head: Head) -> None:
    assert admit(head, POLICY) == Admitted("gpt-realtime-2.1")


def test_every_speech_model_of_the_service_is_known() -> None:
    for model in SPEECH_MODELS:
        assert admit(Head(BEARER, {"model": model}), POLICY) == Admitted(model)


@pytest.mark.parametrize(
    ("head", "close_code", "reason", "message"),
    [
        (
            Head({}, MODEL),
            3000,
            "invalid_request_error",
            "Missing bearer or basic authentication in header",
        ),
        (
            Head({"authorization": "Bearer "}, MODEL),
            3000,
            "invalid_request_error",
            "Missing bearer or basic authentication in header",
        ),
        (
            Head({"authorization": "Bearer sk-wrong"}, MODEL),
            3000,
            "invalid_request_error.invalid_api_key",
            "Incorrect API key provided: ********.",
        ),
        (
            Head({}, MODEL, ("realtime", "openai-insecure-api-key.nope")),
            3000,
            "invalid_request_error.invalid_api_key",
            "Incorrect API key provided: ********.",
        ),
        (
            Head({**BEARER, "openai-beta": "realtime=v1"}, MODEL),
            4000,
            "invalid_request_error.beta_api_shape_disabled",
            "The beta shape of the Realtime API is no longer supported",
        ),
        (
            Head(BEARER, {"intent": "transcription"}, ("openai-beta.realtime-v1",)),
            4000,
            "invalid_request_error.beta_api_shape_disabled",
            "The beta shape",
        ),
        (
            Head(BEARER, {}),
            4000,
            "invalid_request_error.missing_model",
            (
                "You must provide a model parameter, for example "
                "wss://api.openai.com/v1/realtime?model=gpt-realtime-1.5"
            ),
        ),
        (
            Head(BEARER, {"model": ""}),
            4000,
            "invalid_request_error.missing_model",
            "You must provide a model parameter",
        ),
        (
            Head(BEARER, {"model": "gpt-nope"}),
            4000,
            "invalid_request_error.invalid_model",
            'Model "gpt-nope" is not supported in realtime mode',
        ),
        (
            Head(BEARER, {"model": "gpt-realtime-whisper"}),
            4000,
            "invalid_request_error.invalid_model",
            'Model "gpt-realtime-whisper" is a transcription model and cannot be used as the',
        ),
        (
            Head(BEARER, {**MODEL, "intent": "singing"}),
            4000,
            "invalid_request_error.invalid_intent",
            "Invalid intent singing",
        ),
        (
            Head(BEARER, {**MODEL, "intent": "transcription"}),
            4000,
            "invalid_request_error",
            "You must not provide a model parameter for transcription sessions.",
        ),
    ],
)
def test_a_refusal_has_the_services_code_reason_and_text(
    head: Head, close_code: int, reason: str, message: str
) -> None:
    answer = refused(head)
    assert (answer.close_code, answer.close_reason) == (close_code, reason)
    assert answer.message.startswith(message)


def test_any_model_is_taken_where_the_server_was_told_so() -> None:
    head = Head(BEARER, {"model": "my-own"})
    assert admit(head, replace(POLICY, any_model=True)) == Admitted("my-own")
    whisper = Head(BEARER, {"model": "whisper-1"})
    assert refused(whisper, replace(POLICY, any_model=True)).code == "invalid_model"


def test_a_refused_key_is_shown_so_that_nothing_of_use_leaks() -> None:
    real = "sk-proj-" + "abcdefgh" * 6 + "WXYZ"
    answer = refused(Head({"authorization": f"Bearer {real}"}, MODEL))
    assert "sk-********WXYZ" in answer.message
    assert real[3:-4] not in answer.message and "proj" not in answer.message
    assert KEY not in answer.message
    assert masked("short-secret") == "********"
    assert masked("a\n\x00" + "b" * 30) == "a??********bbbb"


def test_a_close_reason_fits_into_its_frame() -> None:
    heads = Head({}, MODEL), Head(BEARER, {"model": "x" * 500}), Head(BEARER, {"intent": "y" * 500})
    for head in heads:
        answer = refused(head)
        assert len(answer.close_reason.encode()) <= 123
        assert len(answer.message) < 300


def test_realtime_is_agreed_on_only_if_it_was_offered() -> None:
    assert selected_subprotocol(("realtime", "openai-insecure-api-key.x")) == "realtime"
    assert selected_subprotocol(("openai-insecure-api-key.x",)) is None


OWN = ("127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765", "127.8.9.1:8765")
FOREIGN = (
    "",
    "localhost",
    "127.0.0.1",
    "127.0.0.1:80",
    "[::1]",
    "evil.example:8765",
    "localhost.evil.example:8765",
    "127.0.0.1.evil.example:8765",
    "192.168.1.5:8765",
    "0.0.0.0:8765",
    "127.0.0.1:8765@evil.example",
    "[::1:8765",
    "::1:8765",
)


@pytest.mark.parametrize("host", OWN)
def test_a_host_that_is_this_machine_may_go_on(host: str) -> None:
    assert forbidden({"host": host}, POLICY) is None


@pytest.mark.parametrize("host", FOREIGN)
def test_any_other_host_is_refused(host: str) -> None:
    assert "which is not this server" in (forbidden({"host": host}, POLICY) or "")


def test_no_host_at_all_is_refused() -> None:
    assert forbidden({}, POLICY) is not None


def test_beyond_loopback_an_address_may_be_called_but_a_name_must_be_allowed() -> None:
    policy = replace(POLICY, any_address=True)
    assert forbidden({"host": "192.168.1.5:8765"}, policy) is None
    assert forbidden({"host": "evil.example:8765"}, policy) is not None


def test_a_name_is_allowed_with_its_port_or_for_this_servers() -> None:
    policy = replace(POLICY, hosts=frozenset({"proxy.example:443", "box.lan"}))
    assert forbidden({"host": "proxy.example:443"}, policy) is None
    assert forbidden({"host": "box.lan:8765"}, policy) is None
    assert forbidden({"host": "proxy.example:8765"}, policy) is not None


def test_a_name_is_the_same_in_capitals() -> None:
    policy = replace(POLICY, hosts=frozenset({checked_host("Proxy.Example:443")}))
    assert forbidden({"host": "proxy.EXAMPLE:443"}, policy) is None


@pytest.mark.parametrize("name", ["", " ", "http://a.example", "a.example/v1", "a:b", "*", "a,b"])
def test_an_allowed_name_that_no_client_could_send_is_refused(name: str) -> None:
    with pytest.raises(LocalValueError, match=r"allowed host is .*: give a name"):
        checked_host(name)


@pytest.mark.parametrize(
    "page",
    ["", "page.example", "https://page.example/", "https://page.example/a", "*", "https://*"],
)
def test_an_allowed_page_that_no_browser_could_name_is_refused(page: str) -> None:
    with pytest.raises(LocalValueError, match=r"allowed origin is .*: give scheme"):
        checked_origin(page)


@pytest.mark.parametrize("page", ["https://page.example", "http://[::1]:3000", "null"])
def test_an_origin_may_be_allowed(page: str) -> None:
    assert checked_origin(page) == page


HOST = {"host": "127.0.0.1:8765"}


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8765", ""]
)
def test_a_page_of_another_origin_is_refused(origin: str) -> None:
    why = forbidden({**HOST, "origin": origin}, POLICY)
    assert why is not None and why.startswith("Origin is ")


def test_a_page_of_this_host_or_an_allowed_one_may_go_on() -> None:
    assert forbidden({**HOST, "origin": "http://127.0.0.1:8765"}, POLICY) is None
    policy = replace(POLICY, origins=frozenset({"https://page.example"}))
    assert forbidden({**HOST, "origin": "https://page.example"}, policy) is None


@pytest.mark.parametrize("header", ["host", "origin"])
def test_a_long_header_is_cut_in_the_answer(header: str) -> None:
    why = forbidden({**HOST, header: "x" * 10_000}, POLICY)
    assert why is not None and len(why) < 400


def test_a_session_that_only_listens_is_asked_for_by_its_intent() -> None:
    assert admit(Head(BEARER, {"intent": "transcription"}), POLICY) == Admitted("", "transcription")


def test_a_head_shows_no_key() -> None:
    key = "sk-test-0123456789"
    head = Head({"authorization": f"Bearer {key}"}, {"api_key": key}, (f"x.{key}",))
    assert key not in repr(head)
