"""What a recorded session showed of its world: the options that its judging depends on.

1. What the client was told beforehand (settings, capabilities) is taken as told.
2. What it had to find out is known when the service or the player has shown it: a refusal shows
   the grid of lengths or what the service does not obey, a late answer a player that breaks its
   word, a second answer to one stop by how much the first was wrong.
3. Of several words the worst counts for the whole session: who judges less strictly accuses nobody
   wrongly.
"""

from __future__ import annotations

from collections.abc import Iterable

from bargein import events
from bargein.audio.base import Accuracy, Exact, Unknown, Within
from bargein.audio.card_settings import CardSettings
from bargein.capabilities import Capabilities
from bargein.core import commands, inputs
from bargein.core.faults import shorter
from bargein.core.inputs import Part
from bargein.core.settings import Settings
from bargein.sim.actors.media import MediaOptions
from bargein.sim.actors.service import REFUSED_CODE
from bargein.sim.options import WORD_US, Options, TurnKind
from bargein.trace.causes import Causes
from bargein.trace.retell import Step
from bargein.units import US_PER_S, AudioFormat, ms_floor, samples_floor

_ANSWERS_WITHIN_US = 2 * US_PER_S
"""A service that has not answered a truncate or delete by then does not."""


def options_of(steps: Iterable[Step], settings: Settings) -> Options:
    """The world, as far as the session showed it."""
    seen = _Seen(settings)
    for step in steps:
        seen.take(step)
    return seen.options()


