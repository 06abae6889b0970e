"""One worker of `bargein serve --workers`: a process that its parent starts and ends.

It reads the settings from its standard input, serves on the socket whose number is its argument,
says that it is ready, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys

import click

from bargein.cli import serve
from bargein.cli._options import told_in_options
from bargein.errors import BargeinError, LocalProtocolError
from bargein.server.workers import READY


def main() -> None:
    """Serve until the parent wants no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent ends us.
    settings = json.loads(sys.stdin.buffer.readline())
    listener = socket.socket(fileno=int(sys.argv[1]))
    try:
        with told_in_options():
            asyncio.run(_work(serve.Asked.of(settings), listener))
    except BargeinError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2 if isinstance(error, LocalProtocolError) else 1)


async def _work(asked: serve.Asked, listener: socket.socket) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 1):
            stop.set()

    async with serve.server_of(asked, listener):
        serve.rest_the_collector()
        sys.stdout.buffer.write(READY)
        sys.stdout.buffer.flush()
        loop.add_reader(sys.stdin.fileno(), read)
        await stop.wait()
        loop.remove_reader(sys.stdin.fileno())


if __name__ == "__main__":
    main()
