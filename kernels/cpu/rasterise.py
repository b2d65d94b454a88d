"""Mesh to backward flow: triangles rasterised with depth order, then softened. For `CpuRenderer`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]

# The label of a grid cell; 0 is "no triangle".
OUTSIDE, SKIN, SHARP, MOUTH, EYE_RIGHT, EYE_LEFT = range(6)


# A hair of overlap, in weights, so that no cell falls between two triangles.
_HAIR = np.float32(1e-5)
# Where a row of cells enters and leaves a triangle is widened by this much, in cells: whether a centre lies
# inside is told by its weights, and rounding must not lose one.
_EDGE = np.float32(0.01)
_NOWHERE = np.float32(1.0e9)


@njit(cache=CACHE, nogil=True, fastmath=True)
def rasterise_flow(
    vertices: F32, offsets: F32, triangles: I32, labels: U8, flow: F32, label: U8, depth: F32, shown: I32
) -> None:
    """Fill a grid with the offsets of the nearest triangle over each cell centre.

    vertices: float32 [V, 3], x and y in cells (cell (i, j) has its centre at x = j + 0.5, y = i + 0.5),
        z in any unit, smaller is nearer. offsets: float32 [V, 2], what to interpolate.
    triangles: int32 [T, 3]. labels: uint8 [T].
    flow: float32 [H, W, 2], label: uint8 [H, W], depth: float32 [H, W], shown: int32 [H, W], the nearest
        triangle or -1: overwritten; [0, 0]: not wanted.
    """
    shown[:] = -1
    grids, none = (flow, label, depth, depth[:0]), np.empty(0, np.float32)
    _draw(vertices, offsets, triangles, labels, *grids, shown, offsets[:0], none, offsets[:0])


@njit(cache=CACHE, nogil=True, fastmath=True)
def rasterise_lit(
    vertices: F32,
    offsets: F32,
    triangles: I32,
    labels: U8,
    flow: F32,
    label: U8,
    depth: F32,
    log_gain: F32,
    uv: F32,
    light: F32,
    texture: F32,
) -> None:
    """`rasterise_flow`, with the log gain of skin: the texture's, and that of the landmarks.

    log_gain: float32 [H, W], overwritten; 0 where there is no skin.
    uv: float32 [N, 2], 0..1, and light: float32 [N], of the landmarks, which all corners of skin are.
    texture: float32 [S, S], log gain in UV; texel (i, j) has its centre at v = (i + 0.5) / S.
    """
    log_gain[:] = 0.0
    grids = (flow, label, depth, log_gain)
    _draw(vertices, offsets, triangles, labels, *grids, triangles[:0], uv, light, texture)


@njit(cache=CACHE, nogil=True, fastmath=True)
def _draw(
    vertices: F32,
    offsets: F32,
    triangles: I32,
    labels: U8,
    flow: F32,
    label: U8,
    depth: F32,
    log_gain: F32,
    shown: I32,
    uv: F32,
    light: F32,
    texture: F32,
) -> None:
    """Both; shown, or log_gain, is [0, 0] where it is not wanted."""
    rows, columns = label.shape
    keep, lit = shown.shape[0] > 0, log_gain.shape[0] > 0
    flow[:] = 0.0
    label[:] = 0
    depth[:] = np.float32(3.0e38)
    one, half = np.float32(1.0), np.float32(0.5)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by = vertices[a, 0], vertices[a, 1], vertices[b, 0], vertices[b, 1]
        cx, cy = vertices[c, 0], vertices[c, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-9:
            continue
        inverse = one / area
        i0 = max(0, int(np.ceil(min(ay, by, cy) - half)))
        i1 = min(rows - 1, int(np.floor(max(ay, by, cy) - half)))
        j0 = max(0, int(np.ceil(min(ax, bx, cx) - half)))
        j1 = min(columns - 1, int(np.floor(max(ax, bx, cx) - half)))
        if i1 < i0 or j1 < j0:
            continue
        slope_u, low_u, high_u = _side(cx - ax, cy - ay, inverse)
        slope_v, low_v, high_v = _side(bx - ax, by - ay, -inverse)
        slope_w, low_w, high_w = _side(cx - bx, cy - by, -inverse)
        az, bz, cz = vertices[a, 2], vertices[b, 2] - vertices[a, 2], vertices[c, 2] - vertices[a, 2]
        of = labels[t]
        skin = lit and of in (SKIN, SHARP)
        for i in range(i0, i1 + 1):
            y = np.float32(i) + half
            # Most cells of a box around a triangle lie beside it, and no processor foretells which.
            u, v, w = ax + slope_u * (y - ay), ax + slope_v * (y - ay), bx + slope_w * (y - by)
            low, high = max(u + low_u, v + low_v, w + low_w), min(u + high_u, v + high_v, w + high_w)
            first = int(np.ceil(max(low - half, np.float32(j0))))
            last = int(np.floor(min(high - half, np.float32(j1))))
            for j in range(first, last + 1):
                x = np.float32(j) + half
                # Barycentric weights of b and c; the sign of the area cancels, so both windings fill.
                u = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) * inverse
                v = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) * inverse
                w = one - u - v
                if u < -_HAIR or v < -_HAIR or w < -_HAIR:
                    continue
                # From one corner on, so that a flat triangle has its depth exactly: the ring's are all equal
                # where a turned head folds it, and the first one must win, not a rounding.
                z = az + u * bz + v * cz
                if not z < depth[i, j]:
                    continue
                depth[i, j] = z
                label[i, j] = of
                flow[i, j, 0] = w * offsets[a, 0] + u * offsets[b, 0] + v * offsets[c, 0]
                flow[i, j, 1] = w * offsets[a, 1] + u * offsets[b, 1] + v * offsets[c, 1]
                if keep:
                    shown[i, j] = t
                if skin:
                    column = w * uv[a, 0] + u * uv[b, 0] + v * uv[c, 0]
                    row = w * uv[a, 1] + u * uv[b, 1] + v * uv[c, 1]
                    there = w * light[a] + u * light[b] + v * light[c]
                    log_gain[i, j] = there + _texel(texture, row, column)
                elif lit:
                    log_gain[i, j] = 0.0


@njit(cache=CACHE, nogil=True, fastmath=True, inline="always")
def _side(dx: np.float32, dy: np.float32, turn: np.float32) -> tuple[np.float32, np.float32, np.float32]:
    """An edge's slope, in columns a row, and what makes its place a bound from the left, or the right."""
    level = abs(dy) < np.float32(1e-6)
    growth = np.float32(1.0) if level else dy * turn
    margin = _EDGE + _HAIR / abs(growth)
    slope = np.float32(0.0) if level else dx / dy
    low = -margin if growth > 0.0 and not level else -_NOWHERE
    high = margin if growth < 0.0 else _NOWHERE
    return slope, low, high


