"""Settings from the user's file and environment, and how the layers come together.

Precedence, highest first: command line, environment (`RTFILTER_*`), file, default. Every setting is taken
from the highest layer that names it. The target (preset, emotions, valence, arousal, blendshapes) is taken
whole from one layer, so that `--emotion sad=1` is not mixed with the smile of the settings file. Called by
`cli.settings`, and by the server for its presets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtfilter.controls import (
    CONTROL_KEYS,
    SWITCHES,
    TABLES,
    Controls,
    by_name,
    face_count,
    is_emotion,
    shown,
)
from rtfilter.errors import UsageError, nearest
from rtfilter.presets import UnknownPresetError, check_controls, find_preset
from rtfilter.system.files import user_config
from rtfilter.system.tomlfile import place_of, read_toml

ENVIRONMENT_PREFIX = "RTFILTER_"
# Variables of that prefix that are read elsewhere, with the same meaning for every verb.
OTHER_VARIABLES = ("RTFILTER_CACHE", "RTFILTER_PASSPHRASE")
TARGET_KEYS = ("emotions", "valence", "arousal", "blendshapes")
TEXT_KEYS = ("preset", "input", "output", "codec", "device", "lane", "editor", "profile")
COUNT_KEYS = ("width", "height", "fps")
VALUE_KEYS = (*TEXT_KEYS, *COUNT_KEYS, "faces")
KEYS = (*CONTROL_KEYS, *VALUE_KEYS)

# `emotions` and `blendshapes`, or one of them, by name.
Target = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Settings:
    """One layer, or all of them merged.

    controls: keyword arguments of `Controls`. values: preset, input, output, codec, device, lane, editor and
    profile as text; width, height, fps and faces as whole numbers.
    """

    controls: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


def config_path() -> Path:
    """The settings file; it need not exist."""
    return user_config() / "config.toml"


def presets_dir() -> Path:
    """The folder of the user's presets; it need not exist."""
    return user_config() / "presets"


def parse_target(text: str, presets_folder: Path | None = None) -> dict[str, Target]:
    """`happy=0.8,sad=10%,grin=0.5` as targets by name; a name alone means 1, and may be a preset's.

    presets_folder: default the user's. Raises UsageError with the nearest emotion, or the permitted range.
    """
    folder = presets_folder or presets_dir()
    parts: dict[str, Target] = {}
    for part in _parts(text):
        name, value = _named_amount(part)
        try:
            preset = None if is_emotion(name) else find_preset(name, folder)
        except UnknownPresetError:
            preset = None
        if preset is not None:
            parts[preset.name] = preset.as_emotion(value)
        else:
            emotions = Controls(emotions={name: value}).emotions
            parts[next(iter(emotions))] = {"emotions": emotions}
    return parts


def parse_blendshapes(text: str) -> dict[str, float]:
    """`mouthSmileLeft=0.3,browInnerUp=-20%` as offsets by name; a name alone means 1.

    Raises UsageError with the nearest blendshape, or the permitted range.
    """
    offsets: dict[str, float] = {}
    for part in _parts(text):
        name, value = _named_amount(part)
        offsets.update(Controls(blendshapes={name: value}).blendshapes)
    return offsets


def added_up(targets: Iterable[Target]) -> dict[str, dict[str, float]]:
    """The emotions and blendshapes of all `targets` together; only the tables that any of them has."""
    whole: dict[str, dict[str, float]] = {}
    for target in targets:
        for table, amounts in target.items():
            for name, value in amounts.items():
                sums = whole.setdefault(table, {})
                sums[name] = sums.get(name, 0.0) + value
    return whole


def _parts(text: str) -> list[str]:
    """Split at commas, but for the one of `0,5`."""
    return re.split(r",\s*(?=[^\d\s])", text)


def _named_amount(text: str) -> tuple[str, float]:
    name, equals, value = (part.strip() for part in text.partition("="))
    try:
        return name, amount(value) if equals else 1.0
    except UsageError:
        raise UsageError(f"{name}: expected {name}=0.8, {name}=80% or the like, got {text!r}") from None


