"""The product's tracker: MediaPipe's two networks, run without MediaPipe.

Made by `filter`, which uses ONNX Runtime on the processor.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rtfilter.errors import UsageError
from rtfilter.frame import Frame
from rtfilter.kernels.cpu.crop import warm_up
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8
from rtfilter.tracking.base import Landmarks
from rtfilter.tracking.crowd import Crowd
from rtfilter.tracking.detect import INPUT_PX, Detection, Letterbox, detections, letterbox
from rtfilter.tracking.find import find_person
from rtfilter.tracking.follow import Follower
from rtfilter.tracking.lookout import LookAside
from rtfilter.tracking.roi import CROP_PX, Roi, crop
from rtfilter.tracking.tiles import Tile

if TYPE_CHECKING:
    from rtfilter.engines.runner import Network

F32 = npt.NDArray[np.float32]

_log = logging.getLogger(__name__)

PICTURE_SIDE_MIN_PX = 16
PEOPLE_MAX = 64


class FaceNetworks:
    """Detector and mesh network on pictures, with their input arrays.

    detector, mesh: runners of FACE_DETECTOR and FACE_MESH for a batch of one; closed with this.
    """

    def __init__(self, detector: Network, mesh: Network) -> None:
        self._detector, self._mesh = detector, mesh
        self._whole = np.zeros((1, 3, INPUT_PX, INPUT_PX), np.float32)
        self._square = np.zeros((1, 3, CROP_PX, CROP_PX), np.float32)
        warm_up()

    def detect(self, pixels: U8 | Planes) -> list[Detection]:
        """All faces of a picture, the surest first."""
        return self.faces(self.see(pixels))

    def see(self, pixels: U8 | Planes, tile: Tile | None = None) -> Letterbox:
        """See `lookout.Detector`."""
        return letterbox(pixels, self._whole[0], tile)

    def faces(self, box: Letterbox) -> list[Detection]:
        """See `lookout.Detector`."""
        out = self._detector.run(pixels=self._whole)
        return detections(out["boxes"][0], out["scores"][0], box)

    def mesh(self, pixels: U8 | Planes, roi: Roi) -> tuple[F32, float]:
        """Landmarks float32 [478, 3] in pixels of the picture, and presence 0..1, of the face in a square."""
        crop(pixels, roi, self._square[0])
        out = self._mesh.run(pixels=self._square)
        return roi.project(out["landmarks"][0]), float(out["presence"][0])

    def close(self) -> None:
        self._detector.close()
        self._mesh.close()


class EngineTracker:
    """Follows one face, the largest at first or a chosen one, the same through crossings; or several.

    networks: by default ONNX Runtime's on the processor, one thread; converted on first use. progress: gets a
    line for what takes long; default: the log.
    """

    def __init__(
        self, networks: FaceNetworks | None = None, progress: Callable[[str], None] | None = None
    ) -> None:
        self._networks = networks if networks is not None else _on_the_processor(progress)
        self._lookout = LookAside(self._networks)
        self._follower = Follower()
        self._crowd = Crowd()

    def track(self, frame: Frame) -> Landmarks | None:
        """See `Tracker`."""
        if min(frame.width, frame.height) < PICTURE_SIDE_MIN_PX:
            return None
        time_s = frame.pts_ns * 1e-9
        self._follower.picture(frame.width, frame.height)
        self._lookout.picture(frame.pixels)
        seen: list[tuple[F32, float]] = []

        def mesh(roi: Roi) -> tuple[F32, float]:
            seen.append(self._networks.mesh(frame.pixels, roi))
            return seen[-1]

        found = find_person(self._follower, time_s, self._lookout, mesh)
        self._lookout.picture(None)
        return None if found is None else Landmarks(*seen[-1], self._follower.person)

    def track_all(self, frame: Frame, limit: int) -> list[Landmarks]:
        """The landmarks of up to `limit` people, 1..64, longest followed first, each with its `person`.

        Use either this or `track` on one stream. UsageError for another limit.
        """
        if not 1 <= limit <= PEOPLE_MAX:
            raise UsageError(f"limit: expected 1 to {PEOPLE_MAX} people, got {limit}")
        if min(frame.width, frame.height) < PICTURE_SIDE_MIN_PX:
            return []

        def mesh(squares: Mapping[int, Roi]) -> list[tuple[F32, float]]:
            return [self._networks.mesh(frame.pixels, roi) for roi in squares.values()]

        size, time_s = (frame.width, frame.height), frame.pts_ns * 1e-9
        self._lookout.picture(frame.pixels)
        found = self._crowd.step(limit, size, time_s, self._lookout, mesh)
        self._lookout.picture(None)
        return found

    def choose(self, x: float, y: float) -> None:
        """See `ChoosingTracker`; for `track`."""
        self._follower.chosen = (x, y)

    def reset(self) -> None:
        """See `Tracker`."""
        self._lookout.reset()
        self._follower.reset()
        self._crowd.reset()

    def close(self) -> None:
        """See `Tracker`. May be called twice."""
        self._lookout.close()
        self._networks.close()


def _on_the_processor(progress: Callable[[str], None] | None) -> FaceNetworks:
    from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
    from rtfilter.engines.ort.cpu import OnnxRunner
    from rtfilter.engines.prepare.files import PROCESSOR, network_bytes

    detector, mesh = (
        network_bytes(spec, progress or _log.warning, PROCESSOR) for spec in (FACE_DETECTOR, FACE_MESH)
    )
    return FaceNetworks(OnnxRunner(detector, FACE_DETECTOR), OnnxRunner(mesh, FACE_MESH))
