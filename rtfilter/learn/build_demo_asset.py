"""`python -m rtfilter.learn.build_demo_asset`: the demo's portrait, of scikit-image's astronaut.

The picture of Eileen Collins (NASA, public domain) smiles. Lips are closed, the smile is removed, the teeth
are kept apart. Writes demo_portrait.jpg and .npz, so that the demo needs neither scikit-image nor a tracker.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement
from rtfilter.face.model import MorphableModel
from rtfilter.face.pose import Pose, align
from rtfilter.frame import Frame
from rtfilter.learn.mediapipe_tracker import MediaPipeTracker
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from rtfilter.sources.portrait import MOUTH, filled
from rtfilter.system.arrays import U8

F32 = npt.NDArray[np.float32]

ASSETS = Path(__file__).resolve().parents[1] / "sources" / "assets"
REPEATS = 10  # the tracker refines its region over the first pictures
SCALE = 4  # the portrait is worked on this many times larger
REST = {"mouthSmileLeft": -0.6, "mouthSmileRight": -0.6, "mouthUpperUpLeft": -0.1, "mouthUpperUpRight": -0.1}
# Rows of the lips from the inside out, and how much of the way to each other they go; the upper lip goes
# 0.45 of the gap down and the lower one 0.55 up.
LIP_ROWS = (
    (lm.LIPS_INNER_UPPER, lm.LIPS_INNER_LOWER, 1.0),
    (lm.LIPS_WET_UPPER, lm.LIPS_WET_LOWER, 0.93),
    (lm.LIPS_MIDDLE_UPPER, lm.LIPS_MIDDLE_LOWER, 0.75),
    (lm.LIPS_OUTER_UPPER, lm.LIPS_OUTER_LOWER, 0.55),
)
UPPER_SHARE = 0.45
LIP_LINE_RGB = (96.0, 48.0, 46.0)
TEETH_MARGIN_PX = 4  # in the portrait
JPEG_QUALITY = 94


def main() -> None:
    """Write both files."""
    photograph = resources.files("skimage.data").joinpath("astronaut.png").read_bytes()
    decoded = cv2.imdecode(np.frombuffer(photograph, np.uint8), cv2.IMREAD_COLOR)
    portrait = np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
    model = MorphableModel.builtin()
    points = SCALE * tracked(portrait)
    large = np.asarray(
        cv2.resize(portrait, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC), np.uint8
    )
    pose = align(model.mean_iod.astype(np.float64), points, model.rigidity.astype(np.float64))
    offset = at_rest(model, pose, points)
    rest = closed(model, large, points, offset, pose.scale_px_per_iod)
    resting_points = points.copy()
    resting_points[:, :2] += offset
    teeth, teeth_at = teeth_of(large, points)
    small = cv2.resize(rest, portrait.shape[1::-1], interpolation=cv2.INTER_AREA)
    cv2.imwrite(
        str(ASSETS / "demo_portrait.jpg"),
        cv2.cvtColor(small, cv2.COLOR_RGB2BGR),
        [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY],
    )
    np.savez_compressed(
        ASSETS / "demo_portrait.npz",
        points_px=(resting_points / SCALE).astype(np.float32),
        teeth=teeth,
        teeth_at_px=np.array(teeth_at, np.int32),
        lid_rgb=lid_colour(portrait, points / SCALE),
    )
    for name in ("demo_portrait.jpg", "demo_portrait.npz"):
        print(f"{ASSETS / name}: {(ASSETS / name).stat().st_size} bytes")


def tracked(portrait: U8) -> F32:
    """The landmarks of a portrait, float32 [478, 3]."""
    tracker = MediaPipeTracker()
    frame = Frame.from_rgb(portrait)
    found = [tracker.track(frame) for _ in range(REPEATS)][-1]
    tracker.close()
    if found is None:
        raise SystemExit("no face found in the portrait: is scikit-image's astronaut picture intact?")
    return found.points_px


def at_rest(model: MorphableModel, pose: Pose, points: F32) -> F32:
    """The displacement of each landmark from the smile to the rest, float32 [478, 2]."""
    coefficients = np.zeros(BLENDSHAPE_COUNT)
    for name, amount in REST.items():
        coefficients[BLENDSHAPE_INDEX[name]] = amount
    offset = pose.project_vectors(model.displacement_iod(coefficients)).astype(np.float32)
    gap = (points[list(lm.LIPS_INNER_LOWER), :2] + offset[list(lm.LIPS_INNER_LOWER)]) - (
        points[list(lm.LIPS_INNER_UPPER), :2] + offset[list(lm.LIPS_INNER_UPPER)]
    )
    for upper, lower, share in LIP_ROWS:
        offset[list(upper)] += UPPER_SHARE * share * gap
        offset[list(lower)] -= (1.0 - UPPER_SHARE) * share * gap
    return offset


def closed(model: MorphableModel, rgb: U8, points: F32, offset: F32, iod_px: float) -> U8:
    """The picture at rest. Teeth are painted over before the lips meet; else a white line would be left."""
    lips = points[list(MOUTH), :2]
    cover = _mask(rgb, lips, grown=5, sigma=1.2)
    painted = np.rint(rgb * (1.0 - cover) + np.array(LIP_LINE_RGB) * cover).astype(np.uint8)
    renderer = CpuRenderer(RingedMesh(model.triangles, model.holes))
    moved = renderer.render(Frame.from_rgb(painted), Displacement(points, offset, iod_px)).rgb
    renderer.close()
    line = _mask(rgb, lips + offset[list(MOUTH)], grown=9, sigma=2.0)
    soft = cv2.GaussianBlur(moved, (0, 0), 1.6)
    return np.asarray(np.rint(moved * (1.0 - line) + soft * line), np.uint8)


def teeth_of(large: U8, points: F32) -> tuple[U8, tuple[int, int]]:
    """The teeth of the smile in the portrait's own size, uint8 [h, w, 4], and their upper left corner."""
    lips = points[list(MOUTH), :2]
    inside = cv2.erode(filled(large, lips), np.ones((3, 3), np.uint8))
    soft = np.rint(255.0 * cv2.GaussianBlur(inside, (0, 0), 1.5)).astype(np.uint8)
    size = (large.shape[1] // SCALE, large.shape[0] // SCALE)
    small = cv2.resize(np.dstack([large, soft]), size, interpolation=cv2.INTER_AREA)
    x0, y0 = (int(v) for v in np.floor(lips.min(0) / SCALE) - TEETH_MARGIN_PX)
    x1, y1 = (int(v) for v in np.ceil(lips.max(0) / SCALE) + TEETH_MARGIN_PX)
    return np.ascontiguousarray(small[y0:y1, x0:x1]), (x0, y0)


def lid_colour(portrait: U8, points: F32) -> F32:
    """Median colour of the skin halfway between lids and brows, float32 [3]."""
    at = [
        0.5 * (points[upper, :2] + points[brow, :2])
        for upper, brow in ((159, 52), (158, 65), (386, 282), (385, 295))
    ]
    colours = [portrait[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].reshape(-1, 3) for x, y in at]
    return np.asarray(np.median(np.concatenate(colours), axis=0), np.float32)


def _mask(rgb: U8, polygon: F32, grown: int, sigma: float) -> F32:
    """A polygon, grown and softened: [H, W, 1], 0..1."""
    wide = cv2.dilate(filled(rgb, polygon), np.ones((grown, grown), np.uint8))
    return np.asarray(cv2.GaussianBlur(wide, (0, 0), sigma)[..., None], np.float32)


if __name__ == "__main__":
    main()
