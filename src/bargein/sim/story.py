"""An episode as a table that can be read: time, actor, event. Ids are shortened, sounds joined."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from bargein import events
from bargein.core import commands, inputs
from bargein.core.inputs import Heard
from bargein.sim.history import Entry, History
from bargein.units import US_PER_MS, AudioFormat

_WIDTH = 130
_ACTORS = {
    "server_sent": "server sends",
    "client_got": "client gets",
    "client_sent": "client sends",
    "server_got": "server gets",
    "input": "client gets",
    "command": "client does",
    "note": "world",
    "broken": "BROKEN",
}
_QUIET_EVENTS = (
    events.RateLimitsUpdated,
    events.ResponseOutputAudioTranscriptDelta,
    events.ResponseOutputAudioTranscriptDone,
    events.ResponseContentPartDone,
    events.ConversationItemAdded,
    events.ConversationItemDone,
    events.InputAudioBufferAppend,
)
_QUIET_INPUTS = (inputs.Rendered, inputs.Captured, inputs.Tick)


def tell(history: History, *, everything: bool = False) -> str:
    """The table. Without `everything`, what only fills it is left out."""
    teller = _Teller(history.options.format)
    rows = []
    for entry in history.entries:
        if not everything and _is_quiet(entry):
            continue
        time_ms = entry.time_us / US_PER_MS
        rows.append(f"{time_ms:>12.3f} ms  {_ACTORS[entry.kind]:<12}  {teller.text(entry)}")
    return "\n".join(rows)


def _is_quiet(entry: Entry) -> bool:
    match entry.kind:
        case "server_sent" | "client_got" | "client_sent" | "server_got":
            return isinstance(entry.what, _QUIET_EVENTS)
        case "input":
            return isinstance(entry.what, _QUIET_INPUTS)
        case "command":
            return isinstance(entry.what, commands.Play)
        case "note" | "broken":
            return False
        case _:
            assert_never(entry.kind)


class _Teller:
    def __init__(self, sound_format: AudioFormat) -> None:
        self._format = sound_format
        self._names: dict[str, str] = {}

    def text(self, entry: Entry) -> str:
        what = entry.what
        if isinstance(what, str):
            return what
        if isinstance(what, commands.Notify):
            return f"Notify {self._fields(what.notice)}"
        if isinstance(what, inputs.Asked):
            return f"asked {what.ask_id}: {self._fields(what.ask)}"
        if entry.kind in ("server_sent", "client_got", "client_sent", "server_got"):
            return f"#{entry.number} {self._event(what)}"
        return self._fields(what)

    def _event(self, event: object) -> str:
        match event:
            case events.Error(error=body):
                return f"error {body.code}: {self._short(str(body.message))}"
            case events.ResponseOutputAudioDelta():
                samples = self._format.samples(len(event.delta))
                ms = samples * 1_000 / self._format.rate
                return f"audio.delta {self._id(event.item_id)}[{event.content_index}] +{ms:.2f} ms"
            case events.ResponseCreated(response=response):
                return f"response.created {self._id(response.id)}"
            case events.ResponseDone(response=response):
                return f"response.done {self._id(response.id)} {response.status}"
            case events.SessionCreated() | events.SessionUpdated():
                return events.type_of(event)
            case _ if isinstance(event, events.Shape):
                return f"{events.type_of(event)} {' '.join(self._details(event))}".strip()
            case _:
                return repr(event)

    def _details(self, event: events.Shape) -> Iterator[str]:
        for name in ("response_id", "item_id", "previous_item_id", "content_index"):
            value = getattr(event, name, None)
            if isinstance(value, str):
                yield self._id(value)
        for name in ("audio_end_ms", "audio_start_ms", "event_id"):
            value = getattr(event, name, None)
            if isinstance(value, int):
                yield f"{name}={value}"
        item = getattr(event, "item", None)
        if isinstance(item, events.Shape) and isinstance(getattr(item, "id", None), str):
            yield self._id(str(getattr(item, "id", "")))
            yield str(getattr(item, "status", ""))

    def _fields(self, what: object) -> str:
        match what:
            case inputs.PlaybackStopped(cut_id=cut_id, heard=heard, margin_samples=margin):
                return f"PlaybackStopped {cut_id} {self._heard(heard)} margin={margin}"
            case inputs.PlaybackHeld(cut_id=cut_id, heard=heard):
                return f"PlaybackHeld {cut_id} {self._heard(heard)}"
            case inputs.Rendered(heard=heard):
                return f"Rendered {self._heard(heard)}"
            case inputs.Captured(audio=audio):
                return f"Captured {self._format.samples(len(audio))} samples"
            case commands.FinishPlay(part=part):
                return f"FinishPlay {self._id(part.item_id)}[{part.content_index}]"
            case _:
                return self._short(repr(what))

    def _heard(self, heard: tuple[Heard, ...]) -> str:
        rate = self._format.rate
        return ", ".join(
            f"{self._id(count.part.item_id)}[{count.part.content_index}] "
            f"{count.samples * 1_000 / rate:.2f} ms"
            for count in heard
        )

    def _id(self, wire_id: str) -> str:
        """`item_…` becomes A, B, …; `resp_…` becomes r1, r2, …"""
        name = self._names.get(wire_id)
        if name is None:
            prefix = wire_id.partition("_")[0]
            count = sum(1 for known in self._names if known.startswith(prefix + "_"))
            if prefix == "resp":
                name = f"r{count + 1}"
            elif prefix == "item":
                letter = chr(ord("A") + count % 26)
                name = letter + str(count // 26 or "")
            else:
                name = wire_id
            self._names[wire_id] = name
        return name

    def _short(self, text: str) -> str:
        for wire_id, name in self._names.items():
            text = text.replace(wire_id, name)
        return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"
