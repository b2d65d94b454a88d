"""Sliders, keys, presets and looks of the panel, in a real browser against a real server."""

from __future__ import annotations

from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.keys import Keys

from rtfilter.controls import EMOTIONS
from rtfilter.face.emotion import CIRCUMPLEX
from tests.browser.page import Panel
from tests.browser.servers import running_server
from tests.browser.test_wheel import mix_at, near

# The server's part is played by an array: what is sent, and what is echoed when.
WITH_CONTROLS = """
const [script, done] = arguments;
import("/static/controls.js").then(async ({ Controls }) => {
  const sent = [];
  const controls = new Controls((message) => sent.push(message) > 0, () => {});
  const base = {emotions: {}, intensity: 1, mouth: 1, valence: 0, arousal: 0, smoothing: 0.5, skin: 1,
    bypass: false};
  controls.begin(base);
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const run = new Function("controls", "sent", "base", "frame", `return (async () => {${script}})()`);
  done(await run(controls, sent, base, frame));
}).catch((error) => done(String(error)));
"""


def with_controls(browser: Chrome, script: str) -> Any:
    # The page's policy forbids scripts out of text; the test page of this needs one.
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    browser.refresh()
    try:
        return browser.execute_async_script(WITH_CONTROLS, script)
    finally:
        browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})


def test_moves_of_one_frame_go_out_as_one_message(panel: Panel, browser: Chrome) -> None:
    sent = with_controls(
        browser,
        "for (let i = 1; i <= 50; i++) controls.set({'emotions.happy': i / 100, intensity: 1 + i / 100});"
        "await frame(); return sent",
    )
    assert sent == [{"type": "controls", "changes": {"emotions": {"happy": 0.5}, "intensity": 1.5}, "seq": 1}]


def test_an_old_echo_does_not_pull_a_slider_back(panel: Panel, browser: Chrome) -> None:
    shown = with_controls(
        browser,
        "controls.set({intensity: 0.2}); await frame(); controls.set({intensity: 0.4}); await frame();"
        "const shown = [];"
        "controls.echo({...base, intensity: 0.2}, 1); shown.push(controls.number('intensity'));"
        "controls.echo({...base, intensity: 0.9}, null); shown.push(controls.number('intensity'));"
        "controls.echo({...base, intensity: 0.4}, 2); shown.push(controls.number('intensity'));"
        "controls.echo({...base, intensity: 0.9}, null); shown.push(controls.number('intensity'));"
        "shown.push(sent.length); return shown",
    )
    assert shown == [0.4, 0.4, 0.4, 0.9, 2]


def test_what_is_under_a_finger_stays_there_until_it_is_let_go(panel: Panel, browser: Chrome) -> None:
    shown = with_controls(
        browser,
        "controls.hold('mouth', true); controls.echo({...base, mouth: 0.3}, null);"
        "const held = controls.number('mouth');"
        "controls.hold('mouth', false); return [held, controls.number('mouth'), sent.length]",
    )
    assert shown == [1, 0.3, 0]


def test_a_refused_change_goes_back(panel: Panel, browser: Chrome) -> None:
    shown = with_controls(
        browser,
        "controls.set({intensity: 0.2}); await frame(); controls.refused(1);"
        "return controls.number('intensity')",
    )
    assert shown == 1


def test_others_changes_move_the_sliders(panel: Panel) -> None:
    panel.start()
    session = panel.session()["id"]
    panel.api("PATCH", f"/api/sessions/{session}/controls", {"emotions": {"sad": 0.6}, "mouth": 0.25})
    panel.wait(lambda: float(panel.values["emotions-sad"]) == 0.6, "sadness of 0.6")
    assert float(panel.values["mouth"]) == 0.25
    panel.slide("emotions-happy", 0.3)
    panel.wait(lambda: panel.session()["controls"]["emotions"].get("happy") == 0.3, "both changes")
    assert panel.session()["controls"]["emotions"]["sad"] == 0.6


def test_presets_have_buttons_and_keys(panel: Panel, browser: Chrome) -> None:
    panel.start()
    names = panel.run(
        "return [...document.querySelectorAll('#presets button')].map(b => b.firstChild.textContent)"
    )
    assert names[:2] == ["natural", "friendly"]
    ActionChains(browser).send_keys("2").perform()
    panel.wait(lambda: panel.session()["controls"]["emotions"] == {"happy": 0.4}, "the second preset")
    pressed = "return document.querySelector('#presets [aria-pressed=true]').firstChild.textContent"
    panel.wait(lambda: panel.run(pressed) == "friendly", "mark on the preset")
    ActionChains(browser).send_keys("0").perform()
    panel.wait(lambda: panel.session()["controls"]["emotions"] == {}, "reset")
    panel.click("hotkeys")
    ActionChains(browser).send_keys("3").perform()
    panel.slide("emotions-happy", 0.1)
    panel.wait(
        lambda: panel.session()["controls"]["emotions"] == {"happy": 0.1}, "no preset without hot keys"
    )


