"""Where in a history something asked for a cut, and what it then had to concern."""

from __future__ import annotations

from bargein import events
from bargein.core import asks, inputs
from bargein.sim.history import Entry, History
from bargein.sim.invariants.facts import NEVER, Facts, Reply


def cut_places(history: History) -> list[int]:
    """The places in the log, in order: the user's speech under the policy *cut*, a press, a typed
    message, `interrupt()`, leaving."""
    speech_cuts = history.options.barge_in == "cut"
    return [
        place for place, entry in enumerate(history.entries) if _asks_for_cut(entry, speech_cuts)
    ]


def _asks_for_cut(entry: Entry, speech_cuts: bool) -> bool:
    match entry.what:
        case events.InputAudioBufferSpeechStarted():
            return speech_cuts and entry.kind == "client_got"
        case inputs.Asked(ask=ask):
            return isinstance(ask, asks.Interrupt | asks.Press | asks.Leave) or (
                isinstance(ask, asks.Say) and ask.reply
            )
        case _:
            return False


def asked_place(facts: Facts, reply: Reply) -> int:
    """Where the client sent the create, or learned of the turn that makes the server reply."""
    if reply.asked is not None:
        return facts.sent[reply.asked].place
    if reply.committed is not None:
        for place, entry in enumerate(facts.history.entries):
            if entry.kind == "client_got" and entry.number == reply.committed:
                return place
    return NEVER


def first_cut_of(facts: Facts, reply: Reply, places: list[int]) -> int:
    """The first cut that had to concern the response: one that came while it was asked for or open.
    NEVER if none did."""
    begins = min(asked_place(facts, reply), reply.created_place)
    return next((place for place in places if begins < place < reply.done_place), NEVER)
