"""Many worlds after one another, with the garbage of each collected when it is over.

A world is full of circles, and all of it stays until its end: looking for garbage while it runs
took a tenth of the time and found none. Ten worlds still fit into the processor's cache: to sweep
fifty took twice as long for each.
"""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

SWEPT_EVERY = 10


def swept(worlds: Iterable[T]) -> Generator[T, None, None]:
    """What is given, with the garbage of so many worlds collected at one go.

    Meanwhile the collector is off. It is as it was when all are over, or nobody wants more.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        for count, world in enumerate(worlds, 1):
            yield world
            if count % SWEPT_EVERY == 0:
                gc.collect(0)
    finally:
        gc.collect(0)
        if was_on:
            gc.enable()