class _Seen:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session = settings.session
        self._can = Capabilities()
        self._grid_ms = 1
        self._obeys: dict[str, bool] = {}
        self._margins: list[int | None] = [settings.player_margin_samples]
        self._last_us = 0
        self._causes = Causes()
        self._sent: dict[int, tuple[int, events.ClientEvent]] = {}
        self._count = 0
        self._stops_us: dict[str, int] = {}
        self._answers: dict[str, inputs.PlaybackStopped] = {}
        self._late_us = 0
        self._never = False
        self._off_samples = 0
        self._received: dict[tuple[str, int], int] = {}
        self._acknowledged = False
        self._blocked = False

    def take(self, step: Step) -> None:
        self._last_us = step.at_us
        match step.input:
            case inputs.PipeOpened(capabilities=can):
                self._can = can
                self._grid_ms = can.lengths_grid_ms
            case inputs.Received(event=event):
                self._received_event(event)
            case inputs.PlaybackStopped():
                self._stopped(step.input, step.at_us)
            case inputs.DeviceChanged(margin_samples=margin):
                self._margins.append(margin)
            case inputs.Blocked():
                self._blocked = True
            case inputs.PipeClosed():
                # Nobody is owed an answer any more.
                self._forgive(step.at_us)
            case _:
                pass
        for command in step.commands:
            self._done(command, step.at_us)

    def options(self) -> Options:
        self._forgive(self._last_us)
        detection = _detection(self._session)
        turns: TurnKind = "manual"
        if detection is not None:
            semantic = isinstance(detection, events.SemanticVad)
            turns = "semantic_vad" if semantic else "server_vad"
        return Options(
            turns=turns,
            interrupt_response=detection is not None and detection.interrupt_response is True,
            create_response=detection is not None and detection.create_response is True,
            barge_in=self._settings.barge_in,
            format=self._format,
            lengths_grid_ms=self._grid_ms,
            obeys_truncate=self._can.truncate and self._obeys.get("truncate", True),
            obeys_delete=self._can.delete and self._obeys.get("delete", True),
            obeys_cancel=self._can.cancel and self._obeys.get("cancel", True),
            acknowledges=self._acknowledges,
            declared=self._can != Capabilities(),
            interrupts=self._can.interrupts,
            blocks=self._blocked,
            card=self._card(),
            microphone_limit_ms=self._settings.microphone_limit_ms,
            own_tools=self._settings.tools,
            servers=self._settings.servers,
            media=MediaOptions() if self._can.playback_owner == "server" else None,
            pre_roll_ms=self._settings.pre_roll_ms,
        )

    @property
    def _format(self) -> AudioFormat:
        return format_of(self._session)

    @property
    def _acknowledges(self) -> bool:
        """Silent is who left a request unanswered and never answered one."""
        overdue = any(
            self._last_us - sent_us > _ANSWERS_WITHIN_US
            for sent_us, event in self._sent.values()
            if isinstance(event, events.ConversationItemTruncate | events.ConversationItemDelete)
        )
        return self._can.acknowledges and (self._acknowledged or not overdue)

    def _card(self) -> CardSettings:
        return CardSettings(
            accuracy=self._accuracy,
            answer_delay_us=None if self._never else self._late_us,
            first_error_samples=self._off_samples,
            correction_delay_us=1 if self._off_samples else None,
        )

    @property
    def _accuracy(self) -> Accuracy:
        known = [margin for margin in self._margins if margin is not None]
        if len(known) < len(self._margins):
            return Unknown()
        worst = max(known)
        return Within(worst) if worst else Exact()

    def _received_event(self, event: object) -> None:
        cause = self._causes.taken(event)
        sent = self._sent.pop(cause, None) if cause is not None else None
        match event:
            case events.SessionCreated(session=session) | events.SessionUpdated(session=session):
                if isinstance(session, events.Session):
                    self._session = session
            case events.ResponseOutputAudioDelta(delta=delta):
                place = (event.item_id, event.content_index)
                count = self._format.samples(len(delta))
                self._received[place] = self._received.get(place, 0) + count
            case events.ConversationItemTruncated(audio_end_ms=kept_ms):
                self._acknowledged = True
                place = (event.item_id, event.content_index)
                self._received[place] = samples_floor(kept_ms, self._format.rate)
            case events.ConversationItemDeleted():
                self._acknowledged = True
            case events.Error(error=body) if sent is not None:
                self._acknowledged = True
                self._refused(sent[1], body)
            case _:
                pass

    def _refused(self, sent: events.ClientEvent, body: events.ErrorBody) -> None:
        if body.code == REFUSED_CODE:
            self._obeys[events.type_of(sent).rpartition(".")[2]] = False
        numbers = shorter(body.message)
        if numbers is not None and isinstance(sent, events.ConversationItemTruncate):
            received = self._received.get((sent.item_id, sent.content_index), 0)
            missing_ms = ms_floor(received, self._format.rate) - numbers.has_ms
            # It must have what arrived; what it lacks of that is rounding.
            if numbers.asked_ms - numbers.has_ms <= missing_ms:
                self._grid_ms = max(self._grid_ms, missing_ms + 1)

    def _stopped(self, answer: inputs.PlaybackStopped, now_us: int) -> None:
        self._margins.append(answer.margin_samples)
        first = self._answers.setdefault(answer.cut_id, answer)
        since_us = self._stops_us.pop(answer.cut_id, None)
        if since_us is not None:
            self._late_us = max(self._late_us, now_us - since_us)
        before = _counts(first)
        for part, samples in _counts(answer).items():
            self._off_samples = max(self._off_samples, abs(samples - before.get(part, samples)))

    def _forgive(self, now_us: int) -> None:
        self._never |= any(now_us - since_us >= WORD_US for since_us in self._stops_us.values())
        self._stops_us.clear()

    def _done(self, command: commands.Command, now_us: int) -> None:
        match command:
            case commands.StopPlayback(cut_id=cut_id):
                self._stops_us[cut_id] = now_us
            case commands.Send(event=event):
                self._sent[self._count] = (now_us, event)
                self._causes.sent(self._count, event)
                self._count += 1
            case commands.SendAudio():
                self._count += 1
            case _:
                pass


def format_of(session: object) -> AudioFormat:
    """The format of what is spoken; PCM where nothing says otherwise."""
    audio = getattr(session, "audio", None)
    output = getattr(audio, "output", None)
    name = getattr(getattr(output, "format", None), "type", None)
    try:
        return AudioFormat(name)
    except ValueError:
        return AudioFormat.PCM


def _detection(session: object) -> events.ServerVad | events.SemanticVad | None:
    heard = getattr(getattr(session, "audio", None), "input", None)
    found = getattr(heard, "turn_detection", None)
    return found if isinstance(found, events.ServerVad | events.SemanticVad) else None


def _counts(answer: inputs.PlaybackStopped) -> dict[Part, int]:
    return {count.part: count.samples for count in answer.heard}
