"""Several faces in the panel: a press on one gives it sliders of its own; one face is chosen by a click."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.browser.chromium import chromium
from tests.browser.page import Panel
from tests.browser.pictures import demo_frames, write_y4m
from tests.browser.servers import running_server

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def couple(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera that sees the demo's portrait twice."""
    frames = [np.ascontiguousarray(np.hstack([rgb, rgb])) for rgb in demo_frames(1, 480, 540)] * 2
    return write_y4m(tmp_path_factory.mktemp("camera") / "couple.y4m", frames)


@contextmanager
def shown(couple: Path, folder: Path, *arguments: str) -> Iterator[Panel]:
    with running_server(*arguments) as server, chromium(folder, couple) as browser:
        panel = Panel(browser, server)
        panel.begin()
        panel.show("filtered")
        yield panel
        log = browser.get_log("browser")
        assert [entry for entry in log if entry["level"] in ("SEVERE", "WARNING")] == []


def frames(panel: Panel) -> dict[str, list[float]]:
    """Left and right of each frame in the picture, in shares of the stage, by what is written on it."""
    script = (
        "const stage = document.getElementById('stage').getBoundingClientRect();"
        "return Object.fromEntries([...document.querySelectorAll('.person')].map(one => {"
        "const box = one.getBoundingClientRect(); return [one.textContent, "
        "[(box.left - stage.left) / stage.width, (box.right - stage.left) / stage.width]] }))"
    )
    return dict(panel.run(script))


def lie_on(frames: dict[str, list[float]], people: dict[str, list[float]]) -> bool:
    """Whether every frame lies where its person's face is, which is in shares of the picture."""
    return frames.keys() == people.keys() and all(
        sides == pytest.approx((people[number][0], people[number][2]), abs=0.03)
        for number, sides in frames.items()
    )


def press(panel: Panel, person: str) -> None:
    script = "[...document.querySelectorAll('.person')].find(one => one.textContent === arguments[0]).click()"
    panel.run(script, person)


def click(panel: Panel, x: float, y: float) -> None:
    """A click into the picture, in shares of the stage."""
    panel.run(
        "const stage = document.getElementById('stage'), box = stage.getBoundingClientRect();"
        "stage.dispatchEvent(new MouseEvent('click', {bubbles: true, clientX: box.left + arguments[0] *"
        " box.width, clientY: box.top + arguments[1] * box.height}))",
        x,
        y,
    )


def test_a_press_on_a_face_gives_it_sliders_of_its_own(
    couple: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with shown(couple, tmp_path_factory.mktemp("chromium"), "--faces", "2") as panel:
        panel.wait(lambda: len(frames(panel)) == 2, "two frames", PATIENCE_S)
        panel.click("mirror")
        people = {str(one["person"]): one["face_box"] for one in panel.session()["people"]}
        # Frames are laid anew with the next message of where the faces are, a quarter of a second later.
        panel.wait(lambda: lie_on(frames(panel), people), "frames on the faces")
        first, second = sorted(people, key=lambda number: people[number][0])
        panel.click("reset")
        panel.wait(lambda: panel.values["emotions-happy"] == "0", "no edit")
        press(panel, second)
        assert panel.text("whom-text") == f"For person {second} alone"
        panel.slide("emotions-surprised", 1.0)
        panel.wait(
            lambda: (
                panel.session()["people"]
                and any(
                    one["controls"]
                    and one["controls"]["emotions"].get("surprised") == 1
                    and str(one["person"]) == second
                    for one in panel.session()["people"]
                )
            ),
            "controls of one person",
        )
        assert panel.session()["controls"]["emotions"].get("surprised", 0) == 0
        press(panel, first)
        assert panel.values["emotions-surprised"] == "0"
        click(panel, 0.5, 0.95)
        assert panel.text("whom-text") == ""
        press(panel, second)
        assert panel.values["emotions-surprised"] == "1"
        panel.click("reset")
        panel.wait(lambda: all(one["controls"] is None for one in panel.session()["people"]), "as everybody")
        panel.wait(lambda: panel.values["emotions-surprised"] == "0", "everybody's sliders")
        panel.click("whom-all")
        assert panel.run("return document.getElementById('whom').hidden")
        # Off is off for everybody; afterwards the faces are followed anew, with new numbers.
        panel.click("bypass")
        panel.wait(lambda: panel.session()["controls"]["bypass"] and not frames(panel), "off")
        panel.click("bypass")
        panel.wait(lambda: len(frames(panel)) == 2, "frames again")
        assert not {first, second} & frames(panel).keys()


def test_a_click_on_the_other_face_follows_it(couple: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with shown(couple, tmp_path_factory.mktemp("chromium")) as panel:
        box = panel.wait(lambda: panel.session()["people"], "a face", PATIENCE_S)[0]["face_box"]
        assert frames(panel) == {}
        middle = (box[0] + box[2]) / 2
        # The page is mirrored: the picture's other half is on the side where the face is seen now.
        click(panel, middle, (box[1] + box[3]) / 2)
        panel.wait(
            lambda: (
                panel.session()["people"] and abs(panel.session()["people"][0]["face_box"][0] - box[0]) > 0.3
            ),
            "the other face",
        )


def test_what_lies_over_the_face_is_a_switch(couple: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with shown(couple, tmp_path_factory.mktemp("chromium")) as panel:
        assert panel.run("return document.getElementById('occlusion').checked")
        panel.click("occlusion")
        panel.wait(lambda: panel.session()["controls"]["occlusion"] is False, "it off")
        panel.click("reset")
        panel.wait(lambda: panel.run("return document.getElementById('occlusion').checked"), "it on again")
