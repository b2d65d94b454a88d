"""From decoded pictures to frames and back: what was not edited keeps its bytes, and all keep their time."""

from __future__ import annotations

import queue
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from rtfilter.bench.webrtc_camera import demo_pictures
from rtfilter.colour import planes_of
from rtfilter.controls import Controls
from rtfilter.filter import FaceFilter
from rtfilter.serve.app.live_controls import LiveControls
from rtfilter.serve.app.pipeline import Filtered, FilterPipeline
from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.rtc.pictures import as_420, copy_of, frame_of, picture_like, picture_of, spec_for
from tests.fakes.serving import PAINT, PaintingFilter, grey_picture, luma

CARD = np.full((90, 160, 3), 20, np.uint8)
GUARD_S = 30.0


def same_planes(one: av.VideoFrame, other: av.VideoFrame) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(planes_of(one), planes_of(other), strict=True))


def filtered(
    pool: FilterPool, controls: Controls, pictures: list[av.VideoFrame], paused: bool = False
) -> list[Filtered]:
    """What a pipeline makes of `pictures`, given one after the other."""
    results: list[Filtered] = []
    errors: list[BaseException] = []
    ready = threading.Event()

    def deliver(result: Filtered) -> None:
        results.append(result)
        ready.set()

    def failed(error: BaseException) -> None:
        errors.append(error)
        ready.set()

    pipeline = FilterPipeline(pool, LiveControls(controls), deliver, failed, CARD)
    pipeline.paused = paused
    for picture in pictures:
        ready.clear()
        pipeline.submit(picture)
        assert ready.wait(GUARD_S)
    pipeline.close()
    assert errors == []
    return results


def test_an_untouched_picture_is_the_very_same() -> None:
    picture = grey_picture(pts=1234)
    before = copy_of(picture)
    for controls in (Controls(), Controls(emotions={"happy": 1.0}, bypass=True)):
        result = filtered(FilterPool(PaintingFilter), controls, [picture])[0]
        assert result.picture is picture
        assert same_planes(result.picture, before)


def test_outside_the_edit_every_plane_keeps_its_bytes() -> None:
    rng = np.random.default_rng(1)
    picture = av.VideoFrame.from_ndarray(rng.integers(0, 256, (96, 64), np.uint8), format="yuv420p")
    picture.pts, picture.time_base = 77, Fraction(1, 90_000)
    result = filtered(FilterPool(PaintingFilter), Controls(emotions={"happy": 1}), [picture])[0]
    assert (result.picture.pts, result.picture.time_base) == (77, Fraction(1, 90_000))
    assert result.original is picture
    for shift, before, after in zip((0, 1, 1), planes_of(picture), planes_of(result.picture), strict=True):
        inside = np.zeros(before.shape, bool)
        # The filter's box, and the chroma samples that interpolation lets it reach.
        inside[
            (PAINT.y0 >> shift) - shift : (PAINT.y1 >> shift) + shift,
            (PAINT.x0 >> shift) - shift : (PAINT.x1 >> shift) + shift,
        ] = True
        assert np.array_equal(before[~inside], after[~inside])
        assert not np.array_equal(before[inside], after[inside])


def test_the_real_filter_edits_the_face_and_nothing_else() -> None:
    pictures = demo_pictures(640, 360, 6)
    pool = FilterPool(FaceFilter)
    smiling = filtered(pool, Controls(emotions={"happy": 1.0}, smoothing=0.0), pictures)[-1]
    neutral = filtered(pool, Controls(), pictures)[-1]
    pool.close()
    assert neutral.picture is pictures[-1]
    changed = luma(smiling.picture) != luma(pictures[-1])
    assert smiling.face
    assert 0.002 < changed.mean() < 0.5
    assert not changed[:, -100:].any()
    assert not changed[:, :100].any()


def test_a_paused_stream_shows_the_card_in_the_pictures_size_and_time() -> None:
    picture = grey_picture(pts=55, size=(128, 96))
    result = filtered(FilterPool(PaintingFilter), Controls(), [picture], paused=True)[0]
    assert (result.picture.width, result.picture.height, result.picture.pts) == (128, 96, 55)
    assert abs(float(luma(result.picture).mean()) - 33) < 3
    assert not result.face


def test_a_picture_without_a_time_is_ignored() -> None:
    timeless = grey_picture()
    timeless.pts = None
    pipeline = FilterPipeline(
        FilterPool(PaintingFilter), LiveControls(Controls()), lambda _: None, lambda _: None, CARD
    )
    pipeline.submit(timeless)
    pipeline.close()
    assert (pipeline.timings.summary(), pipeline.dropped) == ({}, 0)


def test_a_silent_stream_lends_its_filter_until_its_next_picture() -> None:
    pool = FilterPool(PaintingFilter)
    results: queue.Queue[Filtered] = queue.Queue()
    controls = LiveControls(Controls(emotions={"happy": 1}))
    pipeline = FilterPipeline(pool, controls, results.put, lambda _: None, CARD, silent_s=0.05)
    for pts in (1, 2):
        picture = grey_picture(pts=pts)
        pipeline.submit(picture)
        assert not same_planes(results.get(timeout=GUARD_S).picture, picture)
        deadline_s = time.monotonic() + GUARD_S
        while not pool.idle and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert pool.idle == 1
    pipeline.close()
    assert pool.idle == 1


def test_other_formats_become_420_and_keep_their_time() -> None:
    picture = av.VideoFrame(64, 48, "nv12")
    picture.pts, picture.time_base = 9, Fraction(1, 30)
    converted = as_420(picture)
    assert (converted.format.name, converted.pts, converted.time_base) == ("yuv420p", 9, Fraction(1, 30))
    assert as_420(converted) is converted


def test_untagged_pictures_mean_what_browsers_mean() -> None:
    picture = grey_picture(size=(1280, 720))
    assert (spec_for(picture).matrix, spec_for(picture).full_range) == ("bt601", False)
    picture.colorspace = 1
    assert spec_for(picture).matrix == "bt709"


@pytest.mark.parametrize("size", [(63, 47), (64, 47), (2, 2)])
def test_odd_sizes_go_there_and_back(size: tuple[int, int]) -> None:
    picture = av.VideoFrame(*size, "yuv420p")
    for plane in planes_of(picture):
        plane[...] = 100
    picture.pts, picture.time_base = 1, Fraction(1, 30)
    assert picture_of(frame_of(picture, 0, 0)) is picture
    shown = picture_like(picture, CARD)
    assert (shown.width, shown.height) == size
    assert same_planes(copy_of(picture), picture)
