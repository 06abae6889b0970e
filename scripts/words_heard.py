"""How well the words heard of a cut part are found: `scripts/words_heard.py [--out FILE]`.

Synthetic voices, whose words' times are known, are cut at random samples; `lab/cut_words.py` says
how. Told are the errors in words and in milliseconds, beside those of the plain share of the text
by the share of the sound: of the half that the constants were fitted on, of the other half, and of
texts and voices that no fitting saw. espeak-ng is needed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bargein.lab.bench.evidence import commit, machine
from bargein.lab.cut_words import NEW_TEXTS, NEW_VOICES, TEXTS, VOICES, Found, measure

GROUPS: dict[str, Callable[[Found], bool]] = {
    "the half fitted on": lambda each: each.fitted,
    "the other half": lambda each: not each.fitted and not each.new,
    "the other half, whole when cut": lambda e: not (e.fitted or e.new or e.arriving),
    "the other half, still arriving": lambda e: e.arriving and not (e.fitted or e.new),
    "new texts and voices": lambda each: each.new,
}


def at(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def row(name: str, found: Sequence[Found]) -> dict[str, Any]:
    told: dict[str, Any] = {"cuts": name, "count": len(found)}
    for field in ("words", "ms", "by_share_words", "by_share_ms"):
        values = [getattr(each, field) for each in found]
        told[f"{field}_median"], told[f"{field}_p95"] = at(values, 0.5), at(values, 0.95)
    return told


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--cuts", type=int, default=20, help="of each text in each voice")
    asked.add_argument("--out", type=Path)
    given = asked.parse_args()
    found = [
        *measure(TEXTS, VOICES, cuts=given.cuts),
        *measure(NEW_TEXTS, NEW_VOICES, cuts=given.cuts, new=True),
    ]
    rows = [row(name, [each for each in found if of(each)]) for name, of in GROUPS.items()]
    for each in rows:
        sys.stdout.write("\t".join(map(str, each.values())) + "\n")
    if given.out is not None:
        told = {
            "about": "words heard of cut parts, against the synthesizer's own times",
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
            "commit": commit(),
            "rows": rows,
            "cuts": [list(asdict(each).values()) for each in found],
        }
        given.out.write_text(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
