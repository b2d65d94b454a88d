"""Trained networks as ONNX files, compared with PyTorch and written. For `occlusion` and `rims`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.engines.spec import NetworkSpec
from rtfilter.errors import InputError, Notify
from rtfilter.learn.data.track import write_whole

TRIES = 4


def largest_difference(
    content: bytes, spec: NetworkSpec, logits: Callable[[Tensor], Sequence[Tensor]]
) -> float:
    """The largest difference of a probability between an ONNX file and PyTorch, over random inputs.

    logits: PyTorch's answers to an input of `spec`, in the order of its outputs.
    """
    rng, runner, worst = np.random.default_rng(0), OnnxRunner(content, spec), 0.0
    for _ in range(TRIES):
        pixels = rng.random(spec.inputs[0].at(1)).astype(np.float32)
        with torch.no_grad():
            wanted = [torch.sigmoid(one).numpy() for one in logits(torch.from_numpy(pixels))]
        came = runner.run(pixels=pixels)
        for output, one in zip(spec.outputs, wanted, strict=True):
            worst = max(worst, float(np.abs(came[output.name] - one).max()))
    runner.close()
    return worst


def write_checked(path: Path, content: bytes, off: float, tolerance: float, notify: Notify) -> None:
    """Write the file if it differs from PyTorch by `tolerance` at most, and tell. Raises InputError."""
    if not off <= tolerance:
        raise InputError(f"the ONNX file differs from PyTorch by {off:.2g}, expected {tolerance:g} at most")
    write_whole(path, content)
    digest = hashlib.sha256(content).hexdigest()[:16]
    notify(f"{path}: {len(content) / 1000:.0f} kB, sha256 {digest}, differs from PyTorch by {off:.1g}")
