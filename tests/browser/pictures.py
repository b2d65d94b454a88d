"""What the browsers' cameras see: the demo source, rendered to files."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np

from rtfilter.sources.demo import DemoSource
from rtfilter.system.arrays import U8

WIDTH, HEIGHT, FPS = 640, 360, 30


def demo_frames(count: int, width: int = WIDTH, height: int = HEIGHT) -> list[U8]:
    """The demo's first `count` pictures, uint8 [H, W, 3] RGB."""
    source = DemoSource(width, height, FPS)
    try:
        return [source.frame(seq).rgb for seq in range(count)]
    finally:
        source.close()


def empty_room(width: int = WIDTH, height: int = HEIGHT) -> U8:
    """A picture without a face: a soft gradient."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    rgb = np.stack([90 + 60 * x / width, 100 + 50 * y / height, np.full_like(x, 120)], axis=-1)
    return rgb.astype(np.uint8)


def write_y4m(path: Path, frames: list[U8]) -> Path:
    """`frames` as Chromium's --use-file-for-fake-video-capture takes them; it plays them over and over."""
    height, width = frames[0].shape[:2]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{FPS}:1 Ip A1:1 C420\n".encode())
        for rgb in frames:
            file.write(b"FRAME\n" + cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


def jpeg_urls(frames: list[U8]) -> list[str]:
    """`frames` as data URLs, for a page to draw."""
    urls = []
    for rgb in frames:
        done, data = cv2.imencode(
            ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90]
        )
        assert done
        urls.append("data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode())
    return urls
