"""The kernel that adds an edit to 4:2:0 planes, against its twin: any box, region, size and samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.colour import MATRICES, YuvSpec, rgb_to_yuv, yuv_to_rgb
from rtfilter.kernels import blocks, launch
from rtfilter.kernels.reference.add_edit import add_edit
from rtfilter.planes import Planes
from rtfilter.system.arrays import Box
from tests.faces import texture
from tests.kernels.on_host import KERNELS_ON, Bench, block, in_both_orders, padded_rows

SPECS = [YuvSpec(name, full) for name in MATRICES for full in (False, True)]
UNTOUCHED = 99  # what memory holds that no kernel may write


class Job(NamedTuple):
    """One picture's planes, the RGB that they show, that RGB painted on, and what of it was changed."""

    planes: list[np.ndarray]
    before: np.ndarray
    after: np.ndarray
    box: Box
    region: Box
    spec: YuvSpec


def twin(job: Job) -> list[np.ndarray]:
    """The planes with the box's edit."""
    out = [plane.copy() for plane in job.planes]
    x0, y0, x1, y1 = job.box
    coarse = np.s_[y0 // 2 : (y1 + 1) // 2, x0 // 2 : (x1 + 1) // 2]
    inside = (np.s_[y0:y1, x0:x1], coarse, coarse)
    parts = [plane[part] for plane, part in zip(out, inside, strict=True)]
    made = add_edit(parts, job.before[inside[0]], job.after[inside[0]], job.spec.yuv_from_rgb)
    for part, new in zip(parts, made, strict=True):
        part[...] = new
    return out


def launched(bench: Bench, jobs: list[Job]) -> list[list[np.ndarray]]:
    """The planes of each job with what the kernel wrote in the box's place. One launch for all."""
    parameters, reports = np.zeros(len(jobs), blocks.ADD_EDIT), np.zeros(len(jobs), blocks.REPORT)
    befores, afters, planes, luma_pitches, size = [], [], [], [], 0
    for made, report, job in zip(parameters, reports, jobs, strict=True):
        x0, y0, x1, y1 = job.region
        before = padded_rows(job.before[y0:y1, x0:x1])
        after = padded_rows(job.after[job.box[1] : job.box[3], job.box[0] : job.box[2]], spare=1)
        made["before_offset"], made["before_pitch"] = sum(map(len, befores)), before.shape[1]
        made["after_offset"], made["after_pitch"] = sum(map(len, afters)), after.shape[1]
        pitch = (job.planes[0].shape[1] + 3) // 4 * 4 + 4
        made["luma_pitch"], made["chroma_pitch"] = pitch, pitch // 2
        made["region_x"], made["region_y"] = x0, y0
        made["yuv_from_rgb"] = job.spec.yuv_from_rgb.ravel()
        for name, plane in zip(("luma", "cb", "cr"), job.planes, strict=True):
            shift, step = (0, pitch) if name == "luma" else (1, pitch // 2)
            rows = np.full((len(plane), step), UNTOUCHED, np.uint8)
            rows[:, : plane.shape[1]] = plane
            made[f"{name}_offset"] = sum(map(len, planes)) + (y0 >> shift) * step + (x0 >> shift)
            made[f"changed_{name}_offset"] = size
            size += rows.size + -rows.size % 4
            planes.append(rows.ravel())
        for name, value in zip(("x0", "y0", "x1", "y1"), job.box, strict=True):
            report[name] = value
        luma_pitches.append(pitch)
        befores.append(before.ravel())
        afters.append(after.ravel())
    there = [
        bench.put(np.concatenate([*parts, np.zeros(1, np.uint8)])) for parts in (befores, afters, planes)
    ]
    changed = bench.put(np.full(size, UNTOUCHED, np.uint8))
    launch.add_edit(bench.stream, bench.put(parameters), bench.put(reports), *there, changed)
    bench.stream.wait()
    return [
        pasted(changed.array.copy(), job, made, pitch)
        for job, made, pitch in zip(jobs, parameters, luma_pitches, strict=True)
    ]


def pasted(changed: np.ndarray, job: Job, made: np.void, pitch: int) -> list[np.ndarray]:
    """The job's planes with the box from `changed`, of which nothing else may have been written."""
    out = []
    x0, y0, x1, y1 = job.box
    for name, plane in zip(("luma", "cb", "cr"), job.planes, strict=True):
        block_px, step, word = (1, pitch, 4) if name == "luma" else (2, pitch // 2, 2)
        tall, wide = (-(-max(size, 0) // block_px) for size in (y1 - y0, x1 - x0))
        first = int(made[f"changed_{name}_offset"])
        rows = changed[first : first + plane.shape[0] * step].reshape(-1, step)
        whole = plane.copy()
        whole[y0 // block_px :, x0 // block_px :][:tall, :wide] = rows[:tall, :wide]
        written = -(-wide // word) * word if tall else 0
        assert (rows[:tall, wide:written] == 0).all()
        assert (rows[:tall, written:] == UNTOUCHED).all(), "behind a row's last word"
        assert (rows[tall:] == UNTOUCHED).all(), "below the box"
        out.append(whole)
    return out


def job_of(
    size: tuple[int, int],
    box: Box,
    region: Box | None = None,
    seed: int = 0,
    spec: YuvSpec = SPECS[0],
) -> Job:
    """Any samples at all, out of gamut included; painted over with noise inside the box."""
    width, height = size
    rng = np.random.default_rng(seed)
    small = ((height + 1) // 2, (width + 1) // 2)
    planes = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((height, width), small, small)]
    before = yuv_to_rgb(planes, spec)
    after = before.copy()
    x0, y0, x1, y1 = box
    painted = rng.integers(0, 256, after[y0:y1, x0:x1].shape, dtype=np.uint8)
    still = rng.random(painted.shape[:2]) < 0.3
    painted[still] = before[y0:y1, x0:x1][still]
    after[y0:y1, x0:x1] = painted
    return Job(planes, before, after, box, region or Box(0, 0, width, height), spec)


def check(jobs: list[Job]) -> None:
    """Measured: the very bytes of the twin, in both orders. (A GPU's fused multiply-adds may round the other
    way where a value lies in the middle of two levels.)"""
    for bench in in_both_orders():
        for job, got in zip(jobs, launched(bench, jobs), strict=True):
            for ours, theirs in zip(got, twin(job), strict=True):
                apart = np.abs(ours.astype(int) - theirs)
                assert apart.max(initial=0) <= 1
                assert (apart != 0).mean() < 0.001
                if KERNELS_ON == "host":
                    assert np.array_equal(ours, theirs)


EDGES: dict[str, tuple[tuple[int, int], Box]] = {
    "all of it": ((64, 48), Box(0, 0, 64, 48)),
    "all of it, odd": ((63, 47), Box(0, 0, 63, 47)),
    "left and top": ((63, 47), Box(0, 0, 10, 6)),
    "right": ((63, 47), Box(50, 20, 63, 30)),
    "bottom": ((63, 47), Box(20, 40, 30, 47)),
    "the last pixel": ((63, 47), Box(62, 46, 63, 47)),
    "one block": ((64, 48), Box(30, 22, 32, 24)),
    "two blocks, and half a word": ((64, 48), Box(30, 22, 36, 24)),
    "nothing": ((64, 48), Box(30, 22, 30, 22)),
    "a picture of one pixel": ((1, 1), Box(0, 0, 1, 1)),
    "a column": ((1, 9), Box(0, 0, 1, 9)),
    "a row": ((9, 1), Box(0, 0, 9, 1)),
    "several tiles": ((301, 67), Box(14, 8, 301, 67)),
}


@pytest.mark.parametrize("name", EDGES)
def test_boxes_at_every_edge(name: str) -> None:
    size, box = EDGES[name]
    check([job_of(size, box)])


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.matrix}-{'full' if s.full_range else 'limited'}")
def test_every_matrix_and_range(spec: YuvSpec) -> None:
    check([job_of((41, 33), Box(8, 4, 41, 30), spec=spec)])


@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 50)),
    data=st.data(),
    seed=st.integers(0, 1000),
    spec=st.sampled_from(SPECS),
)
@settings(max_examples=40, deadline=None)
def test_any_box_in_any_region(size: tuple[int, int], data: st.DataObject, seed: int, spec: YuvSpec) -> None:
    sides: list[tuple[int, int, int, int]] = []
    for whole in size:
        # Region, then box within it, between blocks of 2 or at the picture's end.
        marks = [*range(0, whole, 2), whole]
        picked = sorted(data.draw(st.lists(st.integers(0, len(marks) - 1), min_size=4, max_size=4)))
        a, b, c, d = (marks[n] for n in picked)
        last = (whole - 1) & ~1  # where regions and boxes can begin, those of nothing too
        sides.append((min(a, last), min(b, last), c, max(d, 1)))
    (rx0, x0, x1, rx1), (ry0, y0, y1, ry1) = sides
    check([job_of(size, Box(x0, y0, x1, y1), Box(rx0, ry0, rx1, ry1), seed, spec)])


def test_no_edit_leaves_every_byte() -> None:
    """Of any samples, clipped ones included."""
    for spec in SPECS:
        noise = job_of((63, 47), Box(4, 2, 63, 47), spec=spec)
        for bench in in_both_orders():
            (got,) = launched(bench, [noise._replace(after=noise.before)])
            for ours, theirs in zip(got, noise.planes, strict=True):
                assert np.array_equal(ours, theirs)


def test_a_highlight_above_white_is_not_left_behind() -> None:
    """Y 250 shows as 255 but means 272. Replaced by 200, it must read 200, not 217."""
    spec = YuvSpec("bt709", False)
    planes = [np.full((8, 8), 250, np.uint8), np.full((4, 4), 128, np.uint8), np.full((4, 4), 128, np.uint8)]
    before = yuv_to_rgb(planes, spec)
    after = before.copy()
    after[2:6, 2:6] = 200
    job = Job(planes, before, after, Box(2, 2, 6, 6), Box(0, 0, 8, 8), spec)
    (got,) = launched(Bench(), [job])
    assert np.abs(yuv_to_rgb(got, spec)[2:6, 2:6].astype(int) - 200).max() <= 4
    assert (got[0][:2] == 250).all()
    check([job])


def test_the_decoded_edit_is_the_wanted_picture() -> None:
    """Measured: at most 3 levels, 0.46 on average (limited range: luma in steps of 1.16)."""
    for spec in SPECS[:4]:
        planes = rgb_to_yuv(texture(96, 64) // 2 + 60, spec, 1, 1)
        before = yuv_to_rgb(planes, spec)
        y, x = np.mgrid[:64, :96]
        blob = np.rint(30 * np.exp(-(((x - 48) / 20) ** 2 + ((y - 32) / 15) ** 2)))
        after = np.clip(before + blob[..., None] * (1.0, 0.5, -0.5), 0, 255).astype(np.uint8)
        (got,) = launched(Bench(), [Job(planes, before, after, Box(0, 0, 96, 64), Box(0, 0, 96, 64), spec)])
        error = np.abs(yuv_to_rgb(got, spec).astype(int) - after)
        assert error.max() <= 5
        assert error.mean() < 0.8


@pytest.mark.parametrize("size", [(64, 48), (63, 47)], ids=str)
def test_it_is_what_the_cpu_lane_adds(size: tuple[int, int]) -> None:
    """Measured: the very same bytes."""
    for spec in SPECS:
        job = job_of(size, Box(0, 0, *size), spec=spec)
        (got,) = launched(Bench(), [job])
        want = Planes(*job.planes, (1, 1), spec).with_edit(job.before, job.after, job.box)
        for ours, theirs in zip(got, want.all, strict=True):
            apart = np.abs(ours.astype(int) - theirs)
            assert apart.max() <= 1
            assert (apart != 0).mean() < 0.001


def test_a_batch_is_as_each_alone() -> None:
    check(
        [
            job_of((64, 48), Box(4, 2, 50, 40), seed=1, spec=SPECS[2]),
            job_of((63, 47), Box(0, 0, 0, 0), seed=2),
            job_of((33, 21), Box(6, 4, 33, 21), Box(2, 2, 33, 21), seed=3, spec=SPECS[1]),
        ]
    )


def test_what_is_no_memory_of_bytes_is_refused() -> None:
    bench = Bench()
    made, report, data = (
        bench.put(block(blocks.ADD_EDIT)),
        bench.put(block(blocks.REPORT)),
        bench.empty(8, np.uint8),
    )
    with pytest.raises(ValueError, match="planes: expected uint8"):
        launch.add_edit(bench.stream, made, report, data, data, bench.empty(8, np.float32), data)
    with pytest.raises(ValueError, match="reports"):
        launch.add_edit(bench.stream, made, bench.put(np.zeros(2, blocks.REPORT)), data, data, data, data)
    with pytest.raises(ValueError, match="parameters"):
        launch.add_edit(bench.stream, report, report, data, data, data, data)
