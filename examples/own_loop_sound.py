"""The pure machine on a blocking socket, with sound: the reply goes into a file, as it comes."""

import contextlib
import os
import time
from collections import Counter, deque
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from bargein.core import asks, commands, inputs, notices
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.events import codec


def next_input(machine: Machine, socket: Connection) -> inputs.Input:
    due_us = machine.deadline_us
    wait_s = None if due_us is None else max(0.0, due_us / 1e6 - time.monotonic())
    try:
        return inputs.Received(codec.decode_server(socket.recv(wait_s)))
    except TimeoutError:
        return inputs.Tick()
    except ConnectionClosed as end:
        return inputs.PipeClosed(end.rcvd.code if end.rcvd else None)


def run(url: str, key: str, wish: str, sound: Path) -> str:
    machine, told = Machine(Settings()), ""
    waiting: deque[inputs.Input] = deque([inputs.PipeOpened()])
    heard: Counter[inputs.Part] = Counter()  # A file hears everything at once.
    bearer = {"Authorization": f"Bearer {key}"}
    with sound.open("wb") as ear, connect(url, additional_headers=bearer) as socket:
        while waiting or machine.open:
            happened = waiting.popleft() if waiting else next_input(machine, socket)
            for command in machine.handle(happened, now_us=time.monotonic_ns() // 1_000):
                match command:
                    case commands.Send(event=event):
                        with contextlib.suppress(ConnectionClosed):  # The reader will tell it.
                            socket.send(codec.encode(event))
                    case commands.Play(part=part, audio=audio):
                        heard[part] += ear.write(audio) // 2
                        waiting.append(inputs.Rendered((inputs.Heard(part, heard[part]),)))
                    case commands.StopPlayback(cut_id=cut_id):
                        counts = tuple(inputs.Heard(part, n) for part, n in heard.items())
                        waiting.append(inputs.PlaybackStopped(cut_id, counts))
                    case commands.Notify(notice=notices.Connected()):
                        waiting.append(inputs.Asked(1, asks.Say(wish)))
                    case commands.Notify(notice=notices.TurnEnded(role="assistant", text=told)):
                        waiting.append(inputs.Asked(2, asks.Leave()))
                    case commands.Close(code=code):
                        socket.close(code)  # The rest has no microphone here and nobody waiting.
    return told


if __name__ == "__main__":
    place = os.environ["OPENAI_BASE_URL"].replace("http", "ws", 1) + "/realtime?model=gpt-realtime"
    print(run(place, os.environ["OPENAI_API_KEY"], "Tell me a story.", Path("story.pcm")))
