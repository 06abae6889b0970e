"""All spoken parts that are not settled, what of them is given to the player, and in which order.

The rules of the ledger are at the head of `utterances.py`; here are those about playing: 1, 3 and
6, and that the player is one voice.
"""

from __future__ import annotations

from collections import deque

from bargein.core.commands import Command, FinishPlay, Play
from bargein.core.inputs import Heard, Part
from bargein.core.loudness import Loudness
from bargein.core.utterances import SpokenItem, Utterance
from bargein.units import AudioFormat

WAITING_LIMIT_BYTES = 64 * 1024 * 1024
"""Sound that waits in the machine for its turn; beyond it, new sound is dropped and counted."""


class Ledger:
    """All spoken parts that are not settled, and the order in which they sound.

    One voice: the part at the head of the queue flows to the player as it arrives, the others wait
    until all sound of the parts before them was given.
    """

    __slots__ = (
        "_queue",
        "_waiting_bytes",
        "dropped_samples",
        "held_back",
        "items",
        "margin_samples",
        "paused",
        "utterances",
    )

    def __init__(self) -> None:
        self.items: dict[str, SpokenItem] = {}
        self.utterances: dict[Part, Utterance] = {}
        self._queue: deque[Utterance] = deque()
        self._waiting_bytes = 0
        self.held_back = False
        """A stop is not answered yet: nothing new is given to the player."""
        self.paused = False
        """The player was told to hold, and neither to go on nor to stop since."""
        self.dropped_samples = 0
        self.margin_samples: int | None = 0

    def player_is_worth(self, margin_samples: int | None) -> None:
        """How good the player's counts are, from now on.

        What it was given before is counted by both, so as well as the worse of them.
        """
        self.margin_samples = margin_samples
        for utterance in self.utterances.values():
            before = utterance.margin_samples
            worse = (
                None if before is None or margin_samples is None else max(before, margin_samples)
            )
            utterance.margin_samples = worse

    def item(self, response_id: str, item_id: str, *, in_conversation: bool) -> SpokenItem:
        """The item, made at first sight."""
        found = self.items.get(item_id)
        if found is None:
            found = SpokenItem(item_id, response_id, in_conversation)
            self.items[item_id] = found
        return found

    def expect(self, item: SpokenItem, content_index: int, *, cut: bool) -> Utterance:
        """A part whose sound comes from the service's output buffer, paced, once it has begun."""
        part = Part(item.response_id, item.item_id, content_index)
        utterance = Utterance(
            part, AudioFormat.PCM, item.in_conversation, self.margin_samples, cut=cut, paced=True
        )
        utterance.loudness = Loudness(AudioFormat.PCM)
        item.parts[content_index] = utterance
        self.utterances[part] = utterance
        return utterance

    def begin(self, utterance: Utterance) -> None:
        """The sound of an expected part is next."""
        if not utterance.cut and utterance not in self._queue:
            self._queue.append(utterance)

    def arrived(
        self,
        item: SpokenItem,
        content_index: int,
        audio: bytes,
        audio_format: AudioFormat,
        *,
        cut: bool,
    ) -> Utterance:
        """Sound of a part arrived. Of a cut response it is counted and thrown away (rule 6)."""
        utterance = item.parts.get(content_index)
        if utterance is None:
            part = Part(item.response_id, item.item_id, content_index)
            utterance = Utterance(
                part, audio_format, item.in_conversation, self.margin_samples, cut=cut
            )
            utterance.loudness = Loudness(audio_format)
            item.parts[content_index] = utterance
            self.utterances[part] = utterance
            if not cut:
                self._queue.append(utterance)
        audio = utterance.half + audio if utterance.half else audio
        samples = utterance.format.samples(len(audio))
        whole_bytes = samples * utterance.format.bytes_per_sample
        audio, utterance.half = audio[:whole_bytes], audio[whole_bytes:]
        utterance.received_samples += samples
        if utterance.half:
            utterance.loudness = None
        elif utterance.loudness is not None and not utterance.final:
            utterance.loudness.add(audio)
        if utterance.cut or utterance.clipped or not samples:
            return utterance
        if utterance.finished or self._waiting_bytes + len(audio) > WAITING_LIMIT_BYTES:
            # For want of room; or the player was told that no more would come, and drops it.
            utterance.clipped = True
            self.dropped_samples += samples
            return utterance
        utterance.waiting.append(audio)
        self._waiting_bytes += len(audio)
        return utterance

    def flow(self) -> list[Command]:
        """Give the player what may sound now."""
        if self.held_back:
            return []
        found: list[Command] = []
        while self._queue:
            head = self._queue[0]
            while head.waiting:
                audio = head.waiting.popleft()
                self._waiting_bytes -= len(audio)
                head.given_samples += head.format.samples(len(audio))
                found.append(Play(head.part, audio, head.format))
            if not (head.audio_over or head.clipped):
                break
            if not head.finished:
                head.finished = True
                found.append(FinishPlay(head.part))
            self._queue.popleft()
        return found

    def heard(self, counts: tuple[Heard, ...]) -> list[Utterance]:
        """The player's counts; they never fall here. Returns the parts of which more was heard."""
        more = []
        for count in counts:
            utterance = self.utterances.get(count.part)
            if utterance is None or utterance.final:
                continue
            samples = min(count.samples, utterance.given_samples)
            if samples > utterance.heard_samples:
                utterance.heard_samples = samples
                more.append(utterance)
        return more

    def stopped(self, utterances: list[Utterance], counts: tuple[Heard, ...]) -> list[Utterance]:
        """The player's final counts for these parts; a later answer corrects an earlier one.

        Returns the parts whose count changed.
        """
        answered = {count.part: count.samples for count in counts}
        changed = []
        for utterance in utterances:
            utterance.final = True
            samples = answered.get(utterance.part)
            if samples is None:
                continue
            samples = max(0, min(samples, utterance.given_samples))
            if samples != utterance.heard_samples:
                utterance.heard_samples = samples
                changed.append(utterance)
        return changed

    def silence(self, utterance: Utterance) -> None:
        """The part is cut: what waits of it is never given to the player."""
        utterance.cut = True
        self._waiting_bytes -= sum(len(audio) for audio in utterance.waiting)
        utterance.waiting.clear()
        if utterance in self._queue:
            self._queue.remove(utterance)

    def forget(self, item: SpokenItem) -> None:
        """The item is settled; the ledger holds it no more."""
        self.items.pop(item.item_id, None)
        for utterance in item.parts.values():
            self.silence(utterance)
            self.utterances.pop(utterance.part, None)

    @property
    def sounding(self) -> bool:
        """Something was given to the player, or waits for it, and is not heard yet."""
        return any(
            not part.cut and (part.waiting or part.heard_samples < part.given_samples)
            for part in self.utterances.values()
        )
