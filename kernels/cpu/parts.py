"""Parts that are not skin, within the mesh: what an opening shows is rigid, and its rim slides over it.

The opening of mouth and eyes is a loop of landmarks, its rim. What the source shows a little within it is the
core: it moves as one, behind lips and lids. Along the displaced rim runs a narrow band in which the flow goes
over from the rim's to the core's. Where the opening grows, the core's edge is extended to the band; where it
shrinks, rim and band cover the core. Called by `render.mesh`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]


@njit(cache=CACHE, nogil=True)
def clamped_across(loop: F32, x: float, y: float) -> tuple[float, float]:
    """(x, y) if it lies within a loop [K, 2]; else the point of the edge above or below it, or a corner.

    The loop is as `pulled_in` has it; "above" is across the line between its corners. Across, not to the
    nearest point: what is extended from there are teeth.
    """
    count = loop.shape[0]
    half = count // 2
    axis_x, axis_y = loop[half, 0] - loop[0, 0], loop[half, 1] - loop[0, 1]
    length = np.sqrt(axis_x * axis_x + axis_y * axis_y)
    if length < 1e-6:
        return loop[0, 0], loop[0, 1]
    axis_x, axis_y = axis_x / length, axis_y / length
    away_x, away_y = x - loop[0, 0], y - loop[0, 1]
    along = min(max(away_x * axis_x + away_y * axis_y, 0.0), length)
    across = away_y * axis_x - away_x * axis_y
    edges = np.zeros(2)
    for side in range(2):
        last, last_across = 0.0, 0.0
        for k in range(1, half + 1):
            n = (count - k) % count if side == 1 else k
            away_x, away_y = loop[n, 0] - loop[0, 0], loop[n, 1] - loop[0, 1]
            here, here_across = away_x * axis_x + away_y * axis_y, away_y * axis_x - away_x * axis_y
            if here >= along or k == half:
                part = min(max((along - last) / max(here - last, 1e-6), 0.0), 1.0)
                edges[side] = last_across + part * (here_across - last_across)
                break
            last, last_across = here, here_across
    low, high = edges[0], edges[1]
    if low > high:  # the eye or mouth is shut, or seen from behind
        low = high = 0.5 * (low + high)
    across = min(max(across, low), high)
    return (
        loop[0, 0] + along * axis_x - across * axis_y,
        loop[0, 1] + along * axis_y + across * axis_x,
    )


@njit(cache=CACHE, nogil=True)
def pulled_in(loop: F32, distance: float, share: float, out: F32) -> None:
    """Every point of a loop [K, 2], moved towards the one across: by `distance`, or a `share` of the way.

    The loop begins at one corner; point k lies across from point K - k, and each corner from the middle of
    its two neighbours. out: float32 [K, 2], written.
    """
    count = loop.shape[0]
    half = count // 2
    for k in range(count):
        if k == 0 or k == half:
            before, after = (k - 1) % count, k + 1
            to_x = 0.5 * (loop[before, 0] + loop[after, 0])
            to_y = 0.5 * (loop[before, 1] + loop[after, 1])
        else:
            to_x, to_y = loop[count - k, 0], loop[count - k, 1]
        away_x, away_y = to_x - loop[k, 0], to_y - loop[k, 1]
        length = np.sqrt(away_x * away_x + away_y * away_y)
        part = min(distance / max(length, 1e-6), share)
        out[k, 0], out[k, 1] = loop[k, 0] + part * away_x, loop[k, 1] + part * away_y


@njit(cache=CACHE, nogil=True)
def between_corners(loop: F32, end: float, out: F32) -> None:
    """A loop [K, 2] as `pulled_in` has it, cut off at both corners by a share `end` of the way between them.

    out: float32 [K, 2], written: the new corners lie midway between the edges.
    """
    count = loop.shape[0]
    half = count // 2
    for k in range(half + 1):
        place = half * (end + (1.0 - 2.0 * end) * k / half)
        left = min(int(place), half - 1)
        part = place - left
        for c in range(2):
            upper = loop[left, c] + part * (loop[left + 1, c] - loop[left, c])
            low, lower_next = loop[(count - left) % count, c], loop[count - left - 1, c]
            lower = low + part * (lower_next - low)
            if k in (0, half):
                out[k, c] = 0.5 * (upper + lower)
            else:
                out[k, c], out[count - k, c] = upper, lower


@njit(cache=CACHE, nogil=True)
def carried(offset: F32, which: I32) -> tuple[float, float]:
    """The mean of some landmarks' offsets."""
    x, y = 0.0, 0.0
    for n in which:
        x += offset[n, 0] / which.shape[0]
        y += offset[n, 1] / which.shape[0]
    return x, y


