"""Coverage-guided fuzzing of the local server: `scripts/fuzz.py TARGET [--seconds N] [--out DIR]`.

libFuzzer (atheris) makes bytes, `tests.fuzz` makes of them a story of a session, a frame or a
request, and judges what the server does. New inputs go to `.fuzz/TARGET`, which is read again next
time; what breaks a promise is left there as `crash-…`. What it found, and a part of what it
learned, is kept as lines in `tests/fuzz/corpus`, which the tests replay and the next run begins
with. `--out` keeps the figures of the run as JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WATCHED = ["bargein.server", "bargein.events", "uvicorn.protocols", "websockets", "h11"]


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("target", choices=["machine", "remote", "frames", "heads", "endpoint"])
    asked.add_argument("--seconds", type=int, default=300)
    asked.add_argument("--out", type=Path)
    asked.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given, rest = asked.parse_known_args()
    if given.child:
        _fuzz(given.target, rest)
    corpus = ROOT / ".fuzz" / given.target
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = ROOT / "tests" / "fuzz" / "corpus" / f"{given.target}.txt"
    for number, line in enumerate(seeds.read_text().split() if seeds.is_file() else ()):
        (corpus / f"seed-{number}").write_bytes(bytes.fromhex(line))
    command = [sys.executable, __file__, given.target, "--child", str(corpus), *rest]
    command += [f"-max_total_time={given.seconds}", f"-artifact_prefix={corpus}/"]
    command += [
        "-max_len=600",
        "-len_control=20",
        "-print_final_stats=1",
        "-timeout=30",
        "-rss_limit_mb=2048",
    ]
    began = time.time()
    told: dict[str, Any] = {"target": given.target, "seconds": given.seconds}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.write(line)
            _read(line, told)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    told |= {"took_s": round(time.time() - began), "cpu_s": round(used.ru_utime + used.ru_stime)}
    told |= {"broke": bool(process.returncode)}
    sys.stdout.write(json.dumps(told) + "\n")
    if given.out is not None:
        given.out.write_text(json.dumps(told, indent=2) + "\n")
    return process.returncode


def _read(line: str, told: dict[str, Any]) -> None:
    """Keep what a line of libFuzzer's says of coverage and of the number of runs."""
    if found := re.search(r"cov: (\d+) ft: (\d+) corp: (\d+)", line):
        told |= dict(zip(("edges", "features", "corpus"), map(int, found.groups()), strict=True))
    if found := re.match(r"stat::number_of_executed_units:\s+(\d+)", line):
        told["executions"] = int(found[1])


def _fuzz(target: str, arguments: list[str]) -> None:
    """The fuzzer itself; it ends the process."""
    import atheris

    sys.path.insert(0, str(ROOT))
    with atheris.instrument_imports(include=WATCHED):
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *arguments], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