@njit(cache=CACHE, nogil=True, fastmath=True, inline="always")
def _texel(texture: F32, v: np.float32, u: np.float32) -> np.float32:
    """Bilinear, the border repeated. u, v: 0..1."""
    side = texture.shape[0]
    last = np.float32(side - 1)
    column = min(max(u * np.float32(side) - np.float32(0.5), np.float32(0.0)), last)
    row = min(max(v * np.float32(side) - np.float32(0.5), np.float32(0.0)), last)
    k, n = min(int(column), max(side - 2, 0)), min(int(row), max(side - 2, 0))
    right, below = min(k + 1, side - 1), min(n + 1, side - 1)
    tx, ty = column - np.float32(k), row - np.float32(n)
    upper = texture[n, k] + (texture[n, right] - texture[n, k]) * tx
    lower = texture[below, k] + (texture[below, right] - texture[below, k]) * tx
    return np.float32(upper + (lower - upper) * ty)


@njit(cache=CACHE, nogil=True, fastmath=True)
def soften_flow(flow: F32, label: U8, out: F32) -> None:
    """Binomial 3x3 over skin; cells at lips, lids, mouth and eyes keep their value and their edges.

    flow, out: float32 [H, W, 2] (different arrays). label: uint8 [H, W].
    """
    rows, columns = label.shape
    width = 2 * columns  # both components of a row in one line, so that the inner loop is plain vectors
    lines, soft = flow.reshape(rows, width), out.reshape(rows, width)
    soft[0], soft[rows - 1] = lines[0], lines[rows - 1]
    column = np.empty(width, np.float32)
    for i in range(1, rows - 1):
        above, here, below, target = lines[i - 1], lines[i], lines[i + 1], soft[i]
        for c in range(width):
            column[c] = above[c] + 2 * here[c] + below[c]
        target[0], target[1], target[width - 2], target[width - 1] = (
            here[0],
            here[1],
            here[width - 2],
            here[width - 1],
        )
        for c in range(2, width - 2):
            target[c] = np.float32(0.0625) * (column[c - 2] + 2 * column[c] + column[c + 2])
        for j in range(columns):
            if label[i, j] > SKIN:
                target[2 * j], target[2 * j + 1] = here[2 * j], here[2 * j + 1]
