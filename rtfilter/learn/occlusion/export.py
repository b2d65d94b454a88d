"""`rtfilter learn occlusion-export`: the checkpoint as ONNX, checked against PyTorch and measured.

`occlusion.onnx` is the file that `rtfilter/occlusion/assets/` holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rtfilter.engines.networks import OCCLUSION
from rtfilter.errors import Notify
from rtfilter.learn.config import read_document
from rtfilter.learn.occlusion.checkpoint import FILE, Checkpoint
from rtfilter.learn.occlusion.graph import occlusion_graph
from rtfilter.learn.occlusion.measures import measured
from rtfilter.learn.occlusion.network import OcclusionNetwork
from rtfilter.learn.occlusion.pool import Pool
from rtfilter.learn.occlusion.settings import OcclusionSettings
from rtfilter.learn.training.exported import largest_difference, write_checked
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
    path = folder / ASSET
    write_checked(path, content, off, TOLERANCE, notify)
    if settings.held_out:
        for line in measured(content, Pool(folder, run.seed, settings, True, notify)):
            notify(line)
    return path


def difference(network: OcclusionNetwork, content: bytes) -> float:
    """The largest difference of a probability between the ONNX file and PyTorch, over random inputs."""
    return largest_difference(content, OCCLUSION, lambda pixels: [network(pixels)])
