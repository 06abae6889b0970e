"""The report for people."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console
from tests.lab.demo_rig import PLAN, STORY, STORY_HEARD, a_session, span

from bargein.lab.observed import Observed
from bargein.lab.report import report_of
from bargein.lab.table import show, verdict_of


def shown(observed: Observed) -> str:
    out = io.StringIO()
    show(Console(file=out, width=120, highlight=False), report_of(observed, PLAN))
    return out.getvalue()


def test_a_row_has_what_was_heard_sent_and_kept() -> None:
    (row,) = (line for line in shown(a_session()).splitlines() if line.lstrip().startswith("1 "))
    assert [cell.strip() for cell in row.split("  ") if cell.strip()] == [
        "1",
        "4500.46 ms",
        "truncate 4500",
        "4500.00 ms",
        "-0.46 ms",
        "180 ms",
        "200 ms",
        "truncate",
        "exact",
    ]


def test_the_heading_says_whose_word_the_kept_is() -> None:
    assert "kept (server's" in shown(a_session())
    assert "kept (acknowledged)" in shown(a_session(memory=None))


def test_every_promise_has_a_line() -> None:
    written = shown(a_session())
    for name in ("P1", "P2", "P3", "P4", "P5", "P6"):
        assert any(line.startswith(name) and " kept " in line for line in written.splitlines()), (
            name
        )
    assert "Every promise kept: what the server remembers is what the ear heard." in written


def test_where_nothing_is_shown_no_promise_is_called_kept() -> None:
    written = shown(a_session(unmet="nobody spoke"))
    rows = [line for line in written.splitlines() if re.match(r"P\d ", line)]
    assert len(rows) == 6
    assert all(" not shown " in row and " kept " not in row for row in rows)


def test_a_broken_promise_is_shown_with_its_reason() -> None:
    good = a_session()
    written = shown(replace(good, spans=(span(STORY, 3_900, STORY_HEARD + 1), *good.spans[1:])))
    assert "P1  Silence" in written
    assert "BROKEN" in written
    assert "1 samples were heard beyond" in written
    assert "Broken: P1." in written


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"unmet": "nobody spoke"}, "Nothing is shown by this: nobody spoke."),
        ({"mirror_ids": (), "unmet": "it ended"}, "Broken: P5. Also, it ended."),
        (
            {"memory": None},
            (
                "Every promise kept, as far as the service's acknowledgements tell; its memory "
                "cannot be read from here."
            ),
        ),
    ],
)
def test_the_verdict_is_one_sentence(changes: dict[str, object], verdict: str) -> None:
    assert verdict_of(report_of(a_session(**changes), PLAN)) == verdict
