"""Make `silero_vad_16k.npz` from the ONNX file of the PyPI package `silero-vad`.

Run it with the pinned package in a throwaway environment; the script itself downloads nothing:

    python -m venv /tmp/weights
    /tmp/weights/bin/pip install onnx numpy
    /tmp/weights/bin/pip download --no-deps silero-vad==6.2.3 -d /tmp/weights
    python -m zipfile -e /tmp/weights/silero_vad-6.2.3-py3-none-any.whl /tmp/weights/silero
    /tmp/weights/bin/python scripts/make_vad_weights.py \\
        /tmp/weights/silero/silero_vad/data/silero_vad_16k_op15.onnx \\
        src/bargein/server/model/data/silero_vad_16k.npz

The package alone is enough: its dependency torch is not needed. The safetensors file beside the
ONNX file holds other weights; do not use it. The numbers stay float32, as published.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx  # type: ignore[import-not-found]  # lives in the throwaway environment only
from onnx import numpy_helper

ONNX_SHA256 = "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49"
"""`silero_vad_16k_op15.onnx` of silero-vad 6.2.3."""

NAMES = {
    "stft.basis": "model.stft.forward_basis_buffer",
    **{
        f"encoder.{i}.{kind}": f"model.encoder.{i}.reparam_conv.{kind}"
        for i in range(4)
        for kind in ("weight", "bias")
    },
    "lstm.input_weight": "model.decoder.rnn.weight_ih",
    "lstm.hidden_weight": "model.decoder.rnn.weight_hh",
    "lstm.input_bias": "model.decoder.rnn.bias_ih",
    "lstm.hidden_bias": "model.decoder.rnn.bias_hh",
    "output.weight": "model.decoder.decoder.2.weight",
    "output.bias": "model.decoder.decoder.2.bias",
}
"""Our name of each array, and its name in the ONNX graph."""

WITHOUT_UNIT_AXES = {"stft.basis": (258, 256), "output.weight": (128,)}
"""Convolutions with one input channel, or of width 1, are plain matrices."""


def main(onnx_path: Path, npz_path: Path) -> None:
    """Check the ONNX file by its digest and write the arrays; its bytes are the same each time."""
    digest = hashlib.sha256(onnx_path.read_bytes()).hexdigest()
    if digest != ONNX_SHA256:
        raise SystemExit(
            f"{onnx_path} has sha256 {digest}, not {ONNX_SHA256}: use silero-vad 6.2.3"
        )
    found = {i.name: numpy_helper.to_array(i) for i in onnx.load(onnx_path).graph.initializer}
    arrays = {name: found[source].astype(np.float32) for name, source in NAMES.items()}
    for name, shape in WITHOUT_UNIT_AXES.items():
        arrays[name] = arrays[name].reshape(shape)
    np.savez_compressed(npz_path, allow_pickle=False, **arrays)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: make_vad_weights.py ONNX_FILE NPZ_FILE")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
