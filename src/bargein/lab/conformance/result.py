"""What came of all questions: the rows, the counts, and the whole as JSON. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bargein.events.dialect import Dialect
from bargein.lab.conformance.learned import Learned, learned
from bargein.lab.conformance.question import Outcome, Question, Standing, judged, shown
from bargein.lab.conformance.script import Cost, Talk
from bargein.lab.conformance.seen import Seen

FORMAT = "bargein-conform/1"


@dataclass(frozen=True, slots=True)
class Result:
    """All rows, in the order of asking, what was seen of each talk by its name, and the dialect
    that was spoken."""

    outcomes: tuple[Outcome, ...]
    seen: Mapping[str, Seen]
    spoken: Dialect = "ga"

    @property
    def conforms(self) -> bool:
        """Every question was answered as the reference has it."""
        return all(outcome.standing == "same" for outcome in self.outcomes)

    @property
    def counts(self) -> Counter[Standing]:
        """How many rows of each standing."""
        return Counter(outcome.standing for outcome in self.outcomes)

    @property
    def sections(self) -> tuple[str, ...]:
        """In the order of asking."""
        return tuple(dict.fromkeys(outcome.question.section for outcome in self.outcomes))

    @property
    def learned(self) -> tuple[Learned, ...]:
        """What a client must know of the server."""
        return learned(self.outcomes, self.spoken)

    def of(self, section: str) -> tuple[Outcome, ...]:
        """The rows of a section."""
        return tuple(each for each in self.outcomes if each.question.section == section)


def talks_of(questions: Sequence[Question]) -> tuple[Talk, ...]:
    """The talks that these questions need, each once. The one that begins comes first, since it
    shows what can serve as a fence; refusals share the last connection."""
    return tuple({question.talk.name: question.talk for question in questions}.values())


def cost_of(talks: Sequence[Talk]) -> Cost:
    """What they cost together."""
    return Cost(
        sum(talk.cost.replies for talk in talks),
        sum(talk.cost.heard_ms for talk in talks),
        sum(talk.cost.spoken_ms for talk in talks),
    )


def result_of(
    questions: Sequence[Question], seen: Mapping[str, Seen], spoken: Dialect = "ga"
) -> Result:
    """Judge what was seen. What a server without calls was not asked has no row."""
    rows = tuple(
        judged(question, seen[question.talk.name])
        for question in questions
        if not seen[question.talk.name].skipped
    )
    return Result(rows, seen, spoken)


def as_json(result: Result, about: Mapping[str, Any]) -> dict[str, Any]:
    """The whole as plain JSON values."""
    return {
        "format": FORMAT,
        **about,
        "conforms": result.conforms,
        "same": result.counts["same"],
        "differ": result.counts["differs"],
        "unanswered": result.counts["no answer"],
        "questions": [_row(outcome) for outcome in result.outcomes],
        "capabilities": {each.name: each.value for each in result.learned},
    }


def _row(outcome: Outcome) -> dict[str, Any]:
    question = outcome.question
    return {
        "name": question.name,
        "asks": question.asks,
        "source": f"docs/protocol.md {question.source}",
        "standing": outcome.standing,
        "answer": None if outcome.facts is None else dict(outcome.facts),
        "reference": {name: shown(value) for name, value in question.reference.items()},
        "differences": [
            {"fact": each.fact, "expected": each.expected, "got": each.got}
            for each in outcome.differences
        ],
    }
