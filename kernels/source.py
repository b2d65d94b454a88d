"""The text of the CUDA kernels: one unit of all .cu files. Called by `compile` and `blocks`."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

# What the others share comes first.
FILES = (
    "common.cu",
    "crop.cu",
    "points.cu",
    "mesh.cu",
    "raster.cu",
    "resample.cu",
    "yuv.cu",
    "add_edit.cu",
    "carry.cu",
)
_FOLDER = Path(__file__).parent
_KERNEL = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\(\w+\)\s+)?(\w+)\(')


@cache
def translation_unit() -> str:
    """All kernels; a compiler's messages name file and line as they lie in kernels/."""
    return "".join(f'#line 1 "{name}"\n{(_FOLDER / name).read_text("utf-8")}\n' for name in FILES)


@cache
def kernel_names() -> tuple[str, ...]:
    """What can be launched."""
    return tuple(_KERNEL.findall(translation_unit()))


def digest(*parts: str) -> str:
    """A name for what was made from the kernels and from `parts` (compiler, options): hexadecimal."""
    joined = "\0".join((translation_unit(), *parts))
    return hashlib.sha256(joined.encode()).hexdigest()[:24]
