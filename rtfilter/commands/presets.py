"""`rtfilter presets`: list, show, save and remove named mixes."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rtfilter.cli_options import settings_for
from rtfilter.config import presets_dir
from rtfilter.controls import Controls
from rtfilter.errors import UsageError
from rtfilter.names import NAMES_IN
from rtfilter.presets import BUILT_IN, Preset, find_preset, load_presets, save_preset


def presets(arguments: argparse.Namespace) -> int:
    """List the presets, or show, save or remove one."""
    if arguments.action_name == "list":
        if arguments.name is not None:
            raise UsageError(
                f"presets list takes no name; did you mean: rtfilter presets show {arguments.name}"
            )
        return _list(arguments.json)
    if arguments.name is None:
        raise UsageError(f"which preset? expected: rtfilter presets {arguments.action_name} NAME")
    return {"show": _show, "save": _save, "remove": _remove}[arguments.action_name](arguments)


def _list(as_json: bool) -> int:
    known = load_presets(presets_dir())
    if as_json:
        print(json.dumps([_as_dict(preset) for preset in known.values()], indent=2))
        return 0
    for preset in known.values():
        own = " (yours)" if preset.path is not None else ""
        print(f"{preset.name:<14}{_mix(preset):<32}{preset.description}{own}")
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
    preset = Preset(arguments.name, arguments.description or "", {key: whole[key] for key in values})
    path = save_preset(preset, presets_dir(), overwrite=arguments.force)
    print(f"saved {path}; use it with: rtfilter run --preset {preset.name} ...")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    preset = find_preset(arguments.name, presets_dir())
    if preset.path is None:
        raise UsageError(f"preset {preset.name!r} is built in and cannot be removed")
    preset.path.unlink()
    print(f"removed {preset.path}" + ("; the built-in one is back" if preset.name in BUILT_IN else ""))
    return 0


def _mix(preset: Preset) -> str:
    controls = preset.controls
    parts = [f"{name}={amount:g}" for table in NAMES_IN for name, amount in getattr(controls, table).items()]
    parts += [f"{key}={value}" for key, value in preset.values.items() if key not in NAMES_IN]
    return " ".join(parts) or "no edit"


def _as_dict(preset: Preset) -> dict[str, Any]:
    values = {key: preset.controls.as_dict()[key] for key in preset.values}
    path = str(preset.path) if preset.path is not None else None
    return {"name": preset.name, "description": preset.description, "values": values, "path": path}
