"""The invariants: each a class with a sentence, judging the history of an episode.

They know the world's truth, which the client does not; so what the client cannot hold in some
world (a player that cannot tell, a server that refuses truncation) is excused here, by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec
from msgspec import UNSET

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.inputs import Part
from bargein.server.model.memory import RememberedItem
from bargein.sim.blame import blame
from bargein.sim.facts import NEVER, Facts
from bargein.sim.history import Entry, History
from bargein.units import US_PER_MS, AudioFormat, ms_floor


class Violation(msgspec.Struct, frozen=True):
    """An invariant that did not hold, and how."""

    invariant: str
    sentence: str
    detail: str


class Invariant(Protocol):
    """`name` is DESIGN's; `sentence` says what must hold."""

    @property
    def name(self) -> str: ...

    @property
    def sentence(self) -> str: ...

    def failures(self, facts: Facts) -> Iterator[str]:
        """Every way in which it does not hold."""
        ...


class MemoryIsHearing:
    """Excused: a player that cannot tell, a server that cannot truncate, a pipe that died."""

    name = "I1"
    sentence = "What the service remembers of each spoken part is what the ear got."

    def failures(self, facts: Facts) -> Iterator[str]:
        history = facts.history
        options, final = history.options, history.final
        margin = options.margin_samples
        if margin is None or not options.obeys_truncate or final.lost:
            return
        kept = {item.id: item for item in final.memory}
        rate = options.format.rate
        grid_ms = options.lengths_grid_ms if options.lengths_grid_ms > 1 else 0
        allowed = (1 + grid_ms) * rate // 1_000 + margin
        for part, spoken in facts.parts.items():
            if not spoken.in_band or (final.left and not spoken.received):
                continue
            heard = final.truth.heard.get(part, 0)
            remembered = _kept_samples(kept.get(part.item_id), part)
            if abs(remembered - heard) > allowed:
                yield (
                    f"{_name(part)}: heard {_ms(heard, options.format)}, "
                    f"kept {_ms(remembered, options.format)}, "
                    f"received {_ms(spoken.received, options.format)}, "
                    f"made {_ms(spoken.made, options.format)}"
                )


class NothingWholeIsTouched:
    """A part counts as known to be whole once its item's `done` has arrived."""

    name = "P4"
    sentence = (
        "A completed part that was wholly heard keeps its transcript, and nothing is told twice."
    )

    def failures(self, facts: Facts) -> Iterator[str]:
        options = facts.history.options
        heard = facts.history.final.truth.heard
        told: set[tuple[str, int, int]] = set()
        refused = {r.sent.number for r in facts.refused if r.sent is not None}
        cancelled: set[object] = set()
        for sent in facts.sent:
            event = sent.event
            if isinstance(event, events.ConversationItemTruncate):
                key = (event.item_id, event.content_index, event.audio_end_ms)
                if key in told:
                    yield f"truncate {event.item_id} to {event.audio_end_ms} ms is sent twice"
                told.add(key)
                done = facts.items_done.get(event.item_id)
                if not options.exact or done is None or done.number >= sent.seen:
                    continue
                if done.status != "completed" or sent.number in refused:
                    continue
                for part, spoken in facts.parts.items():
                    place = (part.item_id, part.content_index)
                    if place == key[:2] and heard.get(part, 0) == spoken.made:
                        yield f"{_name(part)} was wholly heard and is truncated"
            elif isinstance(event, events.ResponseCancel) and event.response_id is not UNSET:
                if event.response_id in cancelled:
                    yield f"{event.response_id} is cancelled twice"
                cancelled.add(event.response_id)


class NoFaultOfOurs:
    """See `blame` for how a refusal is judged."""

    name = "I2"
    sentence = "No refusal that the client could have avoided with what it knew."

    def failures(self, facts: Facts) -> Iterator[str]:
        for refused in facts.refused:
            if blame(facts, refused) == "ours":
                about = events.type_of(refused.sent.event) if refused.sent else "nothing"
                yield f"{about}: {refused.event.error.message}"


class SilenceAfterStop:
    """What the card still plays out counts as heard already when it answers.

    A response is cut if it was known when the stop was commanded.
    """

    name = "I3"
    sentence = "After PlaybackStopped nothing more is heard of what was cut."

    def failures(self, facts: Facts) -> Iterator[str]:
        truth = facts.history.final.truth
        stop_places: dict[str, int] = {}
        for place, entry in enumerate(facts.history.entries):
            if isinstance(entry.what, commands.StopPlayback):
                stop_places.setdefault(entry.what.cut_id, place)
        for cut_id, committed in truth.committed_at_stop.items():
            stop_place = stop_places.get(cut_id, 0)
            for part, heard in truth.heard.items():
                spoken, reply = facts.parts.get(part), facts.replies.get(part.response_id)
                if spoken is None or reply is None or not spoken.in_band:
                    continue
                before = committed.get(part, 0)
                if reply.created_place < stop_place and heard > before:
                    more = _ms(heard - before, facts.history.options.format)
                    yield f"{more} more of {_name(part)} were heard after the stop {cut_id}"


