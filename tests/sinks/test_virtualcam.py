"""The virtual camera: exact I420 bytes, fixed size, and errors that say what to do."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from rtfilter.colour import YuvSpec
from rtfilter.errors import DeviceError, MissingExtraError, UsageError
from rtfilter.frame import Frame
from rtfilter.planes import Planes
from rtfilter.sinks.virtualcam import VirtualCameraSink
from rtfilter.system.installation import install_extra

pyvirtualcam: Any = pytest.importorskip("pyvirtualcam", reason="needs pyvirtualcam (extra 'virtualcam')")

BACKEND = "recording"
W, H = 64, 32


class Recorder:
    """A pyvirtualcam backend that keeps what it is sent."""

    opened: list[Recorder]

    def __init__(self, *, width: int, height: int, fps: float, fourcc: int, device: str | None) -> None:
        if device == "taken":
            raise RuntimeError("Device taken is already in use. Did you run something else?\nSee the manual.")
        self.asked = (width, height, fps, device)
        self.i420 = fourcc == pyvirtualcam.util.encode_fourcc("I420")
        self.sent: list[npt.NDArray[np.uint8]] = []
        self.closed = 0
        self.broken = False
        Recorder.opened.append(self)

    def close(self) -> None:
        self.closed += 1

    def send(self, frame: npt.NDArray[np.uint8]) -> None:
        if self.broken:
            raise RuntimeError("error writing frame: No such device")
        self.sent.append(frame.copy())

    def device(self) -> str:
        return "recorder 0"

    def native_fourcc(self) -> None:
        return None


@pytest.fixture(autouse=True)
def backend() -> Iterator[None]:
    Recorder.opened = []
    pyvirtualcam.register_backend(BACKEND, Recorder)
    yield
    del pyvirtualcam.camera.BACKENDS[BACKEND]


def sink(width: int = W, height: int = H, fps: float = 30) -> tuple[VirtualCameraSink, Recorder]:
    made = VirtualCameraSink(width, height, fps, backend=BACKEND)
    return made, Recorder.opened[-1]


def solid(rgb: tuple[int, int, int], width: int = W, height: int = H) -> Frame:
    return Frame.from_rgb(np.full((height, width, 3), rgb, np.uint8))


def planes(sent: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], ...]:
    y, chroma = sent[: W * H], sent[W * H :]
    return y.reshape(H, W), *(plane.reshape(H // 2, W // 2) for plane in np.split(chroma, 2))


def test_the_camera_is_asked_for_what_was_requested() -> None:
    made, recorder = sink(fps=25)
    assert recorder.asked == (W, H, 25, None)
    assert recorder.i420
    assert made.device == "recorder 0"


# ITU-R BT.601, limited range: Y = 16 + 65.481 R + 128.553 G + 24.966 B with R, G, B in 0..1, and so on.
@pytest.mark.parametrize(
    ("rgb", "yuv"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((255, 0, 0), (81, 90, 240)),
        ((0, 255, 0), (145, 54, 34)),
        ((0, 0, 255), (41, 240, 110)),
    ],
)
def test_i420_bytes_of_plain_colours(rgb: tuple[int, int, int], yuv: tuple[int, int, int]) -> None:
    made, recorder = sink()
    made.write(solid(rgb))
    assert recorder.sent[0].shape == (W * H * 3 // 2,)
    for plane, value in zip(planes(recorder.sent[0]), yuv, strict=True):
        assert np.abs(plane.astype(int) - value).max() <= 1


def test_the_planes_lie_where_i420_has_them() -> None:
    made, recorder = sink()
    rgb = np.zeros((H, W, 3), np.uint8)
    rgb[:2, :2] = (255, 0, 0)
    made.write(Frame.from_rgb(rgb))
    y, u, v = planes(recorder.sent[0])
    assert (y[:2, :2] > 75).all()
    assert (y[2:] == 16).all()
    assert (u[0, 0] < 95, v[0, 0] > 235) == (True, True)
    assert (u[1:] == 128).all()
    assert (v[1:] == 128).all()


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_planes_are_sent_as_they_are_where_they_mean_the_same(matrix: str) -> None:
    rng = np.random.default_rng(4)
    half = (H // 2, W // 2)
    luma, cb, cr = (rng.integers(90, 150, shape, np.uint8) for shape in ((H, W), half, half))
    frame = Frame(Planes(luma, cb, cr, (1, 1), YuvSpec(matrix, full_range=False)))
    made, recorder = sink()
    made.write(frame)
    made.write(Frame(frame.rgb))
    given = np.concatenate([plane.ravel() for plane in (luma, cb, cr)])
    of_planes, of_rgb = recorder.sent
    assert np.array_equal(of_planes, given) == (matrix == "bt601")
    assert np.array_equal(of_planes, of_rgb) == (matrix != "bt601"), "other colours are converted"


def test_a_photograph_survives_there_and_back() -> None:
    made, recorder = sink()
    ramp = np.linspace(0, 255, W, dtype=np.uint8)
    rgb = np.stack([np.tile(ramp, (H, 1)), np.tile(ramp[::-1], (H, 1)), np.full((H, W), 90, np.uint8)], -1)
    made.write(Frame.from_rgb(rgb))
    back = cv2.cvtColor(recorder.sent[0].reshape(H * 3 // 2, W), cv2.COLOR_YUV2RGB_I420)
    assert np.abs(back.astype(int) - rgb).mean() < 3


def test_frames_are_separate_and_in_order() -> None:
    made, recorder = sink()
    for level in (0, 100, 200):
        made.write(solid((level, level, level)))
    lumas = [int(sent[0]) for sent in recorder.sent]
    assert lumas == sorted(lumas)
    assert len(set(lumas)) == 3


@pytest.mark.parametrize(
    ("size", "bars"),
    [
        ((W * 2, H * 2), ""),
        ((W // 2, H // 2), ""),
        ((32, 32), "sides"),
        ((H, W), "sides"),
        ((W, H // 2), "above"),
        ((201, 33), "above"),
        ((1, 1), "sides"),
        ((3000, 1), "above"),
    ],
)
def test_other_sizes_are_fitted_in_with_bars(size: tuple[int, int], bars: str) -> None:
    made, recorder = sink()
    made.write(solid((255, 255, 255), *size))
    y = planes(recorder.sent[0])[0]
    assert y[:, W // 2].max() > 100
    assert (y[:, 0].max() == 16) == (bars == "sides")
    assert (y[0].max() == 16) == (bars == "above")
    assert (y[:, 0] == y[:, -1]).all()


def test_aspect_ratio_is_kept() -> None:
    made, recorder = sink()
    made.write(solid((255, 255, 255), 400, 400))
    lit = planes(recorder.sent[0])[0] > 100
    assert (lit.any(axis=1).sum(), lit.any(axis=0).sum()) == (H, H)


def test_a_change_of_size_leaves_nothing_of_the_last_picture() -> None:
    made, recorder = sink()
    made.write(solid((255, 255, 255), W // 2, H // 4))
    made.write(solid((255, 255, 255), H, W))
    made.write(solid((0, 0, 0), W // 2, H // 4))
    assert (planes(recorder.sent[2])[0] == 16).all()


def test_close_gives_the_camera_free_once() -> None:
    made, recorder = sink()
    made.close(complete=True)
    made.close(complete=False)
    assert recorder.closed == 1
    with pytest.raises(DeviceError, match="closed"):
        made.write(solid((0, 0, 0)))


def test_a_camera_that_goes_away_is_a_device_error() -> None:
    made, recorder = sink()
    recorder.broken = True
    with pytest.raises(DeviceError, match="No such device"):
        made.write(solid((0, 0, 0)))


@pytest.mark.parametrize(("width", "height"), [(63, 32), (64, 31), (0, 0), (20000, 32)])
def test_sizes_that_i420_cannot_have(width: int, height: int) -> None:
    with pytest.raises(UsageError, match=f"even sides of 2..16384 px, got {width}x{height}"):
        VirtualCameraSink(width, height, backend=BACKEND)


def test_rates_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match=r"1\.\.1000 frames a second, got 0"):
        VirtualCameraSink(W, H, 0, backend=BACKEND)


def test_unknown_backend_lists_the_known() -> None:
    with pytest.raises(UsageError, match=r"'obss' is unknown here\. Known: .*recording"):
        VirtualCameraSink(W, H, backend="obss")


def test_a_taken_camera_is_one_line_that_names_it() -> None:
    with pytest.raises(DeviceError, match="virtual camera taken could not be opened") as caught:
        VirtualCameraSink(W, H, device="taken", backend=BACKEND)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: v4l2loopback is a module of its kernel")
def test_no_module_names_the_command_that_loads_it() -> None:
    if Path("/sys/module/v4l2loopback").exists():
        pytest.skip("needs a machine on which v4l2loopback is not loaded")
    with pytest.raises(DeviceError) as caught:
        VirtualCameraSink(backend="v4l2loopback")
    command = 'sudo modprobe v4l2loopback devices=1 exclusive_caps=1 card_label="rtfilter"'
    assert command in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(MissingExtraError, match=re.escape(install_extra("virtualcam"))):
        VirtualCameraSink()
