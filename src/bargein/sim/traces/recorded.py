"""A recorded session as the judge wants it: what a trace tells of the world, and what it does not.

1. A trace is the client's side. Every message of the service is taken as sent when it arrived, and
   as the answer to what it names (`trace.causes`); what never arrived is unknown.
2. Heard is what the player said; kept is what the service said: its acknowledgements, what it
   retrieved, and else all that arrived. The options are those that the session showed.
3. So I1 holds the player's word against the service's, I3 and I5 what the player said of itself and
   what was given to it; whether a sample was heard twice or not at all only an ear can tell. A
   mirror is not recorded: I6 is judged where a machine has just replayed the trace. I8 and P6 are
   about what the client itself said and did, and all of that is here (`own_word`).
4. The end is judged where there is one: the pipe has closed, or nothing happened for ten seconds. A
   part of which the trace does not tell what became of it is not judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final as Constant

import msgspec

from bargein import events
from bargein.core import commands, inputs, notices
from bargein.core.inputs import Heard, Part
from bargein.core.items import ItemView
from bargein.core.settings import Settings
from bargein.sim.history import Entry, Final, Kind, Truth
from bargein.sim.invariants.judge import INVARIANTS, Judge
from bargein.sim.options import Options
from bargein.sim.traces.own_word import SENTENCES, broken
from bargein.sim.traces.remembered import Remembered
from bargein.sim.traces.shown import options_of
from bargein.trace.causes import Causes
from bargein.trace.retell import Step
from bargein.units import US_PER_S

QUIET_US: Constant = 10 * US_PER_S
"""After so long with nothing but the microphone and the clock, all must be answered."""
_PARTLY: Constant = {
    "I1": "the player's word against the service's",
    "I3": "what was given to the player, and what it said; a trace has no ear",
    "I5": "the order in which the player reports parts; a trace has no ear",
    "I9": "what was raised and done; a trace has no deadlines",
}


class Finding(msgspec.Struct, frozen=True):
    """A sentence that the session broke. `line` is where, 0 if only its end shows it."""

    invariant: str
    sentence: str
    detail: str
    line: int
    at_us: int


class Verdict(msgspec.Struct, frozen=True):
    """What was judged, how often it was met, and what did not hold."""

    findings: tuple[Finding, ...]
    judged: Mapping[str, str]
    """By name, by what only: empty where all of it is."""
    not_judged: Mapping[str, str]
    """Why, by name."""
    met: Mapping[str, int]


def judge(
    steps: Sequence[Step],
    settings: Settings,
    *,
    ended: bool = True,
    mirror: tuple[ItemView, ...] | None = None,
) -> Verdict:
    """Judge a session by what its trace tells. `ended`: it was recorded to its end. `mirror`: of
    the machine that has just done these steps, if one has."""
    options = options_of(steps, settings)
    teller = _Teller(options)
    for step in steps:
        teller.take(step)
    verdict = teller.verdict(ended=ended, mirror=mirror)
    of_its_own = [
        Finding(each.invariant, SENTENCES[each.invariant], each.detail, each.line, each.at_us)
        for each in broken(steps, options.format)
    ]
    # What only the end shows comes last.
    findings = sorted((*verdict.findings, *of_its_own), key=lambda found: found.line or 1 << 60)
    judged = {**verdict.judged, **dict.fromkeys(SENTENCES, "")}
    return msgspec.structs.replace(verdict, findings=tuple(findings), judged=judged)


class _Word:
    """What the player said it let be heard, and what was given to it."""

    def __init__(self) -> None:
        self.heard: dict[Part, int] = {}
        self.given: Counter[Part] = Counter()
        self.finished: set[Part] = set()
        self.at_stop: dict[str, dict[Part, int]] = {}
        self.late_samples = 0
        self._stopped: set[Part] = set()

    def reported(self, counts: tuple[Heard, ...]) -> None:
        for count in counts:
            if count.samples or count.part in self.heard:
                self.heard[count.part] = count.samples

    def stopped(self, answer: inputs.PlaybackStopped) -> None:
        self.reported(answer.heard)
        if answer.cut_id not in self.at_stop:
            self.at_stop[answer.cut_id] = dict(self.heard)
        for known in self.at_stop.values():
            # A better word holds for what was told before, too.
            known.update((count.part, count.samples) for count in answer.heard)

    def did(self, command: commands.Command) -> None:
        match command:
            case commands.Play(part=part, audio=audio, format=sound_format):
                samples = sound_format.samples(len(audio))
                self.given[part] += samples
                if part in self._stopped:
                    self.late_samples += samples
            case commands.FinishPlay(part=part):
                self.finished.add(part)
            case commands.StopPlayback():
                self._stopped |= {part for part in self.given if not self._over(part)}
            case _:
                pass

    def _over(self, part: Part) -> bool:
        return part in self.finished and self.heard.get(part, 0) >= self.given[part]


class _Teller:
    """Tells the judge, entry by entry, what the trace tells."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._judge = Judge(options)
        self._causes = Causes()
        self._word = _Word()
        self._memory = Remembered()
        self._lines: list[int] = []
        self._line = self._at_us = self._happened_us = 0
        self._got = self._sent = self._inputs = 0
        self._known: set[str] = set()
        self._over: set[str] = set()
        self._settled: set[str] = set()
        self._left = self._closed = False

    def take(self, step: Step) -> None:
        self._inputs += 1
        self._line, self._at_us = step.line, step.at_us
        input = step.input
        if not isinstance(input, inputs.Tick | inputs.Captured):
            self._happened_us = step.at_us
        if isinstance(input, inputs.Received):
            self._received(input.event)
        else:
            self._write("input", input)
            self._happened(input)
        if step.raised is not None:
            self._write("broken", f"handle({type(input).__name__}) raised {step.raised}")
        for place, command in enumerate(step.commands):
            if isinstance(command, commands.StopPlayback) and place:
                count = len(step.commands)
                self._write("broken", f"the stop is command {place + 1} of {count}")
            self._did(command)

    def verdict(self, *, ended: bool, mirror: tuple[ItemView, ...] | None) -> Verdict:
        quiet = self._at_us - self._happened_us >= QUIET_US
        rests = self._closed or (ended and quiet)
        final = Final(
            truth=self._truth(),
            memory=self._memory.items(self._options.format),
            mirror=mirror or (),
            left=self._left,
            lost=self._closed and not self._left,
        )
        self._judge.finish(final)
        not_judged = self._not_judged(rests=rests, mirrored=mirror is not None)
        undecided = self._undecided(rests=rests)
        if undecided:
            not_judged["I1 and rule 5 of some"] = (
                f"of {len(undecided)} items the trace does not tell what became of them"
            )
        names = [each.name for each in INVARIANTS if each.name not in not_judged]
        return Verdict(
            findings=tuple(
                found
                for found in self._findings()
                if found.invariant in names and not _is_about(found, undecided)
            ),
            judged={name: _PARTLY.get(name, "") for name in names},
            not_judged=not_judged,
            met={
                "inputs": self._inputs,
                "events of the service": self._got,
                "messages to it": self._sent,
                **self._judge.facts.met,
            },
        )

    def _findings(self) -> Iterator[Finding]:
        for found in self._judge.violations:
            line = self._lines[found.place] if found.place >= 0 else 0
            yield Finding(found.invariant, found.sentence, found.detail, line, found.time_us)

    def _not_judged(self, *, rests: bool, mirrored: bool) -> dict[str, str]:
        why: dict[str, str] = {}
        if self._options.margin_samples is None:
            why["I1"] = "the player could not tell what was heard, or not within 200 ms"
        elif not self._options.obeys_truncate:
            why["I1"] = "the service does not truncate"
        elif self._closed and not self._left:
            why["I1"] = "the pipe was lost"
        if not mirrored:
            why["I6"] = "a trace holds no mirror; --replay makes one"
        elif not rests or self._left or self._closed:
            why["I6"] = "the session did not end in quiet"
        elif self._options.webrtc:
            why["I6"] = "of a call the trace does not tell what had left the service"
        for name in ("W1", "W2", "W3", "W4") if self._options.webrtc else ():
            why[name] = "a trace does not tell whose each frame of a call was"
        if not rests:
            why["liveness"] = "the trace has no end"
        return why

    # -- what comes ----------------------------------------------------------------------------

    def _write(self, kind: Kind, what: object, number: int = -1, cause: int = -1) -> None:
        self._lines.append(self._line)
        self._judge.take(Entry(self._at_us, kind, what, number, cause))

    def _received(self, event: object) -> None:
        """Taken as sent when it arrived. What speaks of a response that never began is told to
        nobody: there is nothing to hold it against."""
        cause = self._causes.taken(event)
        if cause is None:
            turn = isinstance(event, events.ResponseCreated | events.InputAudioBufferCommitted)
            cause = self._causes.turn() if turn else -1
        number = self._got
        self._got += 1
        self._memory.take(event, self._options.format)
        match event:
            case events.ResponseCreated(response=response):
                self._known.add(response.id)
            case events.ResponseDone(response=response):
                if response.id not in self._known:
                    return
                self._over.add(response.id)
            case _:
                response_id = getattr(event, "response_id", None)
                if response_id is not None and response_id not in self._known:
                    return
        self._write("server_sent", event, number, cause)
        self._write("client_got", event, number)

    def _happened(self, input: inputs.Input) -> None:
        match input:
            case inputs.Rendered(heard=heard) | inputs.PlaybackHeld(heard=heard):
                self._word.reported(heard)
            case inputs.PlaybackStopped():
                self._word.stopped(input)
            case inputs.PipeClosed():
                self._closed = True
            case _:
                pass

    def _did(self, command: commands.Command) -> None:
        self._word.did(command)
        match command:
            case commands.Send(event=event):
                self._leaves(event)
            case commands.SendAudio(audio=audio):
                self._leaves(events.InputAudioBufferAppend(audio=audio))
            case _:
                self._write("command", command)
        match command:
            case commands.Close():
                self._left = True
            case commands.Notify(notice=notices.InterruptionSettled() as settled):
                self._settled.update(settled.response_ids)
            case _:
                pass

    def _leaves(self, event: events.ClientEvent) -> None:
        if self._left or self._closed:
            self._write("broken", f"{events.type_of(event)} is sent on a closed pipe")
            return
        self._causes.sent(self._sent, event)
        self._write("client_sent", event, self._sent)
        self._sent += 1

    # -- what came of it -----------------------------------------------------------------------

    def _undecided(self, *, rests: bool) -> set[str]:
        """Ids of the items of which the trace does not tell what became of them."""
        asked = (getattr(event, "item_id", None) for event in self._causes.open)
        # What was done about these is not known.
        found = {item_id for item_id in asked if isinstance(item_id, str)}
        for part, spoken in self._judge.facts.parts.items():
            heard = self._word.heard.get(part, 0)
            whole = part.response_id in self._over and heard >= spoken.received
            decided = rests or whole or part.response_id in self._settled
            if spoken.in_band and not decided:
                found.add(part.item_id)
        return found

    def _truth(self) -> Truth:
        """The player's word. One that is not exact may contradict itself."""
        word = self._word
        return Truth(
            heard=word.heard,
            committed_at_stop=word.at_stop if self._options.exact else {},
            formats=dict.fromkeys(word.heard, self._options.format),
            order=tuple(word.heard),
            late_samples=word.late_samples,
        )


def _is_about(found: Finding, item_ids: set[str]) -> bool:
    """Whether the end of the conversation accuses one of these items, by its memory."""
    by_memory = found.line == 0 and found.invariant in ("I1", "rule 5")
    return by_memory and any(found.detail.startswith(item_id) for item_id in item_ids)
