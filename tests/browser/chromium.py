"""Headless Chromium with a camera that plays a file, driven through chromedriver."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
SCRIPT_S = 30.0

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)


@contextmanager
def chromium(
    profile: Path,
    video: Path | None,
    *,
    permit: bool = True,
    size: tuple[int, int] = (1360, 900),
    arguments: tuple[str, ...] = (),
) -> Iterator[Chrome]:
    """A browser with a fresh `profile` folder. Skips when Chromium or chromedriver is missing.

    video: what its camera plays, .y4m or .mjpeg; None for a machine without a camera.
    permit: whether the camera is permitted without asking; else every question is answered with no.
    """
    binary = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    driver_path = shutil.which("chromedriver")
    if binary is None or driver_path is None:
        pytest.skip("needs Chromium and its driver, which are missing: apt install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    camera = "--use-fake-device-for-media-stream"
    flags = [*_FLAGS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", *arguments]
    flags += [camera, f"--use-file-for-fake-video-capture={video}"] if video else [f"{camera}=device-count=0"]
    flags.append("--use-fake-ui-for-media-stream" if permit else "--deny-permission-prompts")
    for flag in flags:
        options.add_argument(flag)
    driver = Chrome(options=options, service=Service(driver_path))
    try:
        driver.set_script_timeout(SCRIPT_S)
        driver.set_page_load_timeout(SCRIPT_S)
        yield driver
        driver.get("about:blank")  # a page that is left ends its session; one that is killed cannot
    finally:
        driver.quit()
