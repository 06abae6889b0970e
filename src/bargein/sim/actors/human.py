"""The user, and whoever has the hands on the application: what is done to the session, and when.

1. An episode is a few acts, one after the other begun, not ended: the user may speak, press and
   type all at once. The first one asks for something, so that there is something to cut.
2. Half of the acts come at a moment of the world (`moments.py`), the other half after 0 to 9 s, or
   to 4 s where the user has less patience. A moment may be a notice: then the application acts
   before it does anything else.
3. What the application does by itself is in `application.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from bargein import events
from bargein.core import asks, commands, notices
from bargein.core.notices import Notice
from bargein.server.model.semantic import finished, silence_ms
from bargein.sim.actors.application import Application
from bargein.sim.actors.client import SimClient
from bargein.sim.actors.editor import Editor
from bargein.sim.actors.microphone import Microphone
from bargein.sim.choices import Choices
from bargein.sim.log import Log
from bargein.sim.moments import ANCHORS, OF_NOTICES, Anchor, Moments
from bargein.sim.options import Options
from bargein.sim.world import Action, World
from bargein.units import US_PER_MS, AudioFormat

_SAMPLE_US = (-125, -42, -1, 0, 1, 42, 125)
"""A microsecond or a sample, at 24 or 8 kHz, before and after; 0 is the moment itself."""
_OFFSETS_US = (0, *_SAMPLE_US, -30_000, 80_000, 500_000)
_PATIENCE_MS = (9_000, 4_000)
_SILENCE_BEHIND_US = 200 * US_PER_MS
"""More than the frames and chunks that a turn's end may take beyond its silence."""
_DROPPED_US = 2_500 * US_PER_MS
_EAGERNESS: Literal["high"] = "high"
_SEMANTIC_MS = silence_ms(_EAGERNESS, finished("", 0.0))
"""How long the server waits at most for more of a voice of which it knows no words."""
_Act: TypeAlias = Callable[[], object]


