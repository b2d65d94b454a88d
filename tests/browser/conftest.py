"""One server and one Chromium for all tests of the panel that need nothing special of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tests.browser.chromium import chromium
from tests.browser.page import Panel
from tests.browser.pictures import demo_frames, write_y4m
from tests.browser.servers import ServerProcess, running_server


@pytest.fixture(scope="session")
def still_face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera that sees the demo's first picture for ever, so that every change is the filter's."""
    return write_y4m(tmp_path_factory.mktemp("camera") / "still.y4m", demo_frames(1, 960, 540) * 2)


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    with running_server() as running:
        yield running


@pytest.fixture(scope="session")
def browser(still_face: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium"), still_face) as driver:
        yield driver


@pytest.fixture
def panel(browser: Chrome, server: ServerProcess) -> Iterator[Panel]:
    """The page at its start; left without a word of complaint in the console."""
    panel = Panel(browser, server)
    panel.open()
    browser.get_log("browser")  # of the page that was left
    yield panel
    complaints = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    browser.get("about:blank")
    assert complaints == []
