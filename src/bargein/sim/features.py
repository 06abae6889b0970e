"""What is unusual in a world, by name: each feature is drawn seldom, and can be asked for alone.

1. A feature is a sentence, a question to the options, and the draws that switch it on. With one
   feature asked for, its draws are fixed and those of all others are plain; what is usual (delays,
   the card's block, the number of acts) is drawn as ever.
2. What was fixed stands in the tape like any draw, so the tape says all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bargein.audio.base import Unknown, Within
from bargein.errors import LocalValueError
from bargein.units import AudioFormat

if TYPE_CHECKING:
    from bargein.sim.options import Options


@dataclass(frozen=True, slots=True)
class Feature:
    """`draws`: by option, the offsets of which one switches it on."""

    sentence: str
    is_on: Callable[[Options], bool]
    draws: Mapping[str, tuple[int, ...]]


_BY_NAME: Mapping[str, Feature] = {
    "manual": Feature(
        "Turns are made by a button; the server detects none.",
        lambda o: o.turns == "manual",
        {"turns": (3,)},
    ),
    "semantic_vad": Feature(
        "The server ends turns by their meaning.",
        lambda o: o.turns == "semantic_vad",
        {"turns": (4,)},
    ),
    "client_cancels": Feature(
        "The server does not end its reply when the user speaks; the client does.",
        lambda o: not o.interrupt_response,
        {"lets_interrupt": (2,)},
    ),
    "keep_talking": Feature(
        "The reply goes on while the user speaks.",
        lambda o: o.barge_in == "keep_talking",
        {"lets_interrupt": (2,), "keeps_talking": (3,)},
    ),
    "no_auto_reply": Feature(
        "The server does not reply to turns by itself; the application asks.",
        lambda o: not o.create_response,
        {"lets_reply": (2,)},
    ),
    "g711": Feature(
        "The sound is G.711 at 8 kHz.",
        lambda o: o.format is not AudioFormat.PCM,
        {"format": (3, 4)},
    ),
    "coarse_lengths": Feature(
        "The server counts the lengths of its sound in steps of 50 ms.",
        lambda o: o.lengths_grid_ms > 1,
        {"coarse_lengths": (5,)},
    ),
    "refuses_truncate": Feature(
        "The server knows no truncation and says so.",
        lambda o: not o.obeys_truncate,
        {"refuses_truncate": (39,)},
    ),
    "refuses_delete": Feature(
        "The server knows no deletion and says so.",
        lambda o: not o.obeys_delete,
        {"refuses_delete": (59,)},
    ),
    "refuses_cancel": Feature(
        "The server knows no cancel and says so; its replies run to their ends.",
        lambda o: not o.obeys_cancel,
        {"refuses_cancel": (59,)},
    ),
    "moderates": Feature(
        "The server ends replies by itself, in the middle.",
        lambda o: o.moderates,
        {"moderates": (29,)},
    ),
    "silent_server": Feature(
        "The server acknowledges neither truncates nor deletes.",
        lambda o: not o.acknowledges,
        {"silent": (39,)},
    ),
    "stalls": Feature(
        "Messages stand still for up to 2 s.",
        lambda o: bool(o.down.stall_one_in or o.up.stall_one_in),
        {"down.stall_one_in": (0, 2, 3), "up.stall_one_in": (2, 3)},
    ),
    "slow_link": Feature(
        "Bytes take their time, a few times faster than the sound or hardly that.",
        lambda o: bool(o.down.bytes_per_s or o.up.bytes_per_s),
        {"down.slow": (9,), "up.slow": (9,)},
    ),
    "blocks": Feature(
        "The socket takes nothing for a while.",
        lambda o: o.blocks,
        {"blocks": (4,), "up.stall_one_in": (2, 3)},
    ),
    "dies": Feature(
        "The connection ends without a word, both ways at once.",
        lambda o: o.dies,
        {"dies": (49,)},
    ),
    "breaks": Feature(
        "The connection ends at some byte, in the middle of a message.",
        lambda o: bool(o.down.breaks_at_byte or o.up.breaks_at_byte),
        {"breaks": (49,)},
    ),
    "half_open": Feature(
        "One direction falls silent while the other carries on, until the ping is missed.",
        lambda o: bool(o.half_open),
        {"half_open": (49,)},
    ),
    "closes": Feature(
        "The server closes the connection with a code: its time is up, or it broke.",
        lambda o: bool(o.closes),
        {"closes": (49,)},
    ),
    "webrtc": Feature(
        "The session is a call: the service owns playback, and sound has channels of its own.",
        lambda o: o.webrtc,
        {"webrtc": (11,)},
    ),
    "other_rate": Feature(
        "The card runs at another rate than the sound.",
        lambda o: o.card.rate != o.format.rate,
        {"card.other_rate": (11,)},
    ),
    "late_card": Feature(
        "The card answers a stop up to 150 ms late.",
        lambda o: bool(o.card.answer_delay_us) and o.margin_samples is not None,
        {"card.late": (3,)},
    ),
    "broken_card": Feature(
        "The card answers a stop when nobody believes it any more, or never.",
        lambda o: o.card_breaks_its_word,
        {"card.breaks_its_word": (49,), "card.broken_ms": (0, 1, 2)},
    ),
    "inexact_card": Feature(
        "The card's counts are off, within a margin that it states.",
        lambda o: isinstance(o.card.accuracy, Within),
        {"card.within": (14,)},
    ),
    "unknown_card": Feature(
        "The card cannot tell what was heard.",
        lambda o: isinstance(o.card.accuracy, Unknown),
        {"card.unknown": (29,)},
    ),
    "correcting_card": Feature(
        "The card's first word on a stop is wrong and put right later.",
        lambda o: bool(o.card.first_error_samples),
        {"card.corrects": (19,)},
    ),
    "drifting_card": Feature(
        "The card's clock runs 300 ppm fast or slow.",
        lambda o: bool(o.card.rate_error_ppm),
        {"card.rate_error_ppm": (3, 4)},
    ),
    "missed_blocks": Feature(
        "The computer is late for a block now and then.",
        lambda o: bool(o.card.miss_every),
        {"card.miss_every": (5,)},
    ),
    "device_change": Feature(
        "The card is lost, with what it holds, and another one goes on.",
        lambda o: o.card_changes is not None,
        {"card_changes": (24,)},
    ),
    "short_outbox": Feature(
        "Little of the microphone's sound may wait for the socket; the rest is dropped.",
        lambda o: o.drops_sound,
        {"microphone_limit_ms": (2,), "blocks": (4,), "up.stall_one_in": (2, 3)},
    ),
    "pre_roll": Feature(
        "What was said just before the button was pressed is heard, too.",
        lambda o: bool(o.pre_roll_ms),
        {"turns": (3,), "pre_roll_ms": (2,)},
    ),
    "late_button": Feature(
        "A button is pressed while the card answers late.",
        lambda o: o.turns == "manual" and bool(o.card.answer_delay_us),
        {"turns": (3,), "card.late": (3,)},
    ),
    "called_button": Feature(
        "A button is pressed in a call, where sound and events go by ways of their own.",
        lambda o: o.turns == "manual" and o.webrtc,
        {"turns": (3,), "webrtc": (11,)},
    ),
    "blocked_button": Feature(
        "A button is pressed while the socket takes nothing.",
        lambda o: o.turns == "manual" and o.blocks,
        {"turns": (3,), "blocks": (4,), "up.stall_one_in": (2, 3)},
    ),
    "short_blocked_button": Feature(
        "A button is pressed while the socket takes nothing and little sound may wait for it.",
        lambda o: o.turns == "manual" and o.drops_sound,
        {
            "turns": (3,),
            "blocks": (4,),
            "up.stall_one_in": (2, 3),
            "microphone_limit_ms": (2,),
        },
    ),
    "tools": Feature(
        "The model calls functions, several at once, around and between its words.",
        lambda o: o.tools,
        {"tools": (3,)},
    ),
    "own_tools": Feature(
        "The session answers the calls by itself, under the policy of each tool.",
        lambda o: o.own_tools is not None,
        # Now and then the connection dies while they run.
        {"tools": (3,), "own_tools": (1,), "dies": (0, 0, 0, 0, 0, 49)},
    ),
    "hosted_tools": Feature(
        "The service calls the tools of an MCP server by itself, and asks before.",
        lambda o: bool(o.servers),
        {"hosted_tools": (7,), "dies": (0, 0, 0, 0, 0, 49)},
    ),
    "stubborn_host": Feature(
        "The service waits for a consent, and cannot cancel the response that waits.",
        lambda o: bool(o.servers) and not o.obeys_cancel,
        {"hosted_tools": (7,), "refuses_cancel": (59,)},
    ),
    "mixed_parts": Feature(
        "Messages have text and sound in any order, and sound more than once.",
        lambda o: o.mixed_parts,
        {"mixed_parts": (4,)},
    ),
    "budget": Feature(
        "The session may use so many tokens, so much sound or so much time.",
        lambda o: o.budget is not None,
        {"budget": (24,)},
    ),
    "edits": Feature(
        "The application edits the conversation, mostly around cuts.",
        lambda o: o.edits,
        # Now and then the model calls functions besides, or the service does not delete,
        # acknowledge or answer.
        {
            "edits": (5,),
            "tools": (0, 0, 0, 3),
            "own_tools": (0, 1),
            "refuses_delete": (0,) * 11 + (59,),
            "silent": (0,) * 11 + (39,),
            "half_open": (0,) * 11 + (49,),
        },
    ),
    "forgets": Feature(
        "The model is told little at once, and what is old is left out without a word.",
        lambda o: bool(o.context_tokens),
        # Often the application takes something away besides, which makes the input smaller, too.
        {"forgets": (29,), "edits": (0, 5), "tools": (0, 0, 0, 3), "own_tools": (0, 1)},
    ),
    "echo": Feature(
        "The microphone hears the assistant and the server takes it for speech.",
        lambda o: bool(o.echoes),
        {"echoes": (9,)},
    ),
}

FEATURES: Mapping[str, str] = {name: feature.sentence for name, feature in _BY_NAME.items()}
"""By name, what is unusual about a world that has it."""

UNUSUAL = frozenset(name for feature in _BY_NAME.values() for name in feature.draws)
"""The options that switch a feature on."""


def draws_of(only: str) -> Mapping[str, tuple[int, ...]]:
    """The draws that switch this feature on. Raises `LocalValueError` for a name of none."""
    feature = _BY_NAME.get(only)
    if feature is None:
        raise LocalValueError(f"only: {only!r} is no feature; give one of {', '.join(FEATURES)}")
    return feature.draws


def features_of(options: Options) -> tuple[str, ...]:
    """The names of the features that are on."""
    return tuple(name for name, feature in _BY_NAME.items() if feature.is_on(options))
