"""The occlusion network's file, and its runner on the processor. Called by `occlusion.watch` and by tests.

Made by `rtfilter learn occlusion` (docs/model-cards/occlusion.md).
"""

from __future__ import annotations

from importlib import resources
from typing import Final

from rtfilter.engines.networks import OCCLUSION
from rtfilter.engines.ort.cpu import OnnxRunner

ASSET: Final = "occlusion.onnx"


def network_bytes() -> bytes:
    """The committed ONNX file."""
    return resources.files("rtfilter.occlusion").joinpath("assets", ASSET).read_bytes()


def on_the_processor() -> OnnxRunner:
    """The network on one core, for one face."""
    return OnnxRunner(network_bytes(), OCCLUSION)
