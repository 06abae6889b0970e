"""The inputs of a trace through a machine again, also with some of them left out.

1. Ids that the machine makes are counted, so they move when something before them is left out. An
   answer is readdressed to what now stands in the place of what it answered: what the machine did
   about the same input, else the oldest of the same kind that is not taken.
2. What answered something must answer something again: an acknowledgement without its request, the
   sound of a response that never began, a player that heard what it was never given, anything on a
   pipe that was never opened, is left out.
3. A clock is real: a deadline that is long over before the next input ticks, whether the trace has
   that tick or not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace

from bargein import events
from bargein.core import commands, inputs
from bargein.core.inputs import Part
from bargein.core.items import ItemView
from bargein.core.responses import METADATA_KEY
from bargein.core.settings import Settings
from bargein.trace.causes import Causes, create_key
from bargein.trace.format import Entry, JsonObject
from bargein.units import US_PER_S, AudioFormat

_GRACE_US: Final = US_PER_S
"""A live session's tick may be late by as much; then another input may come before it."""
_MOST_TICKS: Final = 64


class Mirror(Protocol):
    """The conversation as the client sees it."""

    @property
    def items(self) -> tuple[ItemView, ...]: ...


class Client(Protocol):
    """The client's machine, or one under test."""

    @property
    def deadline_us(self) -> int | None: ...

    def handle(self, input: inputs.Input, /, *, now_us: int) -> Sequence[commands.Command]: ...

    @property
    def conversation(self) -> Mirror: ...


class Step(msgspec.Struct, frozen=True):
    """One input and what was done about it."""

    line: int
    """In the trace; 0 for a tick that it does not have."""
    at_us: int
    input: inputs.Input
    commands: Sequence[commands.Command]
    raised: str | None = None
    audio_format: AudioFormat = AudioFormat.PCM
    """Of the sound in the input, if it is a reply's."""


class Telling(msgspec.Struct, frozen=True):
    """What came of it."""

    steps: Sequence[Step]
    used: tuple[int, ...]
    """Which of the inputs were fed, by their places in the story."""
    left_out: int
    """How many of the inputs that were to be fed answered nothing any more."""
    unanswered: int
    """How many stops and holds the player was told and never answered, though time went on."""
    mirror: tuple[ItemView, ...]


def recorded(entries: Sequence[Entry]) -> Iterator[Step]:
    """The inputs with what was done about them then. Raises TraceError."""
    for entry in entries:
        input, done = entry.input(), entry.commands()
        yield Step(entry.number, entry.at_us, input, done, entry.line.raised, entry.audio_format)


class Story:
    """The inputs of a trace, ready to be told to machines made by `start`, again and again."""

    def __init__(
        self,
        entries: Sequence[Entry],
        settings: Settings,
        start: Callable[[Settings], Client],
    ) -> None:
        """Raises TraceError."""
        self.entries = entries
        self.settings = settings
        self.start = start
        self.steps = tuple(recorded(entries))
        self.audio_formats = {step.line: step.audio_format for step in self.steps}
        self.names: dict[str, _Kind] = {}
        self.answers: list[bool] = []
        self.needs: list[tuple[int, ...]] = []
        self.mentions: list[frozenset[str]] = []
        self._learn()

    def tell(self, places: Collection[int] | None = None) -> Telling:
        """Feed the inputs at these places, in their order; all of them if none are given."""
        chosen = range(len(self.steps)) if places is None else sorted(places)
        return _Teller(self).tell(chosen)

    def _learn(self) -> None:
        """Who answered whom then, what each input speaks of, and which ids are the machine's."""
        causes = Causes()
        births: dict[str, int] = {}
        sent = 0
        pattern = re.compile(rf"\b[a-z]+_{re.escape(self.settings.id_seed)}_[0-9a-f]+\b")
        for place, (entry, step) in enumerate(zip(self.entries, self.steps, strict=True)):
            event = step.input.event if isinstance(step.input, inputs.Received) else None
            self.answers.append(causes.taken(event) is not None)
            self.needs.append(tuple(_needs(step.input, births)))
            for name in _born(step.input):
                births.setdefault(name, place)
            text = msgspec.json.encode(entry.line.input).decode()
            self.mentions.append(frozenset(pattern.findall(text)) & self.names.keys())
            for command in step.commands:
                self.names.update(_names(command))
                for outgoing in _outgoing(command):
                    causes.sent(sent, outgoing)
                    sent += 1


_Kind = tuple[str, ...]


