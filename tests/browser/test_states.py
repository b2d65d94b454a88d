"""What the panel shows when something is missing, refused or lost, and how it comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tests.browser.chromium import chromium
from tests.browser.page import Panel
from tests.browser.pictures import empty_room, write_y4m
from tests.browser.servers import ServerProcess, free_port, new_token, running_server, start_server


@pytest.fixture
def before_load(browser: Chrome) -> Iterator[list[str]]:
    """Scripts of this list run in the page before its own; they are put in with `add_script`."""
    added: list[str] = []
    yield added
    for identifier in added:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": identifier})


def add_script(browser: Chrome, added: list[str], source: str) -> None:
    answer = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
    added.append(answer["identifier"])


def whole_page(panel: Panel) -> None:
    """The state is a page of its own, with what to do: no controls of nothing, no black picture."""
    assert panel.run("return document.querySelectorAll('#card-steps li').length") >= 2
    shown = (
        "return ['settings', 'latency', 'views', 'before']"
        ".filter(id => document.getElementById(id).checkVisibility())"
    )
    assert panel.run(shown) == []


def test_no_camera(server: ServerProcess, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile", None) as browser:
        panel = Panel(browser, server)
        panel.open()
        panel.click("card-action")
        panel.wait_phase("camera")
        assert panel.text("card-title") == "No camera was found"
        assert panel.text("urgent").startswith("No camera was found")
        assert panel.text("card-action") == "Try again"
        whole_page(panel)


def test_a_camera_that_is_not_permitted(server: ServerProcess, still_face: Path, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile", still_face, permit=False) as browser:
        panel = Panel(browser, server)
        panel.open()
        panel.click("card-action")
        panel.wait_phase("camera")
        assert panel.text("card-title") == "The camera is not permitted"
        assert "switch Camera on" in panel.text("card-steps")
        whole_page(panel)


def test_nobody_in_the_picture(server: ServerProcess, tmp_path: Path) -> None:
    room = write_y4m(tmp_path / "room.y4m", [empty_room()] * 2)
    with chromium(tmp_path / "profile", room) as browser:
        panel = Panel(browser, server)
        panel.begin()
        panel.wait(lambda: "No face in view" in panel.text("notice"), "word of the missing face")


@pytest.mark.parametrize(("name", "title"), [
    ("NotReadableError", "The camera is in use"),
    ("AbortError", "The camera is in use"),
])  # fmt: skip
def test_a_camera_in_use(panel: Panel, name: str, title: str) -> None:
    panel.run(
        f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('held', '{name}'))"
    )
    panel.click("card-action")
    panel.wait_phase("camera")
    assert panel.text("card-title") == title


def test_a_camera_that_is_unplugged_and_comes_back(panel: Panel) -> None:
    panel.run(
        "const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        "navigator.mediaDevices.getUserMedia = async (constraints) => {"
        "  const stream = await open(constraints); window.camera = stream.getTracks()[0]; return stream; }"
    )
    panel.start()
    panel.run("window.camera.stop(); window.camera.dispatchEvent(new Event('ended'))")
    panel.wait_phase("camera")
    assert panel.text("card-title") == "The camera is gone"
    panel.start()
    assert panel.text("pill") == "Live"


def test_a_browser_without_webrtc(browser: Chrome, server: ServerProcess, before_load: list[str]) -> None:
    add_script(browser, before_load, "delete window.RTCPeerConnection")
    panel = Panel(browser, server)
    browser.get("about:blank")
    browser.get(server.link)
    panel.wait_phase("camera")
    assert panel.text("card-title") == "This browser cannot do this"


def test_an_insecure_page(browser: Chrome, server: ServerProcess, before_load: list[str]) -> None:
    add_script(
        browser, before_load,
        "delete Navigator.prototype.mediaDevices;"
        "Object.defineProperty(window, 'isSecureContext', {value: false})",
    )  # fmt: skip
    panel = Panel(browser, server)
    panel.open()
    panel.click("card-action")
    panel.wait_phase("camera")
    assert panel.text("card-title") == "The camera needs a secure page"


def test_without_a_data_channel_the_websocket_serves(
    browser: Chrome, server: ServerProcess, before_load: list[str]
) -> None:
    add_script(
        browser, before_load,
        "RTCPeerConnection.prototype.createDataChannel = () =>"
        " Object.assign(new EventTarget(), {readyState: 'connecting', close() {}})",
    )  # fmt: skip
    panel = Panel(browser, server)
    panel.begin()
    panel.slide("emotions-happy", 0.7)
    panel.wait(lambda: panel.session()["controls"]["emotions"] == {"happy": 0.7}, "change over the WebSocket")
    session = panel.session()["id"]
    panel.api("PATCH", f"/api/sessions/{session}/controls", {"mouth": 0.5})
    panel.wait(lambda: float(panel.values["mouth"]) == 0.5, "echo over the WebSocket")
    panel.wait(
        lambda: "Tracking" in panel.text("parts") and panel.text("counts"), "timings over the WebSocket"
    )


def test_the_first_message_is_not_missed(panel: Panel) -> None:
    """It has the session's controls: without it the sliders would stand at 0 while the face is edited."""
    panel.run(
        "const set = RTCRtpSender.prototype.setParameters;"
        "RTCRtpSender.prototype.setParameters = async function (...given) {"
        "  await new Promise((done) => setTimeout(done, 3000)); return set.apply(this, given); }"
    )
    panel.start()
    panel.wait(lambda: panel.values["emotions-happy"] == "0.4", "the controls of the session")


