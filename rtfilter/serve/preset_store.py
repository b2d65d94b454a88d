"""`PresetStore`: the presets that a server offers, and the folder into which clients save new ones."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from rtfilter.controls import Controls
from rtfilter.errors import UsageError
from rtfilter.presets import BUILT_IN, CONTROL_KEYS, Preset, save_preset
from rtfilter.serve.messages import merged, parse_object
from rtfilter.serve.refusals import RefusedError

# Whoever holds the token may save, but not fill the disk.
MOST_SAVED = 100
LONGEST_DESCRIPTION = 200
_EXPECTED = '{"values": {"emotions": {"happy": 0.4}}, "description"?: text, "overwrite"?: true}'


class PresetStore:
    """Presets by name, which sessions read and `save` adds to.

    presets: those of the start. folder: where saved ones go; None when this server saves none.
    """

    def __init__(self, presets: Mapping[str, Preset], folder: Path | None) -> None:
        self.all = dict(presets)
        self.folder = folder

    def routes(self) -> list[web.RouteDef]:
        return [web.put("/api/presets/{name}", self._put)]

    def describe(self) -> list[dict[str, Any]]:
        """All of them as the interface shows them."""
        return [described(preset) for preset in self.all.values()]

    def save(self, name: str, description: str, values: Mapping[str, Any], overwrite: bool) -> Preset:
        """Write a preset into the folder and offer it from now on. Blocks on the disk.

        Raises RefusedError for a name that is taken and for one too many, UsageError for a bad name or
        value, OutputError when it cannot be written.
        """
        if self.folder is None:
            raise RefusedError(409, "this server saves no presets: it was started without a folder for them")
        if name in BUILT_IN:
            raise RefusedError(409, f"{name} is a built-in preset: choose another name")
        known = name in self.all or (self.folder / f"{name}.toml").exists()
        if known and not overwrite:
            raise RefusedError(
                409, f'a preset {name} exists: choose another name, or replace it with "overwrite": true'
            )
        saved = [each for each in self.all.values() if each.name not in BUILT_IN]
        if name not in self.all and len(saved) >= MOST_SAVED:
            raise RefusedError(
                409, f"{len(saved)} presets are saved, and that is the limit: remove one with"
                " `rtfilter presets remove NAME`"
            )  # fmt: skip
        preset = Preset(name, description, values)
        path = save_preset(preset, self.folder, overwrite)
        self.all[name] = Preset(name, description, values, path)
        return self.all[name]

    def _described(self, name: str) -> str:
        """What a preset of this name says of itself now: who replaces only its values keeps that."""
        return self.all[name].description if name in self.all else ""

    async def _put(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        body = {"overwrite": False, **parse_object(await request.text())}
        values, description, overwrite = (
            body.get("values"),
            body.get("description", self._described(name)),
            body["overwrite"],
        )
        if not (isinstance(values, dict) and isinstance(description, str) and isinstance(overwrite, bool)):
            raise RefusedError(400, f"expected {_EXPECTED}")
        if len(description) > LONGEST_DESCRIPTION:
            raise RefusedError(
                400, f"description: expected at most {LONGEST_DESCRIPTION} characters, got {len(description)}"
            )
        checked = _checked(values)
        # A wish that changes nothing would be a preset that says nothing.
        if not checked:
            raise UsageError(f"values: expected at least one of {', '.join(CONTROL_KEYS)}, got none")
        existed = name in self.all
        loop = asyncio.get_running_loop()
        preset = await loop.run_in_executor(None, self.save, name, description, checked, overwrite)
        return web.json_response(described(preset), status=200 if existed else 201)


def described(preset: Preset) -> dict[str, Any]:
    """A preset as the interface shows it. saved: whether it is one of the user's."""
    return {
        "name": preset.name,
        "description": preset.description,
        "values": dict(preset.values),
        "saved": preset.path is not None,
    }


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """What `values` names, as `Controls` holds it. Raises UsageError as `Controls` does."""
    whole = merged(Controls(), values).as_dict()
    return {name: whole[name] for name in values}
