"""What the answers to the requests of a call say, as facts. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from bargein.lab.conformance.question import ANSWER, Expected, Facts
from bargein.lab.conformance.seen import Reply, Seen

_FRAME_MS = 20
_SECONDS = 10
_SLACK_S = 2
ANSWER_LINES: dict[str, Expected] = {
    "ice-lite": True,
    "setup": "active",
    "direction": "sendrecv",
    "codecs": ("opus", "PCMU", "PCMA"),
    "data channel": True,
}
"""Of the recorded answers (protocol.md section 1.2.1); their candidates are told."""


def answer_lines(seen: Seen) -> Facts | None:
    """The lines of an SDP answer that say how the call will be."""
    call = seen.replies.get("call")
    if call is None or not call.text.startswith("v=0"):
        return None
    text = call.text
    audio = text[text.find("m=audio") :]
    audio = audio[: audio.find("m=", 2)] if "m=" in audio[2:] else audio
    codecs = re.findall(r"a=rtpmap:\d+ ([\w.-]+)/", audio)
    setup = re.search(r"a=setup:(\w+)", text)
    direction = re.search(r"a=(sendrecv|sendonly|recvonly|inactive)", audio)
    return {
        "ice-lite": "a=ice-lite" in text,
        "setup": None if setup is None else setup[1],
        "direction": None if direction is None else direction[1],
        "codecs": tuple(codecs),
        "data channel": "webrtc-datachannel" in text,
        "candidates": len(re.findall(r"a=candidate:", text)),
    }


def shares_suffix(session_id: Any, call: Reply) -> bool:
    """Whether the session's id and the call's are the same but for their beginnings."""
    call_id = call.headers.get("location", "").rpartition("/")[2]
    return (
        isinstance(session_id, str)
        and session_id.startswith("sess_")
        and session_id.removeprefix("sess_") == call_id.removeprefix("rtc_")
    )


def secret(seen: Seen) -> Facts | None:
    """What a key is that was asked for, for ten seconds."""
    reply = seen.replies.get("secret")
    if reply is None:
        return None
    value = reply.at("value")
    if reply.status != 200 or not isinstance(value, str):
        return {ANSWER: chosen(reply)}
    session = reply.at("session")
    return {
        ANSWER: "a key",
        "value": value[:3] + "…",
        "lives for": _life(reply),
        "session": "the effective one" if _is_effective(reply) else "not told",
        "its expires_at": session.get("expires_at") if isinstance(session, dict) else None,
    }


def _life(reply: Reply) -> str:
    """By the server's own clock where it tells the time, else by ours."""
    expires_at = reply.at("expires_at")
    if not isinstance(expires_at, int):
        return "not told"
    lives_s = expires_at - _told_s(reply)
    return "as long as asked" if abs(lives_s - _SECONDS) <= _SLACK_S else f"{lives_s:.0f} s"


def _told_s(reply: Reply) -> float:
    try:
        return parsedate_to_datetime(reply.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return reply.wall_s


def _is_effective(reply: Reply) -> bool:
    return (
        reply.at("session", "object") == "realtime.session"
        and isinstance(reply.at("session", "id"), str)
        and isinstance(reply.at("session", "audio"), dict)
    )


def refused_request(name: str) -> Callable[[Seen], Facts | None]:
    """The judge of a request of that name that is to be refused."""

    def judge(seen: Seen) -> Facts | None:
        reply = seen.replies.get(name)
        if reply is None:
            return None
        if reply.status < 400:
            return {ANSWER: f"accepted: HTTP {reply.status}"}
        code = reply.at("error", "code")
        return {
            ANSWER: "refused",
            "status": reply.status,
            "code": code if isinstance(code, str) else "",
            "message": str(reply.at("error", "message"))[:200],
        }

    return judge


def chosen(reply: Reply) -> str:
    """A refusal in two words: its status and its code."""
    return f"{reply.status} {reply.at('error', 'code')}"


def grid(kept_ms: Any) -> str:
    """In what steps a length was told, as far as one shows."""
    if not isinstance(kept_ms, int):
        return "no number"
    return f"{_FRAME_MS} ms" if kept_ms % _FRAME_MS == 0 else f"not {_FRAME_MS} ms ({kept_ms})"
