"""The SDP of a call: what may be offered, and how the answer reads (protocol.md §1.2.1). Pure.

1. An offer is one audio line, with Opus, PCMU or PCMA in it, and one data channel's line or none,
   in one bundle. Everything else is refused as the service refuses what it cannot read.
2. The client's candidates are not used: who offered comes to us. So an offer makes this machine
   send to no address and resolve no name.
3. The answer keeps the payload numbers of the offer and reads as the recorded ones do, but for TCP
   candidates, which we have none of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_OFFER_BYTES = 64 * 1024
MAX_MESSAGE_BYTES = 1_073_741_823
"""As the service tells it. What a frame may really have is `Limits.frame_bytes`."""
_CODECS = ("opus/48000", "pcmu/8000", "pcma/8000")
_WRITTEN = {"opus": "opus/48000/2", "pcmu": "PCMU/8000", "pcma": "PCMA/8000"}
_STATIC = {"0": "pcmu/8000", "8": "pcma/8000"}
_MAPPED = re.compile(r"a=rtpmap:(\d{1,3}) ([\w.-]+/\d+)")
_NOT_USED = ("a=candidate:", "a=end-of-candidates", "a=ice-lite", "a=ice-options")
_NAME = "realtimeapi"


class OfferError(Exception):
    """The offer cannot be answered; the text says why. Never leaves the server."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the connection has made of an offer.

    `payloads` are the codecs that were agreed on, in the offer's order, as (number, name);
    `candidates` each a foundation, a priority, an address and a port, joined by spaces.
    """

    audio_mid: str
    direction: str
    payloads: tuple[tuple[int, str], ...]
    channel_mid: str | None
    channel_first: bool
    fingerprint: str
    ufrag: str
    password: str
    ssrc: int
    candidates: tuple[str, ...]


def checked(offer: str) -> str:
    """The offer as it is given to the connection. Raises `OfferError`."""
    lines = offer.replace("\r\n", "\n").rstrip("\n").split("\n")
    if lines[0] != "v=0":
        raise OfferError("it does not begin with v=0")
    starts = [at for at, line in enumerate(lines) if line.startswith("m=")]
    sections = [lines[a:b] for a, b in zip(starts, [*starts[1:], len(lines)], strict=False)]
    kinds = [section[0][2:].split(" ")[0] for section in sections]
    if not kinds:
        raise OfferError("it has no media")
    if sorted(kinds) not in (["audio"], ["application", "audio"]):
        raise OfferError("it needs one audio line and at most one data channel, and nothing else")
    mids = [_values("a=mid:", section) for section in sections]
    if any(len(each) != 1 for each in mids):
        raise OfferError("it has a line of media without a mid")
    bundled = [each.split() for each in _values("a=group:BUNDLE ", lines[: starts[0]])]
    if len(bundled) != 1 or sorted(bundled[0]) != sorted(mid for (mid,) in mids):
        raise OfferError("it does not bundle its media")
    if len(set(bundled[0])) != len(bundled[0]):
        raise OfferError("it has one mid twice")
    audio = sections[kinds.index("audio")]
    if not _understood(audio):
        raise OfferError("its audio line has none of the codecs opus, PCMU and PCMA")
    if not any(line.startswith("a=fingerprint:") for line in lines):
        raise OfferError("it has no fingerprint")
    kept = [line for line in lines if not line.startswith(_NOT_USED)]
    return "\r\n".join(kept) + "\r\n"


def _values(name: str, lines: list[str]) -> list[str]:
    """What the lines that begin so say, if anything."""
    return [value for line in lines if line.startswith(name) and (value := line[len(name) :])]


def _understood(audio: list[str]) -> list[str]:
    """The payload numbers of the line whose codecs we have."""
    numbers = audio[0].split(" ")[3:]
    names = {number: _STATIC[number] for number in numbers if number in _STATIC}
    for line in audio:
        if mapped := _MAPPED.match(line):
            names[mapped[1]] = mapped[2].lower()
    return [number for number in numbers if names.get(number) in _CODECS]


def written(answer: Answered, *, session: int, version: int) -> str:
    """The answer's text. `session` and `version` are the two numbers of its origin."""
    sections = [(answer.audio_mid, _audio(answer))]
    if answer.channel_mid is not None:
        sections.insert(0 if answer.channel_first else 1, (answer.channel_mid, _channel(answer)))
    lines = [
        "v=0",
        f"o=- {session} {version} IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=msid-semantic:WMS *",
        f"a=fingerprint:sha-256 {answer.fingerprint}",
        "a=ice-lite",
        f"a=group:BUNDLE {' '.join(mid for mid, _ in sections)}",
        *(line for _, section in sections for line in section),
    ]
    return "\r\n".join(lines) + "\r\n"


def _audio(answer: Answered) -> list[str]:
    lines = [
        f"m=audio 9 UDP/TLS/RTP/SAVPF {' '.join(str(number) for number, _ in answer.payloads)}",
        "c=IN IP4 0.0.0.0",
        "a=setup:active",
        f"a=mid:{answer.audio_mid}",
        *_keys(answer),
        "a=rtcp-mux",
        "a=rtcp-rsize",
    ]
    for number, name in answer.payloads:
        lines.append(f"a=rtpmap:{number} {_WRITTEN[name]}")
        if name == "opus":
            lines.append(f"a=fmtp:{number} minptime=10;useinbandfec=1")
    lines += [
        f"a=ssrc:{answer.ssrc} cname:{_NAME}",
        f"a=ssrc:{answer.ssrc} msid:{_NAME} audio",
        f"a=ssrc:{answer.ssrc} mslabel:{_NAME}",
        f"a=ssrc:{answer.ssrc} label:audio",
        f"a=msid:{_NAME} audio",
        f"a={answer.direction}",
    ]
    for candidate in answer.candidates:
        foundation, priority, address, port = candidate.split(" ")
        where = f"{priority} {address} {port} typ host ufrag {answer.ufrag}"
        lines.append(f"a=candidate:{foundation} 1 udp {where}")
    return lines


def _channel(answer: Answered) -> list[str]:
    return [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=setup:active",
        f"a=mid:{answer.channel_mid}",
        "a=sendrecv",
        "a=sctp-port:5000",
        f"a=max-message-size:{MAX_MESSAGE_BYTES}",
        *_keys(answer),
    ]


def _keys(answer: Answered) -> list[str]:
    return [f"a=ice-ufrag:{answer.ufrag}", f"a=ice-pwd:{answer.password}"]
