"""Squares of the rendered portrait, which talks, as two people; and settings of a small training."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from rtfilter.learn.occlusion.squares import SUFFIX, Squares, square_of
from rtfilter.sources.demo import DemoSource

COUNT = 6
SETTINGS = """
[run]
output = "{output}"
seed = 3
threads = 1
device = "cpu"
[occlusion]
squares = "{squares}"
held_out = ["other"]
unseen = ["spoon"]
pool = {pool}
measured = 12
width = 8
steps = {steps}
batch = 4
save_every = 3
log_every = 2
"""


def squares() -> Squares:
    """A few frames; the person is what lies near their landmarks."""
    found = []
    with closing(DemoSource()) as source:
        for seq in range(0, 15 * COUNT, 15):
            rgb, points = source.frame(seq).rgb, source.truth(seq).points_px
            person = np.zeros(rgb.shape[:2], np.float32)
            hull = cv2.convexHull(np.rint(points[:, :2]).astype(np.int32))
            cv2.fillConvexPoly(person, hull, (1.0,))
            person = np.asarray(cv2.dilate(person, np.ones((41, 41))), np.float32)
            found.append(square_of(rgb, points, person, np.ones_like(person)))
    rgb, person, sure, points = (np.stack(one) for one in zip(*found, strict=True))
    return Squares(rgb, person, sure, points, np.zeros(COUNT, np.int32))


def folder_of_squares(folder: Path) -> Path:
    """Two people, alike."""
    one = squares()
    for name in ("somebody", "other"):
        one.save(folder / f"{name}{SUFFIX}")
    return folder


def settings(folder: Path, squares: Path, steps: int = 6, pool: int = 24) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "occlusion.toml"
    text = SETTINGS.format(output=folder / "out", squares=squares, steps=steps, pool=pool)
    path.write_text(text, encoding="utf-8")
    return path
