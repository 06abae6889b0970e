"""What a refusal is: a row of the table in `rules`, and that row filled in.

1. Whoever finds that something must be refused raises `RefusedError`, made by `rules.refuse`; the
   machine answers with its `error`.
2. How values stand in an error's text is here as well (`listed`), for it is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

INVALID_REQUEST = "invalid_request_error"
SERVER_ERROR = "server_error"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. `source` is the section of protocol.md that gives it, or None for a choice of
    ours."""

    code: str | None
    message: str
    param: str | None = None
    source: str | None = "§6.2"
    names_event: bool = True
    type: str = INVALID_REQUEST


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row with its braces filled in."""

    rule: str
    type: str
    code: str | None
    message: str
    param: str | None
    names_event: bool


class RefusedError(Exception):
    """Carries a refusal from the place that finds it to the one that answers. Never leaves the
    machine."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def listed(values: Sequence[str]) -> str:
    """The values in quotes, as an error text of the service lists them."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"
