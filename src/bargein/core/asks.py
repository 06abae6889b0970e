"""What the application can ask of the machine. Each ask is answered once."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from bargein import events


class Say(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The user typed. With `reply` it interrupts what is being said and asks for an answer."""

    text: str
    reply: bool = True


class Respond(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Ask for a response without a new message; it waits its turn and interrupts nothing.

    `params` as in `response.create`; with `conversation: "none"` it is out of band.
    """

    params: events.ResponseParams | None = None


class Interrupt(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Stop what is being said, now. Answered after the stop, with the record or None."""


class CancelReply(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Give up the reply that the ask with this id began; interrupts it where it is being heard."""

    reply_ask_id: int


class Press(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Push-to-talk: pressed. Needs `turn_detection: null`."""


class Release(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Push-to-talk: released."""


class Hold(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Pause the reply in the ear; the service is told nothing. Answered when it is silent."""


class Resume(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Go on at the very sample where the hold stopped."""


class Mute(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The microphone is muted (silence of the same length goes out) or not."""

    muted: bool


class Update(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Change the session. Answered with the effective session when the service agreed."""

    session: events.Session


class SendEvent(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Send an event of the application's own, under the machine's rules of order."""

    event: events.ClientEvent


class Edit(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Have the conversation as it is wished (`wishes.py`), by the least difference. Answered with
    `Edited` when the service has acknowledged it.

    An `item_reference` stands for an item that is there; everything else is new. `delete` names
    what is to go although the wish could not have shown it. `seen` are the ids that the
    application knew of when it wished; None: all that are there when it asks.
    """

    wish: tuple[events.Item, ...]
    delete: tuple[str, ...] = ()
    seen: tuple[str, ...] | None = None


class Leave(msgspec.Struct, frozen=True, tag=True, gc=False):
    """End the session: stop the sound, settle what is heard, close the pipe."""


Ask: TypeAlias = (
    Say
    | Respond
    | Interrupt
    | CancelReply
    | Press
    | Release
    | Hold
    | Resume
    | Mute
    | Update
    | SendEvent
    | Edit
    | Leave
)
