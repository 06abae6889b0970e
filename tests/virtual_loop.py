"""The event loop on virtual time that most tests of the edges run on; the bench runs on it too."""

from bargein.lab.bench.virtual_time import Deadlock, VirtualLoop, run

__all__ = ["Deadlock", "VirtualLoop", "run"]
