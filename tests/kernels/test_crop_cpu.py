"""The processor's crop against its twin and against crop.cu, for every kind of picture, border and matrix."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.colour import MATRICES, YuvSpec
from rtfilter.kernels.cpu.crop import crop_rgb, crop_yuv
from rtfilter.kernels.reference import crop as reference
from rtfilter.kernels.reference.crop import BORDER_REPLICATE, BORDER_ZERO
from tests.kernels.on_host import Bench
from tests.kernels.squares import SQUARES, affine, picture
from tests.kernels.test_crop import APART, cropped, of_rgb, of_yuv

BORDERS = {"replicate": BORDER_REPLICATE, "black": BORDER_ZERO}
SHIFTS = [(1, 1), (1, 0), (0, 0), (2, 0)]
SIZES = [(40, 30), (41, 33), (1, 1), (2, 3), (1, 9), (7, 1)]
SPEC = YuvSpec("bt709", full_range=False)
# Of 0..1, against crop.cu's own arithmetic. Measured over these tests: 6e-7 without, 1.2e-5 with a compiler
# that fuses multiplications and additions (a place 4e-6 of a pixel off, in noise).
APART_FROM_CU = 4e-5


def of_picture(rgb: np.ndarray, matrix: np.ndarray, side: int, black: bool = False) -> np.ndarray:
    out = np.full((3, side, side), np.nan, np.float32)
    crop_rgb(rgb, matrix, out, 1 / 255, 0.0, black)
    return out


def of_planes(
    planes: list[np.ndarray],
    shift: tuple[int, int],
    matrix: np.ndarray,
    side: int,
    black: bool = False,
    spec: YuvSpec = SPEC,
) -> np.ndarray:
    out = np.full((3, side, side), np.nan, np.float32)
    crop_yuv(planes, shift, spec.rgb_from_yuv, matrix, out, 1 / 255, 0.0, black)
    return out


def noise_planes(width: int, height: int, shift: tuple[int, int], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    small = (-(-height // (1 << shift[1])), -(-width // (1 << shift[0])))
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((height, width), small, small)]


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("name", SQUARES)
def test_a_crop_of_rgb_is_its_twin(name: str, border: str) -> None:
    side, middle, size, turn = SQUARES[name]
    rgb, matrix = picture(41, 33), affine(side, middle, size, turn)
    out = np.empty((3, side, side), np.float32)
    crop_rgb(rgb, matrix, out, 2 / 255, -1.0, border == "black")
    want = reference.crop(rgb, matrix, side, BORDERS[border], 2 / 255, -1.0)
    assert np.abs(out - want).max() < 2 * APART


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shift", SHIFTS)
def test_a_crop_of_planes_is_its_twin(shift: tuple[int, int], size: tuple[int, int], border: str) -> None:
    width, height = size
    planes = noise_planes(width, height, shift)
    matrix = affine(19, (width / 2, height / 2), 1.3 * max(size), 20.0)
    for name in MATRICES:
        for full_range in (False, True):
            spec = YuvSpec(name, full_range)
            want = reference.crop_yuv(
                planes, spec.rgb_from_yuv, matrix, 19, BORDERS[border], 1 / 255, 0.0, shift
            )
            got = of_planes(planes, shift, matrix, 19, border == "black", spec)
            assert np.abs(got - want).max() < APART


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.floats(-60, 100),
    st.floats(-60, 100),
    st.floats(0, 200),
    st.floats(-180, 180),
    st.sampled_from(sorted(BORDERS)),
    st.sampled_from(SHIFTS),
)
@settings(max_examples=100, deadline=None)
def test_any_square_of_any_picture(
    width: int, height: int, x: float, y: float, size: float, turn: float, border: str, shift: tuple[int, int]
) -> None:
    matrix = affine(13, (x, y), size, turn).astype(np.float32).astype(float)
    rgb, planes = picture(width, height), noise_planes(width, height, shift)
    want = reference.crop(rgb, matrix, 13, BORDERS[border], 1 / 255, 0.0)
    assert np.abs(of_picture(rgb, matrix, 13, border == "black") - want).max() < APART
    want = reference.crop_yuv(planes, SPEC.rgb_from_yuv, matrix, 13, BORDERS[border], 1 / 255, 0.0, shift)
    assert np.abs(of_planes(planes, shift, matrix, 13, border == "black") - want).max() < APART


@pytest.mark.parametrize(
    ("middle", "size", "turn"),
    [((640, 360), 400, 0.0), ((700.3, 333.3), 393.7, 17.0), ((30, 700), 611.0, -40.0), ((640, 360), 1500, 5)],
)
def test_both_lanes_show_the_network_the_same_square(
    middle: tuple[float, float], size: float, turn: float
) -> None:
    """At the sizes that are in use; landmarks of the lanes are alike because this is."""
    bench, matrix = Bench(), affine(192, middle, size, turn)
    rgb, planes = picture(1280, 720), noise_planes(1280, 720, (1, 1))
    theirs = cropped(bench, *of_rgb(rgb, matrix), 192)[0]
    assert np.abs(of_picture(rgb, matrix, 192) - theirs).max() < APART_FROM_CU
    theirs = cropped(bench, *of_yuv(planes, SPEC, matrix), 192)[0]
    assert np.abs(of_planes(planes, (1, 1), matrix, 192) - theirs).max() < APART_FROM_CU


def test_a_crop_without_scaling_is_the_picture_itself() -> None:
    rgb, matrix = picture(31, 31), affine(31, (15.5, 15.5), 31.0, 0.0)
    out = np.empty((3, 31, 31), np.float32)
    crop_rgb(rgb, matrix, out, 1.0, 0.0)
    assert np.array_equal(out.transpose(1, 2, 0), rgb)


def test_grey_planes_are_grey_and_black_outside() -> None:
    planes = [np.full((8, 8), 126, np.uint8), *(np.full((4, 4), 128, np.uint8) for _ in range(2))]
    far = affine(8, (100.0, 4.0), 8.0, 0.0)
    assert of_planes(planes, (1, 1), far, 8) == pytest.approx((126 - 16) / 219, abs=1e-5)
    assert not of_planes(planes, (1, 1), far, 8, black=True).any()


def test_a_mirrored_picture_has_a_mirrored_crop() -> None:
    matrix, flip = affine(32, (25.0, 20.0), 38.0, 21.0), np.array([[-1.0, 0, 50], [0, 1, 0], [0, 0, 1]])
    square_flip = np.array([[-1.0, 0, 32], [0, 1, 0], [0, 0, 1]])
    mirrored = (flip @ np.vstack([matrix, [0, 0, 1]]) @ square_flip)[:2]
    rgb, planes = picture(50, 40), noise_planes(50, 40, (1, 1))
    got = of_picture(np.ascontiguousarray(rgb[:, ::-1]), mirrored, 32)
    assert np.abs(got[:, :, ::-1] - of_picture(rgb, matrix, 32)).max() < APART
    got = of_planes([np.ascontiguousarray(plane[:, ::-1]) for plane in planes], (1, 1), mirrored, 32)
    assert np.abs(got[:, :, ::-1] - of_planes(planes, (1, 1), matrix, 32)).max() < APART


def test_it_does_not_matter_how_a_picture_lies_in_memory() -> None:
    """Rows with padding, upside down, every second column, read-only; Cb and Cr with different rows."""
    matrix = affine(24, (20.0, 15.0), 44.0, 33.0)
    rgb, planes = picture(41, 33), noise_planes(41, 33, (1, 1))
    wide = np.zeros((33, 64, 3), np.uint8)
    wide[:, 5:46] = rgb
    sparse = np.zeros((33, 41, 6), np.uint8)
    sparse[:, :, ::2] = rgb
    sealed = rgb.copy()
    sealed.flags.writeable = False
    want = of_picture(rgb, matrix, 24)
    for same in (wide[:, 5:46], np.ascontiguousarray(rgb[::-1])[::-1], sparse[:, :, ::2], sealed):
        assert np.array_equal(same, rgb)
        assert np.array_equal(of_picture(same, matrix, 24), want)
    padded = []
    for pad, plane in zip((3, 0, 7), planes, strict=True):
        rows = np.full((len(plane), plane.shape[1] + pad), 99, np.uint8)
        rows[:, : plane.shape[1]] = plane
        padded.append(rows[:, : plane.shape[1]])
    assert np.array_equal(of_planes(padded, (1, 1), matrix, 24), of_planes(planes, (1, 1), matrix, 24))


HOSTILE = """
import ctypes, mmap, sys
import numpy as np
from rtfilter.colour import YuvSpec
from rtfilter.kernels.cpu.crop import crop_rgb, crop_yuv
from tests.kernels.squares import affine

