"""The promises, each held against what was observed. Pure.

A promise is broken by its `faults`, each a sentence that says where. `figure` is what was counted,
broken or not.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from bargein import events
from bargein.core.inputs import Part
from bargein.core.notices import Connected, Fault, Interruption, InterruptionSettled
from bargein.lab.figures import RATE, PartFigures, ms_of
from bargein.lab.observed import Observed

TOLERANCE_SAMPLES = RATE // 1_000
"""The service counts in milliseconds: it can keep no more exactly than that."""


class Promise(msgspec.Struct, frozen=True):
    """One promise of the design, and what came of it: in a few words, and in full."""

    name: str
    title: str
    brief: str
    figure: str
    faults: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        return not self.faults


def promises(observed: Observed, parts: tuple[PartFigures, ...]) -> tuple[Promise, ...]:
    """P1 to P6 in order."""
    return (
        _silence(parts),
        _memory(observed, parts),
        _no_fault(observed),
        _nothing_redundant(observed, parts),
        _goes_on(observed),
        _proof(observed, parts),
    )


def _silence(parts: tuple[PartFigures, ...]) -> Promise:
    stopped = [part for part in parts if part.told_samples is not None]
    beyond = sum(part.beyond_samples for part in parts)
    return Promise(
        "P1",
        "Silence",
        f"{beyond} samples beyond the stop",
        f"{beyond} samples heard beyond the stop's count, "
        f"in {_count(len(stopped), 'stopped part')}",
        tuple(
            f"{part.item_id}[{part.content_index}]: {part.beyond_samples} samples were heard "
            f"beyond the {part.told_samples or 0} that the stop promised"
            for part in parts
            if part.beyond_samples
        ),
    )


def _memory(observed: Observed, parts: tuple[PartFigures, ...]) -> Promise:
    drifts = [part.drift_samples for part in parts if part.drift_samples is not None]
    worst = max(drifts, key=abs, default=0)
    witness = "the server's memory" if observed.memory is not None else "its acknowledgements"
    faults = []
    for part in parts:
        place = f"{part.item_id}[{part.content_index}]"
        if part.drift_samples is None:
            faults.append(f"{place}: the service never said what it keeps")
        elif abs(part.drift_samples) > TOLERANCE_SAMPLES:
            faults.append(
                f"{place}: heard {ms_of(part.heard_samples)} ms, "
                f"kept {ms_of(part.kept_samples or 0)} ms"
            )
    return Promise(
        "P2",
        "Memory is hearing",
        f"|kept − heard| ≤ {abs(ms_of(worst)):.2f} ms",
        f"|kept − heard| ≤ {abs(ms_of(worst)):.3f} ms in {_count(len(parts), 'part')}, "
        f"by {witness}",
        tuple(faults),
    )


def _no_fault(observed: Observed) -> Promise:
    refusals = sum(isinstance(seen.event, events.Error) for seen in observed.wire)
    told = [each.notice for each in observed.told if isinstance(each.notice, Fault)]
    by = Counter(fault.blame for fault in told)
    figure = f"{_count(refusals, 'refusal')}"
    if told:
        figure += ": " + ", ".join(f"{count} {blame}" for blame, count in sorted(by.items()))
    faults = [
        f"the service refused {fault.about or 'something'}: {fault.message}"
        for fault in told
        if fault.blame in ("ours", "application")
    ]
    if refusals > len(told):
        faults.append(f"{refusals - len(told)} refusals were not told to the application")
    return Promise("P3", "No fault of ours", _count(refusals, "refusal"), figure, tuple(faults))


def _nothing_redundant(observed: Observed, parts: tuple[PartFigures, ...]) -> Promise:
    faults = redundant(observed, parts)
    sent = sum(
        isinstance(
            seen.event,
            events.ConversationItemTruncate | events.ConversationItemDelete | events.ResponseCancel,
        )
        for seen in observed.wire
    )
    stops = sum(isinstance(each.notice, Interruption) for each in observed.told)
    return Promise(
        "P4",
        "Nothing redundant",
        _count(len(faults), "redundant command"),
        f"{len(faults)} redundant of {_count(sent, 'command')} for {_count(stops, 'interruption')}",
        faults,
    )


def redundant(observed: Observed, parts: tuple[PartFigures, ...]) -> tuple[str, ...]:
    """The commands that need not have been sent, each in a sentence, from the wire alone."""
    walk = _Walk(observed, parts)
    for seen in observed.wire:
        walk.step(seen.event)
    return tuple(walk.faults)


class _Walk:
    """Goes over the wire in order and knows, at each command, what was known then."""

    def __init__(self, observed: Observed, parts: tuple[PartFigures, ...]) -> None:
        self.faults: list[str] = []
        self._whole = {
            (part.item_id, part.content_index)
            for part in parts
            if part.heard_samples >= part.received_samples
        }
        self._interrupts = any(
            _interrupts(each.notice.session)
            for each in observed.told
            if isinstance(each.notice, Connected)
        )
        self._completed: set[str] = set()
        self._open: list[str] = []
        self._cancelled: set[str] = set()
        self._cut_by_service: set[str] = set()
        self._truncated: set[tuple[str, int, int]] = set()
        self._deleted: set[str] = set()

    def step(self, event: object) -> None:
        match event:
            case events.ResponseCreated(response=response):
                self._open.append(str(response.id))
            case events.ResponseDone(response=response):
                self._open = [each for each in self._open if each != response.id]
            case events.ConversationItemDone(item=item):
                if getattr(item, "status", None) == "completed" and isinstance(item.id, str):
                    self._completed.add(item.id)
            case events.InputAudioBufferSpeechStarted() if self._interrupts:
                self._cut_by_service.update(self._open)
            case events.ConversationItemTruncate() as event:
                self._truncate(event)
            case events.ConversationItemDelete(item_id=item_id):
                if item_id in self._deleted:
                    self.faults.append(f"{item_id} was deleted twice")
                self._deleted.add(item_id)
            case events.ResponseCancel(response_id=response_id):
                self._cancel(response_id if isinstance(response_id, str) else None)
            case _:
                pass

    def _truncate(self, event: events.ConversationItemTruncate) -> None:
        place = f"{event.item_id}[{event.content_index}]"
        if (event.item_id, event.content_index) in self._whole and event.item_id in self._completed:
            self.faults.append(f"{place} was truncated, though completed and wholly heard")
        key = event.item_id, event.content_index, event.audio_end_ms
        if key in self._truncated:
            self.faults.append(f"{place} was truncated to {event.audio_end_ms} ms twice")
        if event.item_id in self._deleted:
            self.faults.append(f"{place} was truncated after its deletion")
        self._truncated.add(key)

    def _cancel(self, response_id: str | None) -> None:
        name = response_id or "the running response"
        if response_id not in self._open and (response_id is not None or not self._open):
            self.faults.append(f"{name} was cancelled after it was over")
        elif name in self._cancelled:
            self.faults.append(f"{name} was cancelled twice")
        elif response_id in self._cut_by_service:
            self.faults.append(f"{name} was cancelled, though the service does so by itself")
        self._cancelled.add(name)


def _interrupts(session: events.Session) -> bool:
    """Whether the service itself cancels when the user speaks (protocol.md section 3.2)."""
    audio = session.audio
    heard = audio.input if isinstance(audio, events.AudioConfig) else None
    turns = heard.turn_detection if isinstance(heard, events.AudioInputConfig) else None
    return turns is not None and getattr(turns, "interrupt_response", True) is not False


def _goes_on(observed: Observed) -> Promise:
    turns = replies = completed = 0
    for seen in observed.wire:
        match seen.event:
            case events.InputAudioBufferCommitted():
                turns += 1
            case events.ResponseCreated():
                replies += 1
            case events.ResponseDone(response=response):
                completed += response.status == "completed"
            case _:
                pass
    faults = []
    if replies < turns:
        faults.append(f"{turns - replies} turns of the user got no reply")
    figure = f"{_count(turns, 'turn')}, {_count(replies, 'reply', 'replies')}"
    if observed.memory is not None:
        remembered = observed.memory.item_ids
        figure += f"; the mirror and the server hold {_count(len(remembered), 'item')} in one order"
        if observed.mirror_ids != remembered:
            faults.append(
                f"the mirror holds {', '.join(observed.mirror_ids) or 'nothing'}, "
                f"the server {', '.join(remembered) or 'nothing'}"
            )
    return Promise(
        "P5", "The conversation goes on", _count(replies, "reply", "replies"), figure, tuple(faults)
    )


def _proof(observed: Observed, parts: tuple[PartFigures, ...]) -> Promise:
    stops = [each.notice for each in observed.told if isinstance(each.notice, Interruption)]
    ends = [each.notice for each in observed.told if isinstance(each.notice, InterruptionSettled)]
    faults = []
    for name, count in Counter(each.cut_id for each in stops).items():
        settled = sum(end.cut_id == name for end in ends)
        if (count, settled) != (1, 1):
            faults.append(f"{name} was told {count} times as a stop and {settled} as settled")
    known = {stop.cut_id for stop in stops}
    faults += [
        f"{end.cut_id} was settled without a stop" for end in ends if end.cut_id not in known
    ]
    by_part = {part.part: part for part in parts}
    for end in ends:
        faults += _untrue(end, by_part)
    figure = f"{_count(len(stops), 'stop')}, {len(ends)} settled, each under one id"
    if observed.trace is not None:
        figure += f"; the trace replays, {observed.trace.inputs} inputs"
        if observed.trace.failure is not None:
            figure = f"{_count(len(stops), 'stop')}, {len(ends)} settled"
            faults.append(f"the trace does not replay: {observed.trace.failure}")
    return Promise("P6", "Proof", f"{len(ends)} of {len(stops)} settled", figure, tuple(faults))


def _untrue(end: InterruptionSettled, parts: dict[Part, PartFigures]) -> list[str]:
    """What the record says that was not so."""
    faults = []
    for record in end.parts:
        seen = parts.get(Part(record.response_id, record.item_id, record.content_index))
        place = f"{end.cut_id}: {record.item_id}[{record.content_index}]"
        if seen is None:
            if record.heard_samples:
                faults.append(f"{place}: the record has {record.heard_ms} ms of sound unheard of")
            continue
        if abs(record.heard_samples - seen.heard_samples) > TOLERANCE_SAMPLES:
            faults.append(
                f"{place}: the record says {record.heard_samples} samples were heard, "
                f"the ear {seen.heard_samples}"
            )
        if record.kept_ms is not None and seen.kept_samples is not None:
            if abs(record.kept_ms - ms_of(seen.kept_samples)) > 1:
                faults.append(
                    f"{place}: the record says {record.kept_ms} ms are kept, "
                    f"the service has {ms_of(seen.kept_samples)} ms"
                )
    return faults


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