class Human:
    """Acts on the client. `busy` until the last act has ended."""

    def __init__(
        self,
        options: Options,
        *,
        world: World,
        choices: Choices,
        log: Log,
        moments: Moments,
        client: SimClient,
    ) -> None:
        self._options = options
        self._world = world
        self._choices = choices
        self._log = log
        self._moments = moments
        self._client = client
        self._microphone = Microphone(options.chunk_ms, world=world, give=client.give)
        self._application = Application(options, choices=choices, client=client, soon=self._soon)
        self._editor = Editor(
            choices,
            items=lambda: client.mirror,
            ask=self._application.ask,
            soon=self._soon,
            at=lambda stream, edit, anchors: self._at_moment(stream, edit, anchors=anchors),
        )
        self._acted = 0
        self._pressed = False
        self._audible = False
        self._echoes = 0
        self._pending = 0
        self._stream = "human/0"

    @property
    def busy(self) -> bool:
        """Whether something is still to be done or said."""
        return bool(self._pending) or not self._microphone.resting

    # -- what the client's commands reach ----------------------------------------------------

    def answered(self, answer: commands.Answer) -> None:
        """Asks are answered for the checkers; the application waits for none of them."""

    def use_format(self, sound_format: AudioFormat) -> None:
        """Capture in this format."""
        self._microphone.format = sound_format

    def mute(self, muted: bool) -> None:
        """Deliver silence, or sound again."""
        self._microphone.muted = muted

    def notified(self, notice: Notice) -> None:
        """Hear of it, and act if that is what was waited for."""
        anchor = OF_NOTICES.get(type(notice))
        if anchor is None:
            return
        self._moments.announce(anchor, self._world.now_us)
        if isinstance(notice, notices.FloorChanged):
            self._audible = notice.floor == "assistant"
            if self._audible and self._echoes < self._options.echoes:
                self._hear_assistant()
        self._application.notified(notice)

    def _hear_assistant(self) -> None:
        """The microphone picks up the reply after a while, if it still sounds then."""
        self._echoes += 1
        stream = f"echo/{self._echoes}"
        for_ms = self._choices.draw(stream, 80, 250)

        def echo() -> None:
            if self._audible:
                self._log.write("note", f"echo for {for_ms} ms")
                self._voice(for_ms)

        self._soon(echo, self._choices.draw(stream, 0, 1_500) * US_PER_MS)

    # -- the acts ----------------------------------------------------------------------------

    def begin(self) -> None:
        """Do the first act soon and plan the rest."""
        self._soon(self._act, 500 * US_PER_MS)

    def _soon(self, action: _Act, delay_us: int) -> None:
        self._world.after(delay_us, self._promise(action))

    def _promise(self, action: _Act) -> Action:
        """The action, which is still to be done from now on; it is not if the session is over."""
        self._pending += 1

        def run() -> None:
            self._pending -= 1
            if not self._client.closed:
                action()

        return run

    def _at_moment(
        self,
        stream: str,
        action: _Act,
        patience_ms: int = _PATIENCE_MS[0],
        anchors: Sequence[Anchor] = ANCHORS,
    ) -> None:
        anchor: Anchor = self._choices.pick(stream, anchors)
        offset_us = self._choices.pick(stream, _OFFSETS_US)

        def act() -> None:
            self._log.write("note", f"acts at {anchor} {offset_us:+} us")
            action()

        self._moments.when(anchor, offset_us, patience_ms * US_PER_MS, self._promise(act))

    def _act(self) -> None:
        self._acted += 1
        self._stream = f"human/{self._acted}"
        first = self._acted == 1
        acts = self._acts_first() if first else self._acts_later()
        self._choices.pick(self._stream, acts)()
        if self._choices.rarely(f"{self._stream}.said", 12):
            stream = f"{self._stream}.said"
            delay_us = self._choices.draw(stream, 0, 2_000) * US_PER_MS
            self._soon(lambda: self._application.touch_reply(stream), delay_us)
        if self._options.edits:
            self._editor.perhaps(self._stream)
        if self._acted < self._options.acts:
            self._plan()
        elif self._choices.rarely(self._stream, 15):
            delay_us = self._choices.draw(self._stream, 0, 3_000) * US_PER_MS
            if self._choices.rarely("leave", 2):
                self._at_moment("leave", self._leave)
            else:
                self._soon(self._leave, delay_us)

    def _plan(self) -> None:
        """Half of the moments are relative to something that happens."""
        choices, stream = self._choices, self._stream
        patience_ms = choices.pick(f"{stream}.patience", _PATIENCE_MS)
        if choices.rarely(stream, 2):
            self._at_moment(stream, self._act, patience_ms)
        else:
            self._soon(self._act, choices.draw(stream, 0, patience_ms) * US_PER_MS)

    def _acts_first(self) -> tuple[_Act, ...]:
        return (self._application.say, self._speak, self._application.respond)

    def _acts_later(self) -> tuple[_Act, ...]:
        """What was added later stands behind, so that tapes keep their meaning."""
        does, stream = self._application, self._stream
        common: tuple[_Act, ...] = (
            does.interrupt,
            does.interrupt,
            does.say,
            does.say_without_reply,
            does.respond,
            lambda: does.respond_aside(stream),
            lambda: does.cancel_reply(stream),
            self._interrupt_twice,
        )
        by_voice: tuple[_Act, ...] = (self._speak_and_interrupt, self._update, self._mute)
        added: tuple[_Act, ...] = (
            *[self._speak] * 4,
            *[does.interrupt] * 2,
            *[self._say_twice] * 2,
            lambda: does.respond_aside_twice_or_more(stream),
            does.cancel_aside,
            does.cancel_by_event,
            does.respond_by_event,
            self._instruct_twice,
            lambda: does.hold(stream),
            lambda: does.place_item(stream),
            lambda: does.touch_item(stream),
        )
        if self._options.turns == "manual":
            by_voice = ()
        return (*common, *[self._speak] * 6, *by_voice, *added)

    def _leave(self) -> None:
        self._application.ask(asks.Leave())

    def _interrupt_twice(self) -> None:
        self._application.interrupt()
        delay_ms = self._choices.pick(self._stream, (80, 0, 1, 300))
        self._soon(self._application.interrupt, delay_ms * US_PER_MS)

    def _say_twice(self) -> None:
        """A typed message, and perhaps another one before anything comes of it."""
        self._twice(self._application.say, 150)

    def _instruct_twice(self) -> None:
        self._twice(self._application.instruct, 50)

    def _twice(self, action: _Act, most_ms: int) -> None:
        action()
        if self._choices.rarely(f"{self._stream}.twice", 4):
            delay_ms = self._choices.draw(f"{self._stream}.twice", 0, most_ms)
            self._soon(action, delay_ms * US_PER_MS)

    def _speak(self) -> None:
        """Speak as turns are made here; once in four times regret it, mostly after 80 ms."""
        regrets = self._choices.rarely(self._stream, 4)
        for_ms = 80 if regrets else self._choices.draw(self._stream, 150, 1_500)
        if regrets and self._choices.rarely(f"{self._stream}.regret", 2):
            # Long enough to be committed, and too short for a slow card to have stopped.
            for_ms = 105
        if self._options.turns == "manual":
            self._push_to_talk(for_ms)
        else:
            self._log.write("note", f"speaks for {for_ms} ms")
            self._voice(for_ms)
            if self._choices.rarely(f"{self._stream}.asks", 4):
                # Sent behind the end of the turn and before anybody has heard of its beginning, the
                # request crosses the reply that the server begins by itself.
                late_ms = self._choices.draw(f"{self._stream}.asks", 0, 300)
                delay_ms = for_ms + self._silence_ms + late_ms
                self._soon(self._application.respond, delay_ms * US_PER_MS)

    def _voice(self, for_ms: int) -> None:
        silence_us = self._silence_ms * US_PER_MS + _SILENCE_BEHIND_US
        if self._options.drops_sound:
            # What the socket did not take may have been this silence; then it takes more of it.
            silence_us += _DROPPED_US
        self._microphone.speak(for_ms * US_PER_MS, silence_us)

    def _push_to_talk(self, for_ms: int) -> None:
        if self._pressed:
            return
        self._pressed = True
        early_ms = 0
        if self._options.pre_roll_ms:
            # One speaks before the button is down.
            early_ms = self._choices.draw("pre_roll", 0, self._options.pre_roll_ms)
        self._microphone.speak((early_ms + for_ms) * US_PER_MS, 0)
        if early_ms:
            self._soon(self._press, early_ms * US_PER_MS)
        else:
            self._press()
        self._soon(self._release, (early_ms + for_ms) * US_PER_MS)
        if self._choices.rarely(f"{self._stream}.again", 4):
            pause_ms = self._choices.draw(f"{self._stream}.again", 1, 400)
            delay_ms = early_ms + for_ms + pause_ms
            self._soon(lambda: self._push_to_talk(for_ms), delay_ms * US_PER_MS)

    def _press(self) -> None:
        self._application.ask(asks.Press())

    def _release(self) -> None:
        self._pressed = False
        self._application.ask(asks.Release())

    def _speak_and_interrupt(self) -> None:
        self._speak()
        delay_ms = self._choices.draw(self._stream, 0, 300)
        self._soon(self._application.interrupt, delay_ms * US_PER_MS)

    def _update(self) -> None:
        """Change who interrupts and who replies while things are under way."""
        interrupts = self._choices.rarely(self._stream, 2)
        if self._options.barge_in == "keep_talking":
            # That policy cannot be held where the server interrupts by itself.
            interrupts = False
        creates = not self._choices.rarely(self._stream, 2)
        detection = turn_detection(self._options, interrupts, creates)
        audio = events.AudioConfig(input=events.AudioInputConfig(turn_detection=detection))
        self._application.ask(asks.Update(events.Session(audio=audio)))

    def _mute(self) -> None:
        self._application.ask(asks.Mute(True))
        delay_us = self._choices.draw(self._stream, 0, 2_000) * US_PER_MS
        self._soon(lambda: self._application.ask(asks.Mute(False)), delay_us)

    @property
    def _silence_ms(self) -> int:
        """How long one is silent until the server takes the turn for over, at most."""
        if self._options.turns == "semantic_vad":
            return _SEMANTIC_MS
        return self._options.silence_ms


def turn_detection(
    options: Options, interrupts: bool, creates: bool
) -> events.TurnDetection | None:
    """What the session is to be told about turns; None: they are made by hand."""
    match options.turns:
        case "server_vad":
            return events.ServerVad(
                silence_duration_ms=options.silence_ms,
                interrupt_response=interrupts,
                create_response=creates,
            )
        case "semantic_vad":
            return events.SemanticVad(
                eagerness=_EAGERNESS, interrupt_response=interrupts, create_response=creates
            )
        case "manual":
            return None
