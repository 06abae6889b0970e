"""Keeps the facts up: one handler for each kind of entry that tells something."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from bargein import events
from bargein.audio.card_settings import margin_of
from bargein.core import asks, commands, inputs, notices
from bargein.core.inputs import Heard, Part
from bargein.core.notices import Asker
from bargein.sim.history import Entry
from bargein.sim.invariants.base import Watched
from bargein.sim.invariants.blame import blame
from bargein.sim.invariants.facts import (
    NEVER,
    Editing,
    Facts,
    ItemDone,
    Refused,
    Reply,
    Sent,
    Spoken,
    Stop,
)

_SENT = tuple(
    kind for kind in get_args(events.ClientEvent) if kind is not events.InputAudioBufferAppend
)
_SETTLING = events.ConversationItemTruncate, events.ConversationItemDelete, events.ResponseCancel


class Reader:
    """Sees every entry before the invariants do."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        facts.player_knows = margin_of(facts.options.card.accuracy) is not None
        self._sound_format = facts.options.format
        self._interrupts = self._creates = self._is_spent = False
        self._committed: tuple[int, int] | None = None
        self._stopped: int | None = None
        self._commit_places: dict[int, int] = {}

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        """What tells something."""
        yield from (("client_sent", kind, cls._sent) for kind in _SENT)
        yield from (
            ("server_sent", events.ResponseOutputAudioDelta, cls._made),
            ("server_sent", events.ResponseCreated, cls._created),
            ("server_sent", events.ResponseDone, cls._done),
            ("server_sent", events.ResponseOutputItemAdded, cls._item_added),
            ("server_sent", events.ResponseOutputItemDone, cls._item_done),
            ("server_sent", events.InputAudioBufferSpeechStarted, cls._speech_started),
            ("server_sent", events.InputAudioBufferSpeechStopped, cls._speech_stopped),
            ("server_sent", events.InputAudioBufferCommitted, cls._user_committed),
            ("server_sent", events.SessionCreated, cls._configured),
            ("server_sent", events.SessionUpdated, cls._configured),
            ("server_sent", events.Error, cls._error),
            ("client_got", events.ResponseOutputAudioDelta, cls._received),
            ("client_got", events.ResponseCreated, cls._got_created),
            ("client_got", events.ResponseDone, cls._got_done),
            ("client_got", events.ResponseOutputTextDelta, cls._text),
            ("client_got", events.ResponseOutputTextDone, cls._text),
            ("client_got", events.InputAudioBufferSpeechStarted, cls._got_speech),
            ("client_got", events.InputAudioBufferCommitted, cls._got_commit),
            ("input", inputs.Rendered, cls._reported),
            ("input", inputs.PlaybackHeld, cls._reported),
            ("input", inputs.PlaybackStopped, cls._playback_stopped),
            ("input", inputs.DeviceChanged, cls._device_changed),
            ("input", inputs.Blocked, cls._blocked),
            ("input", inputs.Drained, cls._drained),
            ("input", inputs.PipeClosed, cls._pipe_closed),
            ("ask", asks.Say, cls._say),
            ("ask", asks.Interrupt, cls._interrupt),
            ("ask", asks.Press, cls._press),
            ("ask", asks.Leave, cls._leave),
            ("ask", asks.SendEvent, cls._sends),
            ("input", inputs.Asked, cls._asked),
            ("command", commands.Answer, cls._answered),
            ("client_got", events.ConversationItemAdded, cls._added),
            ("command", commands.Play, cls._play),
            ("command", commands.FinishPlay, cls._finish),
            ("command", commands.StopPlayback, cls._stop),
            ("command", commands.Close, cls._close),
            ("notice", notices.Interruption, cls._interruption),
            ("notice", notices.Transcript, cls._transcript),
            ("notice", notices.BudgetSpent, cls._budget_spent),
            ("broken", str, cls._broken),
        )

    # -- what the server sends ---------------------------------------------------------------

    def _made(self, entry: Entry, event: events.ResponseOutputAudioDelta) -> None:
        part = part_of(event)
        spoken = self.facts.parts.get(part)
        if spoken is None:
            self.facts.met["parts"] += 1
            self.facts.owners[part.item_id] = part.response_id
            reply = self.facts.replies.get(event.response_id)
            spoken = Spoken(part, in_band=reply is None or reply.in_band)
            self.facts.parts[part] = spoken
        spoken.made += self._sound_format.samples(len(event.delta))

    def _created(self, entry: Entry, event: events.ResponseCreated) -> None:
        facts = self.facts
        facts.met["responses"] += 1
        in_band = event.response.conversation_id is not None
        reply = Reply(event.response.id, in_band, created=entry.number)
        asked = facts.sent.get(entry.cause)
        if asked is not None and isinstance(asked.event, events.ResponseCreate):
            reply.asked = asked
            reply.asked_place = asked.place
        elif self._committed is not None and self._committed[1] == entry.cause:
            reply.committed = self._committed[0]
            reply.stopped = self._stopped
            reply.asked_place = self._commit_places.get(reply.committed, NEVER)
        facts.replies[reply.id] = reply

    def _done(self, entry: Entry, event: events.ResponseDone) -> None:
        self.facts.replies[event.response.id].done = entry.number

    def _item_added(self, entry: Entry, event: events.ResponseOutputItemAdded) -> None:
        if isinstance(event.item.id, str):
            self.facts.owners[event.item.id] = event.response_id

    def _item_done(self, entry: Entry, event: events.ResponseOutputItemDone) -> None:
        item = event.item
        if isinstance(item.id, str):
            status = getattr(item, "status", None)
            self.facts.items_done[item.id] = ItemDone(entry.number, status)
            if isinstance(item, events.McpCallItem) and isinstance(item.approval_request_id, str):
                self.facts.approved_items[item.approval_request_id] = item.id

    def _speech_started(self, entry: Entry, event: object) -> None:
        if not self._interrupts:
            return
        for reply in self.facts.replies.values():
            if reply.in_band and reply.done == NEVER and reply.vad_closed == NEVER:
                reply.vad_closed = entry.number

    def _speech_stopped(self, entry: Entry, event: object) -> None:
        self._stopped = entry.number

    def _user_committed(self, entry: Entry, event: object) -> None:
        asked = self.facts.sent.get(entry.cause)
        if asked is None or not isinstance(asked.event, events.InputAudioBufferCommit):
            self._committed = (entry.number, entry.cause)
            self.facts.commits.append((entry.number, self.facts.place))

    def _configured(
        self, entry: Entry, event: events.SessionCreated | events.SessionUpdated
    ) -> None:
        detection = _detection(event.session)
        told_to = bool(detection and detection.interrupt_response is True)
        kind = self.facts.options.interrupts
        self._interrupts = told_to if kind == "as_told" else bool(detection) and kind == "always"
        self._creates = bool(detection and detection.create_response is True)
        self.facts.updates.append((entry.number, self._interrupts, self._creates))

    def _error(self, entry: Entry, event: events.Error) -> None:
        refused = Refused(event, entry.number, self.facts.sent.get(entry.cause))
        refused.blame = blame(self.facts, refused)
        self.facts.refused.append(refused)
        self.facts.met[f"refusals: {refused.blame}"] += 1

    # -- what the client gets ----------------------------------------------------------------

    def _received(self, entry: Entry, event: events.ResponseOutputAudioDelta) -> None:
        spoken = self.facts.parts[part_of(event)]
        spoken.received += self._sound_format.samples(len(event.delta))
        if spoken.first_place == NEVER:
            spoken.first_place = self.facts.place

    def _got_created(self, entry: Entry, event: events.ResponseCreated) -> None:
        self.facts.replies[event.response.id].created_place = self.facts.place

    def _got_done(self, entry: Entry, event: events.ResponseDone) -> None:
        self.facts.replies[event.response.id].done_place = self.facts.place

    def _text(
        self, entry: Entry, event: events.ResponseOutputTextDelta | events.ResponseOutputTextDone
    ) -> None:
        self.facts.text_parts.add((event.item_id, event.content_index))

    def _got_speech(self, entry: Entry, event: object) -> None:
        if self.facts.options.barge_in == "cut":
            self._cut("speech")

    def _got_commit(self, entry: Entry, event: object) -> None:
        place = self._commit_places[entry.number] = self.facts.place
        for reply in reversed(self.facts.replies.values()):
            # The server may have answered before the client learned of the turn.
            if reply.committed is not None and reply.committed < entry.number:
                break
            if reply.committed == entry.number:
                reply.asked_place = place

    # -- what else happens to the client, and what it does -------------------------------------

    def _reported(self, entry: Entry, report: inputs.Rendered | inputs.PlaybackHeld) -> None:
        self._heard(report.heard, may_fall=False)

    def _playback_stopped(self, entry: Entry, report: inputs.PlaybackStopped) -> None:
        stop = self.facts.stops.get(report.cut_id)
        if stop is not None:
            stop.answers += 1
            stop.answered_place = min(stop.answered_place, self.facts.place)
        self._heard(report.heard, may_fall=True)

    def _heard(self, counts: tuple[Heard, ...], *, may_fall: bool) -> None:
        parts = self.facts.parts
        for count in counts:
            spoken = parts.get(count.part)
            if spoken is not None and (may_fall or count.samples > spoken.reported):
                spoken.reported = count.samples

    def _device_changed(self, entry: Entry, changed: inputs.DeviceChanged) -> None:
        self.facts.player_knows = changed.margin_samples is not None

    def _blocked(self, entry: Entry, event: object) -> None:
        self.facts.blocked = True

    def _drained(self, entry: Entry, event: object) -> None:
        self.facts.blocked = False
        self.facts.blocked_place = self.facts.place

    def _pipe_closed(self, entry: Entry, event: object) -> None:
        self.facts.closed_place = min(self.facts.closed_place, self.facts.place)
        for stop in self.facts.stops.values():
            # Nobody is told of its answer any more.
            stop.waited = False

    def _close(self, entry: Entry, command: commands.Close) -> None:
        self.facts.closed_place = min(self.facts.closed_place, self.facts.place)

    def _say(self, entry: Entry, say: asks.Say) -> None:
        if say.reply and not self._is_spent:
            self._cut("typed")

    def _interrupt(self, entry: Entry, ask: asks.Interrupt) -> None:
        self._cut("interrupt")

    def _leave(self, entry: Entry, ask: asks.Leave) -> None:
        self._cut("leave")

    def _press(self, entry: Entry, press: asks.Press) -> None:
        if not self._is_spent:
            self._cut("push_to_talk")

    def _budget_spent(self, entry: Entry, notice: notices.BudgetSpent) -> None:
        # Whoever wants a reply now is refused, and cuts nothing.
        self._is_spent = True

    def _cut(self, asker: Asker) -> None:
        self.facts.cuts.append(self.facts.place)
        self.facts.cut_askers.append((self.facts.place, asker))

    def _sends(self, entry: Entry, ask: asks.SendEvent) -> None:
        if isinstance(ask.event, events.ConversationItemTruncate | events.ConversationItemDelete):
            self.facts.foreign.add(ask.event.item_id)
        elif isinstance(ask.event, events.ConversationItemCreate):
            item = ask.event.item
            if isinstance(item.id, str):
                self.facts.placed.add(item.id)
            if isinstance(item, events.FunctionCallOutputItem):
                self.facts.answering.add(item.call_id)

    def _asked(self, entry: Entry, asked: inputs.Asked) -> None:
        ask = asked.ask
        if isinstance(ask, asks.Edit):
            wished = [str(i.id) for i in ask.wish if isinstance(i, events.ItemReference)]
            self.facts.edits[asked.ask_id] = Editing(
                asked.ask_id,
                tuple(wished),
                frozenset(ask.delete),
                frozenset(ask.seen or ()),
                self.facts.place,
            )

    def _answered(self, entry: Entry, answer: commands.Answer) -> None:
        self.facts.edits.pop(answer.ask_id, None)

    def _added(self, entry: Entry, event: events.ConversationItemAdded) -> None:
        call_id = getattr(event.item, "call_id", None)
        if isinstance(call_id, str):
            self.facts.call_of[str(event.item.id)] = call_id

    def _sent(self, entry: Entry, event: events.ClientEvent) -> None:
        facts = self.facts
        sent = Sent(facts.place, entry.number, event, facts.seen, entry.time_us)
        facts.sent[entry.number] = sent
        if not isinstance(event, _SETTLING):
            return
        facts.met[events.type_of(event)] += 1
        if isinstance(event, events.ResponseCancel):
            response_id = str(event.response_id)
            reply = facts.replies.get(response_id)
            if reply is not None and reply.cancel_place == NEVER:
                reply.cancel_place, reply.cancel_us = sent.place, sent.time_us
        elif event.item_id in facts.foreign or self._of_edit(event):
            return
        else:
            response_id = facts.owners.get(event.item_id, "")
        facts.settling.append((response_id, events.type_of(event)))

    def _of_edit(
        self, event: events.ConversationItemTruncate | events.ConversationItemDelete
    ) -> bool:
        """The edit that may be under way deletes it."""
        facts, item_id = self.facts, event.item_id
        edit = next(iter(facts.edits.values()), None)
        if edit is None or not isinstance(event, events.ConversationItemDelete):
            return False
        if not edit.may_delete(item_id, spoken=bool(facts.spoken_of(item_id))):
            return False
        facts.foreign.add(item_id)
        if item_id in facts.call_of:
            facts.edited_calls.add(facts.call_of[item_id])
        return True

    def _play(self, entry: Entry, command: commands.Play) -> None:
        spoken = self.facts.parts.get(command.part)
        if spoken is not None:
            spoken.given += command.format.samples(len(command.audio))
            spoken.given_place = self.facts.place
            if spoken.begun_place < 0:
                spoken.begun_place = self.facts.place

    def _finish(self, entry: Entry, command: commands.FinishPlay) -> None:
        spoken = self.facts.parts.get(command.part)
        if spoken is not None:
            spoken.finished = True

    def _stop(self, entry: Entry, command: commands.StopPlayback) -> None:
        facts = self.facts
        if command.cut_id not in facts.stops:
            facts.stops[command.cut_id] = Stop(
                command.cut_id,
                facts.place,
                facts.batch_place,
                facts.time_us,
                waited=facts.player_knows,
            )

    def _interruption(self, entry: Entry, told: notices.Interruption) -> None:
        self.facts.met["cuts"] += 1
        for asker in told.askers:
            self.facts.met[f"cut by {asker}"] += 1

    def _transcript(self, entry: Entry, told: notices.Transcript) -> None:
        if told.text and (told.item_id, told.content_index) in self.facts.text_parts:
            self.facts.shown.add(told.item_id)

    def _broken(self, entry: Entry, what: str) -> None:
        self.facts.broken = True


def part_of(event: events.ResponseOutputAudioDelta) -> Part:
    """What the sound belongs to."""
    return Part(event.response_id, event.item_id, event.content_index)


def _detection(session: object) -> events.ServerVad | events.SemanticVad | None:
    if not isinstance(session, events.Session) or not isinstance(session.audio, events.AudioConfig):
        return None
    heard = session.audio.input
    if not isinstance(heard, events.AudioInputConfig):
        return None
    detection = heard.turn_detection
    if isinstance(detection, events.ServerVad | events.SemanticVad):
        return detection
    return None
