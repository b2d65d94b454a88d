"""`DemoSource`: a public-domain portrait, talking, blinking and swaying, with its ground truth.

The portrait is Eileen Collins (NASA, public domain; docs/model-cards/demo-portrait.md). The CPU renderer
moves it by a track of blendshape coefficients; a virtual camera sways in front of it. Called by `cli`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.errors import UsageError
from rtfilter.face.deform import Displacement
from rtfilter.face.model import MorphableModel
from rtfilter.face.pose import Pose, align
from rtfilter.frame import Frame
from rtfilter.media.info import SourceInfo
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from rtfilter.sources.portrait import Portrait, for_pixel_indices, paint_parts

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

LOOP_S = 12
BLINKS_S = (1.1, 4.3, 7.2, 7.6, 10.4)
BLINK_S = 0.28
# Where the virtual camera looks in the 512 px portrait, and how much of it fills the picture's width.
FACE_CENTRE_PX = (224.0, 132.0)
VIEW_WIDTH_PX = 512.0
# Syllables of a made-up sentence: start in seconds, length in seconds, and what the mouth does.
SYLLABLES: tuple[tuple[float, float, dict[str, float]], ...] = (
    (0.4, 0.24, {"jawOpen": 0.40}),
    (0.7, 0.20, {"mouthFunnel": 0.5, "jawOpen": 0.12}),
    (0.95, 0.26, {"jawOpen": 0.30, "mouthStretch": 0.2}),
    (1.4, 0.22, {"mouthPucker": 0.6}),
    (1.7, 0.30, {"jawOpen": 0.45}),
    (2.1, 0.18, {"mouthLowerDown": 0.4}),
    (2.8, 0.24, {"jawOpen": 0.35, "mouthFunnel": 0.3}),
    (3.1, 0.20, {"jawOpen": 0.22}),
    (3.4, 0.26, {"mouthPucker": 0.5, "jawOpen": 0.1}),
    (3.8, 0.30, {"jawOpen": 0.42}),
    (5.2, 0.24, {"jawOpen": 0.30}),
    (5.5, 0.22, {"mouthStretch": 0.3, "jawOpen": 0.18}),
    (5.8, 0.28, {"jawOpen": 0.40}),
    (6.2, 0.20, {"mouthPucker": 0.6}),
    (6.5, 0.26, {"jawOpen": 0.28, "mouthLowerDown": 0.2}),
    (7.9, 0.24, {"jawOpen": 0.38}),
    (8.2, 0.20, {"mouthFunnel": 0.5}),
    (8.5, 0.30, {"jawOpen": 0.45}),
    (8.9, 0.22, {"mouthPucker": 0.4, "jawOpen": 0.15}),
    (9.3, 0.26, {"jawOpen": 0.33}),
)


@dataclass(frozen=True, slots=True)
class DemoTruth:
    """What one demo frame shows.

    points_px: float32 [478, 3], every landmark in the picture, z as a tracker would give it.
    expression: float64 [52], added to the portrait's own expression. pose: of the head, in the picture.
    """

    points_px: F32
    expression: F64
    pose: Pose


class DemoSource:
    """A person talking, endlessly or for `frame_count` frames, in a loop without a seam.

    zoom: 1 shows the whole portrait's width, with a face of a fifth of it; more comes nearer.
    """

    def __init__(
        self,
        width: int = 1280,
        height: int = 720,
        fps: int = 30,
        frame_count: int | None = None,
        zoom: float = 1.0,
    ) -> None:
        if not (16 <= width <= 7680 and 16 <= height <= 4320 and 1 <= fps <= 240):
            raise UsageError(
                f"demo: {width}x{height} at {fps} fps, expected 16..7680 x 16..4320 at 1..240 fps"
            )
        if frame_count is not None and frame_count < 1:
            raise UsageError(f"demo: frame_count is {frame_count}, expected at least 1")
        self.info = SourceInfo("demo", width, height, Fraction(fps), False, frame_count)
        self._model = MorphableModel.builtin()
        self._renderer = CpuRenderer(RingedMesh(self._model.triangles, self._model.holes))
        self._portrait = Portrait.builtin()
        self._zoom = zoom
        self._seq = 0
        self._closed = False

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        """The next frame; the wait is never longer than drawing it takes."""
        if self._closed or (self.info.frame_count is not None and self._seq >= self.info.frame_count):
            return None
        frame = self.frame(self._seq)
        self._seq += 1
        return frame

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._renderer.close()

    def frame(self, seq: int) -> Frame:
        """Frame number `seq`, whatever was read before."""
        time_s = seq / float(self.info.fps)
        view = self._view(time_s)
        size = (self.info.width, self.info.height)
        canvas = cv2.warpAffine(
            self._portrait.rgb,
            for_pixel_indices(view),
            size,
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        still = Frame(
            np.asarray(canvas, np.uint8), seq, Fraction(1, int(self.info.fps)), round(time_s * 1e9), seq
        )
        points, pose = self._posed(view)
        offset_px = pose.project_vectors(self._model.displacement_iod(expression_at(time_s)))
        moved = self._renderer.render(
            still, Displacement(points, offset_px.astype(np.float32), pose.scale_px_per_iod)
        )
        rgb = np.array(moved.rgb)
        shown = points[:, :2] + offset_px.astype(np.float32)
        paint_parts(rgb, self._portrait, view, points, shown, pose.scale_px_per_iod)
        return Frame(rgb, still.pts, still.time_base, still.captured_ns, seq)

    def truth(self, seq: int) -> DemoTruth:
        """What frame number `seq` shows."""
        time_s = seq / float(self.info.fps)
        points, pose = self._posed(self._view(time_s))
        expression = expression_at(time_s)
        moved = points.copy()
        moved[:, :2] += pose.project_vectors(self._model.displacement_iod(expression)).astype(np.float32)
        return DemoTruth(moved, expression, pose)

    def _posed(self, view: F64) -> tuple[F32, Pose]:
        scale = float(np.hypot(view[0, 0], view[1, 0]))
        flat = self._portrait.points_px[:, :2] @ view[:, :2].T + view[:, 2]
        points = np.concatenate([flat, scale * self._portrait.points_px[:, 2:]], axis=1).astype(np.float32)
        weights = self._model.rigidity.astype(np.float64)
        return points, align(self._model.mean_iod.astype(np.float64), points, weights)

    def _view(self, time_s: float) -> F64:
        """The virtual camera: picture_from_portrait [2, 3], in pixels. Whole cycles a loop, so no seam."""
        turn = 2 * np.pi * time_s / LOOP_S
        zoom = self._zoom * self.info.width / VIEW_WIDTH_PX * (1.0 + 0.03 * np.sin(2 * turn + 0.5))
        angle = np.radians(3.0) * np.sin(3 * turn)
        cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
        centre = np.array(FACE_CENTRE_PX)
        linear = np.array([[cos, -sin], [sin, cos]])
        aim = np.array([self.info.width * 0.5, self.info.height * 0.46])
        aim += self.info.width * np.array([0.02 * np.sin(turn), 0.008 * np.sin(2 * turn + 1.0)])
        return np.concatenate([linear, (aim - linear @ centre)[:, None]], axis=1)


def expression_at(time_s: float) -> F64:
    """The demo's coefficients [52] at a time in seconds; periodic in LOOP_S."""
    now = time_s % LOOP_S
    coefficients = np.zeros(BLENDSHAPE_COUNT)
    for start_s, length_s, shapes in SYLLABLES:
        rise = _bump((now - start_s) / length_s)
        for name, amount in shapes.items():
            for side in ("",) if name in BLENDSHAPE_INDEX else ("Left", "Right"):
                coefficients[BLENDSHAPE_INDEX[name + side]] += amount * rise
    for start_s in BLINKS_S:
        for side in ("Left", "Right"):
            coefficients[BLENDSHAPE_INDEX["eyeBlink" + side]] += 0.9 * _bump((now - start_s) / BLINK_S)
    coefficients[BLENDSHAPE_INDEX["browInnerUp"]] += 0.12 * (1 - np.cos(4 * np.pi * now / LOOP_S))
    return coefficients


def _bump(t: float) -> float:
    """0 outside 0..1, a raised cosine inside."""
    return float(0.5 - 0.5 * np.cos(2 * np.pi * t)) if 0.0 < t < 1.0 else 0.0
