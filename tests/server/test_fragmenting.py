"""However frames are cut up, a reader of frames gets the messages that were sent."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from bargein.server import fragmenting
from bargein.server.fragmenting import (
    COMPRESSED_BYTES,
    FRAGMENT_BYTES,
    FRAMES_AT_ONCE,
    Fragments,
)

LONGEST = 1_000_000
CONTROL = (Opcode.PING, Opcode.PONG)


def sent(frame: Frame) -> bytes:
    return frame.serialize(mask=True)


class Reader:
    """A library's reader of frames; `messages` are put together again, `control` is in order."""

    def __init__(self, *, compressed: bool = False) -> None:
        self.protocol = Protocol(Side.SERVER, state=OPEN, max_size=LONGEST)
        if compressed:
            self.protocol.extensions = [PerMessageDeflate(False, False, 15, 15)]
        self.messages: list[tuple[Opcode, bytes]] = []
        self.control: list[bytes] = []
        self._parts: list[bytes] = []
        self._opcode = Opcode.TEXT

    def read(self, data: bytes) -> int:
        """How many frames there were."""
        self.protocol.receive_data(data)
        frames = [each for each in self.protocol.events_received() if isinstance(each, Frame)]
        for frame in frames:
            if frame.opcode in CONTROL:
                self.control.append(bytes(frame.data))
                continue
            if frame.opcode is not Opcode.CONT:
                self._opcode, self._parts = frame.opcode, []
            self._parts.append(bytes(frame.data))
            if frame.fin:
                self.messages.append((self._opcode, b"".join(self._parts)))
        return len(frames)


def handed_on(fragments: Fragments, pieces: Iterable[bytes]) -> list[bytes]:
    taken = []
    for piece in pieces:
        fragments.add(piece)
        while little := fragments.take():
            taken.append(little)
    return taken


FRAMES = st.one_of(
    st.builds(Frame, st.sampled_from((Opcode.TEXT, Opcode.BINARY)), st.binary(max_size=300)),
    st.builds(
        lambda size, first: Frame(Opcode.TEXT, bytes([first]) * size),
        st.integers(0, 300_000),
        st.integers(0, 127),
    ),
    st.builds(Frame, st.sampled_from(CONTROL), st.binary(max_size=125)),
)


@given(st.lists(FRAMES, max_size=8), st.integers(1, 100_000))
def test_the_messages_are_those_that_were_sent(frames: list[Frame], step: int) -> None:
    data = b"".join(map(sent, frames))
    pieces = [data[at : at + step] for at in range(0, len(data), step)] or [b""]
    reader, fragments = Reader(), Fragments(LONGEST)
    for little in handed_on(fragments, pieces):
        assert reader.read(little) <= FRAMES_AT_ONCE
        assert len(little) <= 2 * FRAGMENT_BYTES + 14
    assert reader.protocol.parser_exc is None
    assert reader.messages == [(f.opcode, f.data) for f in frames if f.opcode not in CONTROL]
    assert reader.control == [f.data for f in frames if f.opcode in CONTROL]
    assert fragments.held_bytes == 0


def test_fragments_of_the_peer_s_own_are_kept_and_cut_like_others() -> None:
    text = b"x" * 200_000
    frames = (
        Frame(Opcode.TEXT, text, fin=False),
        Frame(Opcode.PING, b"?"),
        Frame(Opcode.CONT, b"", fin=False),
        Frame(Opcode.CONT, text),
    )
    reader = Reader()
    for little in handed_on(Fragments(LONGEST), [b"".join(map(sent, frames))]):
        reader.read(little)
    assert reader.messages == [(Opcode.TEXT, text + text)]
    assert reader.control == [b"?"]


def test_of_what_is_compressed_little_comes_at_a_time() -> None:
    text = b"0" * 900_000
    deflate = PerMessageDeflate(False, False, 15, 15)
    packed = Frame(Opcode.TEXT, text).serialize(mask=True, extensions=[deflate])
    reader = Reader(compressed=True)
    data = packed + sent(Frame(Opcode.TEXT, b"plain"))
    longest = 0
    for little in handed_on(Fragments(LONGEST), [data]):
        assert len(little) <= COMPRESSED_BYTES + 14
        before = sum(map(len, reader._parts))
        reader.read(little)
        longest = max(longest, sum(map(len, reader._parts)) - before)
    assert [text for _, text in reader.messages] == [text, b"plain"]
    assert longest <= 1_032 * COMPRESSED_BYTES


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x02{}", 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (b"\xf1\x80\0\0\0\0", 1002),
        (b"\x89\xfe\x01\x00\0\0\0\0" + bytes(256), 1002),
        (sent(Frame(Opcode.TEXT, bytes(LONGEST + 1)))[:14], 1009),
        (sent(Frame(Opcode.CONT, b"")), 1002),
        (2 * sent(Frame(Opcode.TEXT, bytes(600_000), fin=False)), 1002),
        (
            sent(Frame(Opcode.TEXT, bytes(600_000), fin=False))
            + sent(Frame(Opcode.CONT, bytes(600_000))),
            1009,
        ),
    ],
    ids=[
        "not masked",
        "reserved opcode",
        "reserved bits",
        "long ping",
        "too long",
        "continues nothing",
        "begins twice",
        "too long in two",
    ],
)
def test_what_is_refused_is_refused_by_its_head(data: bytes, code: int) -> None:
    reader = Reader()
    for little in handed_on(Fragments(LONGEST), [data]):
        reader.read(little)
    assert reader.protocol.close_sent is not None and reader.protocol.close_sent.code == code


def test_a_frame_that_is_not_all_there_waits() -> None:
    whole = sent(Frame(Opcode.TEXT, b"hello"))
    fragments = Fragments(LONGEST)
    for byte in whole[:-1]:
        fragments.add(bytes([byte]))
        assert fragments.take() == b""
    fragments.add(whole[-1:])
    assert fragments.take() == whole
    assert fragmenting.FRAGMENT_BYTES % 4 == fragmenting.COMPRESSED_BYTES % 4 == 0
