"""The invariant of proof: each interruption is one record, told twice, and it tells the truth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from bargein import events
from bargein.core import inputs, notices
from bargein.core.inputs import Part
from bargein.core.notices import PartRecord
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.sim.invariants.facts import Stop
from bargein.sim.invariants.sound import kept_of, part_name
from bargein.units import US_PER_MS, US_PER_S, AudioFormat, ms_floor

_PADDING_US = 350 * US_PER_MS
"""The service's prefix padding, which it cannot take off where less than that came before, and a
frame of its detector."""
_CANCEL = events.type_of(events.ResponseCancel())
_CLEAR = events.type_of(events.OutputAudioBufferClear())
_Record: TypeAlias = notices.Interruption | notices.InterruptionSettled


class TheRecordIsTrue(Invariant):
    """Excused: a player that cannot tell, or that breaks its word; the first word of a player that
    corrects itself, by its error; the list of what was sent, where the pipe ended before it left,
    or where the cut concerns a response out of band. Of a call, what was heard and kept (W4), and
    when the buffer was cleared (W3).
    """

    name = "P6"
    sentence = "An interruption is told once, then settled, and its records say what happened."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._told: set[str] = set()
        self._settled: dict[str, int] = {}
        self._of_records: set[str] = set()
        self._cancelled: list[str] = []
        self._voices: list[tuple[int, int]] = []
        # What waits for the socket is dated when it leaves.
        pcm = self.options.format is AudioFormat.PCM
        self._listens = pcm and scene.witness is not None and not self.options.blocks

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("input", inputs.Captured, cls._capture),
            ("client_got", events.ResponseDone, cls._done),
            ("notice", notices.Interruption, cls._interruption),
            ("notice", notices.InterruptionSettled, cls._settlement),
        )

    def _interruption(self, entry: Entry, told: notices.Interruption) -> None:
        facts = self.facts
        if told.cut_id in self._told:
            self.fail(f"{told.cut_id} is told twice")
        self._told.add(told.cut_id)
        self._of_records.update(told.response_ids)
        stop = facts.stops.get(told.cut_id)
        self._askers(told, stop)
        self._sums(told)
        if told.margin_samples is not None:
            self._heard(told, stop, told.margin_samples)
        if told.speech_to_silence_us is not None:
            self._speech(told.cut_id, told.speech_to_silence_us)
        self._latency(told.cut_id, stop, told.stop_latency_us)

    def _settlement(self, entry: Entry, settled: notices.InterruptionSettled) -> None:
        cut_id = settled.cut_id
        stop = self.facts.stops.get(cut_id)
        if cut_id not in self._told:
            self.fail(f"{cut_id} is settled and was never told")
        answers = stop.answers if stop is not None else 0
        if self._settled.get(cut_id) == answers:
            self.fail(f"{cut_id} is settled twice, and the player said nothing in between")
        self._settled[cut_id] = answers
        self._of_records.update(settled.response_ids)
        self._latency(cut_id, stop, settled.settle_latency_us)
        self._sums(settled)
        self._commands(settled)
        self._answered(settled)
        if settled.exactness in ("exact", "within"):
            margin = self.options.margin_samples
            if margin is not None:
                self._heard(settled, stop, margin)
            self._kept(settled)

    def finish(self, final: Final) -> None:
        if final.lost or final.left or self.facts.broken:
            return
        for response_id, kind in self.facts.settling:
            # What was cancelled before anything of it was played was no interruption.
            known = response_id in self._of_records or response_id not in self.facts.replies
            if kind != _CANCEL and not known:
                self.fail(f"{response_id} was cut by {kind}, and no record tells of it")
        for spoken in self.facts.parts.values():
            part = spoken.part
            done = self.facts.items_done.get(part.item_id)
            whole = done is not None and done.status == "completed"
            if spoken.given and part.response_id in self._cancelled and not whole:
                if part.response_id not in self._of_records:
                    self.fail(f"{part_name(part)} was cut short, and no record tells of it")

    def _done(self, entry: Entry, event: events.ResponseDone) -> None:
        response = event.response
        if response.status == "cancelled" and response.conversation_id is not None:
            self._cancelled.append(response.id)

    def _latency(self, cut_id: str, stop: Stop | None, latency_us: int) -> None:
        if latency_us < 0:
            self.fail(f"{cut_id}: a latency of {latency_us} us")
        elif stop is not None and latency_us != self.facts.time_us - stop.time_us:
            took_us = self.facts.time_us - stop.time_us
            self.fail(f"{cut_id}: a latency of {latency_us} us, and it took {took_us} us")

    def _capture(self, entry: Entry, captured: inputs.Captured) -> None:
        """Where the microphone of this world is loud (`actors/microphone.py`)."""
        audio, width = captured.audio, self.options.format.bytes_per_sample
        if not self._listens or audio[:width] == bytes(width):
            return
        lasts_us = len(audio) // width * US_PER_S // self.options.format.rate
        began_us = entry.time_us - lasts_us
        if self._voices and self._voices[-1][1] >= began_us:
            began_us = self._voices.pop()[0]
        self._voices.append((began_us, entry.time_us))

    def _speech(self, cut_id: str, took_us: int) -> None:
        captured_us = self.facts.time_us - took_us
        if took_us < 0:
            self.fail(f"{cut_id}: speech to silence took {took_us} us")
        elif self._listens and not any(
            began_us <= captured_us <= ended_us + _PADDING_US for began_us, ended_us in self._voices
        ):
            self.fail(f"{cut_id}: {took_us} us ago nobody spoke")

    def _askers(self, told: notices.Interruption, stop: Stop | None) -> None:
        """All who asked until the answer came are named (rule 15)."""
        if "speech" in told.askers and self.options.barge_in == "keep_talking":
            self.fail(f"{told.cut_id} is asked for by speech, which is to keep the reply talking")
        if not told.askers or len(set(told.askers)) != len(told.askers):
            self.fail(f"{told.cut_id} is asked for by {told.askers}")
        if stop is None:
            return
        # What was moot at the first answer is told at a correction, and nobody joined it since.
        until = min(self.facts.batch_place, stop.answered_place)
        for place, asker in self.facts.cut_askers:
            if stop.batch_place <= place < until and asker not in told.askers:
                self.fail(f"{told.cut_id} was asked for by {asker}, too, and does not say so")

    def _sums(self, record: _Record) -> None:
        heard_ms = 0
        for part in record.parts:
            heard_ms += part.heard_ms
            if part.heard_ms != ms_floor(min(part.heard_samples, part.received_samples), part.rate):
                self.fail(f"{part.item_id}: {part.heard_samples} samples are {part.heard_ms} ms")
            spoken = self.facts.parts.get(_part(part))
            if spoken is not None and part.received_samples != spoken.received:
                self.fail(
                    f"{part_name(spoken.part)}: {part.received_samples} samples received, it "
                    f"says, and {spoken.received} came"
                )
        if record.heard_ms != heard_ms:
            self.fail(f"{record.cut_id}: {record.heard_ms} ms heard, in parts {heard_ms} ms")
        if isinstance(record, notices.InterruptionSettled) and record.kept_ms is not None:
            kept_ms = sum(part.kept_ms or 0 for part in record.parts)
            if (record.kept_ms, record.drift_ms) != (kept_ms, kept_ms - heard_ms):
                self.fail(f"{record.cut_id}: {record.kept_ms} ms kept, in parts {kept_ms} ms")

    def _heard(self, record: _Record, stop: Stop | None, margin_samples: int) -> None:
        witness, options = self.scene.witness, self.options
        if witness is None or options.margin_samples is None or options.webrtc:
            return
        allowed = margin_samples
        if stop is None:
            # Counted as heard out by its margin, it may sound on for as much.
            allowed *= 2
        elif stop.answers < 2:
            allowed += options.first_word_off_samples
        for part in record.parts:
            heard = witness.heard(_part(part))
            if abs(part.heard_samples - heard) > allowed:
                self.fail(
                    f"{part_name(_part(part))}: {part.heard_samples} samples heard, says "
                    f"{record.cut_id}, and the ear got {heard}"
                )

    def _kept(self, settled: notices.InterruptionSettled) -> None:
        witness, options = self.scene.witness, self.options
        if witness is None or options.webrtc:
            return
        memory = {item.id: item for item in witness.memory}
        grid_ms = options.lengths_grid_ms if options.lengths_grid_ms > 1 else 0
        slack_ms = 1 + grid_ms + (options.margin_samples or 0) * 1_000 // options.format.rate
        for part in settled.parts:
            if part.kept_ms is None or part.item_id in self.facts.foreign:
                continue
            kept, _ = kept_of(memory.get(part.item_id), _part(part))
            kept_ms = ms_floor(kept, part.rate)
            told = part.action == "truncate" and part.answer == "truncated"
            if abs(kept_ms - part.kept_ms) > (0 if told or part.action == "delete" else slack_ms):
                self.fail(
                    f"{part_name(_part(part))}: {part.kept_ms} ms kept, says {settled.cut_id}, "
                    f"and the server keeps {kept_ms} ms"
                )

    def _answered(self, settled: notices.InterruptionSettled) -> None:
        if settled.exactness == "lost" or not self.options.acknowledges:
            return
        for part in settled.parts:
            if part.action in ("truncate", "delete") and not part.answer:
                self.fail(f"{part_name(_part(part))}: its {part.action} is not answered yet")

    def _commands(self, settled: notices.InterruptionSettled) -> None:
        facts = self.facts
        at_once = settled.exactness == "lost" or not self.options.acknowledges
        if facts.blocked and at_once:
            # It was closed while what is to be sent waits for the socket.
            return
        if any(facts.owners.get(item_id) in settled.response_ids for item_id in facts.foreign):
            # What is sent about an item that the application deletes is counted as its own.
            return
        replies = [facts.replies.get(response_id) for response_id in settled.response_ids]
        if any(reply is None or not reply.in_band for reply in replies):
            return
        sent = tuple(
            kind for response_id, kind in facts.settling if response_id in settled.response_ids
        )
        if sent != tuple(kind for kind in settled.commands if kind != _CLEAR):
            self.fail(f"{settled.cut_id}: {settled.commands} were sent, it says, and {sent} were")


def _part(record: PartRecord) -> Part:
    return Part(record.response_id, record.item_id, record.content_index)
