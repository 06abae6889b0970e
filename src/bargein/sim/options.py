"""What one episode's world is like, drawn once at its start.

1. Whole features are off in most episodes, so that each is met alone as well as with others (a
   swarm). The defaults are the plainest world. `features.py` has their names.
2. An episode prints its options, so a seed that fails is a readable report.
3. Each option has a stream of its own, so that a new one does not change the tapes that exist. A
   value may stand in a list more than once, behind all others: what costs many times the mean of an
   episode (progress with every block, small blocks, small chunks, many acts) is drawn seldom.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar

from bargein.audio.base import Accuracy, Exact, Unknown, Within
from bargein.audio.card_settings import CardSettings, margin_of
from bargein.capabilities import Interrupts
from bargein.core.budget import Budget
from bargein.core.settings import BargeIn, ServerRule, ToolRule
from bargein.sim.actors.media import MediaOptions
from bargein.sim.actors.network import LinkOptions
from bargein.sim.choices import Choices
from bargein.sim.features import FEATURES, UNUSUAL, draws_of, features_of
from bargein.units import US_PER_MS, US_PER_S, AudioFormat

__all__ = ["FEATURES", "CardChange", "Options", "draw_options", "features_of"]

T = TypeVar("T")

TurnKind: TypeAlias = Literal["server_vad", "semantic_vad", "manual"]
Direction: TypeAlias = Literal["", "down", "up"]

MICROPHONE_LIMIT_MS = 10_000
"""As the client has it by default: no socket blocks as long."""
_REPORT_MS = (100, 100, 250, 0, 100, 250, 100, 250)
"""How often a player tells its progress: as browsers and bridges do, or with each block."""
_BLOCKS = (480, 240, 441, 960, 1_024, 2_048, 960, 1_024, 480)

WORD_US = 200 * US_PER_MS
"""Within this a player answers a stop; one that does not is no longer believed
(docs/interruption.md)."""


@dataclass(frozen=True, slots=True)
class CardChange:
    """At that time the device is gone, and another one is opened in its place."""

    at_us: int
    settings: CardSettings


@dataclass(frozen=True, slots=True)
class Options:
    """The world of one episode.

    `declared` says whether the client was told of what its server does differently (`obeys_…`,
    `acknowledges`, `lengths_grid_ms`) or has to find out. `half_open` names the direction that
    falls silent; `closes` is the code of the close frame (1001: the session's time is up; 1011: the
    server broke; 0: none); `moderates`: the server may end a reply by itself; `echoes` is how often
    the microphone may hear the assistant; `edits`: the application edits the conversation;
    `own_tools` answer the model's calls, where the application does not; the service calls the
    tools of `servers`.
    """

    turns: TurnKind = "server_vad"
    interrupt_response: bool = True
    create_response: bool = True
    silence_ms: int = 200
    barge_in: BargeIn = "cut"
    format: AudioFormat = AudioFormat.PCM
    lengths_grid_ms: int = 1
    obeys_truncate: bool = True
    obeys_delete: bool = True
    obeys_cancel: bool = True
    acknowledges: bool = True
    moderates: bool = False
    declared: bool = False
    interrupts: Interrupts = "as_told"
    """Of a recorded session: what its server was said to do at `speech_started`."""
    down: LinkOptions = field(default_factory=LinkOptions)
    up: LinkOptions = field(default_factory=LinkOptions)
    media: MediaOptions | None = None
    """The call's own channel for sound; None: the session is one over WebSocket."""
    blocks: bool = False
    dies: bool = False
    half_open: Direction = ""
    closes: int = 0
    card: CardSettings = field(
        default_factory=lambda: CardSettings(
            latency_us=0, report_every_us=_REPORT_MS[0] * US_PER_MS
        )
    )
    card_changes: CardChange | None = None
    chunk_ms: int = 100
    microphone_limit_ms: int = MICROPHONE_LIMIT_MS
    microphone_skew_ms: int = 0
    """In a call whose turns are made by a button, how much later than the events the microphone's
    sound comes, or earlier."""
    pre_roll_ms: int = 0
    tools: bool = False
    own_tools: tuple[ToolRule, ...] | None = None
    servers: tuple[ServerRule, ...] = ()
    mixed_parts: bool = False
    echoes: int = 0
    budget: Budget | None = None
    edits: bool = False
    context_tokens: int = 0
    """How much the model is told at once, where that is little; 0: all of it."""
    acts: int = 2

    @property
    def webrtc(self) -> bool:
        """Whether the service owns playback."""
        return self.media is not None

    @property
    def exact(self) -> bool:
        """Whether the player's first word is the truth, given in time."""
        return (
            self.margin_samples == 0
            and not self.first_word_off_samples
            and not self.card_breaks_its_word
        )

    @property
    def cards(self) -> tuple[CardSettings, ...]:
        """The player's devices, in their order."""
        change = self.card_changes
        return (self.card,) if change is None else (self.card, change.settings)

    @property
    def first_word_off_samples(self) -> int:
        """How much better the player's last word on a stop may be than its first, at the sound's
        rate: by the error of its card, and by what a lost card held and never played."""
        off = max(abs(card.first_error_samples) for card in self.cards)
        if self.card_changes is None:
            return off
        held_us = self.card.latency_us + self.card.block * US_PER_S // self.card.rate
        return off + self.format.rate * held_us // US_PER_S + 1

    @property
    def drops_sound(self) -> bool:
        """Whether the microphone's sound is thrown away where the socket takes nothing."""
        return self.blocks and self.microphone_limit_ms < MICROPHONE_LIMIT_MS

    @property
    def card_breaks_its_word(self) -> bool:
        """Whether the player answers a stop too late, or never."""
        delays = [card.answer_delay_us for card in self.cards]
        return any(delay_us is None or delay_us >= WORD_US for delay_us in delays)

    @property
    def margin_samples(self) -> int | None:
        """How far the player's last word may be off, at the sound's rate; None where it cannot be
        told."""
        if self.card_breaks_its_word:
            return None
        margins = [margin_of(card.accuracy) for card in self.cards]
        return None if None in margins else max(margin or 0 for margin in margins)