libc, page = ctypes.CDLL(None, use_errno=True), mmap.PAGESIZE

def walled(shape):
    '''Noise between two pages that must not be touched, first at the one and then at the other.'''
    size = int(np.prod(shape))
    room = -(-size // page) * page
    for at_the_end in (False, True):
        memory = mmap.mmap(-1, room + 2 * page)
        whole = np.frombuffer(memory, np.uint8)
        for wall in (0, page + room):
            assert libc.mprotect(ctypes.c_void_p(whole.ctypes.data + wall), ctypes.c_size_t(page), 0) == 0
        first = page + (room - size if at_the_end else 0)
        inside = whole[first : first + size].reshape(shape)
        inside[...] = np.random.default_rng(0).integers(0, 256, shape)
        yield inside

matrices = [affine(9, middle, size, turn) for middle in ((0, 0), (20, 15), (40, 30), (1e9, -1e9))
            for size in (0.0, 0.5, 30.0, 1e7) for turn in (0, 30, 90)]
for bad in (np.nan, np.inf, -np.inf, 3e38):
    for row in range(2):
        for column in range(3):
            matrices.append(affine(9, (20.0, 15.0), 20.0, 0.0))
            matrices[-1][row, column] = bad
out, colours = np.empty((3, 9, 9), np.float32), YuvSpec("bt601", True).rgb_from_yuv
tried = 0
for height, width in ((1, 1), (1, 2), (2, 1), (2, 2), (3, 5), (33, 41), (1, 4096), (64, 64)):
    for matrix in matrices:
        for black in (False, True):
            for rgb in walled((height, width, 3)):
                crop_rgb(rgb, matrix, out, 1 / 255, 0.0, black)
                assert np.isfinite(out).all()
            for shift in ((1, 1), (1, 0), (0, 0)):
                small = (-(-height // (1 << shift[1])), -(-width // (1 << shift[0])))
                for planes in zip(walled((height, width)), walled(small), walled(small)):
                    crop_yuv(list(planes), shift, colours, matrix, out, 1 / 255, 0.0, black)
                    assert np.isfinite(out).all()
                    tried += 1
print(tried)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="walls of memory are made with Linux's mprotect")
def test_nothing_is_read_outside_of_a_picture() -> None:
    """Pictures between pages that cannot be read, and matrices of all kinds, of no numbers too."""
    done = subprocess.run([sys.executable, "-c", HOSTILE], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1000


def test_what_does_not_fit_is_refused() -> None:
    matrix, out = affine(8, (4, 4), 8, 0), np.empty((3, 8, 8), np.float32)
    rgb, planes = picture(8, 8), noise_planes(8, 8, (1, 1))
    for wrong in (rgb.astype(np.float32), rgb[:, :, 0], rgb[:, :, :2], rgb[:0], rgb[:, :0]):
        with pytest.raises(ValueError, match=r"expected uint8 \[H, W, 3\]"):
            crop_rgb(wrong, matrix, out, 1.0, 0.0)
    for wrong in (np.empty((1, 8, 8), np.float32), np.empty((3, 8, 8)), out[:, :, :4], out[0]):
        with pytest.raises(ValueError, match="out: expected contiguous float32"):
            crop_rgb(rgb, matrix, wrong, 1.0, 0.0)
    with pytest.raises(ValueError, match="picture_from_crop: expected 6 numbers"):
        crop_rgb(rgb, np.eye(3), out, 1.0, 0.0)
    with pytest.raises(ValueError, match="rgb_from_yuv: expected 12 numbers"):
        crop_yuv(planes, (1, 1), np.eye(3), matrix, out, 1.0, 0.0)
    with pytest.raises(ValueError, match="Cb and Cr of one size"):
        crop_yuv([planes[0], planes[1], planes[2][:3]], (1, 1), SPEC.rgb_from_yuv, matrix, out, 1.0, 0.0)
