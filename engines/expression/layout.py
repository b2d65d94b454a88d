"""The expression network's tensors and packed rows: meaning and place of every number.

A row is float32 [size] for one face, [batch, size] for several; `Row.of` gives a field of either, as a view.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, EMOTIONS
from rtfilter.engines.spec import NetworkSpec, TensorSpec
from rtfilter.errors import UsageError, nearest
from rtfilter.face.landmarks import LANDMARK_COUNT
from rtfilter.face.learned_weights import MEMORY_ROOM
from rtfilter.face.model import MorphableModel
from rtfilter.face.visibility import PART_COUNT

F32 = npt.NDArray[np.float32]

# Counts changes to the file that is made of the same face model, in this folder and in `rtfilter.face`.
BUILDER_VERSION = 17

# Number of a face model's identity coefficients at most; unused ones are 0.
IDENTITY_ROOM: Final = 64
MOTION_COUNT: Final = BLENDSHAPE_COUNT + 6  # and two rows of the rotation


@dataclass(frozen=True, slots=True)
class Field:
    """Numbers start..start + size of a row. meaning: space, unit and range, for people."""

    name: str
    start: int
    size: int
    meaning: str

    @property
    def slice(self) -> slice:
        return slice(self.start, self.start + self.size)


class Row:
    """A packed row of named fields, one after another without gaps."""

    def __init__(self, name: str, *fields: tuple[str, int, str]) -> None:
        """fields: name, size and meaning of each."""
        self.name = name
        self._fields: dict[str, Field] = {}
        self.size = 0
        for field, size, meaning in fields:
            self._fields[field] = Field(field, self.size, size, meaning)
            self.size += size

    def __iter__(self) -> Iterator[Field]:
        return iter(self._fields.values())

    def __getitem__(self, field: str) -> Field:
        """The field of that name. Raises UsageError, which names the nearest one."""
        if field not in self._fields:
            raise UsageError(f"no field {field!r} in {self.name}.{nearest(field, list(self._fields))}")
        return self._fields[field]

    def of(self, row: F32, field: str) -> F32:
        """The numbers of one field: a view of `row`, float32 [..., size of the row]."""
        if row.shape[-1:] != (self.size,):
            raise UsageError(f"{self.name}: expected [..., {self.size}], got {list(row.shape)}")
        return row[..., self[field].slice]

    def zeros(self, batch: int | None = None) -> F32:
        """An empty row, or [batch, size]. An empty row of STATE is the state before the first frame."""
        return np.zeros(self.size if batch is None else (batch, self.size), np.float32)


# The target: its tensor is named `target` in the ONNX file, and a new name would make every plan anew.
TARGET: Final = Row(
    "target",
    ("rising", BLENDSHAPE_COUNT, "towards each blendshape, >= 0 (`face.emotion.Target.rising`)"),
    ("falling", BLENDSHAPE_COUNT, "share of each blendshape to take away, 0..1 (`Target.falling`)"),
    ("direct", BLENDSHAPE_COUNT, "direct offset of each blendshape, -2..2 (`Target.direct`)"),
    ("amounts", len(EMOTIONS), "intensity of each emotion, >= 0, for a learned editor; else 0"),
    ("mouth", 1, "speech against emotion, 0..1 (`Controls.mouth`)"),
    ("skin", 1, "how strongly the skin follows the edit, 0..1.5 (`Controls.skin`)"),
    ("light", 4, "ambient and direction, in the camera's frame (`face.light.LightWatch`); 0 is none known"),
    ("parts", PART_COUNT, "how much of the edit each part of the face keeps, 0..1 (`face.visibility.PARTS`)"),
    ("offset_cutoff_hz", 1, "of the offset's smoothing at rest, > 0 (`face.edit.offset_cutoff_hz`)"),
    ("fade_s", 1, "how long the edit takes to come and go, >= 0"),
    ("since_fit_s", 1, "since the last frame that taught the person's neutral; may be negative"),
    ("since_motion_s", 1, "since the last frame with a face; may be negative"),
    ("since_edit_s", 1, "since the last frame with a face or a fading edit; may be negative"),
    ("width_px", 1, "of the picture, > 0"),
    ("height_px", 1, "of the picture, > 0"),
    ("seeding", 1, "1: only make the first state of a new person from this frame; else 0"),
)

# All zero: the mean face worth nothing, no edit.
STATE: Final = Row(
    "state",
    ("weight", 1, "how many frontal, quiet frames the shape is worth, 0..900"),
    ("held", 1, "1 when there was a face and its edit has not faded out since; else 0"),
    ("strength", 1, "fade, 0..1"),
    ("held_iod_px", 1, "pixels of one inter-ocular distance when the face was last seen"),
    ("motion_value", MOTION_COUNT, "One-Euro over the target offset [52] and the rotation's rows 0, 1 [6]"),
    ("motion_slope", MOTION_COUNT, "its speed, per second"),
    ("learned_memory", MEMORY_ROOM, "averages of a learned editor, unused ones 0 (`face.learned`)"),
    ("learned_amounts", len(EMOTIONS), "its smoothed amounts"),
    ("held_points_px", 3 * LANDMARK_COUNT, "the landmarks when the face was last seen, [478, 3]"),
    ("held_offset_px", 2 * LANDMARK_COUNT, "where they went at strength 1, [478, 2]"),
    ("held_skin", BLENDSHAPE_COUNT, "the offset that weighs the skin's maps, at strength 1"),
    ("held_gain_log", LANDMARK_COUNT, "log gain of the skin at the landmarks, at strength 1"),
    ("off_mean_iod", 3 * LANDMARK_COUNT, "the person's neutral less the mean face, [478, 3]"),
)

REPORT: Final = Row(
    "report",
    ("present", 1, "1 when there was a face, with landmarks that can be one; else 0"),
    ("shown", 1, "1 when there is a face, or the edit of a lost one that still fades; else 0"),
    ("strength", 1, "fade, 0..1"),
    # Of a frame without a face, all of the following is 0.
    ("residual", 1, "median distance of the landmarks from the model's reconstruction, in IODs"),
    ("scale_px_per_iod", 1, "of the pose"),
    ("rotation", 9, "of the pose, camera_from_head, [3, 3]"),
    ("translation_px", 3, "of the pose"),
    ("expression", BLENDSHAPE_COUNT, "coefficients, 0..1"),
    ("offset", BLENDSHAPE_COUNT, "the edit in coefficients, before fading"),
    ("identity", IDENTITY_ROOM, "coefficients of the face model's identity basis, then 0"),
    ("shape_iod", 3 * LANDMARK_COUNT, "this frame's landmarks in the head frame, [478, 3]"),
    ("neutral_iod", 3 * LANDMARK_COUNT, "the person's neutral, [478, 3]"),
)

EXPRESSION = NetworkSpec(
    name="expression",
    version=3,
    inputs=(
        TensorSpec(
            "points_px", (None, LANDMARK_COUNT, 3), "landmarks in picture pixels, z smaller is nearer"
        ),
        TensorSpec("present", (None,), "1 where there is a face, else 0"),
        TensorSpec("target", (None, TARGET.size), "a row of engines.expression.layout.TARGET"),
        TensorSpec("state", (None, STATE.size), "a row of STATE; all zero is the first"),
    ),
    outputs=(
        TensorSpec(
            "shown_points_px",
            (None, LANDMARK_COUNT, 3),
            "the landmarks to move: these, or those of a lost face while its edit fades, or 0",
        ),
        TensorSpec("offset_px", (None, LANDMARK_COUNT, 2), "how far each moves; 0 is an untouched picture"),
        TensorSpec(
            "iod_px", (None,), "pixels of one frontal inter-ocular distance; 0 where nothing is shown"
        ),
        TensorSpec("skin_offset", (None, BLENDSHAPE_COUNT), "what weighs the skin's maps, faded"),
        TensorSpec("gain_log", (None, LANDMARK_COUNT), "log gain of the skin at the landmarks, faded"),
        TensorSpec("new_state", (None, STATE.size), "the next frame's state"),
        TensorSpec("report", (None, REPORT.size), "a row of REPORT"),
    ),
    half=False,
)


def model_key(model: MorphableModel) -> str:
    """A name for all that the file of the expression network depends on, known without making it."""
    digest = hashlib.sha256()
    for array in (
        model.mean_iod,
        model.expression_basis,
        model.expression_covariance,
        model.identity_basis,
        model.identity_scale,
        model.rigidity,
        model.triangles,
    ):
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array, "<f4").tobytes())
    editor = "" if model.editor is None else f", editor {model.editor.key}"
    return f"expression builder {BUILDER_VERSION}, face model {digest.hexdigest()}{editor}"