class _Draw:
    """Draws options by name; with a feature asked for, those that switch features on are fixed."""

    def __init__(self, choices: Choices, only: str | None) -> None:
        self._choices = choices
        self._fixed = None if only is None else draws_of(only)

    def number(self, name: str, low: int, high: int) -> int:
        """The low end is the plainest."""
        stream = f"options.{name}"
        if self._fixed is None or name not in UNUSUAL:
            return self._choices.draw(stream, low, high)
        offset = self._choices.pick(stream, self._fixed.get(name, (0,)))
        # The tape is to say what the option is, not which of the allowed ones was picked.
        self._choices.tape[stream][-1] = offset
        return low + offset

    def pick(self, name: str, *values: T) -> T:
        """The first is the plainest."""
        return values[self.number(name, 0, len(values) - 1)]

    def rarely(self, name: str, one_in: int) -> bool:
        return self.number(name, 0, one_in - 1) == one_in - 1


def draw_options(choices: Choices, only: str | None = None) -> Options:
    """The world of this episode; with `only`, the one feature of that name is on.

    Raises `LocalValueError` for a name that is not in `FEATURES`.
    """
    draw = _Draw(choices, only)
    vad: TurnKind = "server_vad"
    turns = draw.pick("turns", vad, vad, vad, "manual", "semantic_vad")
    media = _draw_media(draw) if draw.rarely("webrtc", 12) else None
    interrupts = not draw.rarely("lets_interrupt", 3)
    client_may_decide = turns == "manual" or not interrupts
    keeps_talking = draw.rarely("keeps_talking", 4) and client_may_decide and media is None
    pcm = AudioFormat.PCM
    sound_format = draw.pick("format", pcm, pcm, pcm, AudioFormat.PCMU, AudioFormat.PCMA)
    if media is not None:
        # A track is Opus, and the machine is given its sound as it is decoded.
        sound_format = pcm
    vad_hears = turns != "manual"
    tools = draw.rarely("tools", 4)
    servers = _draw_servers(draw) if draw.rarely("hosted_tools", 8) else ()
    breaks: Direction = draw.pick("breaks_at", "down", "up") if draw.rarely("breaks", 50) else ""
    up = _draw_link(draw, "up", (250_000, 80_000), breaks=breaks == "up")
    is_held = media is not None and turns == "manual"
    return Options(
        turns=turns,
        interrupt_response=interrupts,
        create_response=not draw.rarely("lets_reply", 3),
        silence_ms=draw.pick("silence_ms", 200, 320, 500),
        barge_in="keep_talking" if keeps_talking else "cut",
        format=sound_format,
        lengths_grid_ms=50 if draw.rarely("coarse_lengths", 6) and media is None else 1,
        obeys_truncate=not draw.rarely("refuses_truncate", 40) or media is not None,
        obeys_delete=not draw.rarely("refuses_delete", 60) or media is not None,
        obeys_cancel=not draw.rarely("refuses_cancel", 60) or media is not None,
        acknowledges=not draw.rarely("silent", 40) or media is not None,
        moderates=draw.rarely("moderates", 30),
        declared=draw.rarely("declared", 2),
        down=_draw_link(draw, "down", (400_000, 150_000), breaks=breaks == "down"),
        up=up,
        media=media,
        microphone_skew_ms=_draw_skew(draw, "media.microphone_skew_ms") if is_held else 0,
        blocks=draw.rarely("blocks", 5),
        dies=draw.rarely("dies", 50),
        half_open=draw.pick("half_open_way", "down", "up") if draw.rarely("half_open", 50) else "",
        closes=draw.pick("close_code", 1001, 1011) if draw.rarely("closes", 50) else 0,
        card=_draw_card(draw, sound_format),
        card_changes=_draw_change(draw, sound_format) if draw.rarely("card_changes", 25) else None,
        chunk_ms=draw.pick("chunk_ms", 100, 60, 40, 20, 100, 60, 100),
        microphone_limit_ms=draw.pick(
            "microphone_limit_ms", MICROPHONE_LIMIT_MS, MICROPHONE_LIMIT_MS, 300
        ),
        pre_roll_ms=draw.pick("pre_roll_ms", 0, 0, 300)
        if turns == "manual" and media is None
        else 0,
        tools=tools,
        own_tools=_draw_tools(draw) if tools and draw.rarely("own_tools", 2) else None,
        servers=servers,
        mixed_parts=draw.rarely("mixed_parts", 5),
        echoes=draw.number("echo_count", 1, 3) if draw.rarely("echoes", 10) and vad_hears else 0,
        budget=_draw_budget(draw) if draw.rarely("budget", 25) else None,
        edits=draw.rarely("edits", 6),
        context_tokens=_draw_context(draw, tools=tools or bool(servers))
        if draw.rarely("forgets", 30)
        else 0,
        acts=draw.pick("acts", 2, 3, 4, 5, 2, 3),
    )


