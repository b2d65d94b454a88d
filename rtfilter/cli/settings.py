"""What a command line, the environment and the settings file come to. Called by every verb that filters."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rtfilter.config import (
    VALUE_KEYS,
    Settings,
    Target,
    added_up,
    config_path,
    merge,
    presets_dir,
    settings_from_environment,
    settings_from_file,
)
from rtfilter.controls import CONTROL_KEYS, Controls
from rtfilter.face.learned_weights import CLOSED, named_editor
from rtfilter.gpu.choose import AUTO, LaneChoice, choose_lane

if TYPE_CHECKING:
    from rtfilter.profiles.profile import Profile


def settings_for(arguments: argparse.Namespace) -> Settings:
    """The merged settings: command line over environment over file.

    Raises UsageError for a wrong value in any of them or an unknown preset.
    """
    given = {key: value for key, value in vars(arguments).items() if value is not None}
    given.update(target_given(given))
    line = Settings(
        {key: given[key] for key in CONTROL_KEYS if key in given},
        {key: given[key] for key in VALUE_KEYS if key in given},
    )
    environment = settings_from_environment(os.environ)
    return merge([line, environment, settings_from_file(config_path())], presets_dir())


def target_given(arguments: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The sum of the parsed `--emotion` and `--blendshape`; of a name that is repeated, the last counts."""
    targets: list[dict[str, Target]] = arguments.get("emotions") or []
    offsets: list[dict[str, float]] = arguments.get("blendshapes") or []
    by_name = {name: target for one in targets for name, target in one.items()}
    direct = {name: value for one in offsets for name, value in one.items()}
    return added_up([*by_name.values(), {"blendshapes": direct}])


def controls_for(settings: Settings) -> Controls:
    """The controls of merged settings."""
    return Controls(**settings.controls)


def chosen_editor(values: Mapping[str, Any]) -> str:
    """The editor of merged settings. Raises UsageError, or InputError for a file that is none."""
    name: str = values.get("editor", CLOSED)
    named_editor(name)
    return name


def chosen_profile(arguments: argparse.Namespace, values: Mapping[str, Any]) -> Profile | None:
    """The profile of merged settings, if one is named.

    Raises UsageError for an unknown name or a wrong passphrase, InputError for a damaged file.
    """
    if not values.get("profile"):
        return None
    from rtfilter.cli.passphrase import seal_for
    from rtfilter.profiles.profile import load_profile
    from rtfilter.profiles.store import ProfileStore

    seal = seal_for(bool(getattr(arguments, "passphrase", False)))
    return load_profile(ProfileStore(seal=seal), values["profile"])


def chosen_lane(arguments: argparse.Namespace, values: Mapping[str, Any]) -> LaneChoice:
    """The lane of parsed arguments and merged settings.

    Raises UsageError for an unknown lane, GpuError for a CUDA lane that cannot be had.
    """
    return choose_lane(values.get("lane", AUTO), fall_back=arguments.allow_cpu)
