"""People's squares in memory, and scenes of them: moved, turned, mirrored, with what each pixel is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, UsageError, nearest
from rtfilter.face import landmarks as lm
from rtfilter.face.model import MorphableModel
from rtfilter.learn.occlusion.scene import SIDE, Scene, polygon
from rtfilter.learn.occlusion.squares import SIZE_PX, SUFFIX, WIDE, Squares

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

_FOREHEAD: Final = (
    127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356, 300, 293, 334, 296, 336, 107, 66,
    105, 63, 70,
)  # fmt: skip
_BROWS: Final = (
    (*lm.BROW_RIGHT_UPPER, *lm.BROW_RIGHT_LOWER[::-1]),
    (*lm.BROW_LEFT_UPPER, *lm.BROW_LEFT_LOWER[::-1]),
)
_AROUND_EYES: Final = (
    127, 70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 356, 454, 346, 347, 348, 4, 119, 118, 117, 234,
)  # fmt: skip
_HAIR: Final = 0.25  # of the forehead's brightness; what differs more may be hair, which is not labelled
_CONFIDENT: Final = 0.8  # of the matte, 0..1 from the middle


@dataclass(frozen=True)
class View:
    """How a square is seen: moved by `shift` (of its side), scaled, turned, mirrored."""

    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    angle_rad: float = 0.0
    mirrored: bool = False

    @classmethod
    def any(cls, rng: np.random.Generator, mirrored: bool) -> View:
        """As trackers put it, a little off; sometimes far off."""
        far = 2.0 if rng.random() < 0.2 else 1.0
        x, y = rng.normal(0.0, 0.02 * far, 2).clip(-0.08, 0.08)
        scale = float(np.exp(np.clip(rng.normal(0.0, 0.04 * far), -0.12, 0.12)))
        return cls((float(x), float(y)), scale, float(rng.normal(0.0, 0.05 * far)), mirrored)


class Footage:
    """Squares of several people. held_out: only these, or all but these. spectacled: see settings."""

    def __init__(
        self, folder: Path, held_out: Sequence[str], spectacled: Sequence[str], measured: bool
    ) -> None:
        files = {one.name[: -len(SUFFIX)]: one for one in sorted(folder.glob(f"*{SUFFIX}"))}
        if not files:
            raise InputError(f"{folder}: no squares in it: `rtfilter learn squares CONFIG.toml` makes them")
        for name in (*held_out, *spectacled):
            if name not in files:
                raise UsageError(f"held_out, spectacled: no squares of {name!r}:{nearest(name, list(files))}")
        self.names = [name for name in files if (name in held_out) == measured]
        if not self.names:
            raise UsageError("held_out: expected some people to be held out, and some not")
        self._spectacled = set(spectacled)
        self._squares = [Squares.load(files[name]) for name in self.names]
        self._mirror = MorphableModel.builtin().mirror

    def __len__(self) -> int:
        return len(self.names)

    def count(self, who: int) -> int:
        """How many squares a person has."""
        return len(self._squares[who])

    def spectacled(self, who: int) -> bool:
        """Whether the person wears glasses of their own."""
        return self.names[who] in self._spectacled

    def beside(self, rng: np.random.Generator, who: int, which: int, count: int) -> list[int]:
        """Other squares of the same clip; the same one where there is no other."""
        clip = self._squares[who].clip
        same = np.flatnonzero((clip == clip[which]) & (np.arange(len(clip)) != which))
        return [int(k) for k in rng.choice(same, count)] if len(same) else [which]

    def other(self, rng: np.random.Generator) -> U8:
        """A picture of somebody, uint8 [SIDE, SIDE, 3]."""
        squares = self._squares[int(rng.integers(len(self)))]
        return np.asarray(cv2.resize(squares.rgb[int(rng.integers(len(squares)))], (SIDE, SIDE)), np.uint8)

    def scene(self, who: int, which: int, view: View) -> Scene:
        """A square as a scene in which nothing is drawn yet."""
        squares = self._squares[who]
        matrix, points = self._seen(who, which, view, SIDE)
        rgb = _warped(squares.rgb[which], matrix, SIDE, cv2.BORDER_REPLICATE)
        person = _warped(squares.person[which], matrix, SIDE, cv2.BORDER_REPLICATE)
        trusted = _warped(squares.sure[which], matrix, SIDE, cv2.BORDER_CONSTANT)
        return _scene(rgb, person, trusted, points, self.spectacled(who))

    def square(self, who: int, which: int, mirrored: bool, side: int) -> tuple[F32, F32]:
        """Colours float32 [side, side, 3], 0..1, of a square as it is, and its landmarks [478, 3] in it."""
        matrix, points = self._seen(who, which, View(mirrored=mirrored), side)
        return _warped(self._squares[who].rgb[which], matrix, side, cv2.BORDER_REPLICATE), points

    def _seen(self, who: int, which: int, view: View, side: int) -> tuple[F64, F32]:
        """The affine matrix [2, 3] for cv2 from a view of `side` pixels to the stored square; landmarks."""
        scale = SIZE_PX / WIDE / side * view.scale
        cos, sin = scale * np.cos(view.angle_rad), scale * np.sin(view.angle_rad)
        turn = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if view.mirrored else 1.0, 1.0])
        centre = SIZE_PX / 2 + np.array(view.shift) * SIZE_PX / WIDE
        origin = centre - turn @ np.full(2, side / 2)
        points = self._squares[who].points[which].copy()
        points[:, :2] = (points[:, :2] - origin) @ np.linalg.inv(turn).T
        points[:, 2] /= scale
        points = points[self._mirror] if view.mirrored else points
        return np.hstack([turn, (origin + turn @ np.full(2, 0.5) - 0.5)[:, None]]), points


def _warped(picture: U8, matrix: F64, side: int, border: int) -> F32:
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(picture, matrix, (side, side), flags=how, borderMode=border)
    return np.asarray(seen.astype(np.float32) / np.float32(255.0), np.float32)


def _scene(rgb: F32, person: F32, trusted: F32, points: F32, spectacled: bool) -> Scene:
    face = polygon(points[list(lm.FACE_OVAL), :2])
    inner = cv2.erode(face, np.ones((7, 7)))
    person = np.maximum(person, inner)
    confident = (np.abs(2.0 * person - 1.0) > _CONFIDENT) * trusted
    known = np.maximum(cv2.erode(confident.astype(np.float32), np.ones((3, 3))), inner)
    nothing = np.zeros((SIDE, SIDE), np.float32)
    sure = np.ones((3, SIDE, SIDE), np.float32)
    sure[0] *= 1.0 - _maybe_hair(rgb, points)
    sure[1] = known
    if spectacled:
        sure[2] *= 1.0 - cv2.dilate(polygon(points[list(_AROUND_EYES), :2]), np.ones((9, 9)))
    return Scene(rgb, nothing, np.asarray(1.0 - person, np.float32), nothing.copy(), sure, points)


def _maybe_hair(rgb: F32, points: F32) -> F32:
    """Pixels of the forehead that may be hair over it, float32 [S, S], 0 or 1."""
    area = polygon(points[list(_FOREHEAD), :2])
    inside = area > 0.5
    if not inside.any():
        return area
    grey = rgb[..., 1]
    usual = float(np.median(grey[inside]))
    other = (np.abs(grey - usual) > _HAIR * usual) & (area > 0.0)
    maybe = np.asarray(cv2.dilate(other.astype(np.float32), np.ones((5, 5))), np.float32)
    for brow in _BROWS:
        maybe *= 1.0 - cv2.dilate(polygon(points[list(brow), :2]), np.ones((5, 5)))
    return maybe
