"""The panel of `rtfilter cam`: the server has the camera, and the page watches before and after."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from selenium.webdriver import Chrome

from rtfilter.cam.camera import CameraChoice
from rtfilter.cam.job import CamJob
from rtfilter.cam.writer import SteadyWriter
from rtfilter.controls import Controls
from rtfilter.errors import DeviceError
from rtfilter.filter import FaceFilter
from rtfilter.frame import Frame
from rtfilter.presets import BUILT_IN
from rtfilter.serve.app.cam_panel import CamPanel
from rtfilter.serve.app.live_controls import LiveControls
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.sources.base import Source
from rtfilter.sources.demo import DemoSource
from tests.browser.page import Panel
from tests.browser.servers import new_token
from tests.browser.test_picture import smiles, untouched


@dataclass(frozen=True)
class Address:
    """Where the panel is served; the part of a server that `Panel` needs."""

    link: str

    @property
    def address(self) -> str:
        return self.link.partition("/#")[0]

    @property
    def token(self) -> str:
        return self.link.partition("token=")[2]


class StillFace(DemoSource):
    """The demo's first picture for ever."""

    _first: Frame | None = None

    def frame(self, seq: int) -> Frame:
        self._first = self._first or super().frame(0)
        time_ns = seq * 1_000_000_000 // int(self.info.fps)
        return replace(self._first, seq=seq, pts=seq, captured_ns=time_ns)


class NoDevice:
    """A virtual camera without a watcher."""

    def write(self, frame: Frame) -> None: ...

    def repeat(self) -> None: ...

    def close(self, complete: bool) -> None: ...


def opened(device: str, width: int, height: int, fps: float) -> Source:
    if device != "demo":
        raise DeviceError(f"camera {device} is not there")
    return StillFace(width, height, int(fps))


@pytest.fixture
def cam(browser: Chrome) -> Iterator[Panel]:
    served = CamPanel(ServeOptions(port=0, token=new_token()), BUILT_IN, LiveControls(Controls()))
    with_face = FaceFilter()
    job = CamJob(
        opened("demo", 640, 360, 30.0),
        SteadyWriter(NoDevice(), 30.0),
        with_face,
        served.next_controls,
        size=(640, 360),
        camera=CameraChoice("demo", 640, 360, 30.0),
        open_camera=opened,
    )
    link = served.start(job)
    thread = threading.Thread(target=job.run, daemon=True)
    thread.start()
    browser.get_log("browser")
    try:
        panel = Panel(browser, Address(link))
        panel.open()
        yield panel
        browser.get("about:blank")
    finally:
        served.stop()
        job.stop()
        thread.join(20)
        with_face.close()


def test_the_servers_camera_is_shown_before_and_after(cam: Panel) -> None:
    assert cam.text("card-action") == "Show the picture"
    assert "in your call at once" in cam.text("card-points")
    cam.start()
    cam.wait_difference(untouched, "picture as it was")
    assert "No mood chosen" in cam.text("notice"), "a call that goes on is not changed by looking at it"
    cam.slide("emotions-happy", 1.2)
    cam.wait_difference(smiles, "smile")
    cam.wait(lambda: cam.session()["controls"]["emotions"] == {"happy": 1.2}, "controls")
    cam.wait(lambda: cam.text("counts") and not cam.text("counts").startswith("0 "), "frame rate")
    assert cam.run("return document.getElementById('device').value") == "demo"
    cam.run(
        "const d = document.getElementById('device'); d.append(new Option('gone', 'camera:77'));"
        "d.value = 'camera:77'; d.dispatchEvent(new Event('change'))"
    )
    cam.wait(lambda: "did not open" in cam.text("camera-note"), "reason")
    cam.wait(lambda: cam.run("return document.getElementById('device').value") == "demo", "the one before")
    cam.wait_difference(smiles, "smile from the camera before")
