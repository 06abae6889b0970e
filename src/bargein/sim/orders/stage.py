"""The actors of a scene, and who chooses what happens next.

1. Between two events a little time passes, the same everywhere: the card plays on, and what nobody
   holds arrives. Only the order is chosen.
2. A choice is a draw from the stream `order` among the channels that have something waiting. 0 is
   the plainest: what is under way before what is new.
3. Whoever acts in the user's place is a good application: it asks for the reply that the server
   does not begin by itself, answers the calls of functions, and asks what the model says to that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final as Constant
from typing import assert_never

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.notices import Notice
from bargein.sim.actors.card import SimCard
from bargein.sim.actors.client import MakeClient, SimClient
from bargein.sim.actors.editor import wish
from bargein.sim.choices import Choices
from bargein.sim.history import Final, History
from bargein.sim.invariants.judge import Judge
from bargein.sim.live_truth import LiveTruth
from bargein.sim.log import Log
from bargein.sim.moments import Moments
from bargein.sim.options import WORD_US
from bargein.sim.orders.gates import Gate
from bargein.sim.orders.scene import (
    FALLS_SILENT,
    Act,
    Ask,
    Blocks,
    Deletes,
    Dies,
    Drains,
    Edits,
    Holds,
    Passes,
    Says,
    Scene,
    Sound,
)
from bargein.sim.orders.server import Piece, ScriptedServer
from bargein.sim.stage import capabilities, settings
from bargein.sim.world import World
from bargein.units import US_PER_MS, US_PER_S, AudioFormat

STREAM: Constant = "order"
STEP_US: Constant = 25 * US_PER_MS
"""Between two events; six of them and some more are within the 200 ms of a player's word."""
_PLAIN_STEP_US = 2 * US_PER_MS
_BEFORE = Sound(400, loud=False)
"""The microphone was on before: more than the padding by which a turn begins before its sound."""
_REST_US = 10 * US_PER_S
_REST_STEP_US = 200 * US_PER_MS
_MOST_RESTS = 4
_LONGEST_US = 60 * US_PER_S
_MOST_PLAIN = 200
_MOST_STEPS = 100_000
_LOUD, _SILENT = b"\x40\x1f", b"\0\0"


class Script:
    """Acts of the user or the application, in their order."""

    def __init__(self, name: str, acts: tuple[tuple[Act, int], ...], stage: OrderStage) -> None:
        self.name = name
        self._acts = list(reversed(acts))
        self._stage = stage

    @property
    def ready(self) -> bool:
        return bool(self._acts)

    def let_go(self) -> list[Act]:
        act, ask_id = self._acts.pop()
        self._stage.act(act, ask_id)
        return [act]


