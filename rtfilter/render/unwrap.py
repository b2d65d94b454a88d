"""Pictures of a face to textures of its skin and back, in the layout of `face.uv`.

`Unwrapper` reads a texture and how far each texel can be trusted; `paint` is its inverse. Called by `learn`,
`profiles`, `occlusion` and tests.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError
from rtfilter.face.dense import vertex_normals
from rtfilter.face.landmarks import LANDMARK_COUNT
from rtfilter.face.uv import FOLDS, Polygon, outwards, skin_uv
from rtfilter.kernels.cpu.rasterise import rasterise_flow

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]

# Cosines between skin and the line of sight at which a texel begins to count, and from which it counts whole.
LEAST_COSINE: Final = 0.2
FULL_COSINE: Final = 0.5
EDGE_TEXTURE: Final = 0.03  # width over which the mask fades at the face's outline, eyes and mouth: of a side
HIDDEN_IOD: Final = 0.06  # skin this much farther away than what covers it is hidden
GRID_CELLS: Final = 160  # cells of the depth grid along the face's longer side
_FOLD_BITS: Final = 4


class Unwrapper:
    """The unwrapping of faces of one mesh to textures of `size` texels a side.

    mask: float32 [S, S], 0..1, the skin that may ever be seen: 0 in eyes and mouth and outside the face,
    fading towards them.
    """

    def __init__(self, size: int, triangles: I32) -> None:
        """triangles: int32 [T, 3], the skin, as landmark indices."""
        if size < 8:
            raise InputError(f"a texture has {size} texels a side, expected at least 8")
        self.size = size
        self._uv = skin_uv()
        self._triangles = outwards(triangles)
        self._corners, self._shares, covered = _texels(size, self._triangles, self._uv)
        self._covered = covered
        self.mask = _faded(covered, EDGE_TEXTURE * size)

    def texels(self) -> tuple[I32, F32]:
        """The landmarks around each texel, int32 [S, S, 3], and their shares, float32 [S, S, 3]."""
        return self._corners, self._shares

    def positions(self, points: npt.NDArray[np.floating[Any]]) -> F32:
        """What lies at each texel, float32 [S, S, C], of values at the landmarks [478, C]; 0 outside."""
        values = points.astype(np.float32)[self._corners]
        return np.asarray(np.einsum("ijk,ijkc->ijc", self._shares, values), np.float32)

    def unwrap(self, rgb: U8, points_px: F32) -> tuple[F32, F32]:
        """Texture float32 [S, S, 3], 0..255, and weight float32 [S, S], 0..1, of a picture uint8 [H, W, 3].

        points_px: float32 [478, 3]; z smaller is nearer. Weight is 1 where skin faces the camera,
        is inside the picture and is not hidden by the face itself, and fades to 0 elsewhere. Raises
        InputError.
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise InputError(f"expected a picture uint8 [H, W, 3], got {rgb.dtype} {list(rgb.shape)}")
        if points_px.shape != (LANDMARK_COUNT, 3) or not np.isfinite(points_px).all():
            raise InputError(f"expected finite landmarks [478, 3], got {list(points_px.shape)}")
        places = self.positions(points_px)
        texture = _sampled(rgb, places, self._covered)
        return texture, np.asarray(self.mask * self._seen(places, points_px, *rgb.shape[:2]), np.float32)

    def _seen(self, places: F32, points_px: F32, height: int, width: int) -> F32:
        """How far each texel is seen, 0..1, without the mask."""
        normals = vertex_normals(points_px.astype(np.float32), self._triangles)
        facing = -self.positions(normals)[..., 2]
        weight = _step(facing, LEAST_COSINE, FULL_COSINE)
        x, y = places[..., 0], places[..., 1]
        inside = np.minimum.reduce([x, y, width - x, height - y])
        weight *= np.clip(inside, 0.0, 1.0)
        hidden = self._hidden(places, points_px)
        if hidden.any():
            seen = cv2.erode((~hidden).astype(np.float32), np.ones((3, 3)))
            weight *= np.minimum(seen, cv2.GaussianBlur(seen, (0, 0), max(0.01 * self.size, 0.5)))
        return np.asarray(weight, np.float32)

    def _hidden(self, places: F32, points_px: F32) -> npt.NDArray[np.bool_]:
        """Whether another part of the face covers a texel, bool [S, S]."""
        low = points_px[:, :2].min(0)
        extent = float((points_px[:, :2].max(0) - low).max())
        cell = max(extent, 1e-6) / GRID_CELLS
        vertices = points_px.astype(np.float32).copy()
        vertices[:, :2] = (vertices[:, :2] - low) / cell
        side = GRID_CELLS + 1
        depth, label = np.empty((side, side), np.float32), np.empty((side, side), np.uint8)
        kinds = np.ones(len(self._triangles), np.uint8)
        still = np.zeros((LANDMARK_COUNT, 2), np.float32)
        flow, shown = np.empty((side, side, 2), np.float32), np.empty((side, side), np.int32)
        rasterise_flow(vertices, still, self._triangles, kinds, flow, label, depth, shown)
        at = np.clip(((places[..., :2] - low) / cell).astype(np.int32), 0, side - 1)
        # The extent of a face is about 1.6 IODs.
        return np.asarray(places[..., 2] - depth[at[..., 1], at[..., 0]] > HIDDEN_IOD * extent / 1.6)