def test_pause_sends_no_picture_until_resumed(panel: Panel) -> None:
    panel.start()
    panel.click("pause")
    panel.wait(lambda: panel.text("card-title") == "Paused", "pause")
    panel.wait(lambda: panel.session()["paused"], "paused session")
    panel.click("card-action")
    panel.wait(lambda: panel.text("card-title") == "", "picture")
    assert not panel.session()["paused"]


def test_it_can_be_used_with_the_keyboard_alone(panel: Panel, browser: Chrome) -> None:
    def tab_to(condition: str) -> None:
        for _ in range(60):
            ActionChains(browser).send_keys(Keys.TAB).perform()
            if panel.run(f"return document.activeElement.matches({condition!r})"):
                assert panel.run("return document.activeElement.matches(':focus-visible')")
                return
        raise AssertionError(f"Tab does not lead to {condition}")

    tab_to("#card-action")
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    panel.wait_phase("live")
    panel.show("split")
    tab_to("#split")
    before = int(panel.run("return document.activeElement.ariaValueNow"))
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT).perform()
    assert abs(int(panel.run("return document.activeElement.ariaValueNow")) - before - 4) <= 1
    tab_to("#views [data-view=filtered]")
    ActionChains(browser).send_keys(Keys.SPACE).perform()
    assert panel.run("return document.getElementById('stage').dataset.view") == "filtered"
    assert not panel.session()["controls"]["bypass"]
    tab_to(".dot")
    ActionChains(browser).send_keys(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP).perform()
    panel.wait(lambda: near(panel.mix(), mix_at(0.1, 0.05)), "mix of the dot's place")
    assert "happy" in panel.run("return document.activeElement.ariaValueText")
    tab_to("#emotions-happy")
    before_keys = float(panel.values["emotions-happy"])
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT * 3).perform()
    panel.wait(lambda: abs(panel.mix()["happy"] - before_keys - 0.03) < 0.002, "happiness")


def test_every_control_has_a_name_and_the_wheel_agrees_with_the_filter(panel: Panel) -> None:
    panel.start()
    nameless = panel.run(
        "return [...document.querySelectorAll('button, input, select, [role=slider]')]"
        ".filter(e => !(e.hidden || e.innerText?.trim() || e.ariaLabel || e.labels?.length))"
        ".map(e => e.outerHTML)"
    )
    assert nameless == []
    moods = panel.run(
        "return [...document.querySelectorAll('.mood')]"
        ".map(b => [b.textContent, [Number(b.dataset.valence), Number(b.dataset.arousal)]])"
    )
    assert {name: tuple(at) for name, at in moods} == dict(CIRCUMPLEX)
    assert set(panel.values) == {f"emotions-{name}" for name in EMOTIONS} | {
        "intensity",
        "mouth",
        "smoothing",
        "skin",
    }


def test_what_the_server_was_started_with_stays(browser: Chrome) -> None:
    with running_server("--emotion", "sad=0.5") as server:
        panel = Panel(browser, server)
        panel.open()
        assert "with the server's own settings" in panel.text("card-points")
        panel.start()
        assert panel.mix() == {"sad": 0.5}
        browser.get("about:blank")


CONTRAST = """
const luminance = (rgb) => rgb.map((v) => v / 255)
  .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const parse = (colour) => { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3); };
return arguments[0].map((id) => {
  const e = document.querySelector(id);
  let behind = e;
  while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
  const colours = [getComputedStyle(e).color, getComputedStyle(behind).backgroundColor];
  const [a, b] = colours.map((colour) => luminance(parse(colour)));
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
});
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(panel: Panel, browser: Chrome, theme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": theme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    try:
        panel.start()
        texts = ["h1", "#pill", "#theme", "#pause", "#presets button", ".fine", ".slider output", "#counts"]
        assert min(panel.run(CONTRAST, texts)) >= 4.5
        sum_rgb = (
            "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number).slice(0, 3)"
        )
        assert (sum(panel.run(sum_rgb)) > 3 * 128) == (theme == "light")
        # The toggle's first step is light, its second dark, whatever the system's is.
        panel.click("theme")
        panel.click("theme")
        assert sum(panel.run(sum_rgb)) < 3 * 128
        browser.refresh()
        assert sum(panel.run(sum_rgb)) < 3 * 128
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
