"""Without the dependency group `frameworks` these tests are skipped, and say so; never in CI."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tools.adapters.frameworks import TESTED, lacking


class Skipped(pytest.Module):
    """In place of a module whose framework is not there: it could not even be imported."""

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        package = TESTED[self.path.stem]
        pytest.skip(f"{package} is not there; `make test` installs it", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> Skipped | None:
    if TESTED.get(module_path.stem) in lacking():
        skipped: Skipped = Skipped.from_parent(parent, path=module_path)
        return skipped
    return None
