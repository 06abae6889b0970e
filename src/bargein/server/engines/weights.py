"""The weights that ship with the package."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bargein.server import model


@functools.cache
def silero_weights() -> Mapping[str, NDArray[np.float32]]:
    """The arrays that `SileroVad` wants, read once a process and read-only: all sessions share."""
    source = resources.files(model) / "data" / "silero_vad_16k.npz"
    with source.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays: dict[str, NDArray[np.float32]] = {name: archive[name] for name in archive.files}
    for array in arrays.values():
        array.flags.writeable = False
    return MappingProxyType(arrays)
