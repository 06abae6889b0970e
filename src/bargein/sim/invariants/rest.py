"""The invariants of the end: what must hold once the faults have stopped and the user is silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bargein.core import asks, commands, inputs, notices
from bargein.sim.history import History
from bargein.sim.invariants.cuts import cut_places
from bargein.sim.invariants.facts import Facts
from bargein.units import US_PER_MS, ms_floor


class MirrorIsTheServers:
    """Excused: a server that acknowledges nothing, a pipe that died or was closed."""

    name = "I6"
    sentence = "When quiet, the client's conversation is the server's, in ids, order and lengths."

    def failures(self, facts: Facts) -> Iterator[str]:
        history = facts.history
        options, final = history.options, history.final
        if final.lost or final.left or not options.acknowledges:
            return
        mirror = [item.id for item in final.mirror]
        memory = [item.id for item in final.memory]
        if mirror != memory:
            yield f"the mirror has {_short(mirror)}, the server {_short(memory)}"
            return
        for item, remembered in zip(final.mirror, final.memory, strict=True):
            if item.state in ("coming", "going"):
                yield f"{item.id} is still {item.state}"
            for content, part in zip(item.content, remembered.parts, strict=False):
                kept_ms = ms_floor(part.kept_samples, part.format.rate)
                if part.truncated and content.kept_ms != kept_ms:
                    yield f"{item.id}: the mirror keeps {content.kept_ms} ms, the server {kept_ms}"


class ComesToRest:
    """Faults stop, the user is silent, and ten seconds pass."""

    name = "liveness"
    sentence = "In the end nothing is armed, owed or held: asks, cuts and turns have their answers."

    def failures(self, facts: Facts) -> Iterator[str]:
        history = facts.history
        final = history.final
        if any(entry.kind == "broken" for entry in history.entries):
            return
        if not final.quiet:
            yield "the world does not come to rest"
            return
        if final.deadline_us is not None:
            yield f"a timer is armed for {final.deadline_us / US_PER_MS:.0f} ms"
        yield from _open_asks(history)
        yield from _open_cuts(history)
        if not final.lost and not final.left:
            yield from _owed_replies(facts)


def _open_asks(history: History) -> Iterator[str]:
    answers: Counter[int] = Counter()
    asked: dict[int, asks.Ask] = {}
    for entry in history.entries:
        if isinstance(entry.what, inputs.Asked):
            asked[entry.what.ask_id] = entry.what.ask
        elif isinstance(entry.what, commands.Answer):
            answers[entry.what.ask_id] += 1
    for ask_id, ask in asked.items():
        if answers[ask_id] != 1:
            yield f"ask {ask_id} ({type(ask).__name__}) has {answers[ask_id]} answers"


def _open_cuts(history: History) -> Iterator[str]:
    told: Counter[str] = Counter()
    settled: Counter[str] = Counter()
    for entry in history.entries:
        if isinstance(entry.what, commands.Notify):
            notice = entry.what.notice
            if isinstance(notice, notices.Interruption):
                told[notice.cut_id] += 1
            elif isinstance(notice, notices.InterruptionSettled):
                settled[notice.cut_id] += 1
    for cut_id in told.keys() | settled.keys():
        if told[cut_id] != 1 or settled[cut_id] < 1:
            yield f"{cut_id} is told {told[cut_id]} times and settled {settled[cut_id]} times"


def _owed_replies(facts: Facts) -> Iterator[str]:
    """The last turn of the user under `create_response` is followed by a response."""
    if not facts.commits:
        return
    last = facts.commits[-1]
    creates = [creates for number, _, creates in facts.updates if number < last]
    if not creates or not creates[-1]:
        return
    if any(reply.in_band and reply.created > last for reply in facts.replies.values()):
        return
    cuts = cut_places(facts.history)
    place = next(
        place
        for place, entry in enumerate(facts.history.entries)
        if entry.kind == "server_sent" and entry.number == last
    )
    if not any(cut > place for cut in cuts):
        yield "the last turn of the user was never answered"


def _short(ids: list[str]) -> str:
    return " ".join(item_id[-6:] for item_id in ids) or "nothing"
