"""Calls over WebRTC, where a server has them (protocol.md sections 1.1.6, 1.2, 1.3, 4.6, 4.7)."""

from __future__ import annotations

from typing import Any

from bargein.lab.conformance.phone_facts import (
    ANSWER_LINES,
    answer_lines,
    chosen,
    grid,
    refused_request,
    secret,
    shares_suffix,
)
from bargein.lab.conformance.question import ANSWER, Facts, Like, OneOf, Question, Reference
from bargein.lab.conformance.script import (
    LONG,
    SHORT,
    Attach,
    Cost,
    Post,
    Script,
    Send,
    SpeakLive,
    Talk,
    Until,
    create,
    typed,
    wait_for,
)
from bargein.lab.conformance.seen import Frame, Seen
from bargein.lab.conformance.voice import SPEECH

SECTION = "calls"
_STARTED, _STOPPED = "output_audio_buffer.started", "output_audio_buffer.stopped"
_CLEARED, _TRUNCATED = "output_audio_buffer.cleared", "conversation.item.truncated"
_SPEECH_STARTED = "input_audio_buffer.speech_started"
_LOUD_FRAMES = 15
_FRAME_MS = 20
_SLACK_MS = 300
"""What may be under way between the server and us, and quiet frames at a reply's beginning."""
_BY_HAND = {"audio": {"input": {"turn_detection": None}}}
_BY_VOICE = {
    "audio": {
        "input": {
            "turn_detection": {
                "type": "server_vad",
                "create_response": False,
                "interrupt_response": True,
            }
        }
    }
}
_BOUND = "Answer in one short sentence, whatever is said."
_NO_OFFER = "v=0\r\nthis is no offer\r\n"
_NO_AUDIO = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n"
    "a=sctp-port:5000\r\na=setup:actpass\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n"
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\n"
)


def _loud(seen: Seen) -> bool:
    return sum(each.loud for each in seen.media) >= _LOUD_FRAMES


def _story(seen: Seen) -> Script:
    yield typed(LONG)
    yield create()
    yield Until(_loud, "reply")


def _over(seen: Seen) -> Script:
    """A reply that is talked over."""
    yield from _story(seen)
    yield SpeakLive(SPEECH, lambda seen: seen.first(_SPEECH_STARTED) is not None)
    yield wait_for(_TRUNCATED, "reply")
    yield wait_for("response.done", fence="update")


def _by_hand(seen: Seen) -> Script:
    """A reply that is heard to its end, and one that is stopped by hand."""
    yield typed(SHORT)
    yield create()
    yield wait_for(_STOPPED, "reply")
    heard = len(seen.media)
    yield typed(LONG)
    yield create("q_long")
    yield Until(lambda seen: sum(each.loud for each in seen.media[heard:]) >= _LOUD_FRAMES, "reply")
    yield Send({"type": "response.cancel", "event_id": "q_cancel"})
    yield wait_for("response.done", "answer", count=2)
    yield Send({"type": "output_audio_buffer.clear", "event_id": "q_clear"})
    yield wait_for(_TRUNCATED, "answer", after=seen.frames[-1])


def _aside(seen: Seen) -> Script:
    """A call that somebody listens to, and that is hung up on from outside."""
    yield Attach()
    yield typed(LONG)
    yield create()
    yield Until(_loud, "reply")
    yield Send({"type": "input_audio_buffer.clear"})
    yield wait_for("input_audio_buffer.cleared")
    yield Post("hangup", "/calls/{call_id}/hangup")
    yield Until(lambda seen: seen.end is not None, "answer")
    yield Post("again", "/calls/{call_id}/hangup")


def _requests(seen: Seen) -> Script:
    """What is refused before there is a call."""
    yield Post("no key", "/calls", _NO_OFFER, key="none")
    yield Post("wrong key", "/calls", _NO_OFFER, key="wrong")
    yield Post("no offer", "/calls", _NO_OFFER)
    yield Post("no audio", "/calls", _NO_AUDIO)
    for name, seconds in (("too short", 9), ("too long", 7_201)):
        body = {"expires_after": {"anchor": "created_at", "seconds": seconds}}
        yield Post(name, "/client_secrets", body)
    yield Post("hang up nowhere", "/calls/rtc_u0_nowhere/hangup")
    yield Post("expired", "/calls", _NO_OFFER, key="minted", expired=True)


def _hello(seen: Seen) -> Script:
    """Nothing but to be in a call."""
    yield from ()


_INSTRUCTED = {"instructions": _BOUND, **_BY_HAND}
OFFER = Talk("offer", _hello, by="call", session=_BY_HAND, asks_whether=True)
OVER = Talk("call talked over", _over, by="call", session=_BY_VOICE, cost=Cost(1, 4_000, 2_000))
BY_HAND = Talk(
    "call by hand", _by_hand, by="call", key="minted", session=_INSTRUCTED, cost=Cost(2, 6_000)
)
ASIDE = Talk("sideband", _aside, by="call", session=_BY_HAND, cost=Cost(1, 4_000))
REQUESTS = Talk("requests", _requests, by="call", connects=False, begins=False)


