"""`python -m bench.picture`: the README's picture, made of the built-in demo.

A column an emotion at intensity 1, a row a moment of the same speech; the first column is the source. The
tiles are what `FaceFilter` returns after a second of running.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import EMOTIONS, Controls
from rtfilter.filter import FaceFilter
from rtfilter.sources.demo import DemoSource
from rtfilter.system.arrays import U8

TARGET = Path(__file__).resolve().parents[1] / "docs" / "images" / "emotions.jpg"
MOMENTS = (360, 55, 45)  # frames at 30 fps: closed lips, an open vowel, rounded lips
LEAD_FRAMES = 30
TILE_PX = (230, 290)  # width, height
CAPTION_PX = 26


def main() -> None:
    """Write the picture and print its path."""
    parser = argparse.ArgumentParser(prog="python -m bench.picture", description=__doc__)
    parser.add_argument("--output", type=Path, default=TARGET)
    path = parser.parse_args().output
    picture = np.hstack([column(name) for name in ("original", *EMOTIONS)])
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, 88]):
        raise SystemExit(f"{path}: cannot be written: choose another --output")
    print(path)


def column(name: str) -> U8:
    """A caption and one tile for each moment."""
    source = DemoSource()
    controls = Controls(emotions={} if name == "original" else {name: 1.0})
    tiles = [caption(name)]
    for moment in MOMENTS:
        with FaceFilter() as face_filter:
            for seq in range(moment - LEAD_FRAMES, moment + 1):
                out = face_filter.step(source.frame(seq), controls).frame
            tiles.append(tile(out.rgb, source.truth(moment).points_px))
    source.close()
    return np.vstack(tiles)


def tile(rgb: U8, points_px: npt.NDArray[np.float32]) -> U8:
    """The face, cut out and brought to the tile's size."""
    width, height = TILE_PX
    x, y = points_px[:468, :2].mean(0)
    half = 0.62 * float(np.ptp(points_px[:468, 1]))
    wide = half * width / height
    part = rgb[int(y - half) : int(y + half), int(x - wide) : int(x + wide)]
    return np.asarray(cv2.resize(part, TILE_PX, interpolation=cv2.INTER_AREA), np.uint8)


def caption(text: str) -> U8:
    """A strip with centred text."""
    strip = np.full((CAPTION_PX, TILE_PX[0], 3), 255, np.uint8)
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.6
    (wide, _), _ = cv2.getTextSize(text, font, scale, 1)
    cv2.putText(strip, text, ((TILE_PX[0] - wide) // 2, 18), font, scale, (40, 40, 40), 1, cv2.LINE_AA)
    return strip


if __name__ == "__main__":
    main()
