"""The user and the application: what is done to the session, and when.

1. An episode is a few acts, one after the other begun, not ended: the user may speak, press and
   type all at once. The first one asks for something, so that there is something to cut.
2. Half of the acts come at a moment of the world (`moments.py`), the other half after 0 to 9 s.
3. The application does what a good one does: it asks for the reply that the server does not begin
   by itself, and answers the calls of functions.
"""

from __future__ import annotations

from collections.abc import Callable

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.notices import Notice
from bargein.sim.actors.client import SimClient
from bargein.sim.actors.microphone import Microphone
from bargein.sim.choices import Choices
from bargein.sim.log import Log
from bargein.sim.moments import ANCHORS, Moments
from bargein.sim.options import Options
from bargein.sim.world import World
from bargein.units import US_PER_MS, US_PER_S, AudioFormat

_SAMPLE_US = (-125, -42, -1, 0, 1, 42, 125)
"""A microsecond or a sample, at 24 or 8 kHz, before and after; 0 is the moment itself."""
_PATIENCE_US = 9 * US_PER_S
_SILENCE_BEHIND_US = 200 * US_PER_MS
"""More than the frames and chunks that a turn's end may take beyond its silence."""


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
        self._asked = 0
        self._acted = 0
        self._pressed = False
        self._last_reply_ask: int | None = None
        self._calls = 0
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
        """Do what a good application does then."""
        options = self._options
        match notice:
            case notices.TurnEnded(role="user"):
                # With push-to-talk the client asks for the reply itself.
                if options.turns != "manual" and not options.create_response:
                    self._soon(lambda: self._ask(asks.Respond()), 0)
            case notices.ToolCalled(call_id=call_id):
                self._calls += 1
                stream = f"tools/{self._calls}"
                delay_us = self._choices.draw(stream, 0, 5_000) * US_PER_MS
                self._soon(lambda: self._answer_call(call_id), delay_us)
            case _:
                pass

    def _answer_call(self, call_id: str) -> None:
        output = events.FunctionCallOutputItem(call_id=call_id, output='{"rain": true}')
        self._ask(asks.SendEvent(events.ConversationItemCreate(item=output)))

    # -- the acts ----------------------------------------------------------------------------

    def begin(self) -> None:
        """Do the first act soon and plan the rest."""
        self._soon(self._act, 500 * US_PER_MS)

    def _soon(self, action: Callable[[], None], delay_us: int) -> None:
        self._pending += 1

        def run() -> None:
            self._pending -= 1
            if not self._client.closed:
                action()

        self._world.after(delay_us, run)

    def _act(self) -> None:
        self._acted += 1
        self._stream = f"human/{self._acted}"
        first = self._acted == 1
        acts = self._acts_first() if first else self._acts_later()
        self._choices.pick(self._stream, acts)()
        if self._acted < self._options.acts:
            self._plan()
        elif self._choices.rarely(self._stream, 15):
            delay_us = self._choices.draw(self._stream, 0, 3_000) * US_PER_MS
            self._soon(lambda: self._ask(asks.Leave()), delay_us)

    def _plan(self) -> None:
        """Half of the moments are relative to something that happens."""
        choices, stream = self._choices, self._stream
        if not choices.rarely(stream, 2):
            self._soon(self._act, choices.draw(stream, 0, 9_000) * US_PER_MS)
            return
        anchor = choices.pick(stream, ANCHORS)
        offset_us = choices.pick(stream, (0, *_SAMPLE_US, -30_000, 80_000, 500_000))
        self._pending += 1

        def run() -> None:
            self._pending -= 1
            if not self._client.closed:
                self._log.write("note", f"acts at {anchor} {offset_us:+} us")
                self._act()

        self._moments.when(anchor, offset_us, _PATIENCE_US, run)

    def _acts_first(self) -> tuple[Callable[[], None], ...]:
        return (self._say, self._speak, self._respond)

    def _acts_later(self) -> tuple[Callable[[], None], ...]:
        common = (
            self._interrupt,
            self._interrupt,
            self._say,
            self._say_without_reply,
            self._respond,
            self._respond_out_of_band,
            self._cancel_reply,
            self._interrupt_twice,
        )
        if self._options.turns == "manual":
            return (*common, *[self._speak] * 6)
        return (*common, *[self._speak] * 6, self._speak_and_interrupt, self._update, self._mute)

    def _ask(self, ask: asks.Ask) -> None:
        self._asked += 1
        ask_id = self._asked
        if isinstance(ask, asks.Say | asks.Respond):
            self._last_reply_ask = ask_id
        self._client.give(inputs.Asked(ask_id, ask))

    def _say(self) -> None:
        self._ask(asks.Say("Tell me a story."))

    def _say_without_reply(self) -> None:
        self._ask(asks.Say("By the way.", reply=False))

    def _respond(self) -> None:
        self._ask(asks.Respond())

    def _respond_out_of_band(self) -> None:
        modality = self._choices.pick(self._stream, ("text", "audio"))
        params = events.ResponseParams(conversation="none", output_modalities=(modality,))
        self._ask(asks.Respond(params))

    def _interrupt(self) -> None:
        self._ask(asks.Interrupt())

    def _interrupt_twice(self) -> None:
        self._interrupt()
        delay_ms = self._choices.pick(self._stream, (80, 0, 1, 300))
        self._soon(self._interrupt, delay_ms * US_PER_MS)

    def _cancel_reply(self) -> None:
        if self._last_reply_ask is None:
            self._interrupt()
        else:
            self._ask(asks.CancelReply(self._last_reply_ask))

    def _speak(self) -> None:
        """Speak as turns are made here; once in four times regret it after 80 ms."""
        regrets = self._choices.rarely(self._stream, 4)
        for_ms = 80 if regrets else self._choices.draw(self._stream, 150, 1_500)
        if self._options.turns == "manual":
            self._push_to_talk(for_ms)
        else:
            self._log.write("note", f"speaks for {for_ms} ms")
            silence_us = self._silence_ms * US_PER_MS + _SILENCE_BEHIND_US
            self._microphone.speak(for_ms * US_PER_MS, silence_us)

    def _push_to_talk(self, for_ms: int) -> None:
        if self._pressed:
            return
        self._pressed = True
        self._ask(asks.Press())
        self._microphone.speak(for_ms * US_PER_MS, 0)
        self._soon(self._release, for_ms * US_PER_MS)

    def _release(self) -> None:
        self._pressed = False
        self._ask(asks.Release())

    def _speak_and_interrupt(self) -> None:
        self._speak()
        delay_ms = self._choices.draw(self._stream, 0, 300)
        self._soon(self._interrupt, delay_ms * US_PER_MS)

    def _update(self) -> None:
        """Change who interrupts and who replies while things are under way."""
        interrupts = self._choices.rarely(self._stream, 2)
        if self._options.barge_in == "keep_talking":
            # That policy cannot be held where the server interrupts by itself.
            interrupts = False
        creates = not self._choices.rarely(self._stream, 2)
        detection = turn_detection(self._options, interrupts, creates)
        audio = events.AudioConfig(input=events.AudioInputConfig(turn_detection=detection))
        self._ask(asks.Update(events.Session(audio=audio)))

    def _mute(self) -> None:
        self._ask(asks.Mute(True))
        delay_us = self._choices.draw(self._stream, 0, 2_000) * US_PER_MS
        self._soon(lambda: self._ask(asks.Mute(False)), delay_us)

    @property
    def _silence_ms(self) -> int:
        return self._options.silence_ms if self._options.turns == "server_vad" else 500


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
                eagerness="high", interrupt_response=interrupts, create_response=creates
            )
        case "manual":
            return None
