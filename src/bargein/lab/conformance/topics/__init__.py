"""The questions, by what they are about. `QUESTIONS` is all of them, in the order of asking."""

from __future__ import annotations

from bargein.lab.conformance.question import Question
from bargein.lab.conformance.topics import (
    admission,
    beginning,
    calls,
    cancelling,
    items,
    lengths,
    outside,
    refusals,
    speech,
    tools,
    turns,
)

QUESTIONS: tuple[Question, ...] = (
    *beginning.QUESTIONS,
    *admission.QUESTIONS,
    *turns.QUESTIONS,
    *items.QUESTIONS,
    *lengths.QUESTIONS,
    *cancelling.QUESTIONS,
    *speech.QUESTIONS,
    *tools.QUESTIONS,
    *outside.QUESTIONS,
    *refusals.QUESTIONS,
    *calls.QUESTIONS,
)

SECTIONS: tuple[str, ...] = tuple(dict.fromkeys(question.section for question in QUESTIONS))
