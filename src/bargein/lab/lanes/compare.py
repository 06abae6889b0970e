"""`differences`: the comparison itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from bargein.lab.lanes.causes import broken
from bargein.lab.lanes.moments import RATE_LIMITS, Key, Moment, lanes, moments
from bargein.lab.lanes.naming import Frame, Named, form, named
from bargein.lab.lanes.values import unlike


def differences(reference: Sequence[Frame], answered: Sequence[Frame]) -> tuple[str, ...]:
    """How the second exchange differs from the first, in sentences, each once.

    Both are what a server sent, in order, as plain JSON objects. Client frames are not among them.
    """
    first, second = named(reference), named(answered)
    before, after = moments(first.frames), moments(second.frames)
    theirs = {moment.key: moment for moment in after}
    found = [
        *_unlike_names(first, second),
        *_unlike_lanes(before, after),
        *(
            problem
            for moment in before
            if (other := theirs.get(moment.key)) is not None
            for problem in unlike(moment, other)
        ),
        *broken(before, theirs),
    ]
    return tuple(dict.fromkeys(found))


def _unlike_names(reference: Named, answered: Named) -> Iterator[str]:
    for name, id in answered.ids.items():
        other = reference.ids.get(name)
        if other is not None and form(id) != form(other):
            yield f"{name} is called {id!r}, which is not of the form {form(other)}"
    forms = {form(event_id) for event_id in reference.event_ids}
    seen: set[str] = set()
    for event_id in answered.event_ids:
        if form(event_id) not in forms:
            yield f"an event is called {event_id!r}, which is not of the form {' or '.join(forms)}"
        if event_id in seen:
            yield f"two events are called {event_id!r}"
        seen.add(event_id)


def _unlike_lanes(reference: Sequence[Moment], answered: Sequence[Moment]) -> Iterator[str]:
    expected, found = lanes(reference), lanes(answered)
    done = sum(moment.type == "response.done" for moment in answered)
    limits = len(found.pop(RATE_LIMITS, []))
    expected.pop(RATE_LIMITS, None)
    if limits > done:
        yield f"{RATE_LIMITS} came {limits} times for {done} responses"
    for name in dict.fromkeys((*expected, *found)):
        for problem in _unlike_lane(expected.get(name, []), found.get(name, [])):
            yield f"{name}: {problem}"


def _unlike_lane(reference: Sequence[Moment], answered: Sequence[Moment]) -> Iterator[str]:
    expected: Mapping[Key, Moment] = {moment.key: moment for moment in reference}
    places = {moment.key: place for place, moment in enumerate(answered)}
    before = "the beginning"
    for moment in reference:
        if moment.key not in places:
            yield f"{moment} is missing after {before}"
        before = str(moment)
    before = "the beginning"
    for moment in answered:
        if moment.key not in expected:
            yield f"{moment} comes after {before}, and the reference has none"
        before = str(moment)
    common = [moment for moment in reference if moment.key in places]
    for one, next in itertools.pairwise(common):
        if places[one.key] > places[next.key]:
            yield f"{next} came before {one}, which is first in the reference"
