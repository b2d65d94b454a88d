"""Parts that are not skin, measured before and after an edit: irises and brows.

`python -m rtfilter.bench.parts CLIP...` prints for each clip, over its frames: at "surprised", the axis ratio
of irises over a circle's; at "surprised", "sad" and "angry", the thickness of brows over that before. The
median, and the median distance from 1. All at 1.0, with rigid parts and with the mesh that stretches.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from contextlib import closing
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import Controls
from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement
from rtfilter.face.model import MorphableModel
from rtfilter.filter import FaceFilter
from rtfilter.frame import Frame
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from rtfilter.sources.file import FileSource
from rtfilter.system.arrays import U8

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

EMOTIONS = ("surprised", "sad", "angry")
MARGIN = 0.2  # from a lid's line, in radii of the iris, within which its rim is not looked for
SIDES = np.radians([*range(-30, 31, 3), *range(150, 211, 3)])
TOP = np.radians(np.arange(-120, -59, 4))
# Along a ray from an iris's centre, in radii of its landmarks: where its rim may be.
RAY = np.linspace(0.65, 1.4, 46)
EYES = ((lm.IRIS_RIGHT, lm.EYE_RIGHT_OUTLINE), (lm.IRIS_LEFT, lm.EYE_LEFT_OUTLINE))
BROWS = tuple(
    zip(
        (*lm.BROW_RIGHT_UPPER[1:4], *lm.BROW_LEFT_UPPER[1:4]),
        (*lm.BROW_RIGHT_LOWER[1:4], *lm.BROW_LEFT_LOWER[1:4]),
        strict=True,
    )
)


def luma_at(luma: F32, x: F64, y: F64) -> F64:
    """Between pixel centres, of a picture [H, W]."""
    place_x, place_y = (np.asarray(v - 0.5, np.float32) for v in (x, y))
    return np.asarray(cv2.remap(luma, place_x, place_y, cv2.INTER_LINEAR), np.float64)


def luma_of(rgb: U8) -> F32:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float32)


def rim_edges(luma: F32, centre_px: F64, radius_px: float, opening_px: F64, angles: F64) -> F64:
    """Where an iris ends along rays from its centre, in its radii, [A]; NaN where that is unclear or covered.

    That is the steepest rise of luma within RAY that the opening [N, 2] shows.
    """
    ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    x, y = (centre_px[c] + radius_px * ways[:, c : c + 1] * RAY for c in range(2))
    rise = np.gradient(luma_at(luma, x, y), axis=1)
    polygon = opening_px.astype(np.float32).reshape(-1, 1, 2)
    places = zip(x.flat, y.flat, strict=True)
    inside = np.array([cv2.pointPolygonTest(polygon, (float(u), float(v)), True) for u, v in places])
    seen = inside.reshape(x.shape) > MARGIN * radius_px
    rise = np.where(seen, rise, 0.0)
    best = rise.argmax(1)
    strength = rise[np.arange(len(angles)), best]
    clear = (strength > 0.25 * strength.max()) & seen[:, RAY <= 1.15].all(1) & (strength > 0.3)
    return np.where(clear, RAY[best], np.nan)


def circle_of(edges_px: F64) -> tuple[F64, float]:
    """Centre and radius of the circle through points [N, 2], but a tenth of them; radius NaN of too few."""
    for _ in range(2):
        if len(edges_px) < 8:
            return np.full(2, np.nan), float("nan")
        system = np.column_stack([2 * edges_px, np.ones(len(edges_px))])
        u, v, w = np.linalg.lstsq(system, (edges_px**2).sum(1), rcond=None)[0]
        centre, radius = np.array([u, v]), float(np.sqrt(max(w + u * u + v * v, 0.0)))
        off = np.abs(np.linalg.norm(edges_px - centre, axis=1) - radius)
        edges_px = edges_px[off <= np.percentile(off, 90)]
    return centre, radius


def iris_axis_ratio(before: F32, after: F32, points_px: F64, moved_px: F64, eye: int) -> float:
    """Height over width of an iris after an edit, over a circle's; NaN where the edit does not show its top.

    The circle is fitted to both sides of the rim in the source, where no lid covers them.
    """
    iris, rim = EYES[eye]
    middle, radius = points_px[iris[0]], float(np.ptp(points_px[list(iris), 0])) / 2
    edges = rim_edges(before, middle, radius, points_px[list(rim)], SIDES)
    ways = np.stack([np.cos(SIDES), np.sin(SIDES)], axis=1)
    there = np.isfinite(edges)
    centre, radius = circle_of(middle + radius * (edges[:, None] * ways)[there])
    if not np.isfinite(radius):
        return float("nan")
    shift = (moved_px - points_px)[list(iris)].mean(0)
    top = rim_edges(after, centre + shift, radius, moved_px[list(rim)], TOP)
    if np.isfinite(top).sum() < len(TOP) // 3:
        return float("nan")
    return 0.5 + 0.5 * float(np.nanmedian(top))


def brow_thickness(luma: F32, upper_px: F64, lower_px: F64) -> float:
    """Width at half depth, in pixels, of the dark between two landmarks, along their line; or NaN."""
    way = lower_px - upper_px
    length = float(np.linalg.norm(way))
    places = np.linspace(-1.0, 2.0, 241)
    line = upper_px + places[:, None] * way
    profile = luma_at(luma, line[:, :1], line[:, 1:])[:, 0]
    inside = (places > -0.1) & (places < 1.1)
    deepest = int(np.flatnonzero(inside)[profile[inside].argmin()])
    skin = profile[:80].max()
    half = 0.5 * (profile[deepest] + skin)
    if skin - profile[deepest] < 12.0:
        return float("nan")
    above = np.flatnonzero(profile[:deepest] > half)
    below = np.flatnonzero(profile[deepest:] > half)
    if not len(above) or not len(below):
        return float("nan")
    return float((places[deepest + below[0]] - places[above[-1]]) * length)


def changes(frames: Iterable[tuple[U8, Displacement]], renderer: CpuRenderer) -> dict[str, F64]:
    """Of every frame: axis ratios of irises [F, 2], and thickness of brows after over before [F, 6]."""
    found: dict[str, list[list[float]]] = {"iris": [], "brow": []}
    for rgb, displacement in frames:
        points = displacement.points_px[:, :2].astype(np.float64)
        moved = points + displacement.offset_px
        before = luma_of(rgb)
        after = luma_of(renderer.render(Frame.from_rgb(rgb), displacement).rgb)
        found["iris"].append([iris_axis_ratio(before, after, points, moved, eye) for eye in range(2)])
        found["brow"].append(
            [
                brow_thickness(after, moved[a], moved[b]) / brow_thickness(before, points[a], points[b])
                for a, b in BROWS
            ]
        )
    return {part: np.array(values) for part, values in found.items()}


def edited_frames(path: str, emotion: str, count: int, first: int = 15) -> list[tuple[U8, Displacement]]:
    """Frames of a clip, with the displacement of an emotion at 1.0."""
    model, frames = MorphableModel.builtin(), []
    with closing(FileSource(path)) as source, FaceFilter(lane="cpu") as face_filter:
        controls = Controls({emotion: 1.0})
        for number, frame in enumerate(islice(iter(source.read, None), first + 4 * count)):
            report = face_filter.step(frame, controls).report
            if number < first or number % 4 or report.landmarks is None or report.state is None:
                continue
            pose = report.state.pose
            offset = pose.project_vectors(model.edited_iod(np.asarray(report.offset))).astype(np.float32)
            frames.append(
                (frame.rgb, Displacement(report.landmarks.points_px, offset, pose.scale_px_per_iod))
            )
    return frames


def summary(part: str, values: F64) -> str:
    """The median of what was seen, and of its distance from 1."""
    seen = values[np.isfinite(values)]
    if not seen.size:
        return f"{part} not seen"
    return f"{part} {np.median(seen):.3f}, off by {np.median(np.abs(seen - 1.0)):.3f} ({seen.size} seen)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="+", metavar="CLIP")
    parser.add_argument("--frames", type=int, default=10, help="of each clip, every fourth")
    options = parser.parse_args()
    model = MorphableModel.builtin()
    for path in options.clips:
        for emotion in EMOTIONS:
            frames = edited_frames(path, emotion, options.frames)
            for name in ("rigid", "stretching"):
                mesh = RingedMesh(model.triangles, model.holes, rigid_parts=name == "rigid")
                with closing(CpuRenderer(mesh)) as renderer:
                    found = changes(frames, renderer)
                parts = ("iris", "brow") if emotion == "surprised" else ("brow",)
                text = "; ".join(summary(part, found[part]) for part in parts)
                print(f"{path} {emotion} {name}: {text}", flush=True)


if __name__ == "__main__":
    main()