def _made(seen: Seen) -> Facts | None:
    call = seen.replies.get("form", seen.replies.get("call"))
    if call is None:
        return None
    if not 200 <= call.status < 300:
        return {ANSWER: f"refused: HTTP {call.status}"}
    where = call.headers.get("location", "")
    return {
        ANSWER: "a call",
        "status": call.status,
        "Location": where,
        "SDP": call.text.startswith("v=0"),
        "content type": call.headers.get("content-type", ""),
    }


def _bound(seen: Seen) -> Facts | None:
    made = _made(seen)
    created = seen.first("session.created")
    if made is None or created is None:
        return made
    return {**made, "instructions": created.at("session", "instructions") == _BOUND}


def _begins(seen: Seen) -> Facts | None:
    first = next(iter(seen.received()), None)
    call = seen.replies.get("call")
    if first is None or call is None:
        return None
    session_id = first.at("session", "id")
    return {
        "first event": first.kind,
        "session and call share a suffix": shares_suffix(session_id, call),
    }


def _sound(seen: Seen) -> Facts | None:
    if not seen.finished:
        return None
    deltas = bool(seen.received("response.output_audio.delta"))
    return {"on the track": _loud(seen), "in events": deltas}


def _names(seen: Seen) -> Facts | None:
    found = {kind: seen.first(kind) for kind in (_STARTED, _CLEARED)}
    if not any(found.values()):
        return None
    return {
        kind.rpartition(".")[2]: None if frame is None else frame.name
        for kind, frame in found.items()
    }


def _stopped_name(seen: Seen) -> Facts | None:
    stopped = seen.first(_STOPPED)
    done = seen.first("response.done")
    if not seen.sent("q_long"):
        # It was waited for in vain, or nothing was said at all.
        return None if done is None else {"stopped": None}
    return {
        "stopped": None if stopped is None else stopped.name,
        "behind response.done": stopped is not None
        and done is not None
        and seen.frames.index(done) < seen.frames.index(stopped),
    }


def _interruption(seen: Seen) -> Facts | None:
    started = seen.first(_SPEECH_STARTED)
    if started is None:
        return None
    cleared = seen.first(_CLEARED, after=started)
    truncated = seen.first(_TRUNCATED, after=started)
    done = seen.first("response.done", after=started)
    first = seen.first(_STARTED)
    return {
        "clears by itself": cleared is not None,
        "truncates by itself": truncated is not None,
        "of the response that sounded": cleared is not None
        and first is not None
        and cleared.about_response == first.about_response,
        "stopped follows": seen.first(_STOPPED, after=started) is not None,
        "response": None if done is None else done.at("response", "status"),
    }


def _kept(truncated: Frame | None, seen: Seen, first_packet: int) -> Facts | None:
    """Where the sound is cut: at what had left the server, which came here a moment later."""
    if truncated is None:
        return None
    kept_ms = truncated.at("audio_end_ms")
    came = [each for each in seen.media[first_packet:] if each.at_us <= truncated.at_us]
    near = abs(kept_ms - _FRAME_MS * len(came)) <= _SLACK_MS
    return {
        "in steps of": grid(kept_ms),
        "at": "what left the server" if near else "something else",
        "said": f"{kept_ms} ms, of {_FRAME_MS * len(came)} that came",
    }


def _kept_at_speech(seen: Seen) -> Facts | None:
    started = seen.first(_SPEECH_STARTED)
    if started is None:
        return None
    return _kept(seen.first(_TRUNCATED, after=started), seen, 0)


def _clear(seen: Seen) -> Facts | None:
    ours = seen.sent("q_clear")
    if ours is None:
        return None
    error = next((e for e in seen.received("error", ours)), None)
    if error is not None:
        return {ANSWER: f"refused: {error.at('error', 'code')}"}
    cleared = seen.first(_CLEARED, after=ours)
    return {
        ANSWER: "nothing" if cleared is None else "cleared",
        "truncated": seen.first(_TRUNCATED, after=ours) is not None,
        "stopped follows": seen.first(_STOPPED, after=ours) is not None,
    }


def _kept_by_hand(seen: Seen) -> Facts | None:
    ours, long = seen.sent("q_clear"), seen.sent("q_long")
    if ours is None or long is None:
        return None
    before = sum(each.at_us <= long.at_us for each in seen.media)
    return _kept(seen.first(_TRUNCATED, after=ours), seen, before)


