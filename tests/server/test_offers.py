"""Offers that are taken, and how an answer reads."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bargein.server.offers import Answered, OfferError, checked, written

OFFER = "\r\n".join(
    [
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "a=ice-lite",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 8",
        "a=mid:0",
        "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host",
        "a=candidate:2 1 udp 2130706431 a.local 5000 typ host",
        "a=end-of-candidates",
        "a=rtpmap:111 OPUS/48000/2",
        "a=fingerprint:sha-256 AA",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "a=mid:1",
        "",
    ]
)
ANSWER = Answered(
    audio_mid="0",
    direction="sendrecv",
    payloads=((111, "opus"), (8, "pcma")),
    channel_mid="1",
    channel_first=False,
    fingerprint="BB",
    ufrag="u",
    password="p",
    ssrc=7,
    candidates=("1 100 127.0.0.1 5001",),
)


def test_the_clients_candidates_are_left_out_and_the_rest_stays() -> None:
    kept = checked(OFFER)
    assert "candidate" not in kept and "ice-lite" not in kept
    assert kept == "".join(
        f"{line}\r\n" for line in OFFER.split("\r\n") if line and not re.search("candi|lite", line)
    )


def test_line_ends_may_be_bare_and_the_last_one_missing() -> None:
    assert checked(OFFER.replace("\r\n", "\n").rstrip("\n")) == checked(OFFER)


@pytest.mark.parametrize("codecs", ["111 63", "8", "0", "63 0"])
def test_one_codec_that_is_known_is_enough(codecs: str) -> None:
    assert codecs in checked(OFFER.replace("111 63 8", codecs))


def test_a_static_number_that_is_mapped_to_something_else_is_that() -> None:
    foreign = OFFER.replace("111 63 8", "8").replace("111 OPUS/48000/2", "8 speex/8000")
    with pytest.raises(OfferError, match="none of the codecs"):
        checked(foreign)


def test_an_offer_without_a_channel_is_taken() -> None:
    alone = OFFER[: OFFER.index("m=application")].replace("BUNDLE 0 1", "BUNDLE 0")
    assert "application" not in checked(alone)


def test_the_answers_lines_stand_in_the_order_of_the_offers() -> None:
    text = written(ANSWER, session=5, version=6)
    assert re.findall(r"^m=(\w+)", text, re.MULTILINE) == ["audio", "application"]
    assert "a=group:BUNDLE 0 1\r\n" in text and "o=- 5 6 IN IP4 0.0.0.0\r\n" in text
    first = replace(ANSWER, channel_first=True)
    text = written(first, session=5, version=6)
    assert re.findall(r"^m=(\w+)", text, re.MULTILINE) == ["application", "audio"]
    assert "a=group:BUNDLE 1 0\r\n" in text


def test_an_answer_names_codecs_candidates_and_direction() -> None:
    quiet = replace(ANSWER, direction="recvonly", channel_mid=None)
    text = written(quiet, session=5, version=6)
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 111 8\r\n" in text
    assert "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n" in text
    assert "a=rtpmap:8 PCMA/8000\r\n" in text and "a=recvonly\r\n" in text
    assert "a=candidate:1 1 udp 100 127.0.0.1 5001 typ host ufrag u\r\n" in text
    assert "webrtc-datachannel" not in text and "a=group:BUNDLE 0\r\n" in text
