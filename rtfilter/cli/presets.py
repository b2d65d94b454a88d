"""`rtfilter presets`: list, show, save, edit and remove named mixes."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rtfilter.cli.config import edit_file, explained
from rtfilter.cli.settings import settings_for
from rtfilter.config import presets_dir
from rtfilter.controls import TABLES, Controls
from rtfilter.errors import UsageError
from rtfilter.presets import (
    BUILT_IN,
    Preset,
    check_name,
    find_preset,
    load_presets,
    read_preset,
    save_preset,
)
from rtfilter.system.tomlfile import toml_text

USE = "; use it with: rtfilter run --preset {} ..."
HELP = "\n# What a preset may name; the rest is left as it is. Remove the # to use a line.\n" + explained(
    ("intensity", "mouth", "smoothing", "skin", "valence", "arousal", "emotions", "blendshapes")
)


def presets(arguments: argparse.Namespace) -> int:
    """List the presets, or show, save, edit or remove one."""
    if arguments.action_name == "list":
        if arguments.name is not None:
            raise UsageError(
                f"presets list takes no name; did you mean: rtfilter presets show {arguments.name}"
            )
        return _list(arguments.json)
    if arguments.name is None:
        raise UsageError(f"which preset? expected: rtfilter presets {arguments.action_name} NAME")
    return {"show": _show, "save": _save, "edit": _edit, "remove": _remove}[arguments.action_name](arguments)


def _list(as_json: bool) -> int:
    known = load_presets(presets_dir())
    if as_json:
        print(json.dumps([_as_dict(preset) for preset in known.values()], indent=2))
        return 0
    for preset in known.values():
        own = " (yours)" if preset.path is not None else ""
        print(f"{preset.name:<13} {_mix(preset):<31} {preset.description}{own}")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    preset = find_preset(arguments.name, presets_dir())
    if arguments.json:
        print(json.dumps(_as_dict(preset), indent=2))
    else:
        print(f"{preset.name}: {preset.description or 'no description'}")
        print(f"  {_mix(preset)}")
        print(f"  from {preset.path or 'rtfilter itself'}")
    return 0


def _save(arguments: argparse.Namespace) -> int:
    values = settings_for(arguments).controls
    controls = Controls(**values)
    if not values:
        raise UsageError("nothing to save; say what, such as --emotion happy=0.5 --mouth 0.9")
    whole = controls.as_dict()
    name = arguments.name.strip().lower()
    check_name(name)
    described = arguments.description
    if described is None:
        described = _description_of(name)
    preset = Preset(name, described, {key: whole[key] for key in values})
    path = save_preset(preset, presets_dir(), overwrite=arguments.force)
    print(f"saved {path}{USE.format(preset.name)}")
    return 0


def _description_of(name: str) -> str:
    """The description of the user's own preset of this name, kept when its values are replaced."""
    path = presets_dir() / f"{name}.toml"
    try:
        return read_preset(path).description if path.is_file() else ""
    except UsageError:  # a broken file has no description to keep
        return ""


def _edit(arguments: argparse.Namespace) -> int:
    name = arguments.name.strip().lower()
    check_name(name)
    path = presets_dir() / f"{name}.toml"
    if path.is_file():
        before = path.read_text(encoding="utf-8", errors="replace")
    elif name in BUILT_IN and not arguments.force:
        raise UsageError(
            f"{name} is built in: edit a copy, rtfilter presets edit my-{name} --preset {name}, or put yours "
            "in its place with --force"
        )
    else:
        values = settings_for(arguments).controls if arguments.preset else {}
        start = BUILT_IN.get(name, Preset(name, "", values))
        before = toml_text({"description": start.description, **_plain(start)}) + HELP
    return edit_file(path, before, read_preset, USE.format(name))


def _plain(preset: Preset) -> dict[str, Any]:
    """The values of a preset as its file has them."""
    return {key: preset.controls.as_dict()[key] for key in preset.values}


def _remove(arguments: argparse.Namespace) -> int:
    preset = find_preset(arguments.name, presets_dir())
    if preset.path is None:
        raise UsageError(f"preset {preset.name!r} is built in and cannot be removed")
    preset.path.unlink()
    print(f"removed {preset.path}" + ("; the built-in one is back" if preset.name in BUILT_IN else ""))
    return 0


def _mix(preset: Preset) -> str:
    controls = preset.controls
    parts = [f"{name}={amount:g}" for table in TABLES for name, amount in getattr(controls, table).items()]
    parts += [f"{key}={value}" for key, value in preset.values.items() if key not in TABLES]
    return " ".join(parts) or "no edit"


def _as_dict(preset: Preset) -> dict[str, Any]:
    values = _plain(preset)
    path = str(preset.path) if preset.path is not None else None
    return {"name": preset.name, "description": preset.description, "values": values, "path": path}
