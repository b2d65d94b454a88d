"""The face networks: names, shapes and meanings of their tensors."""

from __future__ import annotations

from rtfilter.engines.spec import NetworkSpec, TensorSpec

DETECTOR_SIDE_PX = 128
DETECTOR_ANCHORS = 896
MESH_SIDE_PX = 192
LANDMARKS = 478
OCCLUSION_SIDE_PX = 96
BAND_PX = (96, 192)

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

OCCLUSION = NetworkSpec(
    name="occlusion",
    version=1,
    inputs=(
        TensorSpec(
            "pixels",
            (None, 7, OCCLUSION_SIDE_PX, OCCLUSION_SIDE_PX),
            "RGB, 0..1, of the face mesh's square, upright; then the person's learned appearance in it, RGB, "
            "0..1, 0 where unknown; then how far it is known, 0..1, which may be 0 everywhere",
        ),
    ),
    outputs=(
        TensorSpec(
            "held",
            (None, 3, OCCLUSION_SIDE_PX, OCCLUSION_SIDE_PX),
            "probabilities 0..1: something lies over the face or beside it; neither this person nor that: "
            "background; rims, bridge and temples of glasses",
        ),
    ),
    half=True,
)

RIMS = NetworkSpec(
    name="rims",
    version=1,
    inputs=(
        TensorSpec(
            "pixels", (None, 3, *BAND_PX), "RGB, 0..1, of the band over the eyes (`rtfilter.occlusion.band`)"
        ),
    ),
    outputs=(
        TensorSpec(
            "rims",
            (None, 1, BAND_PX[0] // 2, BAND_PX[1] // 2),
            "probability 0..1 that a pixel of two by two shows rims, bridge or temples of glasses",
        ),
        TensorSpec("worn", (None, 1), "probability 0..1 that glasses are worn"),
    ),
    half=True,
)
