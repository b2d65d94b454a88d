"""The kernels' parameter blocks and their report as NumPy types, read from the structs of the .cu files.

Each field is explained there. A batch is an array of blocks, one a picture. Used by the launchers, and by
`gpu`, which fills the blocks.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from rtfilter.kernels.source import translation_unit

_STRUCT = re.compile(r"^struct (\w+(?:Parameters|Report)) \{$(.*?)^\};", re.M | re.S)
_DECLARATION = re.compile(r"^ *(long long|int|float) ([^;]+);", re.M)
_FIELD = re.compile(r"(\w+)(?:\[(\w+)\])?")
_CONSTANT = re.compile(r"^constexpr int (\w+) = (\d+);", re.M)
_TYPES = {"long long": "i8", "int": "i4", "float": "f4"}


def _structs() -> dict[str, np.dtype[Any]]:
    text = translation_unit()
    sizes = {name: int(value) for name, value in _CONSTANT.findall(text)}
    found = {}
    for struct, body in _STRUCT.findall(text):
        fields: list[tuple[Any, ...]] = []
        for kind, names in _DECLARATION.findall(body):
            for name, size in _FIELD.findall(names):
                count = (sizes.get(size) or int(size),) if size else ()
                fields.append((name, _TYPES[kind], *count))
        found[struct] = np.dtype(fields, align=True)
    return found


# By the struct's name.
STRUCTS = _structs()
CROP = STRUCTS["CropParameters"]
POINTS = STRUCTS["PointsParameters"]
MESH = STRUCTS["MeshParameters"]
SOFTEN = STRUCTS["SoftenParameters"]
RESAMPLE = STRUCTS["ResampleParameters"]
ROOM = STRUCTS["RoomParameters"]
YUV = STRUCTS["YuvParameters"]
SKIN = STRUCTS["SkinParameters"]
SKIN_LIGHT = STRUCTS["SkinReport"]
ADD_EDIT = STRUCTS["AddEditParameters"]
CARRY = STRUCTS["CarryParameters"]
REPORT = STRUCTS["WarpReport"]
