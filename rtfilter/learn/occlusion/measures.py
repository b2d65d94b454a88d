"""How well a network file sees what lies over a face: by kind of occluder, on people held out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.engines.networks import OCCLUSION
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.learn.occlusion.compose import NAMES
from rtfilter.learn.occlusion.pool import Pool

F32 = npt.NDArray[np.float32]
B8 = npt.NDArray[np.bool_]

HALF: Final = 0.5
WHAT: Final = ("occluder", "background", "rims")


def measured(content: bytes, pool: Pool, without_appearance: bool = False) -> Iterator[str]:
    """Lines: overlap and border error by kind, false covering on bare pictures, background and rims."""
    held, truth, sure = outputs(content, pool, without_appearance)
    kinds = pool.kinds
    for kind, name in enumerate(NAMES):
        here = np.flatnonzero(kinds == kind)
        if not len(here):
            continue
        if name == "nothing":
            bare = sure[here, 0] > HALF
            share = float((held[here, 0] > HALF)[bare].mean())
            yield f"bare: {share:.2%} of pixels falsely covered, {len(here)} pictures"
            continue
        overlaps = [overlap(held[k, 0], truth[k, 0], sure[k, 0]) for k in here]
        borders = [border_px(held[k, 0], truth[k, 0]) for k in here]
        found, away = float(np.nanmean(overlaps)), float(np.nanmedian(borders))
        yield f"{name}: IoU {found:.3f}, border {away:.2f} px, {len(here)} pictures"
    for number, name in enumerate(WHAT):
        yield f"{name}: IoU {overlap(held[:, number], truth[:, number], sure[:, number]):.3f} over all pixels"


def outputs(content: bytes, pool: Pool, without_appearance: bool = False) -> tuple[F32, F32, F32]:
    """What the network gives, the truth, and its weight, float32 [N, 3, 96, 96] each."""
    runner = OnnxRunner(content, OCCLUSION)
    held, truth, sure = [], [], []
    for _, planes in pool.batches(1):
        pixels = planes[:, :7].astype(np.float32) / np.float32(255.0)
        if without_appearance:
            pixels[:, 3:] = 0.0
        held.append(runner.run(pixels=pixels)["held"][0].copy())
        truth.append(planes[0, 7:10].astype(np.float32) / np.float32(255.0))
        sure.append(planes[0, 10:].astype(np.float32) / np.float32(255.0))
    runner.close()
    return np.stack(held), np.stack(truth), np.stack(sure)


def overlap(held: F32, truth: F32, sure: F32) -> float:
    """Intersection over union where the truth is known; NaN where there is nothing to find."""
    known = sure > HALF
    shown, wanted = (held > HALF) & known, (truth > HALF) & known
    union = float((shown | wanted).sum())
    return float((shown & wanted).sum()) / union if wanted.any() else float("nan")


def border_px(held: F32, truth: F32) -> float:
    """Mean distance from the true border to the nearest one found, in pixels of the network."""
    wanted, found = _border(truth > HALF), _border(held > HALF)
    if not wanted.any() or not found.any():
        return float("nan")
    away = cv2.distanceTransform((~found).astype(np.uint8), cv2.DIST_L2, 5)
    return float(away[wanted].mean())


def _border(mask: B8) -> B8:
    inside = mask.astype(np.uint8)
    return np.asarray(inside != cv2.erode(inside, np.ones((3, 3), np.uint8)))
