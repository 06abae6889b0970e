"""The invariant of the mirror: what the client shows of the conversation is what the server has."""

from __future__ import annotations

from collections.abc import Iterable

from bargein import events
from bargein.core import notices
from bargein.core.items import ContentView, ItemView
from bargein.core.words import timeline
from bargein.server.model.memory import RememberedItem, RememberedPart
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.units import ms_floor

_Place = tuple[str, int]


class MirrorIsTheServers(Invariant):
    """Of a cut part the words are an estimate (`core/words.py`): the one that follows from the
    words and the sound that had come and from what the player says was heard, computed here anew
    (the simulated sound has no pauses). Nothing that arrives later lengthens it.

    Excused, at the end: a server that acknowledges nothing, a pipe that died or was closed; the
    words of a cut reply that the server keeps whole, of which the mirror has those that were heard.
    """

    name = "I6"
    sentence = (
        "The client's conversation is the server's: at each acknowledgement, and when quiet in "
        "ids, order, lengths, status and words."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._came: dict[_Place, str] = {}
        self._left: dict[_Place, str] = {}
        self._cut: set[str | None] = set()
        self._whole: set[str] = set()
        self._wrong: set[str] = set()
        """Items that were shown wrongly before: what comes of it is not told again."""

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("client_got", events.ConversationItemAdded, cls._added),
            ("client_got", events.ConversationItemDone, cls._done),
            ("client_got", events.ConversationItemTruncated, cls._truncated),
            ("client_got", events.ConversationItemDeleted, cls._deleted),
            ("client_got", events.ResponseOutputAudioTranscriptDelta, cls._words),
            ("client_got", events.ResponseOutputAudioTranscriptDone, cls._all_words),
            ("notice", notices.Transcript, cls._transcript),
            ("notice", notices.Interruption, cls._interruption),
            ("notice", notices.InterruptionSettled, cls._interruption),
        )

    # -- at each acknowledgement ---------------------------------------------------------------

    def _added(self, entry: Entry, event: events.ConversationItemAdded) -> None:
        self.scene.afterwards(lambda: self._must_have(event))

    def _must_have(self, event: events.ConversationItemAdded) -> None:
        mirror = self._mirror()
        if mirror is None:
            return
        ids = [item.id for item in mirror if item.state != "coming"]
        item_id, previous = str(event.item.id), event.previous_item_id
        if item_id not in ids:
            self._at_once(item_id, f"{item_id} was added and is not shown")
        elif previous is None and ids[0] != item_id:
            self._at_once(
                item_id, f"{item_id} was added as the first, and {ids[0]} is shown before it"
            )
        elif isinstance(previous, str) and previous in ids:
            if ids.index(item_id) != ids.index(previous) + 1:
                self._at_once(
                    item_id, f"{item_id} was added behind {previous} and is not shown there"
                )

    def _truncated(self, entry: Entry, event: events.ConversationItemTruncated) -> None:
        self.scene.afterwards(lambda: self._must_keep(event))

    def _must_keep(self, event: events.ConversationItemTruncated) -> None:
        mirror = self._mirror()
        if mirror is None:
            return
        if self.options.webrtc and self.facts.stopping is not None:
            # It says so by itself; what is left of the words waits for the player's answer.
            return
        item = next((item for item in mirror if item.id == event.item_id), None)
        kept = [content.kept_ms for content in item.content] if item is not None else []
        if event.content_index >= len(kept) or kept[event.content_index] != event.audio_end_ms:
            self._at_once(
                event.item_id,
                f"{event.item_id} was cut to {event.audio_end_ms} ms, and {kept} is shown",
            )

    def _deleted(self, entry: Entry, event: events.ConversationItemDeleted) -> None:
        self.scene.afterwards(lambda: self._must_lack(event))

    def _must_lack(self, event: events.ConversationItemDeleted) -> None:
        mirror = self._mirror()
        if mirror is not None and any(item.id == event.item_id for item in mirror):
            self._at_once(event.item_id, f"{event.item_id} was deleted and is shown")

    def _at_once(self, item_id: str, detail: str) -> None:
        self._wrong.add(item_id)
        self.fail(detail)

    def _mirror(self) -> tuple[ItemView, ...] | None:
        witness = self.scene.witness
        return None if witness is None or self.facts.broken else witness.mirror

    def _done(self, entry: Entry, event: events.ConversationItemDone) -> None:
        item = event.item
        if isinstance(item.id, str) and getattr(item, "status", None) == "completed":
            self._whole.add(item.id)

    # -- words ---------------------------------------------------------------------------------

    def _words(self, entry: Entry, event: events.ResponseOutputAudioTranscriptDelta) -> None:
        place = (event.item_id, event.content_index)
        self._came[place] = self._came.get(place, "") + event.delta

    def _all_words(self, entry: Entry, event: events.ResponseOutputAudioTranscriptDone) -> None:
        self._came[event.item_id, event.content_index] = event.transcript

    def _transcript(self, entry: Entry, told: notices.Transcript) -> None:
        if not told.cut:
            if told.role == "assistant" and self._is_cut(told.item_id):
                self.fail(f"{told.item_id}: {told.text!r} is shown after it was cut")
            return
        place = (told.item_id, told.content_index)
        came = self._came.get(place, "")
        spoken = self.facts.spoken(*place)
        self._left[place] = told.text
        if not came.startswith(told.text):
            self.fail(f"{told.item_id}: {told.text!r} is left of {came!r}")
        if self.options.webrtc:
            # How much of which part was heard is not known of a call.
            return
        rate = self.options.format.rate
        # Of a part whose sound never came, no word was heard.
        heard, received = 0, 0
        if spoken is not None:
            heard, received = min(spoken.reported, spoken.received), spoken.received
        whole = told.item_id in self._whole or self.facts.known_completed(told.item_id)
        right = timeline(came, None, rate, received, whole=whole).heard(heard)
        if told.text != right:
            self.fail(
                f"{told.item_id}: {told.text!r} is left of {came!r} and not {right!r}, and {heard} "
                f"of {received} samples were heard"
            )

    def _is_cut(self, item_id: str) -> bool:
        return self.facts.owners.get(item_id) in self._cut

    def _is_mute(self, item_id: str, index: int, content: ContentView) -> bool:
        return content.kind == "output_audio" and self.facts.spoken(item_id, index) is None

    def _interruption(
        self, entry: Entry, told: notices.Interruption | notices.InterruptionSettled
    ) -> None:
        self._cut.update(told.response_ids)

    # -- when quiet ----------------------------------------------------------------------------

    def finish(self, final: Final) -> None:
        if final.lost or final.left or not self.options.acknowledges:
            return
        mirror = [item.id for item in final.mirror]
        memory = [item.id for item in final.memory]
        if mirror != memory:
            if self._wrong:
                return
            self.fail(f"the mirror has {_short(mirror)}, the server {_short(memory)}")
            return
        for item, remembered in zip(final.mirror, final.memory, strict=True):
            if item.id in self._wrong:
                continue
            if item.state in ("coming", "going"):
                self.fail(f"{item.id} is still {item.state}")
            self._same(item, remembered)

    def _same(self, item: ItemView, remembered: RememberedItem) -> None:
        if item.left_out and not remembered.left_out:
            self.fail(f"{item.id} is shown as left out, and the model is told it")
        # Of an MCP call the service shows no status.
        if item.status != remembered.status and remembered.kind != "mcp_call":
            self.fail(
                f"{item.id} is {item.status} in the mirror, {remembered.status} at the server"
            )
        if len(item.content) != len(remembered.parts):
            self.fail(
                f"{item.id} has {len(item.content)} parts in the mirror, {len(remembered.parts)} "
                "at the server"
            )
        for index, (content, part) in enumerate(zip(item.content, remembered.parts, strict=False)):
            self._same_part(item.id, index, content, part)

    def _same_part(
        self, item_id: str, index: int, content: ContentView, part: RememberedPart
    ) -> None:
        kept_ms = ms_floor(part.kept_samples, part.format.rate)
        if part.truncated and content.kept_ms != kept_ms:
            self.fail(f"{item_id}: the mirror keeps {content.kept_ms} ms, the server {kept_ms}")
        left = self._left.get((item_id, index))
        if left is not None:
            if content.text != left:
                self.fail(f"{item_id}: {left!r} was left of a cut part, and {content.text!r} is")
        elif part.truncated:
            if content.text and not part.kept_samples:
                self.fail(f"{item_id}: {content.text!r} is shown, and nothing is kept of it")
        elif (
            self._is_cut(item_id)
            and not self.options.webrtc
            and self._is_mute(item_id, index, content)
        ):
            # Without sound it cannot be truncated, and the item stays for what else was shown.
            if content.text:
                self.fail(f"{item_id}: {content.text!r} is shown, and no sound of it came")
        elif self._is_cut(item_id):
            # Where nothing was truncated the mirror has the words that were heard.
            if not (part.text or "").startswith(content.text):
                self.fail(f"{item_id}: {content.text!r} is left of {part.text!r}")
        elif content.text != (part.text or ""):
            self.fail(f"{item_id}: {content.text!r} in the mirror, {part.text!r} at the server")


def _short(ids: list[str]) -> str:
    return " ".join(item_id[-6:] for item_id in ids) or "nothing"
