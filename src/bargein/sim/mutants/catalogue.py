"""The catalogue of mutants: one TOML file a module of the core, read from bytes.

1. A mutant names the numbered rule at the head of its module that it breaks.
2. `before` occurs exactly once in the module's source, so that it is clear what is replaced.
3. It is a plausible error, not a crash, and it changes the body of functions only.
"""

from __future__ import annotations

import re

import msgspec

from bargein.errors import LocalValueError

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
_RULE = re.compile(r"[a-z]+(?: [a-z]+)* \d+")


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """One error. `name` says in a few words what the client does wrong, `about` in a sentence;
    `rule` is a module's (or the ledger's) name and the number of its rule. `only` names the feature
    of the world without which nothing comes of it (`features.py`); it is then played where that is
    on and all others are off."""

    name: str
    rule: str
    module: str
    before: str
    after: str
    about: str
    only: str | None = None


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    rule: str
    about: str
    before: str
    after: str
    only: str | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    module: str
    mutants: tuple[_Entry, ...]


def read(content: bytes, *, source: str) -> tuple[Mutant, ...]:
    """The mutants of one file. Raises `LocalValueError` naming the file, the field and the way
    out."""
    try:
        file = msgspec.toml.decode(content, type=_File)
    except (msgspec.MsgspecError, ValueError) as error:
        raise LocalValueError(f"{source}: {error}; see the other files beside it") from None
    for entry in file.mutants:
        if not _NAME.fullmatch(entry.name):
            raise LocalValueError(
                f"{source}: name: {entry.name!r} is no sentence in lower case with hyphens, "
                "such as 'deletes-twice'"
            )
        if not _RULE.fullmatch(entry.rule):
            raise LocalValueError(
                f"{source}: rule: {entry.rule!r} of {entry.name} is no module and number, "
                "such as 'ledger 3'"
            )
    return tuple(
        Mutant(
            name=entry.name,
            rule=entry.rule,
            module=file.module,
            before=entry.before,
            after=entry.after,
            about=entry.about,
            only=entry.only,
        )
        for entry in file.mutants
    )


def mutated(mutant: Mutant, source: str) -> str:
    """The module's source with the error in it. Raises `LocalValueError` where it has no place, or
    more than one."""
    places = source.count(mutant.before)
    if places != 1:
        raise LocalValueError(
            f"{mutant.name}: before: occurs {places} times in {mutant.module}; "
            "write it as it stands there now, with enough around it to be the only place"
        )
    if mutant.before == mutant.after:
        raise LocalValueError(f"{mutant.name}: after: is the same as before; it changes nothing")
    return source.replace(mutant.before, mutant.after)
