"""Shows the demo while it runs: plain lines, or a calm live view on a terminal.

`Scene` is what there is to show, and pure; the screens only draw it.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from bargein.core.inputs import Part
from bargein.core.notices import (
    Fault,
    Floor,
    FloorChanged,
    Interruption,
    InterruptionSettled,
    Lost,
    Notice,
    TurnEnded,
)
from bargein.units import US_PER_S

_STYLES = {"user": "blue", "assistant": "green", "cut": "bold dark_orange", "fault": "bold red"}
_FLOORS: dict[Floor, tuple[str, str]] = {
    "user": ("● the user has the floor", "bold blue"),
    "assistant": ("● the assistant has the floor", "bold green"),
    "nobody": ("○ nobody speaks", "dim"),
}

Line = tuple[int, str, str]
"""When, who, what."""


class Scene:
    """Lines that are done, the words that are being heard, and who holds the floor."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.floor: Floor = "nobody"
        self.speaking = ""
        self.since_us = 0
        self._response: str | None = None
        self._cuts: dict[str, int] = {}

    def said(self, at_us: int, text: str) -> None:
        """The user begins to say this."""
        self.lines.append((at_us, "user", text))

    def heard(self, at_us: int, part: Part, text: str) -> None:
        """So much of the assistant's part was heard; later reports of a part that is over count
        no more."""
        if part.response_id != self._response:
            self._response, self.since_us = part.response_id, at_us
        self.speaking = text

    def told(self, at_us: int, notice: Notice) -> None:
        """The application was told this."""
        match notice:
            case FloorChanged(floor=floor):
                self.floor = floor
            case Interruption() as stop:
                self._cuts[stop.cut_id] = number = len(self._cuts) + 1
                self._end("…")
                self.lines.append((at_us, "cut", f"{number}: {_stop_words(stop)}"))
            case InterruptionSettled() as end:
                number = self._cuts.get(end.cut_id, 0)
                self.lines.append((at_us, "cut", f"{number}: {_settled_words(end)}"))
            case TurnEnded(role="assistant", response_id=response_id):
                if response_id == self._response:
                    self._end("")
            case Fault(message=message, blame=blame):
                self.lines.append((at_us, "fault", f"{message} ({blame})"))
            case Lost(code=code, reason=reason) if code != 1000:
                self.lines.append((at_us, "fault", f"the connection ended: {code} {reason}"))
            case _:
                pass

    def _end(self, how: str) -> None:
        if self.speaking:
            self.lines.append((self.since_us, "assistant", self.speaking + how))
        self.speaking = ""


def _stop_words(stop: Interruption) -> str:
    text = f"silent; {stop.heard_ms} ms were heard"
    if stop.speech_to_silence_us is not None:
        text += f", {stop.speech_to_silence_us / 1_000:.0f} ms after the speech"
    return text


def _settled_words(end: InterruptionSettled) -> str:
    if end.kept_ms is None:
        return f"the service did not confirm what it keeps ({end.exactness})"
    return f"the service keeps {end.kept_ms} ms ({end.exactness})"


class NoScreen:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def said(self, at_us: int, text: str) -> None:
        """See `Screen`."""

    def heard(self, at_us: int, part: Part, text: str) -> None:
        """See `Screen`."""

    def told(self, at_us: int, notice: Notice) -> None:
        """See `Screen`."""


class PlainScreen(NoScreen):
    """A line for each thing that is over, and for each change of the floor."""

    def __init__(self, console: Console) -> None:
        self._console, self._scene, self._shown = console, Scene(), 0

    def said(self, at_us: int, text: str) -> None:
        """See `Screen`."""
        self._scene.said(at_us, text)
        self._show()

    def heard(self, at_us: int, part: Part, text: str) -> None:
        """See `Screen`."""
        self._scene.heard(at_us, part, text)

    def told(self, at_us: int, notice: Notice) -> None:
        """See `Screen`."""
        self._scene.told(at_us, notice)
        self._show()
        if isinstance(notice, FloorChanged):
            self._floor(at_us, notice.floor)

    def _show(self) -> None:
        for line in self._scene.lines[self._shown :]:
            self._console.print(_text_of(line), soft_wrap=True)
        self._shown = len(self._scene.lines)

    def _floor(self, at_us: int, floor: Floor) -> None:
        self._console.print(_text_of((at_us, "floor", floor)), soft_wrap=True)


class LiveScreen(PlainScreen):
    """What is over stands above; below it the words being heard, and who holds the floor."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live = Live(
            console=console, get_renderable=self._drawn, refresh_per_second=8, transient=True
        )

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.__exit__(exc_type, exc, traceback)

    def _floor(self, at_us: int, floor: Floor) -> None:
        """It has a place of its own, below."""

    def _drawn(self) -> RenderableType:
        floor, style = _FLOORS[self._scene.floor]
        shown = [Text(floor, style=style)]
        if self._scene.speaking:
            shown.insert(
                0, _text_of((self._scene.since_us, "assistant", self._scene.speaking + " …"))
            )
        return Group(*shown)


def _text_of(line: Line) -> Text:
    at_us, who, what = line
    text = Text(f"{at_us / US_PER_S:6.2f} s  ", style="dim")
    text.append(f"{who:<10}", style=_STYLES.get(who, "dim"))
    # The words may be a service's: nothing in them may command the terminal.
    text.append("".join(each if each.isprintable() else "\ufffd" for each in what))
    return text
