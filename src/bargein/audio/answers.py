"""The answers to stops and holds that a card still owes. Pure.

1. A stop or hold with a known `cut_id` was asked for already: it changes nothing.
2. What is late, missing or wrong at first is so by the card's settings.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

import msgspec

from bargein.audio.base import Held, Mark, Stopped
from bargein.audio.card_settings import CardSettings, margin_of
from bargein.audio.part import Part

_REMEMBERED_CUTS = 256


class Answers:
    """Each is given when it is due; of two at one time, the one that was owed first."""

    def __init__(self, settings: CardSettings) -> None:
        self._settings = settings
        self._due: list[tuple[int, int, Stopped | Held]] = []
        self._owed = 0
        self._stops: dict[str, None] = {}
        self._holds: dict[str, None] = {}

    @property
    def next_us(self) -> int | None:
        """When the next one is due."""
        return self._due[0][0] if self._due else None

    def is_due(self, now_us: int) -> bool:
        """Whether one is to be given by now."""
        return bool(self._due) and self._due[0][0] <= now_us

    def is_new_stop(self, cut_id: str) -> bool:
        """Whether that stop is asked for the first time."""
        return _first_time(self._stops, cut_id)

    def is_new_hold(self, cut_id: str) -> bool:
        """Whether that hold is asked for the first time."""
        return _first_time(self._holds, cut_id)

    def stop(
        self, cut_id: str, heard_samples: Mapping[Mark, int], parts: Mapping[Mark, Part], at_us: int
    ) -> None:
        """Answer a stop that was asked for at that time; twice, if the card learns better."""
        settings = self._settings
        margin, wait_us = margin_of(settings.accuracy), settings.correction_delay_us
        if wait_us is None:
            self._owe(Stopped(cut_id, heard_samples, margin), at_us)
            return
        error = settings.first_error_samples
        first = {mark: parts[mark].bent(n, error) for mark, n in heard_samples.items()}
        off = None if margin is None else margin + abs(error)
        self._owe(Stopped(cut_id, first, off), at_us)
        self._owe(Stopped(cut_id, heard_samples, margin), at_us + wait_us)

    def hold(self, cut_id: str, heard_samples: Mapping[Mark, int], at_us: int) -> None:
        """Answer a hold that was asked for at that time."""
        self._owe(Held(cut_id, heard_samples), at_us)

    def due(self, now_us: int) -> list[Stopped | Held]:
        """Take what is due by now."""
        answers: list[Stopped | Held] = []
        while self._due and self._due[0][0] <= now_us:
            answers.append(heapq.heappop(self._due)[2])
        return answers

    def lose(
        self, heard_samples: Mapping[Mark, int], swallowed: Mapping[str, set[Mark]]
    ) -> list[Stopped]:
        """The device is lost, and no more than this will have been heard: no answer that is owed
        says more. Gives corrections of those that were given and counted on what was `swallowed`,
        by cut.
        """
        self._due = [
            (due_us, number, msgspec.structs.replace(answer, heard_samples=lowered))
            for due_us, number, answer in self._due
            for lowered in [
                {mark: min(n, heard_samples[mark]) for mark, n in answer.heard_samples.items()}
            ]
        ]
        if self._settings.answer_delay_us is None:
            return []
        owed = {answer.cut_id for _, _, answer in self._due}
        margin = margin_of(self._settings.accuracy)
        return [
            Stopped(cut_id, {mark: heard_samples[mark] for mark in marks}, margin)
            for cut_id, marks in swallowed.items()
            if cut_id not in owed
        ]

    def follow(self, other: Answers) -> None:
        """Owe what another one owed, and know what it knew."""
        self._due, self._owed = other._due, other._owed
        self._stops, self._holds = other._stops, other._holds

    def _owe(self, answer: Stopped | Held, at_us: int) -> None:
        delay_us = self._settings.answer_delay_us
        if delay_us is not None:
            self._owed += 1
            heapq.heappush(self._due, (at_us + delay_us, self._owed, answer))


def _first_time(known: dict[str, None], cut_id: str) -> bool:
    if cut_id in known:
        return False
    known[cut_id] = None
    if len(known) > _REMEMBERED_CUTS:
        del known[next(iter(known))]
    return True
