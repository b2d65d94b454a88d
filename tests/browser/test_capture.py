"""What the panel saves: presets at the server, a snapshot and recordings as files of the browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from selenium.webdriver import Chrome

from rtfilter.presets import load_presets
from tests.browser.page import Panel
from tests.browser.servers import running_server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of settings of its own for the server."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


@pytest.fixture
def downloads(browser: Chrome, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "downloads"
    folder.mkdir()
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
    yield folder
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "default"})


def saved(panel: Panel, folder: Path, ending: str) -> Path:
    """The one finished file with this ending."""

    def found() -> list[Path]:
        return [path for path in folder.iterdir() if path.name.endswith(ending) and path.stat().st_size]

    return panel.wait(found, f"file *{ending} in {list(folder.iterdir())}")[0]


def name_it(panel: Panel, name: str) -> None:
    panel.run("document.getElementById('save-name').value = arguments[0]", name)
    panel.click("save-confirm")


def test_a_preset_is_saved_offered_and_replaced_only_on_purpose(browser: Chrome, home: Path) -> None:
    folder = home / "config" / "rtfilter" / "presets"
    with running_server() as server:
        panel = Panel(browser, server)
        panel.begin()
        panel.slide("emotions-surprised", 0.2)
        panel.click("save-open")
        name_it(panel, "")
        assert "Give it a name" in panel.text("save-note")
        name_it(panel, "natural")
        panel.wait(lambda: "built-in" in panel.text("save-note"), "refusal of a built-in name")
        name_it(panel, "My Mood!")
        pressed = "return document.querySelector('#presets [aria-pressed=true]')?.firstChild.textContent"
        panel.wait(lambda: panel.run(pressed) == "my-mood", "the new preset, chosen")
        assert dict(load_presets(folder)["my-mood"].values["emotions"]) == {"happy": 0.4, "surprised": 0.2}
        panel.slide("emotions-surprised", 0.5)
        panel.click("save-open")
        name_it(panel, "my-mood")
        panel.wait(lambda: "already" in panel.text("save-note"), "word of the other one")
        assert panel.text("save-confirm") == "Replace"
        assert load_presets(folder)["my-mood"].values["emotions"]["surprised"] == 0.2
        panel.click("save-confirm")
        panel.wait(lambda: load_presets(folder)["my-mood"].values["emotions"]["surprised"] == 0.5, "replaced")
        # It can be chosen like any other, and is there for the next page.
        panel.click("reset")
        panel.wait(lambda: panel.mix() == {}, "reset")
        panel.run("[...document.querySelectorAll('#presets button')].at(-1).click()")
        panel.wait(lambda: panel.mix() == {"happy": 0.4, "surprised": 0.5}, "the saved mix")
        panel.begin()
        names = "return [...document.querySelectorAll('#presets button')].map(b => b.firstChild.textContent)"
        assert panel.run(names)[-1] == "my-mood"
        browser.get("about:blank")


def test_a_snapshot_is_before_and_after_as_they_are_seen(panel: Panel, downloads: Path) -> None:
    panel.start()
    panel.wait_difference(lambda d: d.mouth > 5, "smile")
    panel.click("snapshot")
    with Image.open(saved(panel, downloads, "-snapshot.png")) as picture:
        assert picture.size == (2 * 960, 540)
        pixels = np.asarray(picture.convert("L"), np.float32)
    assert pixels[:, :960].std() > 20
    assert 0.5 < np.abs(pixels[:, :960] - pixels[:, 960:]).mean() < 12


def test_a_recording_is_two_files(panel: Panel, downloads: Path) -> None:
    panel.start()
    panel.click("record")
    panel.wait(lambda: "0:02" in panel.text("takes-text"), "two seconds")
    panel.click("record")
    links = "return [...document.querySelectorAll('#takes-files a')].map(a => a.textContent)"
    panel.wait(lambda: panel.run(links) == ["Save before", "Save after"], "both files")
    for name in ("before", "after"):
        panel.run(
            "[...document.querySelectorAll('#takes-files a')]"
            f".find(a => a.download.includes('-{name}')).click()"
        )
        ending = panel.run("return document.querySelector('#takes-files a').download.split('.').at(-1)")
        path = saved(panel, downloads, f"-{name}.{ending}")
        with av.open(str(path)) as container:
            frames = list(container.decode(video=0))
        assert len(frames) > 10
        assert (frames[-1].width, frames[-1].height) == (960, 540)
        assert frames[-1].to_ndarray(format="gray").std() > 20
        assert panel.asks_to_stay() == (name == "before")
    panel.click("takes-discard")
    assert panel.text("takes") == ""


def test_a_recording_outlives_a_lost_server(browser: Chrome) -> None:
    with running_server() as server:
        panel = Panel(browser, server)
        panel.begin()
        panel.click("record")
        panel.wait(lambda: "0:01" in panel.text("takes-text"), "a second")
    panel.wait(lambda: "kept only in this tab" in panel.text("takes-text"), "the files so far")
    assert panel.run("return document.querySelectorAll('#takes-files a').length") == 2
    browser.get("about:blank")
