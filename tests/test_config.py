"""Settings: precedence, the environment, and errors that name the place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfilter.config import (
    Settings,
    merge,
    parse_target,
    settings_from_environment,
    settings_from_file,
)
from rtfilter.controls import EMOTIONS, INTENSITY_MAX
from rtfilter.errors import UsageError
from rtfilter.presets import find_preset


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_settings_that_may_not_be_read_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    # Root, who runs some tests, may read everything.
    monkeypatch.setattr(Path, "stat", forbidden)
    with pytest.raises(UsageError, match="Permission denied"):
        settings_from_file(tmp_path / "config.toml")
    with pytest.raises(UsageError, match="Permission denied"):
        find_preset("calm", tmp_path)


def test_no_file_is_no_settings(tmp_path: Path) -> None:
    assert settings_from_file(tmp_path / "config.toml") == Settings()


def test_a_file_gives_controls_and_values(tmp_path: Path) -> None:
    path = written(tmp_path, 'mouth = 1\ninput = "camera:2"\nwidth = 640\n[emotions]\nhappy = 0.5\n')
    settings = settings_from_file(path)
    assert settings.controls == {"mouth": 1, "emotions": {"happy": 0.5}}
    assert settings.values == {"input": "camera:2", "width": 640}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("mouth = = 1\n", None, ["not valid TOML", "line 1"]),
        ("# mine\nmoth = 1\n", 2, ["unknown key 'moth'", "did you mean 'mouth'"]),
        ("\n\nmouth = 3\n", 3, ["mouth: 3 is out of range", "0..1"]),
        ("mouth = 'wide'\n", 1, ["mouth: expected a number"]),
        ("mouth = nan\n", 1, ["mouth: expected a number"]),
        ("mouth = true\n", 1, ["mouth: expected a number"]),
        ("[emotions]\nhappy = 0.2\nsadd = 1\n", 3, ["unknown emotion 'sadd'", "did you mean 'sad'"]),
        ("[emotions]\nhappy = 9\n", 2, ["happy", "0..1.5"]),
        ("emotions = 3\n", 1, ["emotions: expected a mapping"]),
        ("bypass = 1\n", 1, ["bypass: expected true or false"]),
        ('occlusion = "no"\n', 1, ["occlusion: expected true or false"]),
        ("codec = 3\n", 1, ["codec: expected text"]),
        ("fps = 0\n", 1, ["fps: expected a whole number above 0, got 0"]),
        ("width = true\n", 1, ["width: expected a whole number above 0"]),
    ],
)
def test_a_bad_file_is_named_with_its_line(
    tmp_path: Path, text: str, line: int | None, words: list[str]
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as raised:
        settings_from_file(path)
    message = str(raised.value)
    assert message.startswith(f"{path}:{line}:" if line else f"{path}:")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        settings_from_file(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        settings_from_file(path)


def test_the_environment_gives_controls_and_values() -> None:
    settings = settings_from_environment(
        {
            "RTFILTER_EMOTIONS": "happy=0.8, sad=0.1",
            "RTFILTER_MOUTH": "0.5",
            "RTFILTER_BYPASS": "yes",
            "RTFILTER_FPS": "25",
            "RTFILTER_PRESET": "calm",
            "RTFILTER_CODEC": "",
            "RTFILTER_CACHE": "/of/the/cache",
            "HOME": "/h",
        }
    )
    assert settings.controls == {"emotions": {"happy": 0.8, "sad": 0.1}, "mouth": 0.5, "bypass": True}
    assert settings.values == {"fps": 25, "preset": "calm"}


@pytest.mark.parametrize(
    ("variable", "text", "word"),
    [
        ("RTFILTER_MOTH", "1", "did you mean 'mouth'"),
        ("RTFILTER_MOUTH", "wide", "expected a number"),
        ("RTFILTER_MOUTH", "2", "out of range"),
        ("RTFILTER_BYPASS", "perhaps", "true or false"),
        ("RTFILTER_EMOTIONS", "hapy=1", "did you mean 'happy'"),
        ("RTFILTER_WIDTH", "-3", "whole number"),
    ],
)
def test_a_bad_variable_is_named(variable: str, text: str, word: str) -> None:
    with pytest.raises(UsageError) as raised:
        settings_from_environment({variable: text})
    assert variable in str(raised.value)
    assert word in str(raised.value)


def test_the_highest_layer_wins_key_by_key(tmp_path: Path) -> None:
    line = Settings({"mouth": 0.9}, {"codec": "ffv1"})
    environment = Settings({"mouth": 0.5, "smoothing": 0.2})
    file = Settings({"mouth": 0.1, "smoothing": 0.1, "intensity": 0.7}, {"codec": "h264", "input": "demo"})
    merged = merge([line, environment, file], tmp_path)
    assert merged.controls == {"mouth": 0.9, "smoothing": 0.2, "intensity": 0.7}
    assert merged.values == {"codec": "ffv1", "input": "demo"}


def test_the_target_is_taken_whole_from_one_layer(tmp_path: Path) -> None:
    file = Settings({"emotions": {"happy": 1.0}, "arousal": 0.5, "mouth": 0.3}, {"preset": "calm"})
    merged = merge([Settings({"emotions": {"sad": 0.4}}), file], tmp_path)
    assert merged.controls == {"emotions": {"sad": 0.4}, "mouth": 0.3}
    assert "preset" not in merged.values


def test_a_preset_lies_under_its_own_layer(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("mouth = 0.2\n[emotions]\nhappy = 0.5\nsad = 0.1\n")
    line = Settings({"emotions": {"happy": 0.9}}, {"preset": "mine"})
    merged = merge([line, Settings({"mouth": 0.7, "valence": 1.0})], tmp_path)
    assert merged.controls == {"emotions": {"happy": 0.9, "sad": 0.1}, "mouth": 0.2}
    assert merged.values == {"preset": "mine"}


def test_an_unknown_preset_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown preset 'frendly': did you mean 'friendly'"):
        merge([Settings({}, {"preset": "frendly"})], tmp_path)


@given(st.sampled_from(EMOTIONS), st.floats(0, INTENSITY_MAX))
def test_every_valid_emotion_is_read_back(name: str, value: float) -> None:
    target = {name: {"emotions": {name: value}}}
    assert parse_target(f"{name}={value!r}") == parse_target(f" {name} = {value!r} ") == target


def test_an_emotion_alone_is_whole() -> None:
    assert parse_target("happy") == {"happy": {"emotions": {"happy": 1.0}}}


@given(st.text(max_size=30))
def test_any_text_is_an_emotion_or_a_usage_error(text: str) -> None:
    try:
        targets = parse_target(text)
    except UsageError:
        return
    for target in targets.values():
        assert set(target["emotions"]) <= set(EMOTIONS)
        assert all(0 <= value <= INTENSITY_MAX for value in target["emotions"].values())


@given(
    st.sampled_from(EMOTIONS),
    st.one_of(st.floats(max_value=-1e-9), st.floats(min_value=1.5001), st.just(float("nan"))),
)
def test_an_amount_out_of_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=r"0\.\.1\.5"):
        parse_target(f"{name}={value!r}")
