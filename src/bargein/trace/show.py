"""A trace as the log that one wants in a bug report.

1. A row has a time since the first input, a direction, what, and detail. `←` came from the service,
   `→` went to it; `♪` is the player, `»` the application's asking, `«` what it was told; `·` the
   pipe and clock.
2. What comes by the dozen (deltas, microphone, progress) is folded into a row with counts, placed
   where the run began. A row that is not folded ends the runs, so that the order of what matters
   stands.
3. Control characters are shown, never obeyed: the text is the service's, the terminal is the
   user's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from bargein.trace import wording
from bargein.trace.format import Entry, JsonObject, TraceError
from bargein.units import AudioFormat

_ODD = (AttributeError, LookupError, TypeError, ValueError)
"""What a trace with strange values in its lines runs into."""

Kind = Literal["remote", "local", "sound", "cut", "fault", "told", "dull"]


class Row(msgspec.Struct, frozen=True):
    """One row of the log."""

    at_us: int
    """Since the first input."""
    line: int
    """In the file."""
    arrow: str
    what: str
    detail: str
    kind: Kind
    """For colours."""

    def text(self) -> str:
        """The row as one printable line."""
        row = f"{self.at_us / 1e6:>10.3f}  {self.arrow}  {self.what:<34}  {self.detail}"
        return _printable(row.rstrip())


class _Run:
    """Some of a kind, folded into one row."""

    def __init__(self, at_us: int, line: int) -> None:
        self.at_us, self.line = at_us, line
        self.count = 0
        self.received = self.played = self.sent = 0
        """Bytes of sound."""
        self.rate = 0
        """Bytes a second."""
        self.text = ""


def rows(entries: Iterable[Entry], *, unfolded: bool = False) -> Iterator[Row]:
    """The rows of a trace; `unfolded` gives each input and each command a row of its own."""
    return _Log(unfolded).rows(entries)


class _Log:
    def __init__(self, unfolded: bool) -> None:
        self._unfolded = unfolded
        self._start_us: int | None = None
        self._last_us = 0
        self._runs: dict[tuple[str, str], _Run] = {}
        self._rates: dict[str, int] = {}  # samples a second, by part
        self._input = self._output = AudioFormat.PCM

    def rows(self, entries: Iterable[Entry]) -> Iterator[Row]:
        for entry in entries:
            try:
                own = self._rows_of(entry)
            except _ODD as error:
                raise TraceError(f"line {entry.number} cannot be shown: {error!r}") from error
            if own:
                yield from self._flushed()
                yield from own
        yield from self._flushed()

    def _rows_of(self, entry: Entry) -> list[Row]:
        """The rows that stand by themselves."""
        if entry.line.lost:
            detail = f"{entry.line.lost} inputs were not recorded"
            return [Row(self._last_us, entry.number, "·", "lost", detail, "fault")]
        if self._start_us is None:
            self._start_us = entry.at_us
        self._last_us = self._since(entry)
        self._learn(entry)
        own = [] if self._folded_input(entry) else [self._input_row(entry)]
        for index, command in enumerate(entry.line.out or ()):
            if not self._folded_command(entry, index, command):
                own.append(self._command_row(entry, index, command))
        if entry.line.raised is not None:
            own.append(self._row(entry, "·", "the machine broke", entry.line.raised, "fault"))
        return own

    def _since(self, entry: Entry) -> int:
        return entry.at_us - (self._start_us or 0)

    def _row(self, entry: Entry, arrow: str, what: str, detail: str, kind: Kind) -> Row:
        return Row(self._since(entry), entry.number, arrow, what, detail, kind)

    def _learn(self, entry: Entry) -> None:
        """The formats in use, which the machine's own commands tell."""
        for command in entry.line.out or ():
            match command:
                case {"type": "Play", "part": dict(part), "format": str(name)}:
                    self._output = AudioFormat(name)
                    self._rates[wording.part_name(part)] = self._output.rate
                case {"type": "UseInputFormat", "format": str(name)}:
                    self._input = AudioFormat(name)

    def _run(self, kind: str, of: str, entry: Entry) -> _Run:
        return self._runs.setdefault((kind, of), _Run(self._since(entry), entry.number))

    def _folded_input(self, entry: Entry) -> bool:
        """Whether the input needs no row of its own, for it went into a run."""
        if self._unfolded:
            return False
        match entry.line.input:
            case {"type": "Tick"}:
                return True
            case {"type": "Captured"}:
                run = self._run("microphone", "", entry)
                run.rate = self._input.rate * self._input.bytes_per_sample
                run.received += entry.line.audio.get("in.audio", 0)
            case {"type": "Rendered", "heard": list(counts)}:
                run = self._run("heard", "", entry)
                run.text = wording.heard(counts, self._rates)
            case {"type": "Received", "event": {"type": str(name), "item_id": str(item)} as event}:
                if not name.endswith(".delta"):
                    return False
                run = self._run(name, f"{item}/{event.get('content_index', 0)}", entry)
                run.rate = self._output.rate * self._output.bytes_per_sample
                run.received += entry.line.audio.get("in.event.delta", 0)
                run.text += str(event.get("delta", ""))
            case _:
                return False
        run.count += 1
        return True

    def _folded_command(self, entry: Entry, index: int, command: JsonObject) -> bool:
        if self._unfolded:
            return False
        count = entry.line.audio.get(f"out.{index}.audio", 0)
        match command:
            case {"type": "Play", "part": dict(part)}:
                run = self._run("response.output_audio.delta", wording.part_name(part), entry)
                run.rate = self._output.rate * self._output.bytes_per_sample
                run.played += count
                return True
            case {"type": "SendAudio"}:
                self._run("microphone", "", entry).sent += count
                return True
            case {"type": "Notify", "notice": {"type": "Transcript", "final": False}}:
                return True  # the deltas tell it
            case _:
                return False

    def _flushed(self) -> Iterator[Row]:
        for (kind, of), run in self._runs.items():
            yield _folded(kind, of, run)
        self._runs.clear()

    def _input_row(self, entry: Entry) -> Row:
        raw = entry.line.input or {}
        sound = _sound(entry, "in.")
        match raw:
            case {"type": "Received", "event": dict(event)}:
                what, detail = wording.event(event)
                kind: Kind = "fault" if what in ("error", "malformed") else "remote"
                return self._row(entry, "←", what, f"{detail} {sound}".rstrip(), kind)
            case {"type": "Asked", "ask": dict(ask)}:
                return self._row(
                    entry, "»", f"asked #{raw.get('ask_id')}", wording.ask(ask), "told"
                )
            case {"type": "PlaybackStopped" | "PlaybackHeld" as what, "heard": list(counts)}:
                words = [f"{raw.get('cut_id')}:", wording.heard(counts, self._rates) or "nothing"]
                if what == "PlaybackStopped":
                    words.append(f"({wording.margin(raw.get('margin_samples', 0))})")
                return self._row(entry, "♪", what, " ".join(words), "cut")
            case {"type": "Rendered", "heard": list(counts)}:
                return self._row(entry, "♪", "Rendered", wording.heard(counts, self._rates), "dull")
            case {"type": "DeviceChanged" | "Starved" as what}:
                return self._row(entry, "♪", what, wording.pairs(raw), "sound")
            case _:
                detail = f"{wording.pairs(raw)} {sound}".strip()
                return self._row(entry, "·", str(raw.get("type")), detail, "dull")

    def _command_row(self, entry: Entry, index: int, command: JsonObject) -> Row:
        sound = _sound(entry, f"out.{index}.")
        match command:
            case {"type": "Send", "event": dict(event)}:
                what, detail = wording.event(event)
                return self._row(entry, "→", what, f"{detail} {sound}".rstrip(), "local")
            case {"type": "SendAudio"}:
                return self._row(entry, "→", "input_audio_buffer.append", sound, "dull")
            case {"type": "StopPlayback" | "HoldPlayback" | "ResumePlayback" as what}:
                return self._row(entry, "♪", what, wording.pairs(command), "cut")
            case {"type": "Play" | "FinishPlay" as what, "part": dict(part)}:
                detail = f"{wording.part_name(part)} {sound}".rstrip()
                return self._row(entry, "♪", what, detail, "sound")
            case {"type": "Notify", "notice": dict(notice)}:
                what, detail = wording.notice(notice)
                kind: Kind = "told"
                if what.startswith("Interruption"):
                    kind = "cut"
                elif what in ("Fault", "Lost", "Dropped"):
                    kind = "fault"
                return self._row(entry, "«", what, detail, kind)
            case {"type": "Answer"}:
                detail = wording.pairs({k: v for k, v in command.items() if k != "ask_id"})
                kind = "fault" if command.get("error") else "told"
                return self._row(entry, "«", f"answered #{command.get('ask_id')}", detail, kind)
            case _:
                return self._row(
                    entry, "·", str(command.get("type")), wording.pairs(command), "dull"
                )


