"""What holds for all tests.

What pytest and the packages hold when the tests are collected stays to the end. The collector need
not look through it in each of its full rounds: that was a sixth of the time of the tests that
replay simulated worlds.
"""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
