"""What an edit of the conversation has done, as its caller is told."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Why: TypeAlias = Literal[
    "came_later",
    "being_made",
    "no_text",
    "service_made",
    "unanswered",
    "paired",
    "gone",
    "refused",
    "unconfirmed",
]


class Difference(msgspec.Struct, frozen=True):
    """Where the conversation is not as it was wished, and why.

    It is there although the wish left it out: `came_later` (nobody knew of it), `being_made`,
    `no_text` (a user's speech without a transcript), `service_made`, `unanswered` (a call whose
    output was not there yet). It is not there although it was wished: `paired` (its call, or its
    output, was left out), `gone` (it was deleted meanwhile). Or the service did not do it:
    `refused` (with its `code` and `message`), `unconfirmed` (it did not answer in time).
    """

    item_id: str
    why: Why
    message: str = ""
    code: str | None = None


class Edited(msgspec.Struct, frozen=True):
    """What an edit has done, as the service has acknowledged it.

    `created` are the ids of the new items, in the order of the wish; `moved` gives, by the id of
    an item that was made anew elsewhere, the id that it has now.
    """

    created: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    moved: dict[str, str] = {}
    differences: tuple[Difference, ...] = ()
