"""Scenes in which the session ends: by the application, or without a word."""

from __future__ import annotations

from bargein.core import asks
from bargein.sim.options import Options
from bargein.sim.orders.scene import (
    FALLS_SILENT,
    NO_LATENCY,
    SPEAKS,
    Ask,
    Dies,
    Holds,
    Says,
    Scene,
    Sound,
    spoken,
)

_REPLY = Ask(asks.Respond())
_INTERRUPT = Ask(asks.Interrupt())
_LEAVE = Ask(asks.Leave())

SCENES = (
    Scene(
        "leaves-before-a-reply",
        "The application leaves somewhere around the birth of a reply.",
        prelude=(Holds(), _REPLY),
        scripts=((_LEAVE,), (SPEAKS,)),
        holds=("down", "up", "player"),
        scores=(spoken((60,)),),
        options=Options(card=NO_LATENCY, interrupt_response=False),
    ),
    Scene(
        "leaves-a-cut",
        "The application leaves somewhere between a stop and its last acknowledgement.",
        prelude=(_REPLY,),
        scripts=((SPEAKS,), (_LEAVE,)),
        holds=("down", "up", "player"),
        scores=(spoken((60, 60, 60)),),
    ),
    Scene(
        "leaves-with-the-button-down",
        "The application leaves while the user holds the button.",
        prelude=(_REPLY, Says()),
        scripts=((Ask(asks.Press()), Sound(120), Ask(asks.Release())), (_LEAVE,)),
        holds=("player", "model"),
        scores=(spoken((60, 60)),),
        options=Options(card=NO_LATENCY, turns="manual"),
        scenarios=(38,),
    ),
    Scene(
        "the-pipe-dies",
        "The pipe ends somewhere in an interruption and the turn behind it.",
        prelude=(_REPLY,),
        scripts=((SPEAKS, FALLS_SILENT), (Dies(),)),
        scores=(spoken((60, 60)),),
    ),
    Scene(
        "the-pipe-dies-before-a-reply",
        "The pipe ends somewhere around replies that are asked for and interrupted.",
        prelude=(Holds(),),
        scripts=((_REPLY, _INTERRUPT), (Dies(),)),
        holds=("down", "up", "player"),
        scores=(spoken((60, 60)),),
        options=Options(card=NO_LATENCY, interrupt_response=False, create_response=False),
    ),
)
