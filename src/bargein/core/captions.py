"""The words of an item that were heard so far, for captions. Pure, and it changes nothing.

What is made is seconds ahead of what is heard. Here each part of an item that is being spoken is
read up to the last sample that the player has reported (`words.py`); of what was cut, and of what
is not spoken any more, it is the mirror's text.
"""

from __future__ import annotations

from bargein.core.conversation import Conversation
from bargein.core.ledger import Ledger


def words_heard(ledger: Ledger, conversation: Conversation, item_id: str) -> str:
    """The words of the item that were heard; "" of one that is not known."""
    item = ledger.items.get(item_id)
    if item is None or item.shown or any(part.final for part in item.parts.values()):
        return conversation.text_of(item_id)
    return "".join(
        part.words_heard(item.texts.get(index, ""), whole=item.completed)
        for index, part in sorted(item.parts.items())
    )