class OrderStage(LiveTruth):
    """One order of one scene. `order` is what was chosen: the channel, and what it let go."""

    _server: ScriptedServer

    def __init__(self, scene: Scene, choices: Choices, make_client: MakeClient) -> None:
        self._scene = scene
        self._choices = choices
        self._options = options = scene.options
        self.world = world = World()
        self.judge = Judge(options, witness=self)
        self._log = log = Log(world, self.judge.take)
        self._breaths = 0
        self._asked_by_itself = 1_000
        self._spoken: list[str] = []
        self._answered_us = 0
        self._lost = False
        self._speaks = False
        self.order: list[tuple[str, list[object]]] = []
        begins = scene.begins
        self._down: Gate[tuple[int, events.ServerEvent]] = Gate(
            "down",
            world=world,
            deliver=self._arrive,
            begins=lambda message: isinstance(message[1], begins),
            follows=lambda message: isinstance(message[1], events.RateLimitsUpdated),
        )
        self._up: Gate[tuple[int, events.ClientEvent] | None] = Gate(
            "up", world=world, deliver=self._arrive_up
        )
        self._player: Gate[inputs.Input] = Gate(
            "player",
            world=world,
            deliver=self._report,
            begins=_is_answer,
            follows=lambda report: not _is_answer(report),
        )
        self._model: Gate[Piece] = Gate(
            "model", world=world, deliver=lambda p: self._server.produce(p), begins=lambda p: True
        )
        self._tool: Gate[str] = Gate(
            "tool", world=world, deliver=self._answer_call, begins=lambda call: True
        )
        self._server = ScriptedServer(
            options,
            scene.scores,
            world=world,
            log=log,
            send=lambda message: self._down.put(message, self._breath),
            say=lambda piece: self._model.put(piece, None),
        )
        self._client = SimClient(
            make_client(settings(options)), world=world, log=log, send=self._send, close=self._close
        )
        self._card = SimCard(
            options,
            world=world,
            log=log,
            moments=Moments(world),
            report=self._take_report,
        )
        self._client.attach(self._card, self)
        prelude, scripts = _numbered(scene)
        self._prelude = prelude
        self._gates = (self._down, self._up, self._player, self._model, self._tool)
        self._held = tuple(gate for gate in self._gates if gate.name in scene.holds)
        for gate in (self._model, self._tool):
            # In a prelude the pieces go one by one, by `Says`, and no function returns.
            if gate in self._held:
                gate.hold()
        self._channels = (
            *self._held,
            *(Script(f"script {n}", script, self) for n, script in enumerate(scripts, start=1)),
        )

    @property
    def _breath(self) -> tuple[int, int]:
        return self._breaths, self.world.steps

    def play(self) -> History:
        """All of it, until nothing is under way."""
        self._server.open()
        self._client.give(inputs.PipeOpened(capabilities(self._options)))
        self._pass(_BEFORE.ms * US_PER_MS)
        self.act(_BEFORE, 0)
        self._pass(STEP_US)
        for act, ask_id in self._prelude:
            self._breaths += 1
            self.act(act, ask_id)
            self._pass(STEP_US)
        self.act(Holds(), 0)
        for _ in range(self._scene.events):
            if not self._next(free=True):
                break
            self._pass(STEP_US)
        for _ in range(_MOST_PLAIN):
            if not self._next(free=False):
                break
            self._pass(_PLAIN_STEP_US)
        return self._rest()

    def _next(self, *, free: bool) -> bool:
        self._model.keep(self._server.wants)
        ready = [channel for channel in self._channels if channel.ready]
        if not ready or self._client.broken:
            return False
        place = self._choices.draw(STREAM, 0, len(ready) - 1) if free else 0
        self._breaths += 1
        chosen = ready[place]
        went: list[object] = [*chosen.let_go()]
        if free:
            self.order.append((chosen.name, went))
        return True

    def _pass(self, time_us: int) -> bool:
        return self.world.run(self.world.now_us + time_us, at_most=_MOST_STEPS)

    def _rest(self) -> History:
        for gate in self._gates:
            gate.open()
        if self._speaks and not self._client.closed:
            self.act(FALLS_SILENT, 0)
            self._pass(STEP_US)
        quiet = self._come_to_rest()
        final = Final(
            truth=self._card.truth(),
            memory=self.memory,
            mirror=self.mirror,
            quiet=quiet,
            left=self._client.closed,
            lost=self._lost,
            deadline_us=self._client.deadline_us,
        )
        self.judge.finish(final)
        return History(self._options, tuple(self._log.entries), final)

    def _come_to_rest(self) -> bool:
        """Whether nobody has anything to do any more. What the client still waits for then has 10 s
        to be seen not to come."""
        client = self._client
        for _ in range(_MOST_RESTS):
            while self._busy and self.world.now_us < _LONGEST_US and not client.broken:
                if not self._pass(_REST_STEP_US):
                    self._log.write("broken", f"{_MOST_STEPS} steps in {_REST_STEP_US} us")
                    return False
            if client.broken or self._busy:
                return False
            if client.deadline_us is None:
                return True
            self._pass(_REST_US)
            if not self._busy:
                return True
        return False

    @property
    def _busy(self) -> bool:
        running = self._server.busy and not (self._lost or self._client.closed)
        return running or not self._card.idle or any(gate.under_way for gate in self._gates)

    # -- what happens ------------------------------------------------------------------------

    def act(self, act: Act, ask_id: int) -> None:
        """The user, the application or the pipe does it."""
        match act:
            case Ask(ask=ask):
                self._ask(ask, ask_id)
            case Sound(ms=ms, loud=loud):
                self._speaks = loud
                samples = AudioFormat.PCM.rate * ms // 1_000
                self._client.give(inputs.Captured((_LOUD if loud else _SILENT) * samples))
            case Passes(ms=ms):
                self._pass(ms * US_PER_MS)
            case Blocks():
                self._client.give(inputs.Blocked())
            case Drains():
                self._client.give(inputs.Drained())
            case Dies():
                self._die()
            case Deletes(item=item):
                known = {view.id for view in self._client.mirror}
                if item < len(self._spoken) and self._spoken[item] in known:
                    delete = events.ConversationItemDelete(item_id=self._spoken[item])
                    self._ask(asks.SendEvent(delete), ask_id)
            case Edits(change=change):
                self._ask(wish(change, self._client.mirror, f"Note {ask_id}."), ask_id)
            case Holds():
                for gate in self._held:
                    gate.hold()
            case Says():
                self._model.let_go()
            case _:
                assert_never(act)

    def _ask(self, ask: asks.Ask, ask_id: int) -> None:
        if not self._client.closed:
            self._client.give(inputs.Asked(ask_id, ask))

    def _ask_by_itself(self, ask: asks.Ask) -> None:
        self._asked_by_itself += 1
        self._ask(ask, self._asked_by_itself)

    def _answer_call(self, call_id: str) -> None:
        output = events.FunctionCallOutputItem(call_id=call_id, output='{"rain": true}')
        self._ask_by_itself(asks.SendEvent(events.ConversationItemCreate(item=output)))
        self._ask_by_itself(asks.Respond())

    def _arrive(self, message: tuple[int, events.ServerEvent]) -> None:
        event = message[1]
        if isinstance(event, events.ResponseOutputAudioDelta) and event.item_id not in self._spoken:
            self._spoken.append(event.item_id)
        self._client.receive(message)

    def _arrive_up(self, message: tuple[int, events.ClientEvent] | None) -> None:
        if message is not None:
            self._server.receive(message)
            return
        # The client's close: the answer is the end of the pipe.
        self._server.close()
        self._down.shut()
        self.world.after(1_000, lambda: self._client.give(inputs.PipeClosed(1000)))

    def _take_report(self, report: inputs.Input) -> None:
        if _is_answer(report):
            self._answered_us = self.world.now_us
        self._player.put(report, self._breath)

    def _report(self, report: inputs.Input) -> None:
        late_us = self.world.now_us - self._answered_us
        assert not _is_answer(report) or late_us < WORD_US, "the scene breaks the player's word"
        self._client.give(report)

    def _send(self, message: tuple[int, events.ClientEvent]) -> int:
        self._up.put(message, self._breath)
        return self.world.now_us

    def _close(self) -> None:
        self._up.put(None, self._breath)

    def _die(self) -> None:
        if self._lost or self._client.closed:
            return
        self._lost = True
        self._up.shut()
        self._down.shut()
        self._server.close()
        self._client.give(inputs.PipeClosed())

    # -- what the client's commands reach ----------------------------------------------------

    def answered(self, answer: commands.Answer) -> None:
        """Asks are answered for the checkers; nobody here waits for one."""

    def use_format(self, sound_format: AudioFormat) -> None:
        """Scenes are in one format."""

    def mute(self, muted: bool) -> None:
        """No scene mutes."""

    def notified(self, notice: Notice) -> None:
        """Do what a good application does then, from outside of the notice."""
        match notice:
            case notices.TurnEnded(role="user"):
                options = self._options
                if options.turns != "manual" and not options.create_response:
                    self.world.after(0, lambda: self._ask_by_itself(asks.Respond()))
            case notices.ToolCalled(call_id=call_id):
                self._tool.put(call_id, None)
            case _:
                pass


def _is_answer(report: inputs.Input) -> bool:
    return isinstance(report, inputs.PlaybackStopped | inputs.PlaybackHeld)


def _numbered(
    scene: Scene,
) -> tuple[tuple[tuple[Act, int], ...], list[tuple[tuple[Act, int], ...]]]:
    """Every act with the id that its ask has, whatever the order."""
    ids: Iterator[int] = iter(range(1, 1_000))
    numbered = [
        tuple((act, next(ids) if isinstance(act, Ask | Deletes | Edits) else 0) for act in acts)
        for acts in (scene.prelude, *scene.scripts)
    ]
    return numbered[0], numbered[1:]
