"""The kernels' parameter blocks and their report as NumPy types: the bytes of the structs in the .cu files.

Each field is explained where the kernel reads it. A batch is an array of blocks, one a picture. The sizes and
names below are checked against the compiled kernels by tests/kernels/test_blocks.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BORDER_REPLICATE, BORDER_ZERO = 0, 1
LOOPS_MAX = 4


def _block(*fields: tuple[Any, ...]) -> np.dtype[Any]:
    return np.dtype(list(fields), align=True)


CROP = _block(
    ("rgb_offset", "i8"),
    ("cb_offset", "i8"),
    ("cr_offset", "i8"),
    ("pitch", "i4"),
    ("chroma_pitch", "i4"),
    ("chroma_step", "i4"),
    ("region_x", "i4"),
    ("region_y", "i4"),
    ("region_width", "i4"),
    ("region_height", "i4"),
    ("picture_width", "i4"),
    ("picture_height", "i4"),
    ("border", "i4"),
    ("picture_from_crop", "f4", 6),
    ("rgb_from_yuv", "f4", 12),
    ("scale", "f4"),
    ("bias", "f4"),
)

POINTS = _block(("picture_from_crop", "f4", 6), ("z_scale", "f4"), ("presence_threshold", "f4"))

MESH = _block(
    ("landmark_count", "i4"),
    ("oval_count", "i4"),
    ("loop_count", "i4"),
    ("eye_count", "i4"),
    ("iris_count", "i4"),
    ("lid_count", "i4"),
    ("loop_iod", "f4", LOOPS_MAX),
    ("loop_share", "f4", LOOPS_MAX),
    ("core_radius", "f4"),
    ("core_share", "f4"),
    ("iris_clearance", "f4"),
)

SOFTEN = _block(
    ("picture_width", "i4"),
    ("picture_height", "i4"),
    ("region_x", "i4"),
    ("region_y", "i4"),
    ("region_width", "i4"),
    ("region_height", "i4"),
)

RESAMPLE = _block(
    ("source_offset", "i8"),
    ("source_pitch", "i4"),
    ("region_x", "i4"),
    ("region_y", "i4"),
    ("region_width", "i4"),
    ("region_height", "i4"),
    ("changed_offset", "i8"),
    ("changed_pitch", "i4"),
)

YUV = _block(
    ("rgb_offset", "i8"),
    ("luma_offset", "i8"),
    ("cb_offset", "i8"),
    ("cr_offset", "i8"),
    ("rgb_pitch", "i4"),
    ("luma_pitch", "i4"),
    ("chroma_pitch", "i4"),
    ("chroma_step", "i4"),
    ("width", "i4"),
    ("height", "i4"),
    ("chroma_left", "i4"),
    ("chroma_top", "i4"),
    ("chroma_right", "i4"),
    ("chroma_bottom", "i4"),
    ("matrix", "f4", 12),
)

ADD_EDIT = _block(
    ("before_offset", "i8"),
    ("after_offset", "i8"),
    ("luma_offset", "i8"),
    ("cb_offset", "i8"),
    ("cr_offset", "i8"),
    ("changed_luma_offset", "i8"),
    ("changed_cb_offset", "i8"),
    ("changed_cr_offset", "i8"),
    ("before_pitch", "i4"),
    ("after_pitch", "i4"),
    ("luma_pitch", "i4"),
    ("chroma_pitch", "i4"),
    ("region_x", "i4"),
    ("region_y", "i4"),
    ("yuv_from_rgb", "f4", 12),
)

REPORT = _block(
    ("corner_x_px", "f4"),
    ("corner_y_px", "f4"),
    ("cell_px", "f4"),
    ("rows", "i4"),
    ("columns", "i4"),
    ("taps", "i4"),
    ("x0", "i4"),
    ("y0", "i4"),
    ("x1", "i4"),
    ("y1", "i4"),
    ("wanted_x0", "i4"),
    ("wanted_y0", "i4"),
    ("wanted_x1", "i4"),
    ("wanted_y1", "i4"),
    ("left", "i4"),
    ("top", "i4"),
    ("right", "i4"),
    ("bottom", "i4"),
    ("finished", "i4"),
)

# By the struct's name in the .cu files.
STRUCTS: dict[str, np.dtype[Any]] = {
    "CropParameters": CROP,
    "PointsParameters": POINTS,
    "MeshParameters": MESH,
    "SoftenParameters": SOFTEN,
    "ResampleParameters": RESAMPLE,
    "YuvParameters": YUV,
    "AddEditParameters": ADD_EDIT,
    "WarpReport": REPORT,
}


def set_nv12(block: npt.NDArray[np.void], width: int, height: int, offset: int = 0) -> int:
    """Fill a CROP or YUV block's places for NV12, as `set_i420` does. Returns the byte behind it."""
    chroma_width, chroma_height = (width + 1) // 2, (height + 1) // 2
    luma_bytes = width * height
    _set_planes(block, width, offset, offset + luma_bytes, offset + luma_bytes + 1, 2 * chroma_width, 2)
    return offset + luma_bytes + 2 * chroma_width * chroma_height


def set_i420(block: npt.NDArray[np.void], width: int, height: int, offset: int = 0) -> int:
    """Fill the planes' places of a CROP or YUV block for I420 of `width` x `height` pixels that lies in one
    piece, rows without padding, from byte `offset` on. Returns the byte behind it."""
    chroma_width, chroma_height = (width + 1) // 2, (height + 1) // 2
    cb = offset + width * height
    cr = cb + chroma_width * chroma_height
    _set_planes(block, width, offset, cb, cr, chroma_width, 1)
    return cr + chroma_width * chroma_height


def _set_planes(
    block: npt.NDArray[np.void], pitch: int, luma: int, cb: int, cr: int, chroma_pitch: int, step: int
) -> None:
    names = block.dtype.names or ()
    crop = "pitch" in names
    block["rgb_offset" if crop else "luma_offset"] = luma
    block["pitch" if crop else "luma_pitch"] = pitch
    block["cb_offset"], block["cr_offset"] = cb, cr
    block["chroma_pitch"], block["chroma_step"] = chroma_pitch, step
