"""Profiles and enrolment in the panel: what a person reads, presses, and sees over the picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import chromium
from tests.browser.page import Panel
from tests.browser.pictures import demo_frames, write_y4m
from tests.browser.servers import running_server

PASSPHRASE = "correct horse battery"
# Of usable face; then it learns.
SECONDS = 6
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def moving_face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_y4m(tmp_path_factory.mktemp("camera") / "moving.y4m", demo_frames(60, 640, 360))


@pytest.fixture
def skin(
    moving_face: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Panel]:
    """A page whose server has no profile yet, with the block unfolded."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
    folder = tmp_path_factory.mktemp("chromium")
    with running_server() as server, chromium(folder, moving_face) as browser:
        panel = Panel(browser, server)
        panel.begin()
        yield panel
        complaints = [
            entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")
        ]
        # A browser notes each refusal that a person sees in the page, too.
        assert [entry for entry in complaints if "status of 40" not in entry["message"]] == []


def rows(panel: Panel) -> list[str]:
    script = "return [...document.querySelectorAll('.profile')].map(row => row.innerText)"
    return [" ".join(str(text).split()) for text in panel.run(script)]


def pressed(panel: Panel) -> str:
    return str(panel.run("return document.querySelector('.profile [aria-pressed=true]').textContent"))


def fill(panel: Panel, element_id: str, text: str) -> None:
    script = "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
    panel.run(f"{script} e.dispatchEvent(new Event('input', {{bubbles: true}}))", element_id, text)


def test_a_person_is_enrolled_locked_chosen_and_deleted(skin: Panel) -> None:
    assert skin.text("skin-now") == "Built-in"
    skin.wait(lambda: rows(skin) == ["Built-in what skins have in common"], "an empty list")
    skin.click("enrol-open")
    assert skin.run("return document.activeElement.id") == "enrol-name"
    assert skin.run("return document.getElementById('enrol-name').value") == "me"
    fill(skin, "enrol-passphrase", "short")
    skin.click("enrol-start")
    skin.wait(lambda: "8" in skin.text("enrol-note"), "that the passphrase is too short")
    skin.click("enrol-cancel")
    # A minute is long for a test: the same request with less.
    here = f"/api/sessions/{skin.session()['id']}"
    body = {"name": "me", "seconds": SECONDS, "passphrase": PASSPHRASE}
    skin.api("POST", f"{here}/enrolment", body)
    skin.wait(lambda: "ook straight" in skin.text("guide-text"), "what to do over the picture")
    assert not skin.run("return document.getElementById('guide').hidden")
    skin.wait(lambda: "of 8" in skin.text("guide-step"), "how far it is")
    title = skin.wait(lambda: skin.text("enrol-title"), "what came of it", PATIENCE_S)
    assert "me" in title
    skin.wait(lambda: skin.run("return document.getElementById('enrol-preview').naturalWidth") == 1536, "it")
    assert skin.run("return document.getElementById('guide').hidden")
    skin.wait(lambda: pressed(skin) == "me", "the new profile, worn")
    assert skin.text("skin-now") == "me"
    assert "locked" in rows(skin)[1]
    skin.click("enrol-close")
    assert skin.text("enrol-title") == "" or skin.run("return document.getElementById('enrol-result').hidden")
    skin.click("skin-of-")
    skin.wait(lambda: skin.session()["profile"] is None, "nobody's own skin")
    skin.click("skin-of-me")
    fill(skin, "skin-passphrase", "another passphrase")
    skin.click("skin-unlock")
    skin.wait(lambda: "does not open" in skin.text("skin-note"), "a refusal")
    assert skin.run("return document.getElementById('skin-passphrase').value") == ""
    fill(skin, "skin-passphrase", PASSPHRASE)
    skin.click("skin-unlock")
    skin.wait(lambda: pressed(skin) == "me", "the opened profile")
    kept = skin.run("return JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert PASSPHRASE not in kept
    skin.click("skin-of-delete-me")
    assert "for good" in rows(skin)[1]
    assert len(skin.api("GET", "/api/profiles")["profiles"]) == 1
    skin.click("skin-of-delete-me")
    skin.wait(lambda: len(rows(skin)) == 1, "an empty list")
    skin.wait(lambda: skin.text("skin-now") == "Built-in", "the built-in skin")


def test_one_that_is_stopped_goes_on_in_a_new_session(skin: Panel) -> None:
    skin.click("enrol-open")
    skin.click("enrol-start")
    skin.wait(lambda: not skin.run("return document.getElementById('enrol-run').hidden"), "its progress")
    skin.wait(lambda: skin.run("return document.getElementById('enrol-bar').value") > 2, "two seconds")
    skin.click("enrol-stop")
    skin.wait(lambda: "are kept" in skin.text("enrol-title"), "what is kept")
    skin.wait(lambda: any("not finished" in row for row in rows(skin)), "the row of it")
    skin.browser.get(skin.server.link)
    skin.wait(lambda: not skin.run("return document.getElementById('card-action').disabled"), "a button")
    skin.start()
    skin.wait(lambda: any("Go on" in row for row in rows(skin)), "the row of it")
    skin.run("document.querySelector('[aria-label=\"Go on enrolling me\"]').click()")
    assert skin.text("enrol-start") == "Go on"
    skin.click("enrol-start")
    skin.wait(lambda: "taking up again" in skin.text("enrol-now"), "that it goes on")


def test_every_field_and_button_has_a_name(skin: Panel) -> None:
    script = (
        "return [...document.querySelectorAll('#own-skin :is(button, input, progress, img)')].filter("
        "e => !(e.textContent.trim() || e.getAttribute('aria-label') || e.alt !== undefined)).map(e => e.id)"
    )
    assert skin.run(script) == []
