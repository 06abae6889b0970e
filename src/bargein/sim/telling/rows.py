"""The rows of a story: what one actor does at one time, in the order in which it is known.

1. Sound is joined as long as nothing else is told, and told as its length.
2. A message is told where it is sent, with the time of its arrival. Only where its receiver does
   something without it while it is under way (a race) does it have a row at its arrival, too.
3. What a side does at the time of an arrival follows from what arrives then. So one row holds it.
4. What the card or the connection does follows from nothing, and neither does what the user and the
   application do: each of it has a row of its own.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from bargein import events
from bargein.core import asks, inputs
from bargein.core.inputs import Heard, Part
from bargein.sim.history import Entry, History
from bargein.sim.invariants.judge import Violation
from bargein.sim.telling.wording import Wording
from bargein.units import US_PER_MS

COLUMNS = 120
TIME_COLUMNS = 12
ACTOR_COLUMNS = 9
_RACING = "(see below)"
_UNDER_WAY = "(under way)"
"""In the end, or for ever."""
_PLACED = "acts "
_EXACTLY = " +0 us"
_CUT_OFF = "nothing gets "
_JOINED = ("client", "service", "card", "network")
"""Of the others, each act has a row of its own."""
_STEPS: dict[type, int] = {
    events.ResponseOutputAudioDone: 1,
    events.ResponseOutputItemDone: 2,
    events.ResponseDone: 3,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `actor` is user, app, client, service, card or network; of a violation, the name of
    the invariant."""

    time_us: int
    actor: str
    event: str

    @property
    def lines(self) -> list[str]:
        """The row, broken where it is wider than the page."""
        head = f"{self.time_us / US_PER_MS:>{TIME_COLUMNS}.3f}  {self.actor:<{ACTOR_COLUMNS}}  "
        width = COLUMNS - len(head)
        lines = [
            line
            for text in self.event.split("\n")
            for line in textwrap.wrap(text, width, break_on_hyphens=False)
        ]
        return [head + lines[0], *(" " * len(head) + line for line in lines[1:])]


def rows(history: History, violations: Sequence[Violation] = ()) -> list[Row]:
    """The story. A violation has a row where it broke."""
    return _Teller(history, violations).rows()


def broken(
    violations: Sequence[Violation], place: int, history: History, wording: Wording
) -> Iterator[Row]:
    """A row for each invariant that broke there; -1, the place of what is judged in the end, is
    that of the last entry."""
    here = [violation for violation in violations if violation.place == place]
    time_us = history.entries[place].time_us if history.entries else 0
    for name, group in groupby(here, key=lambda violation: violation.invariant):
        some = list(group)
        details = [wording.shortened(violation.detail) for violation in some]
        yield Row(time_us, name, "\n".join([f"BROKEN: {some[0].sentence}", *details]))


def actor_of(entry: Entry) -> str:
    """Whose doing it is."""
    match entry.kind:
        case "server_sent" | "server_got":
            return "service"
        case "client_got" | "client_sent" | "command":
            return "client"
        case "note":
            return "network" if str(entry.what).startswith(_CUT_OFF) else "user"
        case "broken":
            return "client"
        case "input":
            return _source(entry.what)


def _source(what: object) -> str:
    match what:
        case inputs.Asked(ask=asks.Press() | asks.Release()) | inputs.Captured():
            return "user"
        case inputs.Asked():
            return "app"
        case inputs.PipeOpened() | inputs.PipeClosed() | inputs.Blocked() | inputs.Drained():
            return "network"
        case inputs.Tick():
            return "client"
        case _:
            return "card"


@dataclass(slots=True)
class _Beat:
    """What is told of one entry. `step`: its place in the ladder; a higher step at the same time
    tells of the lower ones. `samples` of `sound`, where it is sound. `arrival_us`: of a message,
    when it arrives; None if it does not, or has a row there."""

    time_us: int
    actor: str
    verb: str
    text: str
    step: int = 0
    sound: str = ""
    samples: int = 0
    why: str = ""
    raced: bool = False
    arrival_us: int | None = None

    def joins(self, last: _Beat) -> bool:
        """Whether one row tells both."""
        if self.actor != last.actor:
            return False
        if bool(self.sound) and self.sound == last.sound and self.verb == last.verb:
            return (self.arrival_us is None) == (last.arrival_us is None)
        return self.time_us == last.time_us and self.actor in _JOINED