class TheUnbornStaySilent:
    """A cut is speech under the policy *cut*, a press, a typed message, `interrupt()`."""

    name = "I4"
    sentence = "What was cut before it was born is never heard."

    def failures(self, facts: Facts) -> Iterator[str]:
        heard: Counter[str] = Counter()
        for part, samples in facts.history.final.truth.heard.items():
            heard[part.response_id] += samples
        cuts = _cut_places(facts.history)
        if not cuts:
            return
        for reply in facts.replies.values():
            asked_place = _asked_place(facts, reply.asked, reply.committed)
            if not reply.in_band or not heard[reply.id] or asked_place == NEVER:
                continue
            for cut_place in cuts:
                if asked_place < cut_place < reply.created_place:
                    sound = _ms(heard[reply.id], facts.history.options.format)
                    yield f"{reply.id} was asked for and cut before it was created; {sound} heard"
                    break


class OrderOfSound:
    """Pieces out of their place are found by the card as they are heard, and by what they say."""

    name = "I5"
    sentence = "Parts are heard in the order of their arrival, each from its first sample on."

    def failures(self, facts: Facts) -> Iterator[str]:
        begun = [
            facts.first_deltas.get(part, NEVER)
            for part in facts.history.final.truth.order
            if part in facts.parts and facts.parts[part].in_band
        ]
        if begun != sorted(begun):
            yield "a part that arrived later was heard earlier"


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


class Bounds:
    """What machines may not do is written down as it happens."""

    name = "I9"
    sentence = (
        "Nothing raises, no deadline is in the past, the stop comes first, no sound of the dead."
    )

    def failures(self, facts: Facts) -> Iterator[str]:
        for entry in facts.history.entries:
            if entry.kind == "broken":
                yield str(entry.what)
        late = facts.history.final.truth.late_samples
        if late:
            yield f"{_ms(late, facts.history.options.format)} of sound were given to stopped parts"


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
    cuts = _cut_places(facts.history)
    place = next(
        place
        for place, entry in enumerate(facts.history.entries)
        if entry.kind == "server_sent" and entry.number == last
    )
    if not any(cut > place for cut in cuts):
        yield "the last turn of the user was never answered"


def _cut_places(history: History) -> list[int]:
    """Where in the log something asked for a cut."""
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


def _asked_place(facts: Facts, asked: int | None, committed: int | None) -> int:
    """Where the client sent the create, or learned of the turn that makes the server reply."""
    if asked is not None:
        return facts.sent[asked].place
    if committed is not None:
        for place, entry in enumerate(facts.history.entries):
            if entry.kind == "client_got" and entry.number == committed:
                return place
    return NEVER


def _kept_samples(item: RememberedItem | None, part: Part) -> int:
    if item is None or part.content_index >= len(item.parts):
        return 0
    return item.parts[part.content_index].kept_samples


def _name(part: Part) -> str:
    return f"{part.item_id}[{part.content_index}]"


def _short(ids: list[str]) -> str:
    return " ".join(item_id[-6:] for item_id in ids) or "nothing"


def _ms(samples: int, sound_format: AudioFormat) -> str:
    return f"{samples * 1_000 / sound_format.rate:.2f} ms"


INVARIANTS: tuple[Invariant, ...] = (
    MemoryIsHearing(),
    NothingWholeIsTouched(),
    NoFaultOfOurs(),
    SilenceAfterStop(),
    TheUnbornStaySilent(),
    OrderOfSound(),
    MirrorIsTheServers(),
    Bounds(),
    ComesToRest(),
)


def check(facts: Facts) -> tuple[Violation, ...]:
    """Everything that does not hold."""
    return tuple(
        Violation(invariant.name, invariant.sentence, detail)
        for invariant in INVARIANTS
        for detail in invariant.failures(facts)
    )


def counters(facts: Facts) -> Mapping[str, int]:
    """What the episode has met, so that an empty check is seen."""
    met: Counter[str] = Counter()
    met["responses"] = len(facts.replies)
    met["parts"] = len(facts.parts)
    for entry in facts.history.entries:
        what = entry.what
        if entry.kind == "command" and isinstance(what, commands.Notify):
            if isinstance(what.notice, notices.Interruption):
                met["cuts"] += 1
                for asker in what.notice.askers:
                    met[f"cut by {asker}"] += 1
        elif entry.kind == "client_sent" and isinstance(
            what,
            events.ConversationItemTruncate | events.ConversationItemDelete | events.ResponseCancel,
        ):
            met[events.type_of(what)] += 1
    for refused in facts.refused:
        met[f"refusals: {blame(facts, refused)}"] += 1
    return met
