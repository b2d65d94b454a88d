"""Presets: the built-in ones, the user's files, and what may go wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfilter.controls import EMOTIONS, Controls
from rtfilter.errors import OutputError, UsageError
from rtfilter.presets import BUILT_IN, NAME, Preset, find_preset, load_presets, read_preset, save_preset


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_presets_are_valid_and_moderate(name: str) -> None:
    preset = BUILT_IN[name]
    assert NAME.fullmatch(name)
    assert preset.description
    assert all(amount <= 0.8 for amount in preset.controls.emotions.values())


def test_built_in_presets_differ() -> None:
    mixes = [tuple(sorted(preset.controls.emotions.items())) for preset in BUILT_IN.values()]
    assert len(set(mixes)) == len(mixes) >= 6


def test_a_saved_preset_is_read_back(tmp_path: Path) -> None:
    values = {"mouth": 0.8, "bypass": False, "emotions": {"happy": 0.3, "sad": 0.25}}
    path = save_preset(Preset("my-mood", 'say "hi"\\ \t é', values), tmp_path / "presets")
    again = read_preset(path)
    assert (again.name, again.description, again.path) == ("my-mood", 'say "hi"\\ \t é', path)
    assert dict(again.values) == values
    assert [p.name for p in path.parent.iterdir()] == ["my-mood.toml"]


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.dictionaries(st.sampled_from(EMOTIONS), st.floats(0, 1.5)),
    st.floats(0, 1),
)
def test_any_controls_survive_their_file(
    tmp_path_factory: pytest.TempPathFactory, description: str, emotions: dict[str, float], mouth: float
) -> None:
    preset = Preset("x", description, {"emotions": emotions, "mouth": mouth})
    again = read_preset(save_preset(preset, tmp_path_factory.getbasetemp(), overwrite=True))
    assert again.controls == Controls(emotions=emotions, mouth=mouth)
    assert again.description == description


@pytest.mark.parametrize("name", ["happy", "smile", "mad"])
def test_the_name_of_an_emotion_is_not_given_away(tmp_path: Path, name: str) -> None:
    """Such a preset could be saved, and `--emotion` never found it."""
    with pytest.raises(UsageError, match=f"such as my-{name}"):
        save_preset(Preset(name, "", {"emotions": {"sad": 1.0}}), tmp_path, overwrite=True)
    # One that was saved before is still there by its name.
    (tmp_path / f"{name}.toml").write_text("[emotions]\nsad = 1.0\n")
    assert find_preset(name, tmp_path).controls.emotions == {"sad": 1.0}


def test_a_description_that_is_no_text_is_still_saved(tmp_path: Path) -> None:
    path = save_preset(Preset("mine", "caf\udce9", {"mouth": 0.5}), tmp_path)
    assert read_preset(path).description == "caf?"


def test_the_users_preset_wins_over_the_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "calm.toml").write_text("[emotions]\nneutral = 0.1\n")
    assert find_preset("calm", tmp_path).controls.emotions == {"neutral": 0.1}
    assert load_presets(tmp_path)["calm"].path == tmp_path / "calm.toml"
    assert load_presets(tmp_path / "nothing") == dict(BUILT_IN)


def test_saving_twice_needs_force(tmp_path: Path) -> None:
    preset = Preset("mine", "", {"mouth": 0.5})
    save_preset(preset, tmp_path)
    with pytest.raises(OutputError, match="--force"):
        save_preset(preset, tmp_path)
    save_preset(Preset("mine", "", {"mouth": 0.6}), tmp_path, overwrite=True)
    assert find_preset("mine", tmp_path).controls.mouth == 0.6


@pytest.mark.parametrize("name", ["", "../x", "a/b", "Mood", "-x", "x" * 41, "a.b"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="preset"):
        save_preset(Preset(name, "", {}), tmp_path)
    with pytest.raises(UsageError, match="unknown preset"):
        find_preset(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("emotion = 1\n", 1, "did you mean 'emotions'"),
        ("mouth = 1\n[emotions]\nhapy = 1\n", 3, "did you mean 'happy'"),
        ("\ndescription = 3\n", 2, "expected text"),
        ("mouth = -1\n", 1, "out of range"),
    ],
)
def test_a_bad_preset_is_named_with_its_line(tmp_path: Path, text: str, line: int, word: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as raised:
        find_preset("mine", tmp_path)
    assert str(raised.value).startswith(f"{path}:{line}: ")
    assert word in str(raised.value)
    # Another preset is not held up by it.
    assert find_preset("calm", tmp_path).name == "calm"


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "presets").write_text("a file, not a folder")
    with pytest.raises(OutputError, match="cannot be written"):
        save_preset(Preset("mine", "", {"mouth": 0.5}), tmp_path / "presets")
