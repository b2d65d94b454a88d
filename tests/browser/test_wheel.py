"""The wheel and the sliders: one mix, shown in both."""

from __future__ import annotations

from selenium.webdriver import ActionChains, Chrome

from rtfilter.controls import EMOTIONS
from rtfilter.face.emotion import from_valence_arousal
from tests.browser.page import Panel


def near(mix: dict[str, float], wanted: dict[str, float], within: float = 0.002) -> bool:
    """Whether two mixes are the same; three digits of an amount are sent."""
    return all(abs(mix.get(name, 0) - wanted.get(name, 0)) < within for name in EMOTIONS)


def mix_at(valence: float, arousal: float) -> dict[str, float]:
    """What the filter makes of a place on the wheel."""
    return dict(zip(EMOTIONS, from_valence_arousal(valence, arousal).tolist(), strict=True))


def dot(panel: Panel) -> tuple[float, float] | None:
    """Where the wheel's dot is, valence and arousal; None while it is not to be seen."""
    script = (
        "const d = document.querySelector('.dot'), box = d.parentElement.getBoundingClientRect();"
        "if (Number(getComputedStyle(d).opacity) === 0) return null;"
        "const at = d.getBoundingClientRect();"
        "return [2 * (at.left + at.width / 2 - box.left) / box.width - 1,"
        " 1 - 2 * (at.top + at.height / 2 - box.top) / box.height]"
    )
    found = panel.run(script)
    return None if found is None else (float(found[0]), float(found[1]))


def dot_near(panel: Panel, valence: float, arousal: float) -> bool:
    at = dot(panel)
    return at is not None and abs(at[0] - valence) < 0.04 and abs(at[1] - arousal) < 0.04


def test_the_page_mixes_as_the_filter_does(panel: Panel, browser: Chrome) -> None:
    points = [(0.0, 0.0), (0.3, 0.1), (-0.5, 0.5), (0.0, -1.0), (0.7, 0.7), (-0.02, 0.01)]
    script = (
        "const [points, done] = arguments; import('/static/moods.js').then(({ mixOf, pointOf }) => done("
        "points.map(([valence, arousal]) => {"
        " const mix = mixOf({valence, arousal}), at = pointOf(mix);"
        " return [mix, at.valence, at.arousal]; })))"
    )
    for (valence, arousal), (mix, back_valence, back_arousal) in zip(
        points, browser.execute_async_script(script, points), strict=True
    ):
        wanted = mix_at(valence, arousal)
        assert all(abs(mix.get(name, 0.0) - wanted[name]) < 1e-9 for name in EMOTIONS)
        # A place makes a mix that lies at that place: another page shows the dot there too.
        assert abs(back_valence - valence) < 0.005
        assert abs(back_arousal - arousal) < 0.005


def test_wheel_and_sliders_show_one_mix(panel: Panel, browser: Chrome) -> None:
    panel.start()
    panel.wait(lambda: dot_near(panel, 0.41, 0.17), "dot at friendly")
    panel.run("document.querySelectorAll('#presets button')[2].click()")  # cheerful
    panel.wait(lambda: dot_near(panel, 0.735, 0.44), "dot at cheerful")
    # Moving the dot shows in the sliders, and is what the filter does.
    disc = browser.find_element("css selector", ".disc")
    radius = disc.size["width"] / 2
    ActionChains(browser).move_to_element_with_offset(
        disc, round(-0.4 * radius), round(0.3 * radius)
    ).click().perform()
    panel.wait(lambda: float(panel.values["emotions-sad"]) > 0.3, "sadness in its slider")
    at = dot(panel)
    assert at is not None
    assert abs(at[0] + 0.4) < 0.03
    panel.wait(
        lambda: near(panel.mix(), mix_at(round(at[0], 2), round(at[1], 2)), 0.02), "the same at the server"
    )
    assert panel.session()["controls"]["valence"] == 0
    # What a script sets as valence and arousal is in both as well.
    session = panel.session()["id"]
    panel.api("PUT", f"/api/sessions/{session}/controls", {"valence": 0.5, "arousal": 0.5})
    panel.wait(lambda: dot_near(panel, 0.5, 0.5), "dot where a script put it")
    assert abs(float(panel.values["emotions-happy"]) - mix_at(0.5, 0.5)["happy"]) < 0.01
    # A slider changes that mix and does not start from nothing.
    panel.slide("emotions-surprised", 0.9)
    panel.wait(lambda: panel.mix().get("surprised") == 0.9, "surprise")
    assert abs(panel.mix()["happy"] - mix_at(0.5, 0.5)["happy"]) < 0.01


def test_a_mix_without_a_place_has_no_dot_and_a_reason(panel: Panel) -> None:
    panel.start()
    session = panel.session()["id"]
    path = f"/api/sessions/{session}/controls"
    panel.api("PUT", path, {"emotions": {"contempt": 0.8}})
    panel.wait(lambda: dot(panel) is None, "no dot")
    assert panel.text("wheel-hint") == "Contempt has no place on the wheel."
    panel.api("PUT", path, {"emotions": {"happy": 0.6, "sad": 0.6}})
    panel.wait(lambda: "no one place" in panel.text("wheel-hint"), "reason")
    assert dot(panel) is None
    panel.api("PUT", path, {"emotions": {"sad": 0.6}})
    panel.wait(lambda: dot_near(panel, -0.55, -0.435), "dot at sad")
    panel.click("reset")
    panel.wait(lambda: dot_near(panel, 0, 0), "dot in the middle")
    assert "this is you" in panel.text("notice")


def test_blendshapes_asked_for_by_name_are_shown(panel: Panel) -> None:
    """They have no slider; a page that shows none of them would look as if the target were empty."""
    panel.start()
    path = f"/api/sessions/{panel.session()['id']}/controls"
    panel.api("PUT", path, {"blendshapes": {"browInnerUp": 0.4}, "intensity": 0})
    panel.wait(lambda: panel.text("shapes") == "And by name: browInnerUp.", "the blendshape")
    assert dot(panel) is None
    assert panel.text("wheel-hint") == "Blendshapes have no place on the wheel."
    assert "No mood chosen" not in panel.text("notice")
    assert panel.run("return document.querySelectorAll('#presets [aria-pressed=true]').length") == 0
    panel.click("reset")
    panel.wait(lambda: panel.session()["controls"]["blendshapes"] == {}, "none after reset")
    panel.wait(lambda: panel.text("shapes") == "", "none shown")