def _draw_tools(draw: _Draw) -> tuple[ToolRule, ...]:
    """The model calls "weather"; where the tool has another name, there is none of that name."""
    return (
        ToolRule(
            name=draw.pick("tool.name", "weather", "weather", "weather", "weather", "news"),
            at_barge_in=draw.pick("tool.at_barge_in", "finish", "cancel", "background"),
            timeout_ms=draw.pick("tool.timeout_ms", 3_000, 6_000, 500),
            approval=draw.rarely("tool.approval", 4),
        ),
    )


def _draw_context(draw: _Draw, *, tools: bool) -> int:
    """Room for the longest turn, and for what is always told."""
    return draw.number("context_tokens", 40, 70) + (200 if tools else 0)


def _draw_budget(draw: _Draw) -> Budget:
    """One that is used up soon, in most conversations."""
    kind = draw.pick(
        "budget.kind", "tokens", "output_tokens", "spoken_s", "listened_s", "session_s"
    )
    tokens = draw.pick("budget.tokens", 100, 30, 300)
    seconds = float(draw.number("budget.seconds", 1, 8))
    return Budget(
        tokens=tokens if kind == "tokens" else None,
        output_tokens=tokens if kind == "output_tokens" else None,
        spoken_s=seconds if kind == "spoken_s" else None,
        listened_s=seconds if kind == "listened_s" else None,
        session_s=seconds if kind == "session_s" else None,
        running_reply=draw.pick("budget.running_reply", "finish", "cut"),
        finish_s=draw.pick("budget.finish_s", 60.0, 1.0),
    )


def _draw_servers(draw: _Draw) -> tuple[ServerRule, ...]:
    """One MCP server, whose tool is asked about, trusted, or never asked about."""
    consent = draw.pick("hosted.consent", "asked", "asked", "asked", "trusted", "unasked")
    trusted = ("search",) if consent == "trusted" else ()
    return (ServerRule(label="files", approval=consent != "unasked", trusted=trusted),)


def _draw_link(draw: _Draw, name: str, rates: tuple[int, int], *, breaks: bool) -> LinkOptions:
    most_ms = draw.pick(f"{name}.most_ms", 30, 120, 300)
    is_slow = draw.rarely(f"{name}.slow", 10)
    # A request has some hundred bytes, a second of sound 64,000.
    about = draw.pick(f"{name}.breaks_about", 3_000, 30_000, 100_000, 300_000) if breaks else 0
    return LinkOptions(
        base_us=draw.number(f"{name}.base_ms", 1, most_ms) * US_PER_MS,
        jitter_us=draw.pick(f"{name}.jitter_ms", 0, 5, 50, 200) * US_PER_MS,
        stall_one_in=draw.pick(f"{name}.stall_one_in", 0, 0, 100, 30),
        bytes_per_s=draw.pick(f"{name}.rate", *rates) if is_slow else 0,
        breaks_at_byte=draw.number(f"{name}.breaks_at", 1, about) if breaks else 0,
    )


