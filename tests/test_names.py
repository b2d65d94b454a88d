"""Names and amounts as people type them, wherever they may be typed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtfilter import Controls
from rtfilter.cli.main import parse
from rtfilter.cli.settings import controls_for, settings_for
from rtfilter.config import (
    added_up,
    amount,
    parse_blendshapes,
    parse_target,
    presets_dir,
    settings_from_file,
)
from rtfilter.controls import BLENDSHAPE_INDEX, EDITABLE
from rtfilter.errors import UsageError
from rtfilter.face import emotion
from rtfilter.presets import Preset, save_preset
from rtfilter.serve.app.messages import merged


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("HAPPY", "happy"),
        (" Happy ", "happy"),
        ("smile", "happy"),
        ("Smiling", "happy"),
        ("sadness", "sad"),
        ("Anger", "angry"),
        ("surprise", "surprised"),
        ("scared", "fearful"),
        ("disgust", "disgusted"),
    ],
)
def test_emotions_are_known_by_what_people_call_them(typed: str, name: str) -> None:
    assert Controls({typed: 0.5}).emotions == {name: 0.5}
    assert parse_target(f"{typed}=0.5") == {name: {"emotions": {name: 0.5}}}
    assert merged(Controls({name: 0.2}), {"emotions": {typed: 0.5}}).emotions == {name: 0.5}
    assert merged(Controls({name: 0.2}), {"emotions": {typed: None}}).emotions == {}


@pytest.mark.parametrize(
    ("typed", "number"),
    [("0.5", 0.5), (".5", 0.5), ("50%", 0.5), ("50 %", 0.5), ("0,5", 0.5), ("1", 1.0), ("-20%", -0.2)],
)
def test_amounts_are_read_as_people_type_them(typed: str, number: float) -> None:
    assert amount(typed) == pytest.approx(number)
    assert parse_blendshapes(f"mouthSmileLeft={typed}") == {"mouthSmileLeft": pytest.approx(number)}


@pytest.mark.parametrize("typed", ["", "%", "half", "1,2,3", "0,5,", "nan%x"])
def test_an_amount_that_is_none_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match=r"such as 0\.5 or 50%"):
        amount(typed)


def test_several_may_stand_in_one_word() -> None:
    parts = parse_target("Happy=0,5, sad=10%")
    assert added_up(parts.values()) == {"emotions": {"happy": 0.5, "sad": 0.1}}


def test_a_name_that_comes_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="happy came twice, as 'happy' and 'Smile'"):
        Controls({"happy": 0.1, "Smile": 0.2})
    with pytest.raises(UsageError, match="mouthSmileLeft came twice"):
        Controls(blendshapes={"mouthSmile": 0.1, "mouthSmileLeft": 0.2})


def test_blendshapes_go_by_arkits_names_in_any_case_and_by_both_sides() -> None:
    assert Controls(blendshapes={"mouthsmileleft": 0.3}).blendshapes == {"mouthSmileLeft": 0.3}
    both = Controls(blendshapes={"mouthSmile": 0.3}).blendshapes
    assert both == {"mouthSmileLeft": 0.3, "mouthSmileRight": 0.3}
    # These have no other side.
    assert Controls(blendshapes={"mouthLeft": 0.3}).blendshapes == {"mouthLeft": 0.3}
    assert Controls(**Controls(blendshapes=both).as_dict()).blendshapes == both


@pytest.mark.parametrize(
    ("blendshapes", "said"),
    [
        ({"mouthSmil": 0.3}, "did you mean 'mouthSmileLeft'|did you mean 'mouthSmile"),
        ({"mouthSmileLeft": 1.6}, "out of range, expected -1.5..1.5"),
        ({"mouthSmileLeft": "0.3"}, "expected a number"),
        ({"tongueOut": 0.3}, "tongueOut moves nothing"),
        ({3: 0.3}, "unknown blendshape 3"),
        ([1], "expected a mapping of name to -1.5..1.5, got list"),
    ],
)
def test_a_blendshape_that_is_none_is_refused(blendshapes: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Controls(blendshapes=blendshapes)  # type: ignore[arg-type]


def test_a_blendshape_is_added_as_it_is_to_what_emotions_ask() -> None:
    face = np.zeros(52)
    face[BLENDSHAPE_INDEX["jawOpen"]] = 0.4
    for offsets in ({"mouthSmileLeft": 0.3}, {"browInnerUp": -0.5}, {"jawOpen": 1.2}):
        happy = emotion.Target.of_controls(Controls({"happy": 0.7})).offset(face)
        both = emotion.Target.of_controls(Controls({"happy": 0.7}, blendshapes=offsets)).offset(face)
        ((name, value),) = offsets.items()
        assert (both - happy)[BLENDSHAPE_INDEX[name]] == pytest.approx(value)
        assert np.count_nonzero(both - happy) == 1
    quiet = emotion.Target.of_controls(
        Controls({"happy": 0.7}, intensity=0.0, blendshapes={"jawOpen": 0.2})
    ).offset(face)
    assert quiet[BLENDSHAPE_INDEX["jawOpen"]] == 0.2, "intensity is the emotions' alone"


def test_a_lid_that_is_down_is_not_pressed_further() -> None:
    wink = emotion.Target.of_controls(Controls(blendshapes={"eyeBlinkLeft": 1.0}))
    for own in (0.0, 0.3, 1.0, 1.2):
        face = np.zeros(52)
        face[BLENDSHAPE_INDEX["eyeBlinkLeft"]] = own
        assert own + wink.offset(face)[BLENDSHAPE_INDEX["eyeBlinkLeft"]] == pytest.approx(max(1.0, own))


def test_blendshapes_merge_by_name() -> None:
    before = Controls({"happy": 0.2}, blendshapes={"mouthSmileLeft": 0.1, "jawOpen": 0.1})
    after = merged(before, {"blendshapes": {"mouthSmile": 0.4, "jawOpen": None}})
    assert after.blendshapes == {"mouthSmileLeft": 0.4, "mouthSmileRight": 0.4}
    assert after.emotions == {"happy": 0.2}
    assert merged(before, {"blendshapes": None}).blendshapes == {}


def test_a_preset_is_an_emotion_of_ones_own(tmp_path: Path) -> None:
    folder = tmp_path
    values = {"emotions": {"happy": 0.4}, "blendshapes": {"cheekPuff": 0.5}, "intensity": 0.5, "mouth": 0.2}
    save_preset(Preset("smirk", "", values), folder)
    target = added_up(parse_target("Smirk=50%,happy=0.2", folder).values())
    assert target["emotions"]["happy"] == pytest.approx(0.3)
    assert target["blendshapes"] == {"cheekPuff": 0.25}
    assert parse_target("friendly=0.5", folder)["friendly"]["emotions"] == {"happy": 0.2}
    with pytest.raises(UsageError, match="did you mean 'happy'"):
        parse_target("hapy=1", folder)
    with pytest.raises(UsageError, match=r"emotion smirk: 2 is out of range"):
        parse_target("smirk=2", folder)
    save_preset(Preset("axis", "", {"valence": 0.4}), folder)
    with pytest.raises(UsageError, match="--preset axis"):
        parse_target("axis", folder)


def test_all_but_the_tongue_can_be_asked_for() -> None:
    assert len(EDITABLE) == 51
    assert len(Controls(blendshapes=dict.fromkeys(EDITABLE, 0.1)).blendshapes) == 51


def test_the_command_line_takes_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    save_preset(Preset("grin", "", {"blendshapes": {"mouthSmile": 0.4}}), presets_dir())
    words = "run -i demo -e HAPPY=50% -e Grin=0.5 -e sad=1 -e sad=0.1 --blendshape jawOpen=5% --mouth 90%"
    settings = settings_for(parse([*words.split(), "--lane", "GPU", "--codec", "FFV1", "--intensity", "0,5"]))
    controls = controls_for(settings)
    assert controls.emotions == {"happy": 0.5, "sad": 0.1}
    assert controls.blendshapes == {"mouthSmileLeft": 0.2, "mouthSmileRight": 0.2, "jawOpen": 0.05}
    assert (controls.mouth, controls.intensity) == (0.9, 0.5)
    assert (settings.values["lane"], settings.values["codec"]) == ("cuda", "ffv1")

    monkeypatch.setenv("RTFILTER_EMOTIONS", "grin=1,smile=20%")
    monkeypatch.setenv("RTFILTER_BLENDSHAPES", "jawOpen=0.1")
    controls = controls_for(settings_for(parse(["run", "-i", "demo"])))
    assert controls == Controls({"happy": 0.2}, blendshapes={"mouthSmile": 0.4, "jawOpen": 0.1})

    words = "run --preset Friendly --blendshape browInnerUp=0.2"
    friendly = controls_for(settings_for(parse([*words.split()])))
    assert friendly == Controls({"happy": 0.4}, blendshapes={"browInnerUp": 0.2})


def test_a_file_may_name_blendshapes(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[emotions]\nSmile = 0.2\n[blendshapes]\nmouthSmil = 0.3\n")
    with pytest.raises(UsageError, match=r"config.toml:4: unknown blendshape 'mouthSmil'"):
        settings_from_file(path)
    path.write_text("[emotions]\nSmile = 0.2\n[blendshapes]\nmouthSmile = 0.3\n")
    controls = Controls(**settings_from_file(path).controls)
    assert controls == Controls({"happy": 0.2}, blendshapes={"mouthSmileLeft": 0.3, "mouthSmileRight": 0.3})