@njit(cache=CACHE, nogil=True)
def extend_part(
    points: F32,
    offset: F32,
    iod_px: float,
    rim: I32,
    above: I32,
    below: I32,
    end: float,
    design: F32,
    back: float,
    first: int,
    vertices: F32,
    offsets: F32,
) -> None:
    """One opening: K vertices along the inner edge of the band, K around the core, and two rows within it.

    Args:
        points, offset: float32 [N, 3] before the edit, and float32 [N, 2], in pixels.
        rim: int32 [K], landmarks once around: the subject's right corner, the upper edge, the left corner,
            the lower edge back; see `pulled_in`.
        above, below: int32, landmarks whose mean offset carries the core's upper and lower part.
        end: of the way between the corners, at either end, what is not the core's but stretches with the rim.
        design: float32 [4], the band's width in IODs, the most of the way across that it takes, and the
            shares of the way down the core at which its upper part ends and its lower part begins.
        back: the depth of the core, behind all skin.
        first: index in vertices [.., 3] and offsets [.., 2] of what is written.
    """
    count = rim.shape[0]
    half = count // 2
    before, after = np.empty((count, 2), np.float32), np.empty((count, 2), np.float32)
    for k in range(count):
        for c in range(2):
            before[k, c] = points[rim[k], c]
            after[k, c] = points[rim[k], c] + offset[rim[k], c]
    band, seen, core = (
        np.empty((count, 2), np.float32),
        np.empty((count, 2), np.float32),
        np.empty((count, 2), np.float32),
    )
    pulled_in(after, design[0] * iod_px, design[1], band)
    pulled_in(before, design[0] * iod_px, design[1], seen)
    between_corners(seen, end, core)
    above_x, above_y = carried(offset, above)
    below_x, below_y = carried(offset, below)
    for k in range(count):
        low = 0.5 if k in (0, half) else (0.0 if k < half else 1.0)
        shift_x, shift_y = above_x + low * (below_x - above_x), above_y + low * (below_y - above_y)
        from_x, from_y = clamped_across(seen, band[k, 0] - shift_x, band[k, 1] - shift_y)
        aside = abs(2.0 * (k if k <= half else count - k) / half - 1.0)
        follow = min(max((aside + 2.0 * end - 1.0) / max(end, 1e-6), 0.0), 1.0)
        from_x, from_y = from_x + follow * (seen[k, 0] - from_x), from_y + follow * (seen[k, 1] - from_y)
        n = first + k
        vertices[n, 0], vertices[n, 1], vertices[n, 2] = band[k, 0], band[k, 1], points[rim[k], 2]
        offsets[n, 0], offsets[n, 1] = band[k, 0] - from_x, band[k, 1] - from_y
        n += count
        vertices[n, 0], vertices[n, 1], vertices[n, 2] = core[k, 0] + shift_x, core[k, 1] + shift_y, back
        offsets[n, 0], offsets[n, 1] = shift_x, shift_y
    rows = first + 2 * count
    for k in range(1, half):
        top_x, top_y, bottom_x, bottom_y = core[k, 0], core[k, 1], core[count - k, 0], core[count - k, 1]
        for row in range(2):
            n, down = rows + row * (half - 1) + k - 1, design[2 + row]
            shift_x, shift_y = (above_x, above_y) if row == 0 else (below_x, below_y)
            vertices[n, 0] = top_x + down * (bottom_x - top_x) + shift_x
            vertices[n, 1] = top_y + down * (bottom_y - top_y) + shift_y
            vertices[n, 2] = back
            offsets[n, 0], offsets[n, 1] = shift_x, shift_y


@njit(cache=CACHE, nogil=True)
def extend_parts(
    points: F32,
    offset: F32,
    iod_px: float,
    loops: tuple[tuple[I32, I32, I32], ...],
    ends: F32,
    firsts: I32,
    design: F32,
    behind_iod: float,
    vertices: F32,
    offsets: F32,
) -> None:
    """`extend_part` of several openings; their cores lie `behind_iod` behind the farthest landmark.

    loops: of each, rim, above and below. ends: float32 [P]. firsts: int32 [P].
    """
    farthest = points[0, 2]
    for n in range(points.shape[0]):
        farthest = max(farthest, points[n, 2])
    back = farthest + behind_iod * iod_px
    for p in range(firsts.shape[0]):
        rim, above, below = loops[p]
        end, first = float(ends[p]), int(firsts[p])
        extend_part(points, offset, iod_px, rim, above, below, end, design, back, first, vertices, offsets)
