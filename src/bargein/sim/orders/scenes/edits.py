"""Scenes in which the application edits the conversation, at any moment around a cut.

A reply of two messages is cut while the first one is heard: the first is truncated, the second, of
which nothing was heard, deleted. An edit before, between and behind that is the race of a history
that is compared with what is about to change.
"""

from __future__ import annotations

from bargein import events
from bargein.core import asks
from bargein.sim.options import Options
from bargein.sim.orders.scene import (
    NO_LATENCY,
    SPEAKS,
    Ask,
    Blocks,
    Deletes,
    Dies,
    Drains,
    Edits,
    Holds,
    Passes,
    Says,
    Scene,
    spoken,
)

_REPLY = Ask(asks.Respond())
_INTERRUPT = Ask(asks.Interrupt())
_TYPED = Ask(asks.Say("By the way.", reply=False))
_WRITTEN = Ask(
    asks.SendEvent(
        events.ConversationItemCreate(
            previous_item_id="root",
            item=events.MessageItem(
                id="app_0", role="user", content=(events.InputText(text="It rains."),)
            ),
        )
    )
)
_TALK = (_TYPED, _REPLY)
_TWO_MESSAGES = spoken((300,), (60,), done_apart=True)
_BY_APPLICATION = Options(card=NO_LATENCY, interrupt_response=False, create_response=False)

SCENES = (
    Scene(
        "edit-of-what-a-cut-deletes",
        "The application drops the newest item, which nobody has heard, while the user speaks.",
        prelude=(*_TALK, Says(), Says()),
        scripts=((SPEAKS,), (Edits("drop the newest"),)),
        holds=("down", "up", "player", "model"),
        scores=(_TWO_MESSAGES,),
        scenarios=(24,),
    ),
    Scene(
        "edit-of-what-a-cut-truncates",
        "The application empties the conversation while the user speaks over a reply.",
        prelude=(*_TALK, Says(), Says()),
        scripts=((SPEAKS,), (Edits("clear"),)),
        holds=("down", "up", "player", "model"),
        scores=(_TWO_MESSAGES,),
        scenarios=(24,),
    ),
    Scene(
        "edit-beside-a-cut",
        "The application puts a note in the place of the beginning while a reply is cut.",
        prelude=_TALK,
        scripts=((_INTERRUPT, _REPLY), (Edits("summarise"),)),
        holds=("down", "up", "player"),
        scores=(_TWO_MESSAGES, spoken((40,))),
        options=_BY_APPLICATION,
        scenarios=(24,),
    ),
    Scene(
        "two-edits-around-a-cut",
        "The application edits twice, the second time by what the first one is about to change.",
        prelude=_TALK,
        scripts=((SPEAKS,), (Edits("summarise"), Edits("drop the oldest"))),
        holds=("down", "up", "player"),
        scores=(_TWO_MESSAGES,),
        scenarios=(24,),
    ),
    Scene(
        "edit-while-a-reply-is-born",
        "The application edits while a reply begins, and interrupts it.",
        prelude=(_TYPED, Holds(), _REPLY),
        scripts=((Edits("summarise"),), (_INTERRUPT,)),
        holds=("down", "up", "player"),
        scores=(spoken((60, 60)),),
        options=_BY_APPLICATION,
    ),
    Scene(
        "edit-and-a-message",
        "The application puts an item first, edits, and types, before anything is acknowledged.",
        prelude=(_TYPED, Holds()),
        scripts=((_WRITTEN, Edits("exchange")), (_TYPED,)),
        holds=("down", "up"),
        options=_BY_APPLICATION,
        scenarios=(25,),
    ),
    Scene(
        "edit-and-a-delete-of-its-own",
        "The application deletes what was said by an event of its own, and edits.",
        prelude=_TALK,
        scripts=((Deletes(0),), (Edits("drop the newest"),), (_INTERRUPT,)),
        holds=("down", "up", "player"),
        scores=(_TWO_MESSAGES,),
        options=_BY_APPLICATION,
        scenarios=(24,),
    ),
    Scene(
        "edit-with-a-full-socket",
        "The application edits and interrupts while the socket takes nothing.",
        prelude=_TALK,
        scripts=((Blocks(), Drains()), (_INTERRUPT,), (Edits("append"),)),
        holds=("player",),
        scores=(_TWO_MESSAGES,),
        options=Options(
            card=NO_LATENCY, interrupt_response=False, create_response=False, blocks=True
        ),
    ),
    Scene(
        "edit-around-a-call",
        "The application empties the conversation while a function is called and answered.",
        prelude=(_TYPED, _REPLY, Says()),
        scripts=((Edits("clear"),), (_INTERRUPT,)),
        holds=("down", "up", "model", "tool"),
        scores=(spoken((60,), call="after"), spoken((40,))),
        options=_BY_APPLICATION,
    ),
    Scene(
        "edit-where-nothing-is-deleted",
        "The server knows no deletion; the application edits around a cut, and once more.",
        prelude=_TALK,
        scripts=((SPEAKS,), (Edits("drop the oldest"), Edits("drop the newest"))),
        holds=("down", "up", "player"),
        scores=(_TWO_MESSAGES,),
        options=Options(card=NO_LATENCY, obeys_delete=False),
    ),
    Scene(
        "edit-where-nothing-is-acknowledged",
        "The server acknowledges nothing; the application edits around a cut, and time passes.",
        prelude=_TALK,
        scripts=((_INTERRUPT,), (Edits("drop the oldest"), Edits("clear")), (Passes(2_100),)),
        holds=("down",),
        scores=(_TWO_MESSAGES,),
        options=Options(
            card=NO_LATENCY, interrupt_response=False, create_response=False, acknowledges=False
        ),
    ),
    Scene(
        "edit-and-the-pipe-dies",
        "The pipe ends somewhere between an edit and its last acknowledgement.",
        prelude=_TALK,
        scripts=((Edits("summarise"), Edits("clear")), (_INTERRUPT,), (Dies(),)),
        holds=("down", "up", "player"),
        scores=(_TWO_MESSAGES,),
        options=_BY_APPLICATION,
    ),
)
