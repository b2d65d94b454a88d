"""`rtfilter learn occlusion-export`: the checkpoint as ONNX, checked against PyTorch and measured.

`occlusion.onnx` is the file that `rtfilter/occlusion/assets/` holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from rtfilter.engines.networks import OCCLUSION
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.errors import InputError, Notify
from rtfilter.learn.config import read_document
from rtfilter.learn.data.track import write_whole
from rtfilter.learn.occlusion.checkpoint import FILE, Checkpoint
from rtfilter.learn.occlusion.graph import occlusion_graph
from rtfilter.learn.occlusion.measures import measured
from rtfilter.learn.occlusion.network import OcclusionNetwork
from rtfilter.learn.occlusion.pool import Pool
from rtfilter.learn.occlusion.settings import OcclusionSettings
from rtfilter.occlusion.network import ASSET

# Weights are rounded to 16 bits: measured 0.001 to 0.004 on trained networks.
TOLERANCE: Final = 0.02


def main(config_path: Path, overrides: Sequence[str] = (), notify: Notify = lambda line: None) -> Path:
    """Write the file, in `output/occlusion`, and tell what it does on people held out; its path."""
    document = read_document(config_path, overrides)
    run, settings = document.run, document.table("occlusion", OcclusionSettings)
    folder = run.folder("occlusion")
    checkpoint = Checkpoint.load(folder / FILE)
    network = checkpoint.restored(folder / FILE)
    network.lean(settings.lean)
    content = occlusion_graph(network, f"{checkpoint.made_by}; rtfilter learn occlusion-export")
    off = difference(network, content)
    if not off <= TOLERANCE:
        raise InputError(f"the ONNX file differs from PyTorch by {off:.2g}, expected {TOLERANCE:g} at most")
    path = folder / ASSET
    write_whole(path, content)
    digest = hashlib.sha256(content).hexdigest()[:16]
    notify(f"{path}: {len(content) / 1000:.0f} kB, sha256 {digest}, differs from PyTorch by {off:.1g}")
    if settings.held_out:
        for line in measured(content, Pool(folder, run.seed, settings, True, notify)):
            notify(line)
    return path


def difference(network: OcclusionNetwork, content: bytes) -> float:
    """The largest difference of a probability between the ONNX file and PyTorch, over random inputs."""
    rng = np.random.default_rng(0)
    runner, worst = OnnxRunner(content, OCCLUSION), 0.0
    for _ in range(4):
        pixels = rng.random((1, 7, 96, 96)).astype(np.float32)
        with torch.no_grad():
            wanted = torch.sigmoid(network(torch.from_numpy(pixels))).numpy()
        worst = max(worst, float(np.abs(runner.run(pixels=pixels)["held"] - wanted).max()))
    runner.close()
    return worst