class _Sender:
    """When a side last did something. What it does at the time of an arrival follows from what
    arrives then; what it did before, it did without."""

    def __init__(self) -> None:
        self._time_us = -1
        self._now = self._before = -1

    def did(self, place: int, time_us: int) -> None:
        if time_us != self._time_us:
            self._before, self._time_us = self._now, time_us
        self._now = place

    def last_before(self, time_us: int) -> int:
        """The place of the last thing done earlier than that."""
        return self._now if self._time_us < time_us else self._before


class _Teller:
    def __init__(self, history: History, violations: Sequence[Violation]) -> None:
        self._history = history
        self._violations = violations
        self._wording = Wording(history.options.format)
        self._messages: dict[tuple[str, int], tuple[int, _Beat]] = {}
        self._outside = -1
        self._sender = {"server": _Sender(), "client": _Sender()}
        self._rendered: dict[Part, int] = {}
        self._stopped: set[str] = set()
        self._placed = -1, ""
        self._ticked = False
        acts = (n for n, each in enumerate(history.entries) if isinstance(each.what, inputs.Asked))
        self._first_act = next(acts, len(history.entries))

    def rows(self) -> list[Row]:
        beats: list[_Beat] = []
        for place, entry in enumerate(self._history.entries):
            beat = self._beat(place, entry)
            if beat is not None:
                beats.append(beat)
            beats += self._breaks(place)
        beats += self._breaks(-1)
        told: list[list[_Beat]] = []
        for beat in beats:
            if told and beat.joins(told[-1][-1]):
                told[-1].append(beat)
            else:
                told.append([beat])
        return [Row(run[0].time_us, run[0].actor, self._joined(run)) for run in told]

    def _breaks(self, place: int) -> Iterator[_Beat]:
        for row in broken(self._violations, place, self._history, self._wording):
            yield _Beat(row.time_us, row.actor, "", row.event)

    def _beat(self, place: int, entry: Entry) -> _Beat | None:
        match entry.kind:
            case "server_sent" | "client_sent":
                return self._sent(place, entry)
            case "client_got" | "server_got":
                return self._got(place, entry)
            case "note":
                return self._noted(place, entry)
            case "input":
                self._ticked = isinstance(entry.what, inputs.Tick)
                text = self._input(entry.what)
                return self._own(place, entry, _source(entry.what), text)
            case "command":
                return self._own(place, entry, "client", self._wording.command(entry.what))
            case "broken":
                known = any(entry.what == violation.detail for violation in self._violations)
                return self._own(place, entry, "client", None if known else str(entry.what))

    # -- messages ----------------------------------------------------------------------------

    def _sent(self, place: int, entry: Entry) -> _Beat | None:
        side = "server" if entry.kind == "server_sent" else "client"
        beat = _Beat(entry.time_us, actor_of(entry), "sends", "")
        what = entry.what
        if isinstance(what, events.ResponseOutputAudioDelta):
            beat.sound = self._wording.part(what.item_id, what.content_index)
            beat.text = self._wording.sound(what)
            beat.samples = self._wording.samples(what.delta)
        else:
            text = self._wording.event(what)
            if text is None or self._is_opening(place, entry):
                return None
            beat.text = text
            beat.why = self._reason() if side == "client" else ""
            beat.step = _STEPS.get(type(what), 0)
        self._messages[side, entry.number] = place, beat
        self._sender[side].did(place, entry.time_us)
        return beat

    def _got(self, place: int, entry: Entry) -> _Beat | None:
        side = "server" if entry.kind == "client_got" else "client"
        if side == "server":
            self._ticked = False
        message = self._messages.get((side, entry.number))
        if message is None:
            return None
        sent_place, sent = message
        receiver = self._sender["client" if side == "server" else "server"]
        known = receiver.last_before(entry.time_us) < sent_place
        if known and (side == "client" or self._outside < sent_place):
            sent.arrival_us = entry.time_us
            return None
        sent.raced = True
        return replace(sent, time_us=entry.time_us, actor=actor_of(entry), verb="gets", why="")

    def _is_opening(self, place: int, entry: Entry) -> bool:
        """Hello and the first settings, before anything is done."""
        opening = events.SessionUpdate | events.SessionUpdated
        return isinstance(entry.what, opening) and place < self._first_act

    # -- all else ----------------------------------------------------------------------------

    def _own(self, place: int, entry: Entry, actor: str, text: str | None) -> _Beat | None:
        if text is None:
            return None
        if actor != "client" and entry.kind == "input":
            self._outside = place
        why = self._reason() if actor == "client" else ""
        placed_us, where = self._placed
        if placed_us == entry.time_us:
            text += where
        self._placed = -1, ""
        return _Beat(entry.time_us, actor, "", text, why=why)

    def _reason(self) -> str:
        ticked, self._ticked = self._ticked, False
        return "its deadline has come: " if ticked else ""

    def _noted(self, place: int, entry: Entry) -> _Beat | None:
        text = str(entry.what)
        if text.startswith(_PLACED):
            where = text.removeprefix(_PLACED).removesuffix(_EXACTLY)
            self._placed = entry.time_us, f" ({where})"
            return None
        return self._own(place, entry, actor_of(entry), text)

    def _input(self, what: object) -> str | None:
        match what:
            case inputs.Asked():
                return self._wording.ask(what)
            case inputs.Rendered(heard=heard):
                self._rendered |= {count.part: count.samples for count in heard}
                return None
            case inputs.PlaybackStopped(cut_id=cut_id, heard=heard, margin_samples=margin):
                says = "corrects" if cut_id in self._stopped else "has stopped for"
                self._stopped.add(cut_id)
                told = f"{says} {self._wording.id(cut_id)}{self._counts(heard)}"
                return told + _doubt(margin)
            case inputs.PlaybackHeld(heard=heard):
                return f"holds{self._counts(heard)}"
            case inputs.DeviceChanged(detail=detail):
                return f"changes: {detail}" if detail else "changes"
            case inputs.PipeClosed(code=code):
                return "the pipe dies" if code is None else f"the pipe is closed ({code})"
            case inputs.Blocked():
                return "the socket takes no more"
            case inputs.Drained():
                return "the socket takes more again"
            case _:
                return None

    def _counts(self, heard: tuple[Heard, ...]) -> str:
        """What was heard of every part that was not told of before."""
        self._rendered |= {count.part: count.samples for count in heard}
        counts = [Heard(part, samples) for part, samples in self._rendered.items()]
        self._rendered.clear()
        return f": heard {self._wording.heard(counts)}" if counts else ""

    # -- a row -------------------------------------------------------------------------------

    def _joined(self, run: list[_Beat]) -> str:
        clauses = [
            self._clause(list(beats))
            for _, beats in groupby(run, key=lambda beat: (beat.verb, beat.arrival_us is None))
        ]
        return "; ".join(clauses)

    def _clause(self, beats: list[_Beat]) -> str:
        highest = max(beat.step for beat in beats)
        words = []
        for sound, group in groupby(beats, key=lambda beat: beat.sound):
            some = list(group)
            if sound:
                words.append(self._burst(some))
            else:
                words += [beat.text for beat in some if not beat.step or beat.step == highest]
        first, last = beats[0], beats[-1]
        text = f"{first.why}{first.verb} {', '.join(words)}".strip()
        if first.verb != "sends":
            return text
        if first.arrival_us is None or last.arrival_us is None:
            raced = any(beat.raced for beat in beats)
            return f"{text} -> {_RACING if raced else _UNDER_WAY}"
        until = "" if first.arrival_us == last.arrival_us else f" to {_ms(last.arrival_us)}"
        return f"{text} -> {_ms(first.arrival_us)}{until}"

    def _burst(self, beats: list[_Beat]) -> str:
        text = f"{self._wording.ms(sum(beat.samples for beat in beats))} of {beats[0].text}"
        if len(beats) > 1:
            text += f" in {len(beats)} deltas until {_ms(beats[-1].time_us)}"
        return text


def _doubt(margin_samples: int | None) -> str:
    if margin_samples is None:
        return " (an estimate)"
    return f" (within {margin_samples} samples)" if margin_samples else ""


def _ms(time_us: int) -> str:
    return f"{time_us / US_PER_MS:.3f}"
