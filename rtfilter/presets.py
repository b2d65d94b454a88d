"""Presets: named controls, some built in, the others as TOML files of the user's.

Called by `config`, the command line and the server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rtfilter.controls import CONTROL_KEYS, INTENSITY_MAX, Controls, in_range, is_emotion
from rtfilter.errors import OutputError, UsageError, nearest
from rtfilter.system.tomlfile import place_of, read_toml, write_toml

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class UnknownPresetError(UsageError):
    """No preset of this name, whether built in or saved."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A named part of `Controls`: what it does not name stays as it is.

    values: keyword arguments of `Controls`. path: the user's file, None for a built-in one.
    """

    name: str
    description: str
    values: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    @property
    def controls(self) -> Controls:
        """The controls, defaults filled in."""
        return Controls(**self.values)

    def as_emotion(self, amount: float) -> dict[str, dict[str, float]]:
        """The preset's `emotions` and `blendshapes`, scaled by `amount`, 0..1.5.

        Its other values (mouth, smoothing, skin) are left out. Raises UsageError for a preset with valence or
        arousal, which cannot be added up.
        """
        in_range(f"emotion {self.name}", amount, 0.0, INTENSITY_MAX)
        controls = self.controls
        if controls.valence or controls.arousal:
            raise UsageError(
                f"preset {self.name!r} has valence or arousal: use it whole, --preset {self.name}"
            )
        share = amount * controls.intensity
        return {
            "emotions": {name: share * value for name, value in controls.emotions.items()},
            "blendshapes": {name: amount * value for name, value in controls.blendshapes.items()},
        }


# Amounts that read as a mood over a whole call, not as a grimace.
BUILT_IN: Mapping[str, Preset] = MappingProxyType(
    {
        name: Preset(name, description, {"emotions": emotions})
        for name, description, emotions in (
            ("natural", "as you are: every pixel passes through", {}),
            ("friendly", "a light, steady smile", {"happy": 0.4}),
            ("cheerful", "an open smile and lively brows", {"happy": 0.8, "surprised": 0.1}),
            ("confident", "a hint of a smile over a settled face", {"happy": 0.25, "neutral": 0.4}),
            ("calm", "draws a tense or tired face to your own neutral", {"neutral": 0.7}),
            ("awake", "lifted brows and open eyes", {"surprised": 0.3, "happy": 0.15}),
            ("serious", "composed, with slightly gathered brows", {"neutral": 0.5, "angry": 0.15}),
            ("sympathetic", "raised inner brows, softened by a faint smile", {"sad": 0.4, "happy": 0.15}),
        )
    }
)


def load_presets(folder: Path) -> dict[str, Preset]:
    """The built-in presets, then those of `folder` (`*.toml`), which win over built-in ones of their name.

    Raises UsageError with file and line for a file that is no preset.
    """
    presets = dict(BUILT_IN)
    for path in own_files(folder):
        presets[path.stem] = read_preset(path)
    return presets


def find_preset(name: str, folder: Path) -> Preset:
    """The preset called `name`, in any case. Files of other presets are not read.

    Raises UnknownPresetError with the nearest known name.
    """
    own = {path.stem: path for path in own_files(folder)}
    typed, name = name, name.strip().lower()
    if NAME.fullmatch(name):
        if name in own:
            return read_preset(own[name])
        if name in BUILT_IN:
            return BUILT_IN[name]
    raise UnknownPresetError(f"unknown preset {typed!r}:{nearest(name, {*BUILT_IN, *own})}")


def own_files(folder: Path) -> list[Path]:
    """The user's preset files in `folder`, by name; none where it is missing. UsageError when unreadable."""
    try:
        return sorted(folder.glob("*.toml")) if folder.is_dir() else []
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror}; mend its permissions") from error


def read_preset(path: Path) -> Preset:
    """One preset from its file: `description` and any fields of `Controls`.

    Raises UsageError with file and line for an unknown key or a value out of range.
    """
    if not NAME.fullmatch(path.stem):
        raise UsageError(
            f"{path}: a preset's file is named in lower case, digits, - and _, such as my-mood.toml"
        )
    values = read_toml(path)
    description = values.pop("description", "")
    if not isinstance(description, str):
        raise UsageError(f"{place_of(path, 'description')}: description: expected text, got {description!r}")
    check_controls(values, path)
    return Preset(path.stem, description, values, path)


def check_controls(values: Mapping[str, Any], path: Path) -> None:
    """Raise UsageError with file and line for the first entry that `Controls` refuses."""
    for key, value in values.items():
        if key not in CONTROL_KEYS:
            raise UsageError(f"{place_of(path, key)}: unknown key {key!r}:{nearest(key, CONTROL_KEYS)}")
        try:
            Controls(**{key: value})
        except UsageError as error:
            raise UsageError(f"{place_of(path, _culprit(key, value))}: {error}") from error


def _culprit(key: str, value: object) -> str:
    """The name inside the table that `Controls` refuses, else the key."""
    for name, amount in value.items() if isinstance(value, Mapping) else ():
        try:
            check: dict[str, Any] = {key: {name: amount}}
            Controls(**check)
        except UsageError:
            return str(name)
    return key


def check_name(name: str) -> None:
    """Raise UsageError for a name that no new preset can have, before it becomes part of a path."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"preset name {name!r}: expected lower case, digits, - and _, at most 40 of them, such as my-mood"
        )
    if is_emotion(name):
        raise UsageError(f"preset name {name!r} is an emotion's: choose another, such as my-{name}")


def save_preset(preset: Preset, folder: Path, overwrite: bool = False) -> Path:
    """Write `preset` into `folder` and return its file.

    Raises UsageError for a name that is no file name; OutputError when one of this name was saved before,
    or is built in, and `overwrite` is False, or when it cannot be written.
    """
    check_name(preset.name)
    path = folder / f"{preset.name}.toml"
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; replace it with --force or choose another name")
    if preset.name in BUILT_IN and not overwrite:
        raise OutputError(
            f"{preset.name} is a built-in preset: choose another name, or put yours in its place with --force"
        )
    described = {"description": preset.description} if preset.description else {}
    write_toml(path, {**described, **preset.values})
    return path
