"""The face detector on a device: one picture at a time, in a graph of its own. Called by `batch_device`."""

from __future__ import annotations

import numpy as np

from rtfilter.engines.networks import DETECTOR_SIDE_PX
from rtfilter.engines.runner import Runner
from rtfilter.gpu.replay import Part, Replays
from rtfilter.kernels.cpu.crop import warm_up
from rtfilter.kernels.device import Device, Stream
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8
from rtfilter.tracking.detect import Detection, Letterbox, detections, letterbox
from rtfilter.tracking.tiles import Tile


class DetectorGraph:
    """runner: of FACE_DETECTOR, for one picture; bound here."""

    def __init__(self, device: Device, stream: Stream, runner: Runner) -> None:
        self._stream, self._runner = stream, runner
        self._pixels = device.pinned((1, 3, DETECTOR_SIDE_PX, DETECTOR_SIDE_PX), np.float32)
        boxes, scores = (tensor.at(1) for tensor in runner.spec.outputs)
        self._boxes, self._scores = device.pinned(boxes, np.float32), device.pinned(scores, np.float32)
        self._on_device = {
            "pixels": device.empty(self._pixels.shape, np.float32),
            "boxes": device.empty(boxes, np.float32),
            "scores": device.empty(scores, np.float32),
        }
        runner.bind(self._on_device)
        self._letterbox: Letterbox | None = None
        self._replays = Replays(stream)
        self.close = self._replays.clear  # the memory is the device's
        warm_up()  # of the letterbox, which the processor samples

    def start(self, pixels: U8 | Planes, tile: Tile | None = None) -> None:
        """Queue the detection of a picture's faces. pixels: of a frame. tile: default all of it."""
        self._letterbox = letterbox(pixels, self._pixels[0], tile)
        self._replays.launch("", "", self._parts)

    def found(self) -> list[Detection]:
        """The faces, highest score first; after a `start` and the stream's `wait`."""
        assert self._letterbox is not None, "start() comes first"
        return detections(self._boxes[0], self._scores[0], self._letterbox)

    def _parts(self) -> list[Part]:
        stream, runner, there = self._stream, self._runner, self._on_device
        return [
            Part("upload", lambda: stream.upload(there["pixels"], self._pixels)),
            Part("face_detector", lambda: runner.enqueue(stream), runner.capturable),
            Part("download", lambda: stream.download(self._boxes, there["boxes"])),
            Part("download", lambda: stream.download(self._scores, there["scores"])),
        ]
