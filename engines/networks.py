"""The networks that rtfilter runs. Everything that builds, checks or runs one reads it from here."""

from __future__ import annotations

from rtfilter.engines.expression.layout import REPORT, STATE, WISH
from rtfilter.engines.spec import NetworkSpec, TensorSpec
from rtfilter.errors import UsageError, nearest

DETECTOR_SIDE_PX = 128
DETECTOR_ANCHORS = 896
MESH_SIDE_PX = 192
LANDMARKS = 478

FACE_DETECTOR = NetworkSpec(
    name="face_detector",
    version=1,
    inputs=(
        TensorSpec(
            "pixels",
            (None, 3, DETECTOR_SIDE_PX, DETECTOR_SIDE_PX),
            "RGB, -1..1; the whole picture, letterboxed",
        ),
    ),
    outputs=(
        TensorSpec(
            "boxes",
            (None, DETECTOR_ANCHORS, 16),
            "box centre, box size and six keypoints (x, y each) in input pixels, relative to the anchor",
        ),
        TensorSpec("scores", (None, DETECTOR_ANCHORS), "logit that there is a face at the anchor"),
    ),
    half=True,
)

FACE_MESH = NetworkSpec(
    name="face_mesh",
    version=1,
    inputs=(
        TensorSpec(
            "pixels", (None, 3, MESH_SIDE_PX, MESH_SIDE_PX), "RGB, 0..1; a square around the face, upright"
        ),
    ),
    outputs=(
        TensorSpec(
            "landmarks",
            (None, LANDMARKS, 3),
            "MediaPipe's 478, lips, eyes and irises refined; x and y in crop pixels 0..192, z in their unit",
        ),
        TensorSpec("presence", (None,), "probability 0..1 that the square holds a face"),
    ),
    half=True,
)

EXPRESSION = NetworkSpec(
    name="expression",
    version=2,
    inputs=(
        TensorSpec("points_px", (None, LANDMARKS, 3), "landmarks in picture pixels, z smaller is nearer"),
        TensorSpec("present", (None,), "1 where there is a face, else 0"),
        TensorSpec("wish", (None, WISH.size), "a row of engines.expression.layout.WISH"),
        TensorSpec("state", (None, STATE.size), "a row of STATE; all zero is the first"),
    ),
    outputs=(
        TensorSpec(
            "shown_points_px",
            (None, LANDMARKS, 3),
            "the landmarks to move: these, or those of a lost face while its edit fades, or 0",
        ),
        TensorSpec("offset_px", (None, LANDMARKS, 2), "how far each moves; 0 is an untouched picture"),
        TensorSpec(
            "iod_px", (None,), "pixels of one frontal inter-ocular distance; 0 where nothing is shown"
        ),
        TensorSpec("new_state", (None, STATE.size), "the next frame's state"),
        TensorSpec("report", (None, REPORT.size), "a row of REPORT"),
    ),
    half=False,
)

NETWORKS: tuple[NetworkSpec, ...] = (FACE_DETECTOR, FACE_MESH, EXPRESSION)


def network(name: str) -> NetworkSpec:
    """The network of that name; UsageError that lists them when there is none."""
    for spec in NETWORKS:
        if spec.name == name:
            return spec
    raise UsageError(f"unknown network {name!r}.{nearest(name, [spec.name for spec in NETWORKS])}")