def amount(text: str) -> float:
    """`0.5`, `.5`, `0,5` and `50%` as a number. Raises UsageError."""
    plain = text.strip()
    percent = plain.endswith("%")
    plain = plain.removesuffix("%").strip()
    if re.fullmatch(r"[+-]?\d*,\d+", plain):
        plain = plain.replace(",", ".")
    try:
        return float(plain) / (100.0 if percent else 1.0)
    except ValueError:
        raise UsageError(f"expected a number such as 0.5 or 50%, got {shown(text)}") from None


def settings_from_file(path: Path) -> Settings:
    """The layer of the settings file; empty when there is none.

    Raises UsageError with file and line for bad TOML, an unknown key or a wrong value.
    """
    try:
        if not path.exists():
            return Settings()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; mend its permissions") from error
    table = read_toml(path)
    for key in table:
        if key not in KEYS:
            raise UsageError(f"{place_of(path, key)}: unknown key {key!r}:{nearest(key, KEYS)}")
    controls = {key: value for key, value in table.items() if key in CONTROL_KEYS}
    check_controls(controls, path)
    values = {key: value for key, value in table.items() if key not in CONTROL_KEYS}
    for key, value in values.items():
        if key == "faces":
            try:
                values[key] = face_count(value)
            except UsageError as error:
                raise UsageError(f"{place_of(path, key)}: {error}") from None
            continue
        if key in TEXT_KEYS:
            good, wanted = isinstance(value, str), "text in quotes"
        else:
            good = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            wanted = "a whole number above 0"
        if not good:
            raise UsageError(f"{place_of(path, key)}: {key}: expected {wanted}, got {value!r}")
    return Settings(controls, values)


def settings_from_environment(environ: Mapping[str, str]) -> Settings:
    """The layer of `RTFILTER_<KEY>`; emotions as `RTFILTER_EMOTIONS=happy=0.8,sad=0.1`.

    Raises UsageError with the variable's name for an unknown key or a wrong value.
    """
    controls: dict[str, Any] = {}
    values: dict[str, Any] = {}
    targets: list[Target] = []
    for variable, text in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or not text or variable in OTHER_VARIABLES:
            continue
        key = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if key not in KEYS:
            raise UsageError(f"environment: unknown {variable}:{nearest(key, (*KEYS, 'cache'))}")
        try:
            if key == "emotions":
                targets += parse_target(text).values()
            elif key == "blendshapes":
                targets.append({key: parse_blendshapes(text)})
            elif key in CONTROL_KEYS:
                controls[key] = _control_from_text(key, text)
                Controls(**{key: controls[key]})
            else:
                values[key] = _value_from_text(key, text)
        except UsageError as error:
            raise UsageError(f"environment: {variable}={text!r}: {error}") from error
    return Settings({**controls, **added_up(targets)}, values)


def merge(layers: list[Settings], presets_folder: Path) -> Settings:
    """All layers as one; the first is the highest. A preset lies under the other values of its layer.

    Raises UsageError for an unknown preset.
    """
    controls: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for layer in reversed(layers):
        named = dict(layer.controls)
        if preset_name := layer.values.get("preset"):
            preset = find_preset(preset_name, presets_folder)
            own, named = named, {**preset.values, **named}
            for table in TABLES:
                mix = {**getattr(preset.controls, table), **by_name(table, own.get(table, {}))}
                if mix or table == "emotions":
                    named[table] = mix
        if any(key in named for key in TARGET_KEYS):
            controls = {key: value for key, value in controls.items() if key not in TARGET_KEYS}
            values.pop("preset", None)
        controls.update(named)
        values.update(layer.values)
    if "codec" in values:
        values["codec"] = values["codec"].strip().lower()
    return Settings(controls, values)


def _control_from_text(key: str, text: str) -> Any:
    if key in SWITCHES:
        known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        if text.lower() not in known:
            raise UsageError("expected true or false")
        return known[text.lower()]
    return amount(text)


def _value_from_text(key: str, text: str) -> Any:
    if key == "faces":
        return face_count(text)
    return text if key in TEXT_KEYS else _count(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise UsageError("expected a whole number above 0")
    return int(text)
