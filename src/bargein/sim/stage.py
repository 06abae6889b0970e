"""The actors of one episode, put together, and how long they play.

1. First things happen, with faults. Then the faults stop and the user is silent: the world must
   come to rest, and nothing may be left open. Where the client still waits for something then,
   it has 10 s to see that it does not come.
2. A connection is a set of channels, of which each knows its own faults (`actors/network.py`). It
   ends once: by the client's close; without a word; behind the server's close frame; or, half
   open, when the client misses the answer to its ping.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET

from bargein import events
from bargein.audio.card_settings import margin_of
from bargein.capabilities import Capabilities
from bargein.core import inputs
from bargein.core.settings import ServerRule, Settings
from bargein.server.model.machine import GOING_AWAY
from bargein.sim.actors.card import SimCard
from bargein.sim.actors.client import MakeClient, SimClient
from bargein.sim.actors.human import Human, turn_detection
from bargein.sim.actors.media import MediaChannel
from bargein.sim.actors.network import Channel, Link, LinkOptions
from bargein.sim.actors.server import SimServer
from bargein.sim.actors.tools import SimTools
from bargein.sim.choices import Choices
from bargein.sim.history import Entry, Final, History
from bargein.sim.invariants.judge import Judge
from bargein.sim.live_truth import LiveTruth
from bargein.sim.log import Log
from bargein.sim.moments import OF_CLIENT_EVENTS, Moments
from bargein.sim.options import Options
from bargein.sim.world import Action, World
from bargein.units import US_PER_MS, US_PER_S, AudioFormat

_LONGEST_US = 400 * US_PER_S
"""Five acts of 24 s of speech each, with every pause drawn: no episode needs as long."""
_QUIET_US = 10 * US_PER_S
_MOST_STEPS = 200_000
_LATEST_END_US = 20 * US_PER_S
_PING_US = 40 * US_PER_S
"""The pipe pings every 20 s and waits as long for the answer (`transports/websocket.py`)."""
_CLOSE_TIMEOUT_US = 2 * US_PER_S
_FULL_US = 250 * US_PER_MS
"""The socket takes no more when what it holds needs longer than this to leave."""
NORMAL_CLOSURE = 1000
_INTERNAL_ERROR = 1011
_ENVELOPE_BYTES = 200
_EVENT_BYTES = 500


class _Ended(Exception):
    """The judge has seen enough."""


class Stage(LiveTruth):
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
        self._moments = moments = Moments(world)
        self._up: Link[tuple[int, events.ClientEvent]] = Link(
            "up",
            options.up,
            world=world,
            choices=choices,
            deliver=lambda m: server.receive(m),
            size_of=_bytes_of,
            broken=self._end_at_server,
        )
        self._down: Link[tuple[int, events.ServerEvent]] = Link(
            "down",
            options.down,
            world=world,
            choices=choices,
            deliver=lambda m: client.receive(m),
            size_of=_bytes_of,
            broken=self._die,
        )
        self._channels: tuple[Channel, ...] = (self._up, self._down)
        self._microphone: Link[bytes] = Link(
            "microphone",
            _microphone_way(options),
            world=world,
            choices=choices,
            deliver=lambda audio: server.hear(audio),
        )
        self._media = self._media_channel(lambda came: client.give(came))
        server = self._server = SimServer(
            options,
            world=world,
            choices=choices,
            log=log,
            moments=moments,
            send=self._down.send,
            hang_up=self._end_at_server,
            session_us=self._session_us(),
            media=self._media,
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
        self._tools = SimTools(world=world, choices=choices, give=client.give)
        client.attach(self._card, self._human, self._tools)
        self._lost = False
        self._ending = self._ended = False
        self._ends_due = 0
        self._blocked = False

    def _media_channel(self, give: Callable[[inputs.Input], None]) -> MediaChannel | None:
        """The call's own channel for what it hears, if this is one."""
        options = self._options
        if options.media is None:
            return None
        media = MediaChannel(
            options.media,
            base_us=options.down.base_us,
            world=self.world,
            choices=self._choices,
            give=give,
        )
        self._channels += (media, self._microphone)
        return media

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
        self._plan_ends()
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
        awaited_us: int | None = None
        while world.now_us < _LONGEST_US and not self._client.broken:
            if not world.run(world.now_us + US_PER_S, at_most=_MOST_STEPS):
                self._log.write("broken", f"{_MOST_STEPS} steps in one second")
                return False
            if not self._human.busy:
                for channel in self._channels:
                    channel.calm()
            if self._busy:
                calm_since_us = None
            elif self._client.deadline_us is None:
                # Nobody has anything to do, now or later.
                return True
            elif calm_since_us is None or self._client.deadline_us != awaited_us:
                # What came and went within the second has something else wait since.
                calm_since_us, awaited_us = world.now_us, self._client.deadline_us
            elif world.now_us - calm_since_us >= _QUIET_US:
                return True
        return False

    @property
    def _busy(self) -> bool:
        running = self._server.busy and not (self._lost or self._client.closed)
        under_way = any(channel.under_way for channel in self._channels)
        acting = (
            self._human.busy
            or self._tools.busy
            or self._ends_due
            or (self._ending and not self._ended)
        )
        return bool(acting or running or under_way or not self._card.idle)

    def _send_up(self, message: tuple[int, events.ClientEvent]) -> int:
        if self._media is not None and isinstance(message[1], events.InputAudioBufferAppend):
            return self._microphone.send(message[1].audio)
        up = self._up
        stalls = up.stalls
        arrival_us = up.send(message)
        anchor = OF_CLIENT_EVENTS.get(type(message[1]))
        if anchor is not None:
            self._moments.announce(anchor, arrival_us)
        if self._options.blocks and not self._blocked:
            full = up.free_us > self.world.now_us + _FULL_US
            if full or up.stalls > stalls:
                self._blocked = True
                # The socket takes no more until what it holds has gone.
                self.world.after(0, lambda: self._client.give(inputs.Blocked()))
                self.world.at(arrival_us, self._drain)
        return arrival_us

    def _drain(self) -> None:
        self._blocked = False
        self._client.give(inputs.Drained())

    # -- how the connection ends -------------------------------------------------------------

    def _session_us(self) -> int | None:
        """How long the server lets the session last."""
        if self._options.closes != GOING_AWAY:
            return None
        return self._choices.draw("network.close", US_PER_S, _LATEST_END_US)

    def _plan_ends(self) -> None:
        options, choices = self._options, self._choices
        if options.dies:
            self._end_at(choices.draw("network.death", 1, _LATEST_END_US), self._die)
        if options.closes == _INTERNAL_ERROR:
            when_us = choices.draw("network.close", 1, _LATEST_END_US)
            self._end_at(when_us, lambda: self._end_at_server(_INTERNAL_ERROR, "It broke."))
        if options.half_open:
            when_us = choices.draw("network.half_open", 1, _LATEST_END_US)
            missed_us = when_us + choices.draw("network.half_open", _PING_US // 2, _PING_US)
            self._end_at(when_us, self._fall_silent)
            self._end_at(missed_us, self._die)

    def _end_at(self, when_us: int, end: Action) -> None:
        self._ends_due += 1

        def run() -> None:
            self._ends_due -= 1
            if not self._client.closed and not self._ended:
                end()

        self.world.at(when_us, run)

    def _hang_up(self) -> None:
        """The client closes: what it sent before still arrives, and the answer is the close."""
        self._ending = True
        now_us, options = self.world.now_us, self._options
        arrival_us = max(now_us + options.up.base_us, self._up.last_us)
        self._up.behind(self._server.close)
        self._down.close()
        if self._lost:
            # Nobody answers the close.
            self.world.after(_CLOSE_TIMEOUT_US, self._close_client)
        else:
            self.world.at(
                arrival_us + options.down.base_us, lambda: self._close_client(NORMAL_CLOSURE)
            )

    def _fall_silent(self) -> None:
        """One direction carries nothing any more, and neither side is told."""
        self._lost = True
        self._log.write("note", f"nothing gets {self._options.half_open} any more")
        (self._down if self._options.half_open == "down" else self._up).close()

    def _end_at_server(self, code: int | None = None, reason: str = "") -> None:
        """The server's side ends. What it has sent arrives, and behind it the end."""
        if self._client.closed:
            return
        self._lost = self._ending = True
        self._up.close()
        self._server.close()
        self._down.behind(lambda: self._close_client(code, reason))

    def _die(self) -> None:
        """The pipe ends without a word."""
        if self._client.closed:
            return
        self._lost = True
        for channel in self._channels:
            channel.close()
        self._server.close()
        self._close_client()

    def _close_client(self, code: int | None = None, reason: str = "") -> None:
        if not self._ended:
            self._ended = True
            self._client.give(inputs.PipeClosed(code, reason))


def _microphone_way(options: Options) -> LinkOptions:
    """The track's own way. Where turns are made by a button it is longer than that of what is said
    of the sound (clear, commit), or shorter."""
    if options.turns != "manual":
        return LinkOptions()
    skewed_us = options.up.base_us + options.microphone_skew_ms * US_PER_MS
    return LinkOptions(base_us=max(US_PER_MS, skewed_us))


def _bytes_of(message: tuple[int, object]) -> int:
    """About what the message has on the wire: sound in base64, everything else like everything
    else."""
    match message[1]:
        case events.ResponseOutputAudioDelta(delta=sound):
            return _ENVELOPE_BYTES + len(sound) * 4 // 3
        case events.InputAudioBufferAppend(audio=sound):
            return _ENVELOPE_BYTES + len(sound) * 4 // 3
        case _:
            return _EVENT_BYTES


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
        session=events.Session(
            audio=audio,
            tools=_declared(options) or UNSET,
            # Where little is told at once, the rest is for the items.
            instructions="Be brief." if options.context_tokens else UNSET,
        ),
        barge_in=options.barge_in,
        push_to_talk=options.turns == "manual",
        pre_roll_ms=options.pre_roll_ms,
        microphone_limit_ms=options.microphone_limit_ms,
        player_margin_samples=margin_of(options.card.accuracy),
        tools=options.own_tools,
        budget=options.budget,
        servers=options.servers,
    )


def _declared(options: Options) -> tuple[events.Tool, ...]:
    """What the service is told of the MCP servers that it may call."""
    return tuple(
        events.McpTool(
            server_label=rule.label,
            server_url="https://mcp.example.org",
            require_approval=_required(rule),
        )
        for rule in options.servers
    )


def _required(rule: ServerRule) -> str | events.McpApprovalFilter:
    if not rule.trusted:
        return "always" if rule.approval else "never"
    return events.McpApprovalFilter(never=events.McpToolFilter(tool_names=rule.trusted))


def capabilities(options: Options) -> Capabilities:
    """What the client is told of its server: the truth where it is declared."""
    if options.webrtc:
        return Capabilities(playback_owner="server")
    if not options.declared:
        return Capabilities()
    return Capabilities(
        truncate=options.obeys_truncate,
        delete=options.obeys_delete,
        cancel=options.obeys_cancel,
        acknowledges=options.acknowledges,
        lengths_grid_ms=options.lengths_grid_ms,
    )
