"""`rtfilter config`: every setting, its value and where that comes from; and the file in an editor."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from typing import Any

from rtfilter.cli.config_keys import KEYS_EXPLAINED, template
from rtfilter.cli.editor import edited
from rtfilter.config import Settings, config_path, settings_from_environment, settings_from_file
from rtfilter.system.files import write_text_atomically


def config(arguments: argparse.Namespace) -> int:
    """Show the settings, or edit their file."""
    return _edit() if arguments.action_name == "edit" else _show(arguments.json)


def _show(as_json: bool) -> int:
    path = config_path()
    layers = {
        "environment": _flat(settings_from_environment(os.environ)),
        "file": _flat(settings_from_file(path)),
    }
    known = [_described(key, layers) for key in KEYS_EXPLAINED]
    if as_json:
        print(json.dumps({"path": str(path), "exists": path.exists(), "settings": known}, indent=2))
        return 0
    print(f"{path}{'' if path.exists() else ' (not there yet; `rtfilter config edit` makes it)'}")
    for one in known:
        value = "-" if one["value"] is None else f"{_shown(one['value'])} ({one['from']})"
        print(f"{one['key']:<12} {value:<23} {one['meaning']}")
    print("The command line wins over the environment (RTFILTER_MOUTH=0.5), which wins over the file.")
    return 0


def _flat(settings: Settings) -> dict[str, Any]:
    return {**settings.controls, **settings.values}


def _described(key: str, layers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    origin = next((name for name, layer in layers.items() if key in layer), None)
    value = layers[origin][key] if origin is not None else None
    return {"key": key, "value": value, "from": origin, "meaning": KEYS_EXPLAINED[key][1]}


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={amount:g}" for name, amount in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def _edit() -> int:
    path = config_path()
    before = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else template()
    after = edited(before, path.name, settings_from_file)
    if after is None:
        print("nothing was changed")
        return 0
    write_text_atomically(path, after)
    print(f"saved {path}")
    return 0
