"""The CPU renderer: displacement and frame in, frame out; untouched pixels are the camera's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement
from rtfilter.frame import Box, Frame
from rtfilter.kernels import rasterise, resample
from rtfilter.render.mesh import RingedMesh

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

CELLS_PER_IOD = 48  # one grid cell is about 1.9 mm of face, whatever the resolution
STILL_PX = 1 / 24  # a shorter shift changes no pixel by what an eye could tell, and costs as much
GRID_MAX = 512
# A face larger than this carries no detail at the scale of single pixels (lens, compression), so that four
# filter taps keep its sharpness as six do, at a third of the cost.
LARGE_IOD_PX = 150.0


class CpuRenderer:
    """Renders on two threads; one instance serves one stream."""

    def __init__(self, mesh: RingedMesh) -> None:
        self._mesh = mesh
        weights = {taps: resample.filter_weights(taps) for taps in (4, 6)}
        self._filters = {taps: (weights[taps], resample.lane_weights(weights[taps])) for taps in weights}
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="rtfilter-render")

    def close(self) -> None:
        self._helper.shutdown()

    def warm_up(self) -> None:
        """Compile (or load from Numba's cache) every kernel, so that the first frame does not wait."""
        points = np.zeros((lm.LANDMARK_COUNT, 3), np.float32)
        points[:, :2] = np.linspace(8, 56, 2 * lm.LANDMARK_COUNT, dtype=np.float32).reshape(-1, 2)
        offset = np.full((lm.LANDMARK_COUNT, 2), 1.0, np.float32)
        frame = Frame(np.zeros((64, 64, 3), np.uint8))
        self.render(frame, Displacement(points, offset, 16.0))

    def render(self, frame: Frame, displacement: Displacement) -> Frame:
        """`frame` with the face moved; the very same pixels where nothing moves."""
        if float(np.abs(displacement.offset_px).max(initial=0.0)) < STILL_PX:
            return frame.filtered(frame.rgb, None)
        flow, origin = self.flow(displacement)
        box = _moved_box(flow, origin, frame.width, frame.height)
        if box is None:
            return frame.filtered(frame.rgb, None)
        # Never more than a face's width: whatever asks for more gets the edge, not all the memory.
        pad = int(np.ceil(min(float(np.abs(flow).max()), displacement.iod_px))) + resample.MARGIN_PX
        source = _padded_rgbx(frame.rgb, box, pad)
        out = frame.rgb.copy()
        middle = (box.y0 + box.y1) // 2
        bounds = np.array([*box, pad], np.int32)
        weights, lanes = self._filters[4 if displacement.iod_px > LARGE_IOD_PX else 6]

        def band(first: int, last: int) -> None:
            resample.resample_rows(source, flow, origin, weights, lanes, STILL_PX, bounds, out, first, last)

        below = self._helper.submit(band, middle, box.y1)
        band(box.y0, middle)
        below.result()
        return frame.filtered(out, box)

    def flow(self, displacement: Displacement) -> tuple[F32, F32]:
        """Backward flow float32 [gh, gw, 2] in pixels, and the grid's corner and cell size [3] in pixels."""
        vertices, offsets = self._mesh.extend(displacement)
        low, high = vertices[:, :2].min(0), vertices[:, :2].max(0)
        cell = max(1.0, displacement.iod_px / CELLS_PER_IOD, float((high - low).max()) / GRID_MAX)
        corner = np.floor(low) - cell
        columns, rows = (np.ceil((high - corner) / cell).astype(int) + 1).tolist()
        vertices[:, :2] = (vertices[:, :2] - corner) / cell
        flow = np.empty((rows, columns, 2), np.float32)
        label = np.empty((rows, columns), np.uint8)
        depth = np.empty((rows, columns), np.float32)
        rasterise.rasterise_flow(
            vertices, np.negative(offsets), self._mesh.triangles, self._mesh.labels, flow, label, depth
        )
        soft = np.empty_like(flow)
        rasterise.soften_flow(flow, label, soft)
        return soft, np.array([corner[0], corner[1], cell], np.float32)


def _moved_box(flow: F32, origin: F32, width: int, height: int) -> Box | None:
    """The even-aligned box of pixels that the flow can touch, within the picture; None if there are none."""
    moving = np.maximum(np.abs(flow[..., 0]), np.abs(flow[..., 1])) >= STILL_PX * 0.7
    rows, columns = np.flatnonzero(moving.any(1)), np.flatnonzero(moving.any(0))
    if len(rows) == 0:
        return None
    corner_x, corner_y, cell = (float(v) for v in origin)
    # One cell more on every side: pixels between a moving and a still cell move a little.
    x0 = int(np.floor(corner_x + (columns[0] - 0.5) * cell)) & ~1
    y0 = int(np.floor(corner_y + (rows[0] - 0.5) * cell)) & ~1
    x1 = (int(np.ceil(corner_x + (columns[-1] + 1.5) * cell)) + 1) & ~1
    y1 = (int(np.ceil(corner_y + (rows[-1] + 1.5) * cell)) + 1) & ~1
    box = Box(max(x0, 0), max(y0, 0), min(x1, width), min(y1, height))
    return box if box.x0 < box.x1 and box.y0 < box.y1 else None


def _padded_rgbx(rgb: U8, box: Box, pad: int) -> U8:
    """The picture around `box` with four bytes a pixel, edges repeated, as uint8 [h, 4 * w]."""
    height, width = rgb.shape[:2]
    x0, y0, x1, y1 = box.x0 - pad, box.y0 - pad, box.x1 + pad, box.y1 + pad
    inside = rgb[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]
    rgbx = cv2.cvtColor(inside, cv2.COLOR_RGB2RGBA)
    over = (max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0))
    if any(over):
        rgbx = cv2.copyMakeBorder(rgbx, *over, cv2.BORDER_REPLICATE)
    return np.asarray(rgbx, np.uint8).reshape(rgbx.shape[0], -1)
