"""Bring your own loop: the machine has no I/O, so any socket, thread or clock will do.

Here a blocking WebSocket, one thread and no asyncio; the reply is written, so there is no player.
"""

import os
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from bargein.core import commands, inputs
from bargein.core.asks import Leave, Say
from bargein.core.machine import Machine
from bargein.core.notices import Connected, Lost, Transcript, TurnEnded
from bargein.core.settings import Settings
from bargein.events import Session, decode_server, encode

URL = os.environ["OPENAI_BASE_URL"].replace("http", "ws", 1) + "/realtime?model=gpt-realtime-2.1"
HEADERS = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}


def now_us() -> int:
    return time.monotonic_ns() // 1_000


def wait(socket: Connection, due_us: int | None) -> inputs.Input:
    try:
        timeout_s = None if due_us is None else max(0, due_us - now_us()) / 1_000_000
        return inputs.Received(decode_server(socket.recv(timeout_s)))
    except TimeoutError:
        return inputs.Tick()
    except ConnectionClosed as end:
        return inputs.PipeClosed(end.rcvd.code if end.rcvd else None)


def converse(socket: Connection) -> None:
    machine = Machine(Settings(session=Session(output_modalities=("text",))))
    happened: list[inputs.Input] = [inputs.PipeOpened()]
    while True:
        for command in machine.handle(happened.pop(0), now_us=now_us()):
            match command:
                case commands.Send(event=event):
                    socket.send(encode(event))
                case commands.Close(code=code, reason=reason):
                    socket.close(code, reason)
                case commands.Notify(notice=Connected()):
                    happened.append(inputs.Asked(1, Say("Tell me a story.")))
                case commands.Notify(notice=Transcript(text=text, final=False)):
                    print(text, end="", flush=True)
                case commands.Notify(notice=TurnEnded(role="assistant")):
                    happened.append(inputs.Asked(2, Leave()))
                case commands.Notify(notice=Lost()):
                    return
        happened = happened or [wait(socket, machine.deadline_us)]


with connect(URL, additional_headers=HEADERS, max_size=2**24) as socket:
    converse(socket)
