"""Scenes about the user's turns: by voice, by button, by keyboard."""

from __future__ import annotations

from bargein import events
from bargein.core import asks
from bargein.sim.options import Options
from bargein.sim.orders.scene import (
    FALLS_SILENT,
    NO_LATENCY,
    SPEAKS,
    Ask,
    Blocks,
    Drains,
    Holds,
    Says,
    Scene,
    Sound,
    out_of_band,
    spoken,
)

_REPLY = Ask(asks.Respond())
_INTERRUPT = Ask(asks.Interrupt())
_SAY = Ask(asks.Say("And then?"))
_PRESS = Ask(asks.Press())
_RELEASE = Ask(asks.Release())
_AT_THE_ROOT = Ask(
    asks.SendEvent(
        events.ConversationItemCreate(
            item=events.MessageItem(
                id="item_mine", role="system", content=(events.InputText(text="Be brief."),)
            ),
            previous_item_id="root",
        )
    )
)
_MANUAL = Options(card=NO_LATENCY, turns="manual")


def _update(*, interrupts: bool, creates: bool) -> Ask:
    detection = events.ServerVad(
        silence_duration_ms=200, interrupt_response=interrupts, create_response=creates
    )
    heard = events.AudioInputConfig(turn_detection=detection)
    return Ask(asks.Update(events.Session(audio=events.AudioConfig(input=heard))))


SCENES = (
    Scene(
        "typed-during-speech",
        "A message is typed while the user speaks over a reply.",
        prelude=(_REPLY,),
        scripts=((SPEAKS, FALLS_SILENT), (_SAY,)),
        scores=(spoken((160,)),),
        scenarios=(42,),
    ),
    Scene(
        "typed-in-a-turn-of-ours",
        "A message is typed while the user speaks, and the application answers turns.",
        scripts=((SPEAKS, FALLS_SILENT), (_SAY,)),
        holds=("down", "up"),
        options=Options(card=NO_LATENCY, interrupt_response=False, create_response=False),
        scenarios=(42,),
    ),
    Scene(
        "written-down-in-between",
        "A message without a wish for a reply is typed while a turn is answered.",
        prelude=(SPEAKS,),
        scripts=((FALLS_SILENT,), (Ask(asks.Say("By the way.", reply=False)),)),
        holds=("down", "up"),
        scores=(spoken((60,)),),
        scenarios=(25,),
    ),
    Scene(
        "written-at-the-root",
        "A message is put before all others while a turn is answered and interrupted.",
        prelude=(SPEAKS,),
        scripts=((FALLS_SILENT,), (_AT_THE_ROOT,), (_INTERRUPT,)),
        holds=("down", "up"),
        scores=(spoken((60,)),),
        scenarios=(25,),
    ),
    Scene(
        "press-and-release",
        "The button is pressed while a reply is made, held for 120 ms and released.",
        prelude=(_REPLY, Says()),
        scripts=((_PRESS, Sound(120), _RELEASE),),
        holds=("down", "player", "model"),
        scores=(spoken((60, 60)),),
        options=_MANUAL,
        scenarios=(38,),
    ),
    Scene(
        "press-and-release-at-once",
        "The button is only tapped, while a reply is heard, and a message is typed.",
        prelude=(_REPLY,),
        scripts=((_PRESS, Sound(40), _RELEASE), (_SAY,)),
        holds=("player", "up"),
        scores=(spoken((160,)),),
        options=_MANUAL,
        scenarios=(38,),
    ),
    Scene(
        "press-before-created",
        "The button is pressed before the reply is born that was asked for.",
        prelude=(Holds(), _REPLY),
        scripts=((_PRESS, Sound(120), _RELEASE),),
        holds=("down", "up", "player"),
        scores=(spoken((60,)),),
        options=_MANUAL,
        scenarios=(17, 38),
    ),
    Scene(
        "update-crosses-speech",
        "The session is told not to interrupt and not to reply while the user speaks.",
        prelude=(_REPLY,),
        scripts=((SPEAKS, FALLS_SILENT), (_update(interrupts=False, creates=False),)),
        holds=("down", "up"),
        scores=(spoken((160,)),),
        begins=(events.ResponseCreated,),
    ),
    Scene(
        "update-back-crosses-speech",
        "The session is told to interrupt and to reply by itself while the user speaks.",
        prelude=(_REPLY,),
        scripts=((SPEAKS, FALLS_SILENT), (_update(interrupts=True, creates=True),)),
        holds=("down", "up"),
        scores=(spoken((160,)),),
        options=Options(card=NO_LATENCY, interrupt_response=False, create_response=False),
    ),
    Scene(
        "paused-and-spoken-over",
        "The application pauses a reply and goes on, and the user speaks.",
        prelude=(_REPLY,),
        scripts=((Ask(asks.Hold()), Ask(asks.Resume())), (SPEAKS,)),
        scores=(spoken((160,)),),
        scenarios=(5,),
    ),
    Scene(
        "the-socket-is-full",
        "The socket takes nothing for a while around an interruption.",
        prelude=(_REPLY,),
        scripts=((Blocks(), Drains()), (_INTERRUPT,), (SPEAKS,)),
        holds=("down", "player"),
        scores=(spoken((160,)),),
        options=Options(card=NO_LATENCY, blocks=True),
        scenarios=(45,),
    ),
    Scene(
        "all-at-once",
        "A turn of the user, a reply, one out of band, a message and an interruption.",
        scripts=((SPEAKS, FALLS_SILENT), (_REPLY,), (Ask(out_of_band()),), (_SAY,), (_INTERRUPT,)),
        holds=(),
        scores=(spoken((60,)), spoken((60,))),
    ),
)
