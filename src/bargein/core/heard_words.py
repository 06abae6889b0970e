"""Of what was cut, the words that were heard: kept in the mirror and told to the application."""

from __future__ import annotations

from functools import partial

from bargein.core.conversation import Conversation
from bargein.core.desk import Desk
from bargein.core.notices import Transcript
from bargein.core.utterances import SpokenItem, Utterance


class HeardWords:
    """Tells them once, when the player has answered the stop."""

    __slots__ = ("_conversation", "_desk")

    def __init__(self, desk: Desk, conversation: Conversation) -> None:
        self._desk = desk
        self._conversation = conversation

    def told(self, item: SpokenItem) -> None:
        """The final words of its spoken parts."""
        if not item.in_conversation:
            return
        for index, utterance in item.parts.items():
            text = self.keep_heard(item, utterance)
            self._desk.notify(Transcript("assistant", item.item_id, text, True, index, cut=True))

    def keep_heard(self, item: SpokenItem, utterance: Utterance) -> str:
        """Of the part's text, the mirror keeps what was heard."""
        words = partial(utterance.words_heard, whole=item.completed)
        part, heard_ms = utterance.part, utterance.heard_ms
        left = self._conversation.cut(part.item_id, part.content_index, heard_ms, words)
        # The application may have deleted it; it was heard all the same.
        return words(item.texts.get(part.content_index, "")) if left is None else left

    def unheard(self, item: SpokenItem) -> None:
        """Words can come before the first sound of their part."""
        if not item.in_conversation:
            return
        for index in sorted(item.texts.keys() - item.parts.keys()):
            self._conversation.unheard(item.item_id, index)
            self._desk.notify(Transcript("assistant", item.item_id, "", True, index, cut=True))