def test_a_session_that_somebody_ended(panel: Panel) -> None:
    panel.start()
    panel.api("DELETE", f"/api/sessions/{panel.session()['id']}")
    panel.wait_phase("ended")
    assert panel.text("card-title") == "This session has ended"
    panel.start()
    assert panel.text("pill") == "Live"


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_it_reconnects_when_the_server_comes_back(browser: Chrome, kill: bool) -> None:
    port, token = free_port(), new_token()
    first = start_server(port=port, token=token)
    try:
        panel = Panel(browser, first)
        panel.begin()
        panel.slide("emotions-happy", 0.8)
        panel.wait(lambda: panel.session()["controls"]["emotions"] == {"happy": 0.8}, "controls")
    finally:
        first.stop(kill)
    panel.wait_phase("lost")
    assert panel.text("card-title") == "The connection was lost"
    assert "start it again" in panel.text("card-steps")
    assert panel.run("return document.getElementById('emotions').checkVisibility()"), "what is moved is kept"
    with running_server(port=port, token=token):
        panel.wait_phase("live")
        assert panel.session()["controls"]["emotions"] == {"happy": 0.8}


def test_a_page_without_its_token_asks_for_the_link(browser: Chrome, server: ServerProcess) -> None:
    panel = Panel(browser, server)
    browser.get(f"{server.address}/healthz")
    panel.run("sessionStorage.clear()")
    browser.get(f"{server.address}/")
    panel.wait_phase("no_link")
    assert panel.text("card-title") == "Open the whole link"
    whole_page(panel)
    panel.run("document.getElementById('link').value = arguments[0]", server.link)
    panel.click("link-open")
    panel.wait(lambda: panel.phase == "start", "start screen")
    panel.wait(lambda: not panel.run("return document.getElementById('card-action').disabled"), "button")
    panel.start()
    browser.get("about:blank")


def test_an_old_link_says_so(browser: Chrome) -> None:
    port = free_port()
    with running_server(port=port, token=new_token()) as first:
        panel = Panel(browser, first)
        panel.begin()
    with running_server(port=port, token=new_token()) as second:
        panel.wait_phase("old_link")
        whole_page(panel)
        assert panel.text("card-title") == "This link is old"
        # The new one, into the same tab: only what is behind # differs.
        browser.get(second.link)
        panel.server = second
        panel.wait(lambda: panel.phase == "start", "start screen")
        panel.wait(lambda: not panel.run("return document.getElementById('card-action').disabled"), "button")
        panel.start()
        browser.get("about:blank")


def test_a_full_server_gives_its_reason_and_then_room(
    browser: Chrome, still_face: Path, tmp_path: Path
) -> None:
    with running_server("--sessions", "1") as server, chromium(tmp_path / "profile", still_face) as other:
        guest = Panel(other, server)
        guest.begin()
        panel = Panel(browser, server)
        panel.open()
        panel.click("card-action")
        panel.wait_phase("busy")
        assert "session" in panel.text("card-text")
        other.get("about:blank")
        panel.wait_phase("live")
        browser.get("about:blank")