def _sideband(seen: Seen) -> Facts | None:
    if seen.aside is None:
        return {ANSWER: "none"} if seen.finished else None
    kinds = [frame.kind for frame in seen.aside]
    return {
        ANSWER: "a sideband",
        "session.created": "session.created" in kinds,
        "events of the call": "response.created" in kinds,
        "output_audio_buffer.started": _STARTED in kinds,
        "sound": "response.output_audio.delta" in kinds,
    }


def _hang_up(seen: Seen) -> Facts | None:
    reply, again = seen.replies.get("hangup"), seen.replies.get("again")
    if reply is None:
        return None
    return {
        "status": reply.status,
        "the call": "goes on" if seen.end is None else "ends",
        "again": None if again is None else chosen(again),
    }


def _question(
    name: str, asks: str, source: str, talk: Talk, judge: Any, reference: Reference
) -> Question:
    return Question(f"{SECTION}: {name}", SECTION, asks, source, talk, judge, reference)


def _refused(name: str, asks: str, source: str, status: Any, code: Any) -> Question:
    reference: Reference = {ANSWER: "refused", "status": status, "code": code}
    return _question(name, asks, source, REQUESTS, refused_request(name), reference)


_CALL: Reference = {
    ANSWER: "a call",
    "status": 201,
    "Location": Like(r"(https?://[^/]+)?/v1/realtime/calls/rtc_\w+", "/v1/realtime/calls/rtc_…"),
    "SDP": True,
}
_STEPS: Reference = {"in steps of": f"{_FRAME_MS} ms", "at": "what left the server"}
_ANY_CODE = Like(r".*", "any")

QUESTIONS = (
    _question("call", "Does an offer, as a form with the API key, make a call?", "§1.2.1",
              OFFER, _made, _CALL),
    _question("answer", "What is in the SDP answer?", "§1.2.1", OVER, answer_lines, ANSWER_LINES),
    _question("beginning", "How does a call begin, and what is its session called?", "§1.2.2",
              OVER, _begins,
              {"first event": "session.created", "session and call share a suffix": True}),
    _question("sound", "Where does a reply's sound come?", "§1.2.3", OVER, _sound,
              {"on the track": True, "in events": False}),
    _question("names", "What are the events of the output buffer called?", "§1.2.3", OVER, _names,
              {"started": _STARTED, "cleared": _CLEARED}),
    _question("interruption", "What happens to the sound when the user speaks over it?", "§4.6",
              OVER, _interruption,
              {"clears by itself": True, "truncates by itself": True,
               "of the response that sounded": True, "stopped follows": False}),
    _question("length", "Where is a reply cut that is talked over?", "§4.6",
              OVER, _kept_at_speech, _STEPS),
    _question("secret", "What is an ephemeral key, and until when?", "§1.3", BY_HAND, secret,
              {ANSWER: "a key", "value": Like(r"ek_\S+", "ek_…"), "lives for": "as long as asked",
               "session": "the effective one", "its expires_at": 0}),
    _question("ephemeral key", "Does a bare offer with an ephemeral key make its call?", "§1.2.1",
              BY_HAND, _bound, {**_CALL, "instructions": True}),
    _question("end", "When is a reply told to have sounded?", "§1.2.3", BY_HAND, _stopped_name,
              {"stopped": _STOPPED, "behind response.done": True}),
    _question("clear", "What does a clear by hand do?", "§4.7", BY_HAND, _clear,
              {ANSWER: "cleared", "truncated": True, "stopped follows": False}),
    _question("length by hand", "Where is a reply cut that is stopped by hand?", "§4.6",
              BY_HAND, _kept_by_hand, _STEPS),
    _question("sideband", "What does a sideband see?", "§1.1.6", ASIDE, _sideband,
              {ANSWER: "a sideband", "session.created": False, "events of the call": True,
               "output_audio_buffer.started": True, "sound": False}),
    _question("hang up", "How is a call ended from outside?", "§1.4", ASIDE, _hang_up,
              {"status": 200, "the call": "ends", "again": Like(r"\d+ call_id_not_found",
                                                               "… call_id_not_found")}),
    _refused("no key", "What does an offer without a key get?", "§1.2.1", 401, _ANY_CODE),
    _refused("wrong key", "What does an offer with a wrong key get?", "§1.2.1", 401,
             "invalid_api_key"),
    _refused("no offer", "What does an offer get that is none?", "§1.2.1", 400, _ANY_CODE),
    _refused("no audio", "What does an offer get that has no audio?", "§1.2.1", 400, _ANY_CODE),
    _refused("too short", "What does a key get that is to live for 9 s?", "§1.3", 400, _ANY_CODE),
    _refused("too long", "What does a key get that is to live for 7,201 s?", "§1.3", 400,
             _ANY_CODE),
    _refused("hang up nowhere", "What does a hang-up get that finds no call?", "§1.4",
             OneOf((400, 404)), "call_id_not_found"),
    _refused("expired", "What does an expired key get?", "§1.3", 401, _ANY_CODE),
)  # fmt: skip