class _Teller:
    """One telling."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._machine = story.start(story.settings)
        self._causes = Causes()
        self._sent = 0
        self._steps: list[Step] = []
        self._fed: set[int] = set()
        self._images: dict[str, str] = {}
        self._unclaimed: defaultdict[_Kind, list[str]] = defaultdict(list)
        self._given: defaultdict[Part, int] = defaultdict(int)
        self._broken = False

    def tell(self, places: Sequence[int]) -> Telling:
        for place in places:
            step = self._story.steps[place]
            self._ticks(step.at_us)
            if self._broken:
                break
            input = self._possible(self._readdressed(place))
            if input is not None and self._makes_sense(place, input):
                self._fed.add(place)
                self._feed(step.line, step.at_us, input, step.commands)
        return Telling(
            tuple(self._steps),
            tuple(sorted(self._fed)),
            len(places) - len(self._fed),
            self._unanswered(),
            self._machine.conversation.items,
        )

    def _unanswered(self) -> int:
        told_us: dict[str, int] = {}
        for step in self._steps:
            told_us.pop(_addressee(step.input), None)
            for command in step.commands:
                match command:
                    case commands.StopPlayback(cut_id=cut_id):
                        told_us[cut_id] = step.at_us
                    case commands.HoldPlayback(cut_id=cut_id):
                        told_us[cut_id] = step.at_us
                    case _:
                        pass
        return sum(at_us < self._now_us for at_us in told_us.values())

    def _ticks(self, now_us: int) -> None:
        for _ in range(_MOST_TICKS):
            due_us = self._machine.deadline_us
            if self._broken or due_us is None or due_us + _GRACE_US >= now_us:
                return
            self._feed(0, max(due_us, self._now_us), inputs.Tick(), ())

    @property
    def _now_us(self) -> int:
        return self._steps[-1].at_us if self._steps else 0

    def _feed(
        self, line: int, at_us: int, input: inputs.Input, then: Sequence[commands.Command]
    ) -> None:
        if isinstance(input, inputs.Received):
            self._causes.taken(input.event)
        audio_format = self._story.audio_formats.get(line, AudioFormat.PCM)
        try:
            now = self._machine.handle(input, now_us=at_us)
        except Exception as error:  # that the machine breaks is what is to be found out
            raised = f"{type(error).__name__}: {error}"
            self._steps.append(Step(line, at_us, input, (), raised, audio_format))
            self._broken = True
            return
        self._steps.append(Step(line, at_us, input, now, None, audio_format))
        for command in now:
            if isinstance(command, commands.Play):
                self._given[command.part] += command.format.samples(len(command.audio))
            for event in _outgoing(command):
                self._causes.sent(self._sent, event)
                self._sent += 1
        self._pair(then, now)

    def _pair(self, then: Sequence[commands.Command], now: Sequence[commands.Command]) -> None:
        """Names of then and now, in order, kind by kind."""
        fresh: defaultdict[_Kind, list[str]] = defaultdict(list)
        for command in now:
            for name, kind in _names(command).items():
                fresh[kind].append(name)
        for command in then:
            for name, kind in _names(command).items():
                if fresh[kind] and name not in self._images:
                    self._images[name] = fresh[kind].pop(0)
        for kind, names in fresh.items():
            self._unclaimed[kind] += names

    def _image(self, name: str) -> str | None:
        found = self._images.get(name)
        if found is None:
            waiting = self._unclaimed[self._story.names[name]]
            if waiting:
                found = self._images[name] = waiting.pop(0)
        return found

    def _readdressed(self, place: int) -> inputs.Input | None:
        """The input with the names of now; None if it answers a name that nothing bears now."""
        input = self._story.steps[place].input
        mentioned = self._story.mentions[place]
        if not mentioned:
            return input
        addressee = _addressee(input)
        if addressee in mentioned and self._image(addressee) is None:
            return None
        moved = {name: self._images.get(name, name) for name in mentioned}
        if all(old == new for old, new in moved.items()):
            return input
        entry = self._story.entries[place]
        line = replace(entry.line, input=_renamed(entry.line.input, moved))
        return Entry(entry.number, line).input()

    def _possible(self, input: inputs.Input | None) -> inputs.Input | None:
        """The input without the counts of parts that were never given; None if the player heard
        more of one than it was given."""
        match input:
            case inputs.Received(event=events.ConversationItemTruncated() as event):
                asked = self._causes.answered_by(event)
                if not isinstance(asked, events.ConversationItemTruncate):
                    return input
                # The service repeats the number that it was asked for.
                return inputs.Received(replace(event, audio_end_ms=asked.audio_end_ms))
            case (
                inputs.Rendered(heard=heard)
                | inputs.PlaybackHeld(heard=heard)
                | inputs.PlaybackStopped(heard=heard)
            ):
                pass
            case _:
                return input
        known = tuple(count for count in heard if self._given[count.part])
        if any(count.samples > self._given[count.part] for count in known):
            return None
        if len(known) == len(heard):
            return input
        if isinstance(input, inputs.Rendered) and not known:
            return None
        return replace(input, heard=known)

    def _makes_sense(self, place: int, input: inputs.Input) -> bool:
        story = self._story
        if not self._fed.issuperset(story.needs[place]):
            return False
        if not isinstance(input, inputs.Received) or not story.answers[place]:
            return True
        return self._causes.of(input.event) is not None


def _outgoing(command: commands.Command) -> Iterator[events.ClientEvent]:
    match command:
        case commands.Send(event=event):
            yield event
        case commands.SendAudio(audio=audio):
            yield events.InputAudioBufferAppend(audio=audio)
        case _:
            pass


def _names(command: commands.Command) -> dict[str, _Kind]:
    """The names that the command gives, and what bears them: alike where one can stand for the
    other."""
    match command:
        case commands.StopPlayback(cut_id=cut_id):
            return {cut_id: ("stop",)}
        case commands.HoldPlayback(cut_id=cut_id):
            return {cut_id: ("hold",)}
        case commands.Send(event=event):
            return dict(_event_names(event))
        case _:
            return {}


def _event_names(event: events.ClientEvent) -> Iterator[tuple[str, _Kind]]:
    kind = events.type_of(event)
    about = str(getattr(event, "item_id", "")), str(getattr(event, "response_id", ""))
    if isinstance(event.event_id, str):
        yield event.event_id, (kind, "event", *about)
    match event:
        case events.ConversationItemCreate(item=item) if isinstance(item.id, str):
            yield item.id, (kind, "item")
        case events.ResponseCreate():
            key = create_key(event)
            if isinstance(key, str):
                yield key, (kind, "key")
        case _:
            pass


def _addressee(input: inputs.Input) -> str:
    """Whom the input answers by name; what it only mentions is not meant."""
    match input:
        case inputs.PlaybackStopped(cut_id=cut_id) | inputs.PlaybackHeld(cut_id=cut_id):
            return cut_id
        case inputs.Received(event=events.Error(error=body)):
            return body.event_id if isinstance(body.event_id, str) else ""
        case inputs.Received(event=events.ResponseCreated(response=response)):
            metadata = response.metadata
            return str(metadata.get(METADATA_KEY)) if isinstance(metadata, dict) else ""
        case inputs.Received(event=event):
            item_id = getattr(getattr(event, "item", None), "id", None) or getattr(
                event, "item_id", None
            )
            return item_id if isinstance(item_id, str) else ""
        case _:
            return ""


def _renamed(raw: JsonObject | None, images: dict[str, str]) -> JsonObject:
    text = msgspec.json.encode(raw).decode()
    pattern = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in images))
    found: JsonObject = msgspec.json.decode(pattern.sub(lambda m: images[m[0]], text))
    return found


def _born(input: inputs.Input) -> Iterator[str]:
    """What begins with the input: the session, a response, or an item."""
    match input:
        case inputs.PipeOpened():
            yield "pipe"
        case inputs.Received(event=events.SessionCreated()):
            yield "session"
        case inputs.Received(event=events.SessionUpdated()):
            yield "settings"
        case inputs.Received(event=events.ResponseCreated(response=response)):
            yield f"response {response.id}"
        case inputs.Received(event=events.ResponseOutputItemAdded(item=item)):
            yield f"item {item.id}"
        case inputs.Received(event=events.ConversationItemAdded(item=item)):
            yield f"held {item.id}"
        case _:
            pass


def _needs(input: inputs.Input, births: dict[str, int]) -> Iterator[int]:
    """The places where that began without which the input could not be."""
    event = getattr(input, "event", None)
    response = getattr(event, "response", None)
    item = getattr(event, "item", None)
    names = (
        "pipe",
        "session",
        "settings",
        f"response {getattr(event, 'response_id', None)}",
        f"response {getattr(response, 'id', None)}",
        f"item {getattr(event, 'item_id', None)}",
        f"item {getattr(item, 'id', None)}",
        f"held {getattr(event, 'item_id', None)}",
        f"held {getattr(item, 'id', None)}",
    )
    yield from {births[name] for name in names if name in births}