def _sound(entry: Entry, room: str) -> str:
    total = sum(count for path, count in entry.line.audio.items() if path.startswith(room))
    return f"{total} bytes of sound" if total else ""


def _folded(kind: str, of: str, run: _Run) -> Row:
    def seconds(count: int) -> str:
        return f"{count / run.rate:.2f} s" if run.rate else f"{count} bytes"

    match kind:
        case "microphone":
            arrow, what = "→", "microphone"
            detail = f"{seconds(run.received)} in {run.count} blocks, {seconds(run.sent)} sent"
        case "heard":
            arrow, what, detail = "♪", "heard so far", run.text
        case "response.output_audio.delta" if not run.count:
            arrow, what, detail = "♪", "Play", f"{of} {seconds(run.played)} that had waited"
        case "response.output_audio.delta":
            arrow, what = "←", f"{run.count} audio {'delta' if run.count == 1 else 'deltas'}"
            detail = f"{of} {seconds(run.received)}"
            if run.played != run.received:
                detail += f", {seconds(run.played)} of it to the player"
        case _:
            short = kind.removeprefix("response.").removesuffix(".delta")
            arrow, what = "←", f"{run.count} {short} {'delta' if run.count == 1 else 'deltas'}"
            detail = f"{of} {wording.quoted(run.text)}"
    return Row(run.at_us, run.line, arrow, what, detail, "dull")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
