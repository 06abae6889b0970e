"""Scenes about who asks for the next reply, and when."""

from __future__ import annotations

from bargein import events
from bargein.core import asks
from bargein.server.model import score
from bargein.sim.options import Options
from bargein.sim.orders.scene import (
    FALLS_SILENT,
    NO_LATENCY,
    SPEAKS,
    Ask,
    Holds,
    Says,
    Scene,
    out_of_band,
    spoken,
)

_REPLY = Ask(asks.Respond())
_INTERRUPT = Ask(asks.Interrupt())
_SAY = Ask(asks.Say("And then?"))
_BY_APPLICATION = Options(card=NO_LATENCY, interrupt_response=False, create_response=False)
_REFUSED_TURNS = Options(card=NO_LATENCY, interrupt_response=False)
_FAILS = score.EndFailed("server_error", None, "The engine broke.")
_CUT_OFF = score.EndIncomplete("max_output_tokens")
_TWO = spoken((60, 60))

SCENES = (
    Scene(
        "next-reply-before-the-stop-is-answered",
        "The server answers the user's turn before the player has answered the stop.",
        prelude=(_REPLY, Holds(), SPEAKS),
        scripts=((FALLS_SILENT,), (_INTERRUPT,)),
        holds=("down", "player"),
        scores=(spoken((160,)), _TWO),
        begins=(events.ResponseCreated,),
        scenarios=(20, 47),
    ),
    Scene(
        "create-crosses-the-automatic-reply",
        "The application asks for a reply at the end of a turn that the server answers by itself.",
        prelude=(SPEAKS,),
        scripts=((FALLS_SILENT,), (_REPLY, _INTERRUPT)),
        holds=("down", "up"),
        begins=(events.ResponseCreated,),
    ),
    Scene(
        "a-turn-is-refused",
        "The user's turn ends while a reply is made that speech does not interrupt.",
        prelude=(_REPLY, Says()),
        scripts=((SPEAKS, FALLS_SILENT),),
        holds=("down", "player", "model"),
        scores=(spoken((60,), done_apart=True), _TWO),
        options=_REFUSED_TURNS,
        scenarios=(53,),
    ),
    Scene(
        "keeps-talking",
        "The user speaks over a reply under the policy that lets it go on.",
        prelude=(_REPLY, Says()),
        scripts=((SPEAKS, FALLS_SILENT), (_INTERRUPT,)),
        holds=("down", "model"),
        scores=(spoken((60, 60)), _TWO),
        options=Options(card=NO_LATENCY, interrupt_response=False, barge_in="keep_talking"),
        scenarios=(19, 53),
    ),
    Scene(
        "tool-output-before-done",
        "The output of a called function is there before the reply that called it is done.",
        prelude=(Holds(), _REPLY),
        scripts=((_INTERRUPT,),),
        holds=("down", "model", "tool"),
        scores=(spoken((60,), call="after", done_apart=True),),
        options=_BY_APPLICATION,
        scenarios=(29, 30),
    ),
    Scene(
        "tool-output-while-the-user-speaks",
        "A function returns somewhere in the user's turn, which the server answers by itself.",
        prelude=(_REPLY, Says(), Says()),
        scripts=((SPEAKS, FALLS_SILENT),),
        holds=("down", "model", "tool"),
        scores=(spoken((60,), call="after", done_apart=True),),
        begins=(events.ResponseCreated,),
        scenarios=(28, 29, 50),
    ),
    Scene(
        "tool-output-in-a-turn-of-ours",
        "A function returns somewhere in the user's turn, which the application has to answer.",
        prelude=(_REPLY,),
        scripts=((SPEAKS, FALLS_SILENT),),
        holds=("down", "up", "tool"),
        scores=(spoken((60,), call="after"),),
        options=_BY_APPLICATION,
        scenarios=(28, 50),
    ),
    Scene(
        "call-of-a-cancelled-reply",
        "The user speaks when a function was called and the reply is not done.",
        prelude=(_REPLY, Holds(), Says()),
        scripts=((SPEAKS,),),
        holds=("down", "model", "tool"),
        scores=(spoken((60,), call="before", done_apart=True),),
        scenarios=(30,),
    ),
    Scene(
        "two-typed-messages",
        "Two messages are typed while a reply is heard.",
        prelude=(_REPLY,),
        scripts=((_SAY,), (_SAY,)),
        holds=("down", "up", "player"),
        scores=(spoken((160,)),),
        options=_BY_APPLICATION,
        scenarios=(42,),
    ),
    Scene(
        "out-of-band",
        "A reply out of band beside one of the conversation, and both are interrupted.",
        prelude=(Holds(),),
        scripts=((Ask(out_of_band()),), (_REPLY,), (_INTERRUPT,)),
        holds=("down",),
        scores=(spoken((60,)),),
        options=_BY_APPLICATION,
        begins=(events.ResponseDone,),
    ),
    Scene(
        "unborn-reply-given-up",
        "One of two replies is given up before it is born.",
        scripts=((_REPLY, Ask(asks.CancelReply(1))), (_REPLY,)),
        holds=("down", "up"),
        scores=(spoken((60,)), spoken((60,))),
        options=_BY_APPLICATION,
        scenarios=(17,),
    ),
    Scene(
        "unborn-reply-out-of-band-given-up",
        "A reply out of band is given up before it is born, beside one of the conversation.",
        scripts=((Ask(out_of_band()), Ask(asks.CancelReply(1))), (_REPLY,)),
        holds=("down", "up"),
        scores=(spoken((60,)),),
        options=_BY_APPLICATION,
    ),
    Scene(
        "heard-reply-given-up",
        "A reply is given up while it is heard, and the next one is wanted.",
        prelude=(_REPLY, Says()),
        scripts=((Ask(asks.CancelReply(1)),), (_REPLY,)),
        holds=("down", "player", "model"),
        scores=(spoken((60, 60)), spoken((60,))),
        options=_BY_APPLICATION,
    ),
    Scene(
        "the-reply-fails",
        "A reply breaks off while it is interrupted and the next one is asked for.",
        prelude=(_REPLY, Says()),
        scripts=((_INTERRUPT,), (_REPLY,)),
        holds=("down", "player", "model"),
        scores=(spoken((80,), end=_FAILS), _TWO),
        options=_BY_APPLICATION,
    ),
    Scene(
        "the-reply-is-incomplete",
        "A reply reaches its limit of tokens while the user speaks.",
        prelude=(_REPLY, Says()),
        scripts=((SPEAKS, FALLS_SILENT),),
        holds=("down", "player", "model"),
        scores=(spoken((80,), end=_CUT_OFF), _TWO),
        scenarios=(52,),
    ),
)
