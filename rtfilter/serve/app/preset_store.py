"""`PresetStore`: the presets that a server offers, and the folder into which clients save new ones."""

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
        self._saving = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        return [web.put("/api/presets/{name}", self._put)]

    def describe(self) -> list[dict[str, Any]]:
        """All of them as the interface shows them."""
        return [described(preset) for preset in self.all.values()]

    async def save(
        self, name: str, description: str | None, values: Mapping[str, Any], overwrite: bool
    ) -> Preset:
        """Write a preset into the folder and offer it from now on.

        description: None keeps that of the preset which is replaced. Raises RefusedError for a name that is
        taken and for one too many, UsageError for a bad name or value, OutputError when it cannot be written.
        """
        async with self._saving:
            if description is None:
                description = self.all[name].description if name in self.all else ""
            preset = Preset(name, description, values)
            loop = asyncio.get_running_loop()
            path = await loop.run_in_executor(None, self._write, preset, overwrite)
            # On the loop's thread, where `describe` goes through them.
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
        # Of the folder: the `presets` command and other servers change it too.
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
        checked = _checked(values)
        if not checked:
            raise UsageError(f"values: expected at least one of {', '.join(CONTROL_KEYS)}, got none")
        existed = name in self.all
        kept = description if "description" in given else None
        preset = await self.save(name, kept, checked, overwrite)
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
