"""Pictures of a face: they follow the head, `uv` follows the skin, and a video without a face is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")

from rtfilter.errors import InputError
from rtfilter.learn.stccl.pictures import pictures, sample, template
from rtfilter.learn.stccl.signals import kept_path, kept_pictures
from rtfilter.sources.demo import DemoSource
from tests.learn.stccl import speakers

WIDTH, HEIGHT = 480, 360


def demo(index: int) -> tuple[np.ndarray, np.ndarray]:
    """A grey frame of the demo and its true landmarks."""
    source = DemoSource(WIDTH, HEIGHT)
    try:
        rgb = np.asarray(source.frame(index).pixels)
        return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), source.truth(index).points_px.astype(np.float32)
    finally:
        source.close()


def likeness(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    return float(np.corrcoef(a[where], b[where])[0, 1])


@pytest.mark.parametrize("signal", ["crop", "uv"])
def test_a_picture_follows_the_head(signal: str) -> None:
    grey, points = demo(0)
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 12.0, 0.8)
    turn[:, 2] += (25, -10)
    turned = cv2.warpAffine(grey, turn, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    moved = points.copy()
    moved[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
    moved[:, 2] *= 0.8
    inside = template()[2]
    assert 0.3 < inside.mean() < 0.9
    here = sample(grey, points, signal)
    assert here.shape == (64, 64)
    assert likeness(here, sample(turned, moved, signal), inside) > 0.97
    # With the landmarks of before it shows something else.
    assert likeness(here, sample(turned, points, signal), inside) < 0.8


def test_uv_follows_the_skin_and_crop_shows_where_it_goes() -> None:
    _, at_rest = demo(0)
    inside = template()[2]
    # A checkered face, pulled down below the nose together with its landmarks.
    board = ((np.indices((HEIGHT, WIDTH)) // 12).sum(0) % 2 * 200).astype(np.uint8)
    rows, columns = np.indices((HEIGHT, WIDTH)).astype(np.float32)
    nose = float(at_rest[1, 1])
    pull = 0.25
    below = rows > nose
    pulled = cv2.remap(
        board, columns, np.where(below, nose + (rows - nose) / (1 + pull), rows), cv2.INTER_LINEAR
    )
    moved = at_rest.copy()
    under = moved[:, 1] > nose
    moved[under, 1] = nose + (moved[under, 1] - nose) * (1 + pull)
    skin = likeness(sample(board, at_rest, "uv"), sample(pulled, moved, "uv"), inside)
    place = likeness(sample(board, at_rest, "crop"), sample(pulled, moved, "crop"), inside)
    assert skin > 0.85
    assert place < skin - 0.2


def write_video(path: Path, frames: list[np.ndarray]) -> None:
    out = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), speakers.FPS, frames[0].shape[1::-1])
    for each in frames:
        out.write(each)
    out.release()


def test_a_video_becomes_pictures_at_the_tracks_moments(tmp_path: Path) -> None:
    source = DemoSource(WIDTH, HEIGHT)
    frames = [np.ascontiguousarray(np.asarray(source.frame(i).pixels)[:, :, ::-1]) for i in range(10)]
    source.close()
    track = speakers.make(0, 0, "neutral", 10)
    write_video(tmp_path / f"{track.name}.mp4", frames)
    video = tmp_path / f"{track.name}.mp4"
    seen = pictures(video, track, "crop")
    assert seen.shape == (10, 64, 64)
    assert abs(float(seen.mean())) < 1e-3
    assert float(seen.std()) == pytest.approx(1.0, abs=1e-3)
    every_other = replace(
        track,
        **{
            name: getattr(track, name)[::2]
            for name in ("time_s", "expression", "shape_iod", "rotation", "scale_px")
        },
    )
    fewer = pictures(video, every_other, "crop")
    assert np.corrcoef(fewer[3].ravel(), seen[6].ravel())[0, 1] > 0.999
    kept = tmp_path / "kept" / "one.npz"
    made = kept_pictures(kept, video, track, "crop")
    assert np.allclose(made, seen, atol=2e-3)
    video.unlink()
    assert np.array_equal(kept_pictures(kept, video, track, "crop"), made)
    for content in (b"no archive", kept.read_bytes()[:200]):
        kept.write_bytes(content)
        with pytest.raises(InputError, match="no picture with a face"):
            kept_pictures(kept, video, track, "crop")


def test_a_changed_video_is_looked_at_again(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"one")
    os.utime(video, ns=(10**18, 10**18))
    paths = [kept_path(tmp_path, "a", video)]
    assert kept_path(tmp_path, "a", video) == paths[0]
    os.utime(video, ns=(10**18, 10**18 + 10**9))
    paths.append(kept_path(tmp_path, "a", video))
    video.write_bytes(b"other")
    os.utime(video, ns=(10**18, 10**18))
    paths.append(kept_path(tmp_path, "a", video))
    assert len(set(paths)) == 3


def test_a_video_without_a_face_is_refused(tmp_path: Path) -> None:
    track = speakers.make(0, 0, "neutral", 10)
    video = tmp_path / "blank.mp4"
    write_video(video, [np.full((HEIGHT, WIDTH, 3), 90, np.uint8)] * 3)
    with pytest.raises(InputError, match="no picture with a face"):
        pictures(video, track, "uv")
    video.write_bytes(b"no video")
    with pytest.raises(InputError, match="no picture with a face"):
        pictures(video, track, "uv")
