"""The camera job: what is shown when, and that nothing but the target or the virtual camera ends it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from rtfilter.cam import camera as cam_camera
from rtfilter.cam import job as cam_job
from rtfilter.cam.camera import CameraChoice
from rtfilter.cam.job import CamJob
from rtfilter.cam.loop import LoopReport
from rtfilter.cam.writer import SteadyWriter
from rtfilter.controls import Controls
from rtfilter.errors import DeviceError
from rtfilter.filter import StepReport, StepResult
from rtfilter.frame import Frame
from rtfilter.sinks.compare import beside_original
from rtfilter.sources.base import Source
from rtfilter.sources.camera import CameraSource
from rtfilter.system.arrays import Box
from rtfilter.system.threads import caught, start_thread
from tests.fakes.live import GUARD_S, HangingSource, Opener, ScriptedCapture, eventually, own_threads, picture
from tests.fakes.repeating import RepeatingListSink

FILTERED = 90  # what the fake filter adds to every level
CARD_SIZE = (64, 36)


class AddingFilter:
    """Adds a constant to every pixel, and remembers whose target it was."""

    def __init__(self) -> None:
        self.targets: list[Controls] = []
        self.resets = 0

    def step(self, frame: Frame, controls: Controls) -> StepResult:
        self.targets.append(controls)
        filtered = frame.filtered(frame.rgb + np.uint8(FILTERED), Box(0, 0, 8, 6))
        return StepResult(filtered, StepReport(stage_ns={"track": 1, "total": 2}))

    def reset(self) -> None:
        self.resets += 1


class Rig:
    """A job with a scripted camera, running in a thread."""

    def __init__(
        self,
        source: Source,
        *,
        sink: RepeatingListSink | None = None,
        compose: Callable[[Frame], Frame] | None = None,
        **options: Any,
    ) -> None:
        self.inner = sink or RepeatingListSink()
        self.filter = AddingFilter()
        self.target = Controls({"happy": 0.5})
        self.reports: list[LoopReport] = []
        self.error: BaseException | None = None
        self.job = CamJob(
            source,
            SteadyWriter(self.inner, 100, compose),
            self.filter,
            lambda: self.target,
            size=CARD_SIZE,
            camera=CameraChoice("0", 8, 6, 100.0),
            **options,
        )
        self.thread = start_thread("job", self._run)

    def _run(self) -> None:
        self.error = caught(lambda: self.reports.append(self.job.run()))

    @property
    def shows(self) -> str:
        """What is on the virtual camera: "card", or the level of the picture."""
        if not self.inner.frames:
            return ""
        rgb = self.inner.frames[-1].rgb
        return "card" if rgb.shape[1] == CARD_SIZE[0] else str(int(rgb[0, 0, 0]))

    def becomes(self, state: str) -> bool:
        return eventually(lambda: self.job.state == state)


def capture(level: int = 0, count: int | None = None, **options: Any) -> ScriptedCapture:
    endless = itertools.count() if count is None else range(count)
    return ScriptedCapture((picture(level) for _ in endless), interval_s=0.005, **options)


def camera(*captures: ScriptedCapture | DeviceError, **options: Any) -> CameraSource:
    return CameraSource(0, open_capture=Opener(list(captures)), first_retry_s=0.01, **options)


@contextmanager
def running(source: Source, **options: Any) -> Iterator[Rig]:
    rig = Rig(source, **options)
    try:
        yield rig
    finally:
        rig.job.stop()
        rig.thread.join(2 * GUARD_S)
        assert not rig.thread.is_alive(), "run() hangs"
    if rig.error is not None:
        raise rig.error


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become tenths."""
    monkeypatch.setattr(cam_job, "SILENT_NS", cam_job.SILENT_NS // 10)
    monkeypatch.setattr(cam_job, "UNWATCHED_NS", cam_job.UNWATCHED_NS // 10)
    monkeypatch.setattr(cam_job, "LOOK_NS", cam_job.LOOK_NS // 10)
    monkeypatch.setattr(cam_job, "LOOK_IDLE_NS", cam_job.LOOK_IDLE_NS // 10)
    monkeypatch.setattr(cam_job, "TICK_S", 0.02)
    monkeypatch.setattr(cam_camera, "REST_NS", cam_camera.REST_NS // 10)
    monkeypatch.setattr(cam_camera, "RETRY_NS", cam_camera.RETRY_NS // 10)


def test_a_card_first_then_filtered_pictures_then_a_clean_end() -> None:
    with running(camera(capture(5))) as rig:
        assert rig.becomes("live")
        assert eventually(lambda: rig.shows == str(5 + FILTERED))
        assert rig.inner.frames[0].rgb.shape[1] == CARD_SIZE[0]
    assert rig.inner.closes == [True]
    assert rig.reports[0].filtered > 0
    assert "filter.track" in rig.reports[0].timings
    assert eventually(lambda: not own_threads())


def test_the_target_is_asked_for_before_every_frame() -> None:
    with running(camera(capture())) as rig:
        assert rig.becomes("live")
        rig.target = Controls({"sad": 1.0})
        assert eventually(lambda: rig.filter.targets[-1] is rig.target)


def test_paused_shows_a_card_and_does_not_filter() -> None:
    with running(camera(capture(5))) as rig:
        assert eventually(lambda: rig.shows == str(5 + FILTERED))
        rig.job.paused = True
        assert rig.job.state == "paused"
        assert eventually(lambda: rig.shows == "card")
        steps, pictures = len(rig.filter.targets), len(rig.inner.frames)
        repeats = rig.inner.repeats
        assert eventually(lambda: rig.inner.repeats > repeats + 10)
        assert len(rig.filter.targets) <= steps + 1  # one was on its way
        assert len(rig.inner.frames) == pictures
        rig.job.paused = False
        assert rig.becomes("live")
        assert eventually(lambda: rig.shows == str(5 + FILTERED))


def test_an_unplugged_camera_is_a_card_until_it_is_back() -> None:
    unplugged = [DeviceError("not there")] * 7
    with running(camera(capture(5, count=30), *unplugged, capture(9))) as rig:
        assert rig.becomes("live")
        assert rig.becomes("no_video")
        assert eventually(lambda: rig.shows == "card")
        assert eventually(lambda: rig.shows == str(9 + FILTERED), timeout_s=60)
        assert rig.job.state == "live"
        assert rig.job.reason == ""


def test_a_silent_camera_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = threading.Event()
    source = camera(ScriptedCapture([picture(5), frozen, picture(6)]))
    with running(source) as rig:
        assert eventually(lambda: "frozen" in rig.job.reason)
        assert rig.job.state == "no_video"
    frozen.set()


def test_nobody_watching_rests_the_filter_until_somebody_does() -> None:
    watching = [True]
    with running(camera(capture(5)), watched=lambda: watching[0]) as rig:
        assert rig.becomes("live")
        watching[0] = False
        assert rig.becomes("idle")
        assert eventually(lambda: rig.shows == "card")
        steps = len(rig.filter.targets)
        assert not eventually(lambda: len(rig.filter.targets) > steps + 1, timeout_s=0.2)
        watching[0] = True
        assert rig.becomes("live")
        assert eventually(lambda: rig.shows == str(5 + FILTERED))


def test_who_keeps_it_awake_keeps_it_live() -> None:
    with running(camera(capture(5)), watched=lambda: False) as rig:
        assert rig.becomes("idle")
        rig.job.keep_awake = True
        assert rig.becomes("live")
        assert not eventually(lambda: rig.job.state == "idle", timeout_s=0.8)


def test_on_frame_gets_every_result_in_order() -> None:
    results: list[StepResult] = []
    with running(camera(capture(5))) as rig:
        rig.job.on_frame = results.append
        assert eventually(lambda: len(results) > 5)
    assert all(result.frame.original is not None for result in results)
    seqs = [result.frame.seq for result in results]
    assert seqs == sorted(set(seqs))


class SlowDevice(RepeatingListSink):
    """A device that takes three intervals of the sink for a picture."""

    def write(self, frame: Frame) -> None:
        time.sleep(0.03)
        super().write(frame)


def test_counts_and_ages_are_those_of_the_device() -> None:
    with running(camera(capture(5)), sink=SlowDevice()) as rig:
        assert eventually(lambda: len(rig.inner.frames) >= 20)
    (report,) = rig.reports
    pictures = [frame for frame in rig.inner.frames if frame.rgb.shape[1] != CARD_SIZE[0]]
    assert report.written == len(pictures)
    assert report.filtered == len(rig.filter.targets)
    # The camera gives five frames or so while the device takes one.
    assert report.dropped_before_sink == report.filtered - report.written > report.written
    timings = report.timings
    assert timings["sink"]["count"] == timings["age_at_sink"]["count"] == report.written
    assert timings["age_at_sink"]["p50_ms"] >= timings["sink"]["p50_ms"] >= 30


def opens(**sources: Source | DeviceError) -> tuple[Callable[..., Source], list[tuple[object, ...]]]:
    asked: list[tuple[object, ...]] = []

    def open_camera(device: str, width: int, height: int, fps: float) -> Source:
        asked.append((device, width, height, fps))
        source = sources[f"d{device}"]
        if isinstance(source, DeviceError):
            raise source
        return source

    return open_camera, asked


def test_another_camera_is_taken_and_the_old_one_closed() -> None:
    old = camera(capture(5))
    open_camera, asked = opens(d1=camera(capture(9)))
    with running(old, open_camera=open_camera) as rig:
        assert rig.becomes("live")
        rig.job.switch_camera("1", 16, 12, 30.0)
        assert eventually(lambda: rig.shows == str(9 + FILTERED))
        assert old.read(0.1) is None
        assert (asked, rig.job.camera) == ([("1", 16, 12, 30.0)], CameraChoice("1", 16, 12, 30.0))
        assert rig.filter.resets == 1


def test_another_camera_that_does_not_open_changes_nothing() -> None:
    open_camera, _ = opens(d1=DeviceError("camera:1 is in use"))
    with running(camera(capture(5)), open_camera=open_camera) as rig:
        assert rig.becomes("live")
        with pytest.raises(DeviceError, match="in use"):
            rig.job.switch_camera("1", 16, 12, 30.0)
        steps = len(rig.filter.targets)
        assert eventually(lambda: len(rig.filter.targets) > steps + 3)
        assert rig.job.camera == CameraChoice("0", 8, 6, 100.0)
        assert rig.filter.resets == 0


def test_the_same_camera_is_closed_before_it_is_opened_in_another_size() -> None:
    old = HangingSource()

    def open_camera(device: str, width: int, height: int, fps: float) -> Source:
        assert old.closed.is_set()
        if width == 9999:
            raise DeviceError("too large")
        return camera(capture(width))

    with running(old, open_camera=open_camera) as rig:
        rig.job.switch_camera("/dev/video0", 7, 5, 30.0)
        assert eventually(lambda: rig.shows == str(7 + FILTERED))
        with pytest.raises(DeviceError, match="too large"):
            rig.job.switch_camera("0", 9999, 5, 30.0)
        assert rig.job.camera == CameraChoice("/dev/video0", 7, 5, 30.0)
        steps = len(rig.filter.targets)
        assert eventually(lambda: len(rig.filter.targets) > steps + 3)


def test_compared_pictures_are_twice_as_wide() -> None:
    with running(camera(capture(5)), compose=beside_original) as rig:
        assert eventually(lambda: bool(rig.inner.frames) and rig.inner.frames[-1].rgb.shape[1] == 16)
        rgb = rig.inner.frames[-1].rgb
        assert (int(rgb[0, 0, 0]), int(rgb[0, 15, 0])) == (5, 5 + FILTERED)


@pytest.mark.parametrize("source", [HangingSource, lambda: camera(capture(5))], ids=["silent", "live"])
def test_a_lost_virtual_camera_ends_it_with_its_error(source: Callable[[], Source]) -> None:
    rig = Rig(source(), sink=RepeatingListSink(error=DeviceError("virtual camera is gone")))
    rig.thread.join(2 * GUARD_S)
    assert not rig.thread.is_alive()
    assert isinstance(rig.error, DeviceError)
    assert rig.inner.closes == [False]


def test_the_camera_is_off_while_paused_and_taken_again() -> None:
    first, second = capture(5), camera(capture(7))
    opened: list[CameraChoice] = []

    def open_camera(device: str, width: int, height: int, fps: float) -> Source:
        opened.append(CameraChoice(device, width, height, fps))
        return second

    with running(camera(first), open_camera=open_camera) as rig:
        assert eventually(lambda: rig.shows == str(5 + FILTERED))
        rig.job.paused = True
        assert eventually(lambda: first.closed)
        assert rig.shows == "card"
        assert not opened
        rig.job.paused = False
        assert eventually(lambda: rig.shows == str(7 + FILTERED))
    assert opened == [CameraChoice("0", 8, 6, 100.0)]
    assert rig.filter.resets == 1


def test_a_camera_that_another_program_took_meanwhile_is_asked_for_again() -> None:
    first = capture(5)
    answers: list[Source | DeviceError] = [DeviceError("camera:0 is in use"), camera(capture(7))]

    def open_camera(*_: object) -> Source:
        answer = answers.pop(0)
        if isinstance(answer, DeviceError):
            raise answer
        return answer

    with running(camera(first), open_camera=open_camera) as rig:
        assert rig.becomes("live")
        rig.job.paused = True
        assert eventually(lambda: first.closed)
        rig.job.paused = False
        assert eventually(lambda: rig.shows == str(7 + FILTERED))
    assert not answers


def test_a_short_pause_leaves_the_camera_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cam_camera, "REST_NS", 3600 * 1_000_000_000)
    first = capture(5)
    with running(camera(first)) as rig:
        assert rig.becomes("live")
        rig.job.paused = True
        assert eventually(lambda: rig.shows == "card")
        rig.job.paused = False
        assert rig.becomes("live")
        assert not first.closed
