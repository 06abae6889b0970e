"""The actors of one episode, put together, and how long they play.

First things happen, with faults. Then the faults stop and the user is silent: the world must come
to rest, and in 10 s more nothing may be left open.
"""

from __future__ import annotations

from msgspec import UNSET

from bargein import events
from bargein.audio.card_settings import margin_of
from bargein.capabilities import Capabilities
from bargein.core import inputs
from bargein.core.conversation import ItemView
from bargein.core.settings import Settings
from bargein.server.model.memory import RememberedItem
from bargein.sim.actors.card import SimCard
from bargein.sim.actors.client import MakeClient, SimClient
from bargein.sim.actors.human import Human, turn_detection
from bargein.sim.actors.network import Link
from bargein.sim.actors.server import SimServer
from bargein.sim.choices import Choices
from bargein.sim.history import Entry, Final, History
from bargein.sim.invariants.judge import Judge
from bargein.sim.log import Log
from bargein.sim.moments import Moments
from bargein.sim.options import Options
from bargein.sim.world import World
from bargein.units import US_PER_S, AudioFormat

_LONGEST_US = 400 * US_PER_S
"""Five acts of 24 s of speech each, with every pause drawn: no episode needs as long."""
_QUIET_US = 10 * US_PER_S
_MOST_STEPS = 200_000


class _Ended(Exception):
    """The judge has seen enough."""


class Stage:
    """The actors of one episode, put together, and the judge who watches them. With
    `stop_at_first` the world ends with the first thing that may not be."""

    def __init__(
        self,
        options: Options,
        choices: Choices,
        make_client: MakeClient,
        *,
        stop_at_first: bool = False,
    ) -> None:
        self._options = options
        self._choices = choices
        self.world = world = World()
        self.judge = Judge(options, witness=self)
        take = self._take_until_first if stop_at_first else self.judge.take
        self._log = log = Log(world, take)
        moments = Moments(world)
        self._up: Link[tuple[int, events.ClientEvent]] = Link(
            "up", options.up, world=world, choices=choices, deliver=lambda m: server.receive(m)
        )
        self._down: Link[tuple[int, events.ServerEvent]] = Link(
            "down", options.down, world=world, choices=choices, deliver=lambda m: client.receive(m)
        )
        server = self._server = SimServer(
            options,
            world=world,
            choices=choices,
            log=log,
            moments=moments,
            send=self._down.send,
            hang_up=self._die,
        )
        client = self._client = SimClient(
            make_client(settings(options)),
            world=world,
            log=log,
            send=self._send_up,
            close=self._hang_up,
        )
        self._card = SimCard(options, world=world, log=log, moments=moments, report=client.give)
        self._human = Human(
            options, world=world, choices=choices, log=log, moments=moments, client=client
        )
        client.attach(self._card, self._human)
        self._lost = False
        self._blocked = False

    # -- the truth now, for the judge ----------------------------------------------------------

    def heard(self, part: inputs.Part) -> int:
        """See `Witness`."""
        return self._card.committed(part)

    @property
    def memory(self) -> tuple[RememberedItem, ...]:
        """See `Witness`."""
        return self._server.memory

    @property
    def mirror(self) -> tuple[ItemView, ...]:
        """See `Witness`."""
        return () if self._client.broken else self._client.mirror

    def _take_until_first(self, entry: Entry) -> None:
        self.judge.take(entry)
        if self.judge.violations:
            raise _Ended

    # -- the play ------------------------------------------------------------------------------

    def play(self) -> History:
        """Run until all is quiet, or until it is clear that it never will be, and have it
        judged."""
        try:
            quiet = self._run()
        except _Ended:
            return History(self._options, tuple(self._log.entries), self._final(quiet=False))
        final = self._final(quiet=quiet)
        self.judge.finish(final)
        return History(self._options, tuple(self._log.entries), final)

    def _run(self) -> bool:
        self._server.open()
        self._client.give(inputs.PipeOpened(capabilities(self._options)))
        self._human.begin()
        if self._options.dies:
            when_us = self._choices.draw("network.death", 1, 20_000_000)
            self.world.at(when_us, self._die)
        return self._run_until_quiet()

    def _final(self, *, quiet: bool) -> Final:
        return Final(
            truth=self._card.truth(),
            memory=self.memory,
            mirror=self.mirror,
            quiet=quiet,
            left=self._client.closed,
            lost=self._lost,
            deadline_us=self._client.deadline_us,
        )

    def _run_until_quiet(self) -> bool:
        world = self.world
        calm_since_us: int | None = None
        while world.now_us < _LONGEST_US and not self._client.broken:
            if not world.run(world.now_us + US_PER_S, at_most=_MOST_STEPS):
                self._log.write("broken", f"{_MOST_STEPS} steps in one second")
                return False
            if not self._human.busy:
                self._up.calm()
                self._down.calm()
            if self._busy:
                calm_since_us = None
            elif calm_since_us is None:
                calm_since_us = world.now_us
            elif world.now_us - calm_since_us >= _QUIET_US:
                return True
        return False

    @property
    def _busy(self) -> bool:
        running = self._server.busy and not (self._lost or self._client.closed)
        under_way = self._up.under_way or self._down.under_way
        return bool(self._human.busy or running or under_way or not self._card.idle)

    def _send_up(self, message: tuple[int, events.ClientEvent]) -> int:
        stalls = self._up.stalls
        arrival_us = self._up.send(message)
        if self._options.blocks and self._up.stalls > stalls and not self._blocked:
            self._blocked = True
            # The socket takes no more until what it holds has gone.
            self.world.after(0, lambda: self._client.give(inputs.Blocked()))
            self.world.at(arrival_us, self._drain)
        return arrival_us

    def _drain(self) -> None:
        self._blocked = False
        self._client.give(inputs.Drained())

    def _hang_up(self) -> None:
        """The client closes: what it sent before still arrives, and the answer is the close."""
        arrival_us = self.world.now_us + self._options.up.base_us
        self.world.at(max(arrival_us, self._up.last_us), self._server.close)
        self._down.close()
        self.world.at(
            max(arrival_us, self._up.last_us) + self._options.down.base_us,
            lambda: self._client.give(inputs.PipeClosed(1000)),
        )

    def _die(self) -> None:
        """The pipe ends without a word."""
        if self._lost or self._client.closed:
            return
        self._lost = True
        self._up.close()
        self._down.close()
        self._server.close()
        self._client.give(inputs.PipeClosed())


def settings(options: Options) -> Settings:
    """What the client is started with in this world."""
    is_pcm = options.format is AudioFormat.PCM
    sound_format = events.AudioFormatConfig(
        type=options.format.value, rate=options.format.rate if is_pcm else UNSET
    )
    detection = turn_detection(options, options.interrupt_response, options.create_response)
    audio = events.AudioConfig(
        input=events.AudioInputConfig(format=sound_format, turn_detection=detection),
        output=events.AudioOutputConfig(format=sound_format),
    )
    return Settings(
        session=events.Session(audio=audio),
        barge_in=options.barge_in,
        push_to_talk=options.turns == "manual",
        player_margin_samples=margin_of(options.card.accuracy),
    )


def capabilities(options: Options) -> Capabilities:
    """What the client is told of its server: the truth where it is declared."""
    if not options.declared:
        return Capabilities()
    return Capabilities(
        truncate=options.obeys_truncate,
        acknowledges=options.acknowledges,
        lengths_grid_ms=options.lengths_grid_ms,
    )
