"""`PresetStore`: the presets that a server offers, and the folder for new ones. Called by `server`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from rtfilter.controls import CONTROL_KEYS, Controls
from rtfilter.errors import UsageError
from rtfilter.presets import BUILT_IN, Preset, check_name, own_files, save_preset
from rtfilter.serve.app.messages import merged, parse_object
from rtfilter.serve.gate.refusals import RefusedError

# A client with the token may save, but not fill the disk.
MOST_SAVED = 100
LONGEST_DESCRIPTION = 200
_EXPECTED = '{"values": {"emotions": {"happy": 0.4}}, "description"?: text, "overwrite"?: true}'


class PresetStore:
    """Presets by name in `all`, which sessions read and `save` adds to.

    presets: those of the start. folder: for saved ones; None when this server saves none.
    """

    def __init__(self, presets: Mapping[str, Preset], folder: Path | None) -> None:
        self.all = dict(presets)
        self.folder = folder
        self._saving = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        return [web.put("/api/presets/{name}", self._put)]

    def describe(self) -> list[dict[str, Any]]:
        """All presets as JSON: `Preset` of openapi.json."""
        return [_described(preset) for preset in self.all.values()]

    async def save(
        self, name: str, description: str | None, values: Mapping[str, Any], overwrite: bool
    ) -> Preset:
        """Write a preset into the folder and offer it from now on.

        Args:
            description: None keeps that of the preset that is replaced.

        Raises:
            RefusedError: for a name that is taken and for one too many.
            UsageError: for a bad name or value.
            OutputError: when it cannot be written.
        """
        async with self._saving:
            if description is None:
                description = self.all[name].description if name in self.all else ""
            preset = Preset(name, description, values)
            loop = asyncio.get_running_loop()
            path = await loop.run_in_executor(None, self._write, preset, overwrite)
            # In the loop's thread, in which `describe` iterates over them.
            self.all[name] = Preset(name, description, values, path)
            return self.all[name]

    def _write(self, preset: Preset, overwrite: bool) -> Path:
        """The file of `preset`, written unless that is refused. Blocks on the disk."""
        name = preset.name
        check_name(name)
        if self.folder is None:
            raise RefusedError(409, "this server saves no presets: it was started without a folder for them")
        if name in BUILT_IN:
            raise RefusedError(409, f"{name} is a built-in preset: choose another name")
        # From the folder: the `presets` command and other servers change it too.
        saved = {path.stem for path in own_files(self.folder)}
        if (name in self.all or name in saved) and not overwrite:
            raise RefusedError(
                409, f'a preset {name} exists: choose another name, or replace it with "overwrite": true'
            )
        if name not in saved and len(saved) >= MOST_SAVED:
            raise RefusedError(
                409, f"{len(saved)} presets are saved, and that is the limit: remove one with"
                " `rtfilter presets remove NAME`"
            )  # fmt: skip
        return save_preset(preset, self.folder, overwrite)

    async def _put(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        body = {"overwrite": False, "description": "", **(given := parse_object(await request.text()))}
        values, description, overwrite = body.get("values"), body["description"], body["overwrite"]
        if not (isinstance(values, dict) and isinstance(description, str) and isinstance(overwrite, bool)):
            raise RefusedError(400, f"expected {_EXPECTED}")
        if len(description) > LONGEST_DESCRIPTION:
            raise RefusedError(
                400, f"description: expected at most {LONGEST_DESCRIPTION} characters, got {len(description)}"
            )
        whole = merged(Controls(), values).as_dict()
        if not values:
            raise UsageError(f"values: expected at least one of {', '.join(CONTROL_KEYS)}, got none")
        existed = name in self.all
        kept = description if "description" in given else None
        preset = await self.save(name, kept, {key: whole[key] for key in values}, overwrite)
        return web.json_response(_described(preset), status=200 if existed else 201)


def _described(preset: Preset) -> dict[str, Any]:
    return {
        "name": preset.name,
        "description": preset.description,
        "values": dict(preset.values),
        "saved": preset.path is not None,
    }
