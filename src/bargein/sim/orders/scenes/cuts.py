"""Scenes in which a reply is cut while it is made, played, or still on its way."""

from __future__ import annotations

from bargein.audio.card_settings import CardSettings
from bargein.core import asks
from bargein.sim.options import Options
from bargein.sim.orders.scene import (
    FALLS_SILENT,
    NO_LATENCY,
    SPEAKS,
    Ask,
    Deletes,
    Holds,
    Passes,
    Says,
    Scene,
    spoken,
)
from bargein.units import US_PER_MS

_REPLY = Ask(asks.Respond())
_INTERRUPT = Ask(asks.Interrupt())
_BY_APPLICATION = Options(card=NO_LATENCY, interrupt_response=False, create_response=False)
_TWO_PIECES = spoken((80, 80))


def _corrected(samples: int) -> Options:
    """The player's first answer is so far off, and 20 ms later it says so."""
    card = CardSettings(
        latency_us=0, correction_delay_us=20 * US_PER_MS, first_error_samples=samples
    )
    return Options(card=card)


SCENES = (
    Scene(
        "two-askers",
        "The user speaks and the application interrupts while a reply of two pieces arrives.",
        prelude=(Holds(), _REPLY),
        scripts=((SPEAKS,), (_INTERRUPT,)),
        scores=(spoken((40, 40)),),
        scenarios=(1, 2, 3, 14, 17, 18, 49),
    ),
    Scene(
        "speech-while-it-is-made",
        "The user speaks while the model is still making what is heard.",
        prelude=(_REPLY, Says()),
        holds=("down", "player", "model"),
        scripts=((SPEAKS,), (_INTERRUPT,)),
        scores=(spoken((60, 60, 60)),),
        scenarios=(8, 9, 14, 16, 52),
    ),
    Scene(
        "stragglers",
        "The user speaks, falls silent and speaks again; the end of the reply is still on its way.",
        prelude=(_REPLY, Says(), Holds(), Says(), SPEAKS),
        scripts=((FALLS_SILENT, SPEAKS),),
        holds=("down", "player", "model"),
        scores=(spoken((60, 60, 60)), spoken((60,))),
        options=Options(card=NO_LATENCY, interrupt_response=False),
        scenarios=(14, 15),
    ),
    Scene(
        "interrupt-before-created",
        "The application interrupts a reply that it has only asked for, and asks for the next one.",
        scripts=((_REPLY, _INTERRUPT, _REPLY),),
        holds=("down", "up", "player"),
        scores=(_TWO_PIECES,),
        options=_BY_APPLICATION,
        scenarios=(17,),
    ),
    Scene(
        "cancel-crosses-done",
        "The application interrupts while the reply comes to its end.",
        prelude=(_REPLY, Says()),
        scripts=((_INTERRUPT,),),
        holds=("down", "up", "player", "model"),
        scores=(spoken((80,), done_apart=True),),
        options=_BY_APPLICATION,
        scenarios=(16, 18),
    ),
    Scene(
        "several-items",
        "The user speaks while the first of two messages is heard and the second is on its way.",
        prelude=(_REPLY, Says(), Holds(), Says()),
        scripts=((SPEAKS,),),
        holds=("down", "player", "model"),
        scores=(spoken((60,), (60,), (60,), done_apart=True),),
        scenarios=(11,),
    ),
    Scene(
        "next-reply-while-the-old-one-plays",
        "The next reply arrives while the one before it is still heard, and the user speaks.",
        prelude=(_REPLY, Holds(), _REPLY),
        scripts=((SPEAKS,), (_INTERRUPT,)),
        scores=(spoken((240,)), _TWO_PIECES),
        scenarios=(13, 49),
    ),
    Scene(
        "smaller-late-answer",
        "The player's first answer was too large; the better one may come after anything else.",
        prelude=(_REPLY,),
        scripts=((_INTERRUPT, _REPLY),),
        holds=("down", "up", "player"),
        scores=(spoken((160,)),),
        options=_corrected(480),
        scenarios=(48,),
    ),
    Scene(
        "larger-late-answer",
        "The player's first answer was too small; the better one may come after anything else.",
        prelude=(_REPLY,),
        scripts=((_INTERRUPT,), (SPEAKS,)),
        holds=("down", "up", "player"),
        scores=(spoken((160,)),),
        options=_corrected(-480),
        scenarios=(48,),
    ),
    Scene(
        "delete-waits-for-done",
        "What was not heard is to be deleted when it is done, and the next reply is asked for.",
        prelude=(_REPLY, Holds(), Says()),
        scripts=((_INTERRUPT, _REPLY),),
        holds=("down", "player", "model"),
        scores=(spoken((60,), (60,), done_apart=True),),
        options=_BY_APPLICATION,
        scenarios=(8, 9),
    ),
    Scene(
        "done-never-comes-in-time",
        "What was not heard is deleted without its end, when a second has passed.",
        prelude=(_REPLY, Holds(), Says()),
        scripts=((_INTERRUPT, _REPLY), (Passes(1_100),)),
        holds=("down", "model"),
        scores=(spoken((60,), (60,)),),
        options=_BY_APPLICATION,
        scenarios=(23,),
    ),
    Scene(
        "the-application-deletes-too",
        "The application deletes the unheard item that a cut is about to delete.",
        prelude=(_REPLY, Says(), Says()),
        scripts=((SPEAKS,), (Deletes(1),)),
        holds=("down", "up", "player", "model"),
        scores=(spoken((300,), (60,), done_apart=True),),
        scenarios=(24,),
    ),
    Scene(
        "refused-as-too-long",
        "The server counts in steps of 50 ms and refuses; then the next reply is cut.",
        prelude=(_REPLY, Passes(70)),
        scripts=((_INTERRUPT, _REPLY), (SPEAKS,)),
        holds=("down", "player"),
        scores=(spoken((138,)), spoken((138,))),
        options=Options(card=NO_LATENCY, lengths_grid_ms=50),
        scenarios=(22, 54),
    ),
    Scene(
        "no-truncation",
        "The server knows no truncation; then the next reply is cut.",
        prelude=(_REPLY,),
        scripts=((_INTERRUPT, _REPLY), (SPEAKS,)),
        holds=("down", "player"),
        scores=(_TWO_PIECES, _TWO_PIECES),
        options=Options(card=NO_LATENCY, obeys_truncate=False),
        scenarios=(10, 46),
    ),
    Scene(
        "no-acknowledgement",
        "The server acknowledges nothing, and two seconds pass.",
        prelude=(_REPLY,),
        scripts=((_INTERRUPT, _REPLY, _INTERRUPT), (Passes(2_100),)),
        holds=("down",),
        scores=(_TWO_PIECES, _TWO_PIECES),
        options=Options(card=NO_LATENCY, acknowledges=False),
        scenarios=(23,),
    ),
    Scene(
        "the-player-breaks-its-word",
        "The stop is answered after 300 ms, when nobody believes it any more.",
        prelude=(_REPLY,),
        scripts=((_INTERRUPT, _REPLY), (Passes(150), Passes(150))),
        holds=("down",),
        scores=(spoken((160,)), _TWO_PIECES),
        options=Options(card=CardSettings(latency_us=0, answer_delay_us=300 * US_PER_MS)),
        scenarios=(51,),
    ),
)
