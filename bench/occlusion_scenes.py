"""Scenes for `bench occlusion`: a clip, and the same clip with a drawn thing that comes, rests and goes.

What lies before the face is known for every pixel. Called by `bench.occlusion`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.bench.occlusion_shapes import SHAPES, TONES
from rtfilter.bench.occlusion_sheet import PX, Colour, Texture
from rtfilter.bench.reenact_footage import numbered, opened
from rtfilter.errors import InputError
from rtfilter.face import landmarks as lm
from rtfilter.system.arrays import U8
from rtfilter.tracking.engine import EngineTracker

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Seconds: the face alone, the thing comes, rests, goes, the face alone.
PHASES: Final = (0.7, 0.2, 0.6, 0.2, 0.4)
LENGTH_S: Final = sum(PHASES)
SHUTTER: Final = 0.5  # of a frame's time
_SAMPLES: Final = 5  # of a moving thing within the shutter's time
_CHEEK: Final = 50  # a landmark below the right eye
_LEAST_FACE: Final = 0.9  # share of a clip's frames in which the face must be found


class Occluder(NamedTuple):
    """What comes, and where. Places are x, y in IODs from between the eyes, y down along the head.

    away: where it comes from. head: it moves with the head, else it stands in the room. tone: of a hand;
    "own" is the person's. scale: of its drawing.
    """

    shape: str
    place: tuple[float, float]
    away: tuple[float, float]
    turn_deg: float = 0.0
    head: bool = False
    tone: str = ""
    scale: float = 1.0


OCCLUDERS: Final[Mapping[str, Occluder]] = {
    "hand over mouth": Occluder("hand", (0.0, 0.72), (2.6, 2.4), 14.0, tone="own"),
    "hand at cheek": Occluder("hand", (0.72, 0.55), (2.8, 1.8), 62.0, tone="own"),
    "light hand over eye": Occluder("hand", (-0.35, 0.08), (2.5, 1.2), -12.0, tone="light"),
    "brown hand over mouth": Occluder("hand", (0.05, 0.78), (2.7, 2.0), 20.0, tone="mid"),
    "dark hand at chin": Occluder("hand", (0.15, 0.98), (2.4, 2.6), 34.0, tone="dark"),
    "phone": Occluder("phone", (0.48, 0.5), (2.2, 1.6), 16.0),
    "mug": Occluder("mug", (0.0, 0.95), (1.0, 3.2), -6.0, scale=0.9),
    "microphone": Occluder("microphone", (0.1, 0.86), (1.6, 2.8)),
    "headset boom": Occluder("boom", (0.24, 0.78), (0.9, 2.4), head=True),
    "surgical mask": Occluder("mask", (0.0, 0.68), (0.2, 2.6), head=True),
    "paper": Occluder("paper", (0.0, 0.9), (-0.6, 3.4), -3.0),
    "text label": Occluder("label", (0.0, -0.33), (2.4, -0.33)),
    "bar": Occluder("bar", (0.0, 0.7), (0.0, 2.6), 12.0),
    "fringe": Occluder("fringe", (0.0, -0.28), (0.3, -1.8), head=True),
}


@dataclass(frozen=True, slots=True)
class Clip:
    """The first frames of a clip with the face in them. points_px: float32 [478, 3] a frame."""

    name: str
    frames: tuple[U8, ...]
    points_px: tuple[F32, ...]
    fps: float

    @property
    def iod_px(self) -> float:
        """The usual distance of the outer eye corners."""
        return float(np.median([head_of(points)[2] for points in self.points_px]))


@dataclass(frozen=True, slots=True)
class Scene:
    """A clip with a thing before the face. alphas: uint8 [H, W] a frame, how much of a pixel the thing
    covers, 0..255. phases: of each frame 0 alone, 1 comes, 2 rests, 3 goes, 4 alone."""

    name: str
    frames: tuple[U8, ...]
    alphas: tuple[U8, ...]
    phases: tuple[int, ...]


def read_clip(path: str, seconds: float = LENGTH_S, start_s: float = 0.0) -> Clip:
    """`seconds` of a clip from `start_s` on. Raises InputError for fewer, or without a face throughout."""
    frames: list[U8] = []
    points: list[F32 | None] = []
    times: list[float] = []
    with closing(opened(path)) as source, closing(EngineTracker()) as tracker:
        for _, frame in numbered(source, 10_000):
            time_s = frame.pts_ns * 1e-9
            if time_s < start_s:
                continue
            if times and time_s - times[0] >= seconds - 1e-6:
                break
            found = tracker.track(frame)
            frames.append(frame.rgb.copy())
            points.append(None if found is None else found.points_px.copy())
            times.append(time_s)
    seen = sum(one is not None for one in points)
    if len(frames) < 2 or times[-1] - times[0] < 0.8 * seconds:
        raise InputError(f"{path}: expected {seconds:g} s from {start_s:g} s on, got {len(frames)} frames")
    if seen < _LEAST_FACE * len(frames):
        raise InputError(f"{path}: a face in {seen} of {len(frames)} frames: give a clip that shows one")
    known = np.flatnonzero([one is not None for one in points])
    nearest = [points[int(known[np.abs(known - i).argmin()])] for i in range(len(points))]
    held = tuple(one for one in nearest if one is not None)
    fps = (len(times) - 1) / (times[-1] - times[0])
    return Clip(_stem(path), tuple(frames), held, fps)


def with_occluder(clip: Clip, name: str) -> Scene:
    """The clip with one of OCCLUDERS, lit, with grain, and blurred where it moves."""
    one = OCCLUDERS[name]
    texture = _texture(one.shape, TONES.get(one.tone) or own_tone(clip))
    heads = np.array([head_of(points) for points in clip.points_px])
    room = np.median(heads, axis=0)
    edges = np.cumsum(PHASES)
    frames, alphas, phases = [], [], []
    for number, rgb in enumerate(clip.frames):
        time_s = number / clip.fps
        phase = int(np.searchsorted(edges, time_s, side="right"))
        rgba = np.zeros((*rgb.shape[:2], 4), np.float32)
        if phase in (1, 2, 3):
            for sample in range(_SAMPLES):
                later = time_s + SHUTTER * sample / _SAMPLES / clip.fps
                at = min(later * clip.fps, len(heads) - 1.0)
                low = int(at)
                high = min(low + 1, len(heads) - 1)
                head = heads[low] + (at - low) * (heads[high] - heads[low]) if one.head else room
                rgba += drawn(texture, one, head, later, rgb.shape[:2]) / _SAMPLES
        frames.append(composed(rgb, rgba, number))
        alphas.append(np.rint(rgba[..., 3] * 255).astype(np.uint8))
        phases.append(min(phase, 4))
    return Scene(name, tuple(frames), tuple(alphas), tuple(phases))


def drawn(texture: Texture, one: Occluder, head: F64, time_s: float, size: tuple[int, ...]) -> F32:
    """A thing at a time of its way, RGB times alpha and alpha, float32 [H, W, 4].

    head: as of `head_of`, where the thing's places count from.
    """
    in_from, in_to, out_from, out_to = np.cumsum(PHASES)[:4]
    near = _eased((time_s - in_from) / (in_to - in_from)) - _eased((time_s - out_from) / (out_to - out_from))
    sway = 0.02 * np.sin(2 * np.pi * 1.3 * time_s) * (0.0 if one.head else 1.0)
    place = np.array(one.away) + near * (np.array(one.place) - one.away) + (sway, 0.6 * sway)
    return placed(texture, one, head, size, place, one.turn_deg + 60.0 * sway)


def placed(
    texture: Texture,
    one: Occluder,
    head: F64,
    size: tuple[int, ...],
    place: F64 | None = None,
    turn_deg: float = 0.0,
) -> F32:
    """A thing at a place, default its own, in IODs from between the eyes; else as `drawn`."""
    x, y, iod, roll = head
    turned = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    centre = (x, y) + iod * turned @ (np.array(one.place) if place is None else place)
    angle = roll + np.radians(turn_deg)
    grow = iod * one.scale / PX
    linear = grow * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # Both places count from pixels' corners; OpenCV's from their centres.
    shift = centre - linear @ (np.array(texture.anchor) - 0.5) - 0.5
    matrix = np.concatenate([linear, shift[:, None]], axis=1)
    rgba = texture.rgba.copy()
    rgba[..., :3] *= rgba[..., 3:]
    return np.asarray(cv2.warpAffine(rgba, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR), np.float32)


def own_tone(clip: Clip) -> Colour:
    """The usual colour of a cheek."""
    points = clip.points_px[0]
    x, y = points[_CHEEK, :2].astype(int)
    reach = max(2, round(0.06 * clip.iod_px))
    patch = clip.frames[0][max(y - reach, 0) : y + reach, max(x - reach, 0) : x + reach].reshape(-1, 3)
    red, green, blue = np.median(patch, axis=0).tolist()
    return (red, green, blue)


@cache
def _texture(shape: str, tone: Colour) -> Texture:
    return SHAPES[shape](tone)


def composed(rgb: U8, rgba: F32, seed: int) -> U8:
    """A thing over a picture, with the noise of a camera on the thing and a soft shadow beside it."""
    alpha = rgba[..., 3:]
    if not alpha.any():
        return rgb
    shadow = cv2.GaussianBlur(alpha[..., 0], (0, 0), 5.0)[..., None]
    noise = np.random.default_rng(seed).normal(0.0, 1.5, rgb.shape).astype(np.float32)
    mixed = rgb * (1.0 - alpha) * (1.0 - 0.2 * shadow) + rgba[..., :3] + alpha * noise
    # Where nothing lies, the picture stays as it was, bit for bit.
    return np.where(shadow > 0.002, np.clip(np.rint(mixed), 0, 255), rgb).astype(np.uint8)


def head_of(points: F32) -> tuple[float, float, float, float]:
    """Between the eyes x, y; inter-ocular distance in pixels; roll in radians."""
    right, left = points[lm.EYE_OUTER_RIGHT, :2], points[lm.EYE_OUTER_LEFT, :2]
    middle, way = (right + left) / 2, left - right
    return float(middle[0]), float(middle[1]), float(np.hypot(*way)), float(np.arctan2(way[1], way[0]))


def _eased(share: float) -> float:
    held = min(max(share, 0.0), 1.0)
    return held * held * (3.0 - 2.0 * held)


def _stem(path: str) -> str:
    return path.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def phase_frames(scene: Scene, phases: Sequence[int]) -> list[int]:
    """Numbers of the frames in these phases."""
    return [number for number, phase in enumerate(scene.phases) if phase in phases]