def _draw_skew(draw: _Draw, name: str) -> int:
    """Plain is no skew; then the media comes later and later, then earlier and earlier."""
    skew_ms = draw.number(name, 0, 600)
    return skew_ms if skew_ms <= 300 else 300 - skew_ms


def _draw_media(draw: _Draw) -> MediaOptions:
    return MediaOptions(
        skew_ms=_draw_skew(draw, "media.skew_ms"),
        jitter_ms=draw.pick("media.jitter_ms", 0, 5, 20, 60),
        burst_one_in=draw.pick("media.burst_one_in", 0, 0, 100, 40),
        reorder_one_in=draw.pick("media.reorder_one_in", 0, 0, 10),
        drift_ppm=draw.pick("media.drift_ppm", 0, 0, 100, -100),
    )


def _draw_card(draw: _Draw, sound_format: AudioFormat) -> CardSettings:
    rate = sound_format.rate
    if draw.rarely("card.other_rate", 12):
        rate = 24_000 if rate == 8_000 else 48_000
    delay_ms: int | None = 0
    if draw.rarely("card.late", 4):
        delay_ms = draw.number("card.delay_ms", 1, 150)
    if draw.rarely("card.breaks_its_word", 50):
        delay_ms = draw.pick("card.broken_ms", 400, 1_000, None)
    accuracy: Accuracy = Exact()
    error = 0
    if draw.rarely("card.within", 15):
        accuracy = Within(draw.number("card.margin", 1, 480))
        error = draw.number("card.error", 0, 2 * accuracy.samples) - accuracy.samples
    elif draw.rarely("card.unknown", 30):
        accuracy = Unknown()
    correction_us: int | None = None
    first_error = 0
    if draw.rarely("card.corrects", 20):
        correction_us = draw.number("card.correction_ms", 1, 500) * US_PER_MS
        first_error = draw.number("card.first_error", 0, 1_920) - 960
    return CardSettings(
        rate=rate,
        block=draw.pick("card.block", *_BLOCKS),
        latency_us=draw.number("card.latency_ms", 0, 250) * US_PER_MS,
        on_stop="discard" if draw.rarely("card.discards", 2) else "drain",
        fade_us=draw.pick("card.fade_us", 5_000, 0),
        accuracy=accuracy,
        error_samples=error,
        answer_delay_us=None if delay_ms is None else delay_ms * US_PER_MS,
        correction_delay_us=correction_us,
        first_error_samples=first_error,
        rate_error_ppm=draw.pick("card.rate_error_ppm", 0, 0, 0, 300, -300),
        miss_every=draw.pick("card.miss_every", 0, 0, 0, 0, 0, 37),
        report_every_us=draw.pick("card.report_ms", *_REPORT_MS) * US_PER_MS,
    )


def _draw_change(draw: _Draw, sound_format: AudioFormat) -> CardChange:
    """Headphones for loudspeakers: nearly everything is another one."""
    rate = sound_format.rate
    other_rate = 24_000 if rate == 8_000 else 48_000
    accuracy: Accuracy = Exact()
    error = 0
    if draw.rarely("other_card.within", 4):
        accuracy = Within(draw.number("other_card.margin", 1, 480))
        error = draw.number("other_card.error", 0, 2 * accuracy.samples) - accuracy.samples
    elif draw.rarely("other_card.unknown", 10):
        accuracy = Unknown()
    settings = CardSettings(
        rate=draw.pick("other_card.rate", rate, other_rate),
        block=draw.pick("other_card.block", *_BLOCKS),
        latency_us=draw.number("other_card.latency_ms", 0, 250) * US_PER_MS,
        on_stop=draw.pick("other_card.on_stop", "drain", "discard"),
        accuracy=accuracy,
        error_samples=error,
        answer_delay_us=draw.pick("other_card.delay_ms", 0, 0, 60, 150) * US_PER_MS,
        report_every_us=draw.pick("other_card.report_ms", *_REPORT_MS) * US_PER_MS,
    )
    return CardChange(draw.number("card_changes.at_ms", 1, 12_000) * US_PER_MS, settings)