def paint(texture: F32, points_px: F32, triangles: I32, height: int, width: int) -> tuple[F32, F32]:
    """A texture [S, S, C] on a face: picture float32 [H, W, C], and where it lies, float32 [H, W], 0 or 1."""
    flow, label = np.empty((height, width, 2), np.float32), np.empty((height, width), np.uint8)
    depth, kinds = np.empty((height, width), np.float32), np.ones(len(triangles), np.uint8)
    faces, shown = np.ascontiguousarray(triangles, np.int32), np.empty((height, width), np.int32)
    vertices = np.ascontiguousarray(points_px, np.float32)
    rasterise_flow(vertices, skin_uv(), faces, kinds, flow, label, depth, shown)
    place = flow * np.float32(len(texture)) - np.float32(0.5)
    picture = cv2.remap(
        texture, place, np.empty(0, np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    covered = (label > 0).astype(np.float32)
    picture = picture.reshape(height, width, -1) * covered[..., None]
    return np.asarray(picture, np.float32), covered


def fold_mask(name: str, size: int) -> F32:
    """The share of each texel that a region of FOLDS covers, float32 [S, S], 0..1."""
    return _filled(FOLDS[name], size)


def _filled(polygons: tuple[Polygon, ...], size: int) -> F32:
    mask = np.zeros((size, size), np.uint8)
    for polygon in polygons:
        corners = np.round((np.array(polygon) * size - 0.5) * (1 << _FOLD_BITS)).astype(np.int32)
        cv2.fillPoly(mask, [corners], (255,), cv2.LINE_AA, _FOLD_BITS)
    return mask.astype(np.float32) / np.float32(255.0)


def _texels(size: int, triangles: I32, uv: F32) -> tuple[I32, F32, npt.NDArray[np.bool_]]:
    """The landmarks around each texel, int32 [S, S, 3], their shares, and whether it lies on skin."""
    count = len(triangles)
    vertices = np.empty((3 * count, 3), np.float32)
    vertices[:, :2] = uv[triangles.ravel()] * size
    vertices[:, 2] = np.repeat(np.arange(count), 3)  # the first one wins where two meet
    shares = np.tile(np.array([[0, 0], [1, 0], [0, 1]], np.float32), (count, 1))
    faces = np.arange(3 * count, dtype=np.int32).reshape(count, 3)
    flow, label = np.empty((size, size, 2), np.float32), np.empty((size, size), np.uint8)
    depth, shown = np.empty((size, size), np.float32), np.empty((size, size), np.int32)
    rasterise_flow(vertices, shares, faces, np.ones(count, np.uint8), flow, label, depth, shown)
    covered = label > 0
    corners = triangles[np.maximum(shown, 0)]
    three = np.stack([1.0 - flow.sum(2), flow[..., 0], flow[..., 1]], axis=2) * covered[..., None]
    return corners.astype(np.int32), three.astype(np.float32), covered


def _faded(covered: npt.NDArray[np.bool_], width: float) -> F32:
    padded = np.pad(covered.astype(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    return _step(np.asarray(distance, np.float32), 0.5, width)


def _step(value: npt.NDArray[np.floating[Any]], low: float, high: float) -> F32:
    share = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share), np.float32)


def _sampled(rgb: U8, places: F32, covered: npt.NDArray[np.bool_]) -> F32:
    """The picture at the texels' places; a picture finer than the texture is averaged first."""
    where = places[covered][:, :2]
    x0, y0 = np.maximum(np.floor(where.min(0)).astype(int) - 2, 0)
    x1, y1 = np.minimum(np.ceil(where.max(0)).astype(int) + 2, (rgb.shape[1], rgb.shape[0]))
    if x1 <= x0 or y1 <= y0:
        return np.zeros((*covered.shape, 3), np.float32)
    part = rgb[y0:y1, x0:x1].astype(np.float32)
    both = covered[:, 1:] & covered[:, :-1]
    step_px = float(np.median(np.linalg.norm(np.diff(places[..., :2], axis=1)[both], axis=1)))
    if step_px > 1.0:
        # What a texel of this size sees: a box of its width, near enough.
        sigma_px = 0.4 * float(np.sqrt(step_px**2 - 1.0)) + 1e-3
        part = np.asarray(cv2.GaussianBlur(part, (0, 0), sigma_px), np.float32)
    at = np.ascontiguousarray(places[..., :2] - np.array([x0, y0], np.float32) - np.float32(0.5))
    texture = cv2.remap(part, at, np.empty(0, np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(texture * covered[..., None], np.float32)
