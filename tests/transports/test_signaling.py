"""How a call is made: what is posted, and what becomes of every answer, without a key in sight."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bargein.errors import AdmissionError, DeadlineExceeded, LocalValueError, TransportError
from bargein.secret import Secret
from bargein.transports.signaling import Signaling, form

KEY = "sk-proj-Abc123Def456Ghi789Jkl"
SESSION = {"type": "realtime", "model": "gpt-realtime"}


class Service(ThreadingHTTPServer):
    """Answers every request alike, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, status: int, body: str, headers: dict[str, str], wait_s: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = status, body, headers
        self.wait_s = wait_s
        self.asked: list[tuple[str, dict[str, str], str]] = []
        self.over = threading.Event()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode()
        self.server.asked.append((self.path, dict(self.headers), body))
        self.server.over.wait(self.server.wait_s)
        status, text, headers = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@contextmanager
def a_service(
    status: int = 201,
    body: str = "v=0 answer",
    headers: dict[str, str] | None = None,
    wait_s: float = 0,
) -> Iterator[Service]:
    service = Service(status, body, headers or {}, wait_s)
    thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        service.over.set()
        service.shutdown()
        thread.join()
        service.server_close()


async def test_with_an_api_key_the_session_goes_with_the_offer() -> None:
    with a_service(headers={"Location": "/v1/realtime/calls/rtc_u0_X"}) as service:
        made = await Signaling(service.base, Secret(KEY)).call("v=0 offer", SESSION)
    ((path, headers, body),) = service.asked
    assert (made.sdp, made.call_url) == ("v=0 answer", f"{service.base}/realtime/calls/rtc_u0_X")
    assert path == "/v1/realtime/calls"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert 'name="sdp"\r\nContent-Type: application/sdp\r\n\r\nv=0 offer\r\n' in body
    assert '{"type": "realtime", "model": "gpt-realtime"}' in body


async def test_with_an_ephemeral_key_the_offer_goes_alone() -> None:
    with a_service() as service:
        made = await Signaling(service.base, Secret("ek_123")).call("v=0 offer", SESSION)
    ((_, headers, body),) = service.asked
    assert (headers["Content-Type"], body, made.call_url) == ("application/sdp", "v=0 offer", "")


async def test_a_service_that_takes_no_form_is_offered_it_alone() -> None:
    with a_service(415) as service:
        with pytest.raises(TransportError, match="HTTP 415"):
            await Signaling(service.base, Secret(KEY)).call("v=0 offer", SESSION)
    (_, form_headers, _), (_, headers, body) = service.asked
    assert form_headers["Content-Type"].startswith("multipart/form-data")
    assert (headers["Content-Type"], body) == ("application/sdp", "v=0 offer")
    assert headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("status", "kind"), [(400, AdmissionError), (401, AdmissionError), (500, TransportError)]
)
async def test_a_refusal_has_the_services_words_and_not_the_key(
    status: int, kind: type[TransportError]
) -> None:
    body = f'{{"error": {{"message": "Incorrect API key provided: {KEY}."}}}}'
    with a_service(status, body) as service:
        with pytest.raises(kind, match="Incorrect API key") as refused:
            await Signaling(service.base, Secret(KEY)).call("v=0 offer", SESSION)
    assert refused.value.code == status
    assert KEY not in str(refused.value) + repr(refused.value.__cause__)
    assert refused.value.__cause__ is None


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    with a_service() as other:
        with a_service(307, "", {"Location": f"{other.base}/elsewhere"}) as service:
            with pytest.raises(TransportError, match="307"):
                await Signaling(service.base, Secret(KEY)).call("v=0 offer", SESSION)
    assert other.asked == []


async def test_a_service_that_does_not_answer_is_waited_for_so_long() -> None:
    with a_service(wait_s=30) as service:
        signaling = Signaling(service.base, Secret(KEY), timeout_s=0.05)
        with pytest.raises(DeadlineExceeded, match=r"0\.05"):
            await signaling.call("v=0 offer", SESSION)


async def test_nobody_there_is_said_without_the_key() -> None:
    with a_service() as service:
        base = service.base
    with pytest.raises(TransportError) as failed:
        await Signaling(base, Secret(KEY)).call("v=0 offer", SESSION)
    assert KEY not in str(failed.value)


async def test_a_call_that_is_over_is_hung_up_without_a_word() -> None:
    with a_service(404, "{}") as service:
        await Signaling(service.base, Secret(KEY)).hang_up(f"{service.base}/realtime/calls/rtc_1")
    assert service.asked[0][0] == "/v1/realtime/calls/rtc_1/hangup"


@pytest.mark.parametrize("base", ["ws://host/v1", "host", ""])
def test_an_address_that_is_none_is_refused(base: str) -> None:
    with pytest.raises(LocalValueError, match="url"):
        Signaling(base, Secret(KEY))


def test_no_two_forms_have_one_boundary() -> None:
    assert form("a", {})[1] != form("a", {})[1]
