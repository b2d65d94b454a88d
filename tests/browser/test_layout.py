"""Where things are: the dividing line and the face, a laptop's screen, a phone's."""

from __future__ import annotations

from selenium.webdriver import Chrome

from tests.browser.page import Panel


def test_the_dividing_line_is_never_in_the_face(panel: Panel) -> None:
    """The demo's face is in the middle of its picture, where the line of a half-and-half split would be."""
    panel.start()
    session_face = "return document.getElementById('stage').style.getPropertyValue('--focus')"
    panel.wait(lambda: panel.run(session_face), "crop around the face")
    for mirrored in (True, False):
        panel.show("split")
        panel.wait(
            lambda: not 36 < int(panel.run("return document.getElementById('split').ariaValueNow")) < 64,
            "line beside the face",
        )
        panel.click("mirror")
        assert panel.run("return document.getElementById('mirror').ariaPressed") == str(not mirrored).lower()
    panel.show("sides")
    halves = panel.run(
        "return [...document.querySelectorAll('.pane')].map(pane => pane.getBoundingClientRect().width)"
    )
    assert abs(halves[0] - halves[1]) < 1
    # Both halves show the same part of their pictures, upright and with the face in it.
    crops = panel.run(
        "return ['before', 'after'].map(id => getComputedStyle(document.getElementById(id)).objectPosition)"
    )
    assert crops[0] == crops[1]
    assert 30 < float(crops[0].split("%")[0]) < 70


def test_the_main_controls_need_no_scrolling(panel: Panel, browser: Chrome) -> None:
    metrics = {"width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        panel.start()
        panel.run("for (const fold of document.querySelectorAll('details')) fold.open = false")
        for at in (
            "stage",
            "views",
            "hold",
            "presets",
            "wheel",
            "emotions-neutral",
            "intensity",
            "smoothing",
            "skin",
        ):
            box = panel.run(f"return document.getElementById('{at}').getBoundingClientRect().toJSON()")
            assert 0 <= box["top"] < box["bottom"] <= 900, at
        assert panel.run("return document.documentElement.scrollHeight") <= 900
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_it_fits_a_phone(panel: Panel, browser: Chrome) -> None:
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        panel.start()
        assert panel.run("return document.documentElement.scrollWidth") == 360
        small = panel.run(
            "return [...document.querySelectorAll('button, select, input[type=range], .dot')]"
            ".filter(e => e.checkVisibility() && !e.hidden && !e.closest('[hidden]'))"
            ".map(e => [e.id || e.className, e.getBoundingClientRect().height]).filter(([, h]) => h < 36)"
        )
        assert small == []
        # The controls come before the delay, and no key is mentioned.
        order = [panel.run(f"return document.getElementById('{at}').getBoundingClientRect().top")
                 for at in ("stage", "presets", "wheel", "emotions", "feel", "latency")]  # fmt: skip
        assert order == sorted(order)
        assert not panel.run("return [...document.querySelectorAll('kbd')].some(e => e.checkVisibility())")
        # The picture stays in view beside the last slider.
        panel.run("document.getElementById('smoothing').scrollIntoView({block: 'center'})")
        assert panel.run("return document.getElementById('stage').getBoundingClientRect().top") >= 0
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
