"""The panel in Firefox. Its camera is a canvas that draws the demo, put in place of `getUserMedia`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.firefox import Firefox, firefox
from tests.browser.page import Panel
from tests.browser.pictures import demo_frames, jpeg_urls
from tests.browser.servers import ServerProcess, free_port, new_token, running_server, start_server
from tests.browser.test_picture import smiles, untouched


@pytest.fixture(scope="module")
def fox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with firefox(tmp_path_factory.mktemp("firefox") / "profile") as browser:
        yield browser
        browser.get("about:blank")


@pytest.fixture(scope="module")
def still_face() -> list[str]:
    return jpeg_urls(demo_frames(1, 960, 540))


def test_the_picture_follows_the_controls(fox: Firefox, server: ServerProcess, still_face: list[str]) -> None:
    panel = Panel(fox, server)
    panel.open()
    fox.play_as_camera(still_face)
    panel.start_as_you_are()
    panel.wait_difference(untouched, "picture as it was")
    panel.slide("emotions-happy", 1.2)
    panel.wait_difference(smiles, "smile")
    panel.click("bypass")
    panel.wait_difference(untouched, "picture with the filter off")
    panel.click("bypass")
    panel.wait_difference(smiles, "smile with the filter on")
    panel.show("split")
    beside = int(panel.run("const s = document.getElementById('split'); s.focus(); return s.ariaValueNow"))
    fox.press("\ue014")  # arrow right
    assert panel.run("return document.getElementById('split').ariaValueNow") == str(beside + 2)
    panel.run("document.activeElement.blur()")
    fox.press("1")
    panel.wait_difference(untouched, "picture of the first preset")
    panel.wait(lambda: not panel.text("counts").startswith("0 "), "frame rate")
    assert "960 x 540" in panel.text("counts")


def test_nobody_in_the_picture(fox: Firefox, server: ServerProcess) -> None:
    """Firefox's own fake camera, which the page opens as it opens a real one."""
    panel = Panel(fox, server)
    panel.begin()
    panel.wait(lambda: "No face in view" in panel.text("notice"), "word of the missing face")


def test_it_reconnects_when_the_server_comes_back(fox: Firefox, still_face: list[str]) -> None:
    port, token = free_port(), new_token()
    first = start_server(port=port, token=token)
    try:
        panel = Panel(fox, first)
        panel.open()
        fox.play_as_camera(still_face)
        panel.start()
        panel.slide("emotions-happy", 1.2)
        panel.wait_difference(smiles, "smile")
    finally:
        first.stop(kill=True)
    panel.wait_phase("lost")
    with running_server(port=port, token=token):
        panel.wait_phase("live")
        panel.wait_difference(smiles, "the same smile")
        fox.get("about:blank")
