"""`connect` with the real machine: against the local server, over loopback, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.driver_rig import others, settle
from tests.hosted import Hosted, hosted
from tests.virtual_loop import run

import bargein
from bargein.audio.base import Mark
from bargein.audio.card_settings import CardSettings
from bargein.audio.virtual import VirtualPlayer, VirtualRecorder
from bargein.client.connecting import Connecting
from bargein.core.inputs import Part
from bargein.core.machine import Machine
from bargein.server.engines.espeak import speak
from bargein.server.serving import Server, serve_local
from bargein.trace.format import Reader
from bargein.trace.replay import replay
from bargein.transports.memory import pair

KEY = "sk-test-0123456789abcdefghijklmnopq"
Body = Callable[[Server], Awaitable[None]]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def served(body: Body) -> None:
    """Run the body beside a local server; afterwards nothing of the client may be left."""

    async def main() -> None:
        async with serve_local() as server:
            await body(server)
        assert not others()

    run(main())


def to(server: Server, **options: Any) -> Connecting:
    return bargein.connect(url=server.url, api_key=server.api_key, **options)


def shown(error: BaseException | None) -> str:
    """All that people could see of an exception and of those behind it."""
    text = ""
    while error is not None:
        text += "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        error = error.__cause__ or error.__context__
    return text


def test_a_typed_question_gets_a_written_answer() -> None:
    async def body(server: Hosted) -> None:
        async with server.connect() as session:
            reply = await session.say("Tell me a story.")
            text = await reply.text()
            assert text.startswith("Once upon a time")
            assert reply.id is not None
            asked, answered = session.conversation
            assert (asked.role, answered.role) == ("user", "assistant")
            assert answered.content[0].kind == "output_text"
            assert session.usage.responses == 1
        assert isinstance(await anext(aiter(session)), bargein.Connected)
        with pytest.raises(bargein.TransportError):
            await session.say("Are you there?")

    hosted(body)


def test_what_an_interruption_leaves_is_what_the_ear_got() -> None:
    async def body(server: Hosted) -> None:
        player, recorder = VirtualPlayer(CardSettings(rate=48_000)), VirtualRecorder()
        async with server.connect(audio=bargein.Audio(player, recorder)) as session:
            settled = session.notices(bargein.InterruptionSettled)
            await session.say("Tell me a story.")
            async for floor in session.notices(bargein.FloorChanged):
                if floor == bargein.FloorChanged("assistant"):
                    break
            await asyncio.sleep(1.2345)
            record = await session.interrupt()
            assert record is not None
            cut = await anext(settled)
            assert isinstance(cut, bargein.InterruptionSettled)
            assert cut.exactness == "exact"
            assert cut.kept_ms == cut.heard_ms == record.heard_ms
            assert 1_000 < cut.heard_ms < 1_500
            assert await session.interrupt() is None
            await asyncio.sleep(5)
            (part,) = cut.parts
            mark = Part(part.response_id, part.item_id, part.content_index)
            heard_card = len(player.ear.samples(mark))
            assert abs(heard_card - 2 * part.heard_samples) <= 2
            faults = [n for n in session._all._waiting if isinstance(n, bargein.Fault)]
            assert not faults

    hosted(body)


def test_a_user_who_speaks_is_heard_and_cuts_the_reply() -> None:
    async def body(server: Hosted) -> None:
        player, recorder = VirtualPlayer(), VirtualRecorder()
        async with server.connect(audio=bargein.Audio(player, recorder)) as session:
            await session.say("Tell me a story.")
            await asyncio.sleep(3)
            speech = speak("Stop, please. Tell me about the clockmaker.")
            recorder.say(speech.pcm, speech.rate)
            async for cut in session.notices(bargein.InterruptionSettled):
                assert isinstance(cut, bargein.InterruptionSettled)
                assert cut.askers == ("speech",)
                assert cut.drift_ms == 0
                break

    hosted(body)


def test_who_only_listens_needs_no_microphone() -> None:
    async def body(server: Hosted) -> None:
        player = VirtualPlayer()
        async with server.connect(audio=bargein.Audio(player)) as session:
            settled = session.notices(bargein.InterruptionSettled)
            await session.say("Tell me a story.")
            await asyncio.sleep(2)
            assert await session.interrupt() is not None
            cut = await anext(settled)
            assert isinstance(cut, bargein.InterruptionSettled)
            assert (cut.exactness, cut.drift_ms) == ("exact", 0)
            assert cut.heard_ms > 0
        with pytest.raises(bargein.DeviceError, match="closed"):
            player.stop("late")

    hosted(body)


def test_push_to_talk_gets_its_answer() -> None:
    async def body(server: Hosted) -> None:
        player, recorder = VirtualPlayer(), VirtualRecorder()
        turns = bargein.PushToTalk(pre_roll_ms=200)
        async with server.connect(audio=bargein.Audio(player, recorder), turns=turns) as session:
            async with session.push_to_talk() as pressed:
                speech = speak("Tell me a story.")
                recorder.say(speech.pcm, speech.rate)
                await asyncio.sleep(2)
            assert pressed.reply is not None
            await asyncio.sleep(3)
            await pressed.reply.cancel()
            assert (await pressed.reply.done()).status == "cancelled"
            async with session.push_to_talk() as pressed:
                pass
            assert pressed.reply is None

    hosted(body)


def test_where_and_as_whom_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(server: Server) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", server.api_key)
        async with bargein.connect():
            pass

    served(body)


@pytest.mark.parametrize("auth", ["header", "subprotocol"])
@pytest.mark.parametrize("give", ["text", "callable", "coroutine"])
def test_the_key_may_be_a_text_or_a_callable_and_go_either_way(give: str, auth: str) -> None:
    async def body(server: Server) -> None:
        async def later() -> str:
            await asyncio.sleep(1)
            return server.api_key

        keys = {"text": server.api_key, "callable": lambda: server.api_key, "coroutine": later}
        async with bargein.connect(url=server.url, api_key=keys[give], auth=auth) as session:  # type: ignore[arg-type]  # a literal by the table
            await session.mute()

    served(body)


def test_without_a_key_it_says_where_to_put_one() -> None:
    with pytest.raises(bargein.LocalValueError, match="OPENAI_API_KEY"):
        bargein.connect()


def _raising() -> str:
    raise RuntimeError(KEY)


async def _raising_later() -> str:
    raise RuntimeError(KEY)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"api_key": KEY}, bargein.AdmissionError, "invalid_api_key"),
        ({"api_key": KEY, "auth": "subprotocol"}, bargein.AdmissionError, "invalid_api_key"),
        ({"api_key": KEY + "="}, bargein.AdmissionError, "invalid_api_key"),
        ({"api_key": KEY + "=", "auth": "subprotocol"}, bargein.LocalValueError, "header"),
        ({"api_key": KEY + "\n"}, bargein.LocalValueError, "line break"),
        ({"api_key": f"Bearer {KEY}"}, bargein.LocalValueError, "space"),
        ({"api_key": KEY.encode()}, bargein.LocalValueError, "bytes"),
        ({"api_key": lambda: KEY + "\n"}, bargein.LocalValueError, "line break"),
        ({"api_key": lambda: None}, bargein.LocalValueError, "NoneType"),
        ({"api_key": _raising}, bargein.TransportError, "RuntimeError"),
        ({"api_key": _raising_later}, bargein.TransportError, "RuntimeError"),
        ({"url": "http://127.0.0.1:1/v1", "api_key": KEY}, bargein.TransportError, "refused"),
        ({"url": f"http://x:{KEY}@h/v1", "api_key": KEY}, bargein.LocalValueError, "api_key"),
        ({"proxy": f"http://u:{KEY}@127.0.0.1:1"}, bargein.TransportError, "127"),
    ],
)
def test_no_failure_to_connect_shows_the_key(
    options: dict[str, Any], error: type[Exception], says: str
) -> None:
    async def body(server: Server) -> None:
        with pytest.raises(error, match=says) as raised:
            async with bargein.connect(**{"url": server.url, "api_key": server.api_key, **options}):
                pytest.fail("it connected")
        for start in range(len(KEY) - 12):
            # The service itself shows a few letters of the ends of a wrong key.
            assert KEY[start : start + 12] not in shown(raised.value)
        assert server.api_key not in shown(raised.value)

    served(body)


@pytest.mark.parametrize("code", [3000, 1000])
def test_a_service_that_quotes_the_whole_key_is_not_quoted(code: int) -> None:
    async def main() -> None:
        from websockets.asyncio.server import ServerConnection, serve

        async def refuse(connection: ServerConnection) -> None:
            error = {"type": "invalid_request_error", "code": "invalid_api_key"}
            error["message"] = f"Incorrect API key provided: {KEY}."
            await connection.send(json.dumps({"type": "error", "event_id": "e", "error": error}))
            await connection.close(code, f"invalid_api_key {KEY}")

        async with serve(refuse, "127.0.0.1", 0) as listening:
            port = next(iter(listening.sockets)).getsockname()[1]
            with pytest.raises(bargein.AdmissionError, match="invalid_api_key") as raised:
                async with bargein.connect(url=f"http://127.0.0.1:{port}/v1", api_key=KEY):
                    pytest.fail("it connected")
            assert raised.value.code == code
            assert KEY[:10] not in shown(raised.value)

    run(main())


def test_an_unknown_model_is_refused_in_the_words_of_the_service() -> None:
    async def body(server: Server) -> None:
        with pytest.raises(bargein.AdmissionError, match='invalid_model: Model "nope"') as raised:
            async with to(server, model="nope"):
                pytest.fail("it connected")
        assert (raised.value.code, raised.value.retryable) == (4000, False)

    served(body)


def test_settings_that_the_service_refuses_are_raised_with_their_field() -> None:
    async def body(server: Server) -> None:
        with pytest.raises(bargein.RemoteProtocolError, match="max_output_tokens") as raised:
            async with to(server, session={"max_output_tokens": 10**9}):
                pytest.fail("it connected")
        assert raised.value.param == "session.max_output_tokens"

    served(body)


def test_keep_talking_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(bargein.LocalProtocolError, match="interrupt_response=False"):
        bargein.connect(api_key=KEY, barge_in="keep_talking")


def test_a_service_that_cuts_although_it_was_told_not_to_is_no_place_to_keep_talking() -> None:
    async def main() -> None:
        near, far = pair()
        vad = {"type": "server_vad", "interrupt_response": True, "create_response": True}
        effective = {"type": "realtime", "audio": {"input": {"turn_detection": vad}}}
        for kind in ("session.created", "session.updated"):
            await far.send(json.dumps({"type": kind, "event_id": "e", "session": effective}))
        turns = bargein.ServerVad(interrupt_response=False)
        with pytest.raises(bargein.LocalProtocolError, match="keep_talking"):
            async with bargein.connect(transport=near, turns=turns, barge_in="keep_talking"):
                pytest.fail("it connected")
        assert not others()

    run(main())


@pytest.mark.parametrize(
    "options",
    [{"transport": "carrier pigeon"}, {"auth": "password"}, {"open_timeout": 0}, {"model": ""}],
)
def test_options_that_cannot_be_are_refused_by_name(options: dict[str, Any]) -> None:
    async def main() -> None:
        with pytest.raises(bargein.LocalValueError, match=next(iter(options))):
            async with bargein.connect(**{"api_key": KEY, **options}):
                pytest.fail("it connected")

    run(main())


def test_a_server_that_never_begins_the_session_is_given_up_at_the_deadline() -> None:
    async def main() -> None:
        near, far = pair()
        start = asyncio.get_running_loop().time()
        with pytest.raises(bargein.DeadlineExceeded, match="3 s"):
            async with bargein.connect(transport=near, open_timeout=3):
                pytest.fail("it connected")
        assert asyncio.get_running_loop().time() - start == pytest.approx(3, abs=0.1)
        with pytest.raises(bargein.TransportError):
            await far.send("x")
        assert not others()

    run(main())


def test_a_session_is_entered_once() -> None:
    async def body(server: Server) -> None:
        connecting = to(server)
        async with connecting:
            pass
        with pytest.raises(bargein.LocalProtocolError, match="before"):
            async with connecting:
                pytest.fail("it connected")

    served(body)


def test_connecting_may_be_cancelled_at_any_moment() -> None:
    async def body(server: Server) -> None:
        async def hold_on() -> None:
            async with to(server, audio=bargein.Audio(VirtualPlayer(), VirtualRecorder())):
                await asyncio.sleep(1_000)

        for turns in (*range(0, 30), *range(30, 120, 7)):
            task = asyncio.create_task(hold_on())
            await settle(turns)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(6)
            assert len(server.sessions) == 0, turns

    served(body)


class Break(Exception):
    pass


class BrokenPlayer(VirtualPlayer):
    def play(self, mark: Mark, pcm: bytes, rate: int) -> None:
        raise Break("no such card")


@pytest.mark.parametrize("listens", [True, False])
def test_a_device_that_breaks_is_not_silent(listens: bool) -> None:
    async def body(server: Hosted) -> None:
        audio = bargein.Audio(BrokenPlayer(), VirtualRecorder())
        with pytest.raises(Break):
            async with server.connect(audio=audio) as session:
                await session.say("Tell me a story.")
                if listens:
                    async for _ in session:
                        pass
                await asyncio.sleep(5)

    hosted(body)


def test_what_the_body_raises_is_what_leaves_the_block() -> None:
    async def body(server: Hosted) -> None:
        with pytest.raises(Break, match="mine"):
            async with server.connect(audio=bargein.Audio(BrokenPlayer(), VirtualRecorder())) as s:
                await s.say("Tell me a story.")
                await asyncio.sleep(5)
                raise Break("mine")

    hosted(body)


def test_leaving_in_mid_sentence_settles_what_was_heard_first() -> None:
    async def body(server: Hosted) -> None:
        audio = bargein.Audio(VirtualPlayer(), VirtualRecorder())
        async with server.connect(audio=audio) as session:
            settled = session.notices(bargein.InterruptionSettled)
            await session.say("Tell me a story.")
            await asyncio.sleep(4)
        (cut,) = [each async for each in settled]
        assert isinstance(cut, bargein.InterruptionSettled)
        assert (cut.askers, cut.exactness) == (("leave",), "exact")

    hosted(body)


@pytest.mark.parametrize("turns", [*range(0, 12), 20, 50, 120, 400])
def test_a_session_may_be_left_at_any_moment(turns: int) -> None:
    async def body(server: Hosted) -> None:
        audio = bargein.Audio(VirtualPlayer(), VirtualRecorder())
        async with server.connect(audio=audio) as session:
            reply = await session.say("Tell me a story.")
            await settle(turns)
        with contextlib.suppress(bargein.TransportError):
            assert (await reply.done()).status != "completed"
        assert reply.over
        assert not [n async for n in session if isinstance(n, bargein.Fault)]

    hosted(body)


def test_an_interrupt_from_the_keyboard_settles_and_leaves_nothing_behind() -> None:
    left: list[object] = []

    async def body(server: Hosted) -> None:
        audio = bargein.Audio(VirtualPlayer(), VirtualRecorder())
        connecting = server.connect(audio=audio)
        try:
            async with connecting as session:
                settled = session.notices(bargein.InterruptionSettled)
                await session.say("Tell me a story.")
                await asyncio.sleep(3)
                signal.raise_signal(signal.SIGINT)
                await asyncio.sleep(1_000)
        finally:
            left.extend([each async for each in settled])
            await asyncio.gather(*server.tasks)
            left.extend(others())

    with pytest.raises(KeyboardInterrupt):
        hosted(body)
    (cut,) = left
    assert isinstance(cut, bargein.InterruptionSettled)
    assert cut.exactness == "exact"


def test_a_service_that_stops_reading_costs_ten_seconds_of_sound_and_then_the_session() -> None:
    async def main() -> None:
        near, far = pair()
        vad = {"type": "server_vad", "interrupt_response": True, "create_response": True}
        effective = {"type": "realtime", "audio": {"input": {"turn_detection": vad}}}
        for kind in ("session.created", "session.updated"):
            await far.send(json.dumps({"type": kind, "event_id": "e", "session": effective}))
        audio = bargein.Audio(VirtualPlayer(), VirtualRecorder())
        async with bargein.connect(transport=near, audio=audio, voice="marin") as session:
            told = session.notices(bargein.Dropped, bargein.Lost)
            start = asyncio.get_running_loop().time()
            notices = [notice async for notice in told]
            assert notices[-1] == bargein.Lost(None, "the socket took nothing for 20 s")
            assert all(isinstance(notice, bargein.Dropped) for notice in notices[:-1])
            dropped = sum(n.count for n in notices[:-1] if isinstance(n, bargein.Dropped))
            # 20 s came, 10 s may wait in the machine, and 2 s went into the pipe and its queue.
            assert 7 * 24_000 < dropped < 10 * 24_000
            assert 20 <= asyncio.get_running_loop().time() - start < 23
            with pytest.raises(bargein.TransportError, match="took nothing"):
                await session.interrupt()
        assert not others()

    run(main())


@asynccontextmanager
async def cutting_relay(target_port: int, after_bytes: int) -> AsyncIterator[int]:
    """A TCP relay that breaks off after so many bytes from the server."""
    left = after_bytes
    tasks: set[asyncio.Task[None]] = set()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target_port)

        async def upwards() -> None:
            # The server wants to be called by its own address.
            head = await reader.readuntil(b"\r\n\r\n")
            far_writer.write(head.replace(b":%d\r\n" % port, b":%d\r\n" % target_port))
            while data := await reader.read(65_536):
                far_writer.write(data)

        async def downwards() -> None:
            nonlocal left
            while left > 0 and (data := await far_reader.read(65_536)):
                writer.write(data[:left])
                left -= len(data[:left])
                await writer.drain()

        up, down = asyncio.create_task(upwards()), asyncio.create_task(downwards())
        await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        for task in (up, down):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await task
        for each in (writer, far_writer):
            # A close, not an abort: what was written so far arrives first.
            each.close()
            with contextlib.suppress(OSError):
                await each.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve_one(reader, writer)))

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        yield port
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    "after_bytes",
    [0, 1, 17, 90, 128, 129, 130, 131, 133, 140, 400, 1_000, 2_000, 3_000, 4_001, 6_000, 9_999],
)
def test_a_socket_that_dies_at_any_byte_ends_the_session_in_order(after_bytes: int) -> None:
    async def body(server: Server) -> None:
        async with cutting_relay(server.port, after_bytes) as port:
            with pytest.raises(bargein.TransportError) as raised:
                async with bargein.connect(
                    url=f"http://127.0.0.1:{port}/v1", api_key=server.api_key
                ) as session:
                    lost = session.notices(bargein.Lost)
                    reply = await session.say("Tell me a story.")
                    try:
                        await reply.done()
                    finally:
                        assert [n async for n in lost] == [bargein.Lost(None, "")]
        assert type(raised.value) is bargein.TransportError
        assert raised.value.retryable
        assert server.api_key not in shown(raised.value)

    served(body)


def test_a_trace_replays_and_holds_no_key(tmp_path: Path) -> None:
    path = tmp_path / "session.trace"

    async def body(server: Server) -> None:
        async with to(server, trace=path) as session:
            await (await session.say("Tell me a story.")).done()
        assert server.api_key not in path.read_text()

    served(body)
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("rb") as lines:
        outcome = replay(Reader(lines), Machine)
    assert outcome.inputs > 10
    assert outcome.difference is None
    assert not outcome.cut


def test_a_trace_that_cannot_be_written_leaves_no_open_pipe(tmp_path: Path) -> None:
    async def main() -> None:
        near, far = pair()
        with pytest.raises(bargein.BargeinError, match="nowhere"):
            async with bargein.connect(transport=near, trace=tmp_path / "nowhere" / "x"):
                pytest.fail("it connected")
        with pytest.raises(bargein.TransportError):
            await far.send("x")
        assert not others()

    run(main())


def test_sound_that_is_asked_for_without_a_card_is_heard_in_real_time() -> None:
    async def body(server: Hosted) -> None:
        async with server.connect(session={"output_modalities": ["audio"]}) as session:
            reply = await session.say("Tell me a story.")
            await asyncio.sleep(4)
            record = await session.interrupt()
            assert record is not None
            assert 1_500 < record.heard_ms < 4_000
            assert (await reply.done()).status == "cancelled"

    hosted(body)
