"""Puts an error into a running module and takes it out again, and looks for what notices it.

1. Only the bodies of functions, methods and properties change: the code of the real function is
   replaced, so that every reference to it sees the error, whoever holds it. What stands outside of
   them (a constant, a default, a signature, a decorator) has been read by others when the module
   was imported; such a change is refused.
2. An error that changes no code is refused too: it would live for ever and prove nothing.
3. A conversation counts against a mutant if it breaks an invariant with the error, and none
   without.
"""

from __future__ import annotations

import ast
import builtins
import dis
import importlib
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib import resources
from types import CodeType, FunctionType, ModuleType

from bargein.errors import LocalValueError
from bargein.sim.episode import Episode, run
from bargein.sim.mutants import catalogue
from bargein.sim.mutants.catalogue import Mutant
from bargein.sim.mutants.verdicts import Hunt, Share
from bargein.sim.regression import written
from bargein.sim.shrink import shrink

SEEDS_PER_BASE = 1_000_000
"""The seeds of base seed B begin at B times this."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def mutants() -> tuple[Mutant, ...]:
    """All of the catalogue, by module and as they stand there."""
    folder = resources.files("bargein.sim.mutants")
    files = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return tuple(
        mutant
        for name in files
        for mutant in catalogue.read((folder / name).read_bytes(), source=name)
    )


def named(names: Sequence[str]) -> tuple[Mutant, ...]:
    """Those mutants; without names all. Raises `LocalValueError` for a name that none has."""
    known = {mutant.name: mutant for mutant in mutants()}
    for name in names:
        if name not in known:
            near = [one for one in known if any(word in one for word in name.split("-"))]
            listed = ", ".join(near[:5] or list(known)[:5])
            raise LocalValueError(f"{name}: no mutant has this name; there are {listed} and others")
    return tuple(known[name] for name in names) if names else mutants()


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """Within, the client makes the error. Raises `LocalValueError` for one that cannot be put in,
    and for one that changes nothing."""
    changes = _changes(mutant)
    before = [function.__code__ for function, _ in changes]
    try:
        for function, code in changes:
            function.__code__ = code
        yield
    finally:
        for (function, _), code in zip(changes, before, strict=True):
            function.__code__ = code


def hunt(mutant: Mutant, base_seed: int, episodes: int) -> Hunt:
    """Play until a conversation counts against it."""
    first = base_seed * SEEDS_PER_BASE
    for seed in range(first, first + episodes):
        with applied(mutant):
            found = run(seed, only=mutant.only, stop_at_first=True).violations
        if found and not run(seed, only=mutant.only).violations:
            played = seed - first + 1
            return Hunt(mutant.name, base_seed, played, seed, found[0].invariant, found[0].detail)
    return Hunt(mutant.name, base_seed, episodes)


def share(mutant: Mutant, base_seed: int, episodes: int) -> Share:
    """Of so many conversations of all kinds, how many count against it, and by which invariant
    first."""
    broken: dict[str, int] = {}
    first = base_seed * SEEDS_PER_BASE
    for seed in range(first, first + episodes):
        with applied(mutant):
            found = run(seed, stop_at_first=True).violations
        if found and not run(seed).violations:
            broken[found[0].invariant] = broken.get(found[0].invariant, 0) + 1
    return Share(mutant.name, episodes, broken)


def kept(mutant: Mutant, seed: int) -> bytes:
    """The plainest conversation found that counts against it as the seed does, as a file that
    `sim/regression.py` reads."""
    episode = _killing(mutant, seed)
    return written(episode, about=mutant.about)


def _killing(mutant: Mutant, seed: int) -> Episode:
    with applied(mutant):
        found = run(seed, only=mutant.only)
        shrunk = shrink(found)
    # What the plainest one breaks may be broken without the error, too; then it is no proof.
    return found if run(shrunk.tape).violations else shrunk


@lru_cache(maxsize=8)
def _changes(mutant: Mutant) -> tuple[tuple[FunctionType, CodeType], ...]:
    """What is put in where. Kept, as a hunt puts it in for each conversation anew."""
    module = importlib.import_module(mutant.module)
    return tuple(
        (_function(module, name, mutant), code) for name, code in _changed(mutant, module).items()
    )


def _changed(mutant: Mutant, module: ModuleType) -> dict[str, CodeType]:
    """The new code of each function that differs, by qualified name."""
    source = inspect.getsource(module)
    changed_source = catalogue.mutated(mutant, source)
    try:
        old, new = ast.parse(source), ast.parse(changed_source)
    except SyntaxError as error:
        raise LocalValueError(f"{mutant.name}: after: is no Python: {error}") from None
    compiled = dict(_codes(compile(changed_source, f"<{mutant.name}>", "exec", dont_inherit=True)))
    old_bodies, new_bodies = dict(_bodies(old)), dict(_bodies(new))
    if ast.dump(old) != ast.dump(new):
        raise LocalValueError(
            f"{mutant.name}: after: it changes more than the body of a function; "
            "put the error where the value is used"
        )
    names = [name for name, body in new_bodies.items() if body != old_bodies[name]]
    if not names:
        raise LocalValueError(f"{mutant.name}: after: it changes no code")
    for name in names:
        _see_that_it_runs(mutant, module, compiled[name])
    return {name: compiled[name] for name in names}


def _see_that_it_runs(mutant: Mutant, module: ModuleType, code: CodeType) -> None:
    """A crash is noticed by everybody and proves nothing."""
    known = vars(module).keys() | vars(builtins).keys()
    for place in dis.get_instructions(code):
        if place.opname == "LOAD_GLOBAL" and place.argval not in known:
            raise LocalValueError(
                f"{mutant.name}: after: it names {place.argval}, which {mutant.module} does not "
                "know; write the error with what the module has"
            )
    for _, inner in _codes(code):
        _see_that_it_runs(mutant, module, inner)


def _bodies(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every function of the module and of its classes with its body, which is taken out of the
    tree: what is left is what must stay the same."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from _bodies(node, f"{prefix}{node.name}.")
        elif isinstance(node, _Function):
            yield f"{prefix}{node.name}", ast.dump(ast.Module(node.body, []))
            node.body = []


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    """The code of every function within, with its qualified name."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant.co_qualname, constant
            yield from _codes(constant)


def _function(module: ModuleType, name: str, mutant: Mutant) -> FunctionType:
    owner: object = module
    *path, last = name.split(".")
    for step in path:
        owner = getattr(owner, step)
    found = vars(owner)[last]
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    if not isinstance(found, FunctionType) or found.__qualname__ != name:
        raise LocalValueError(
            f"{mutant.name}: {mutant.module}.{name} is wrapped; its code cannot be replaced"
        )
    return found
