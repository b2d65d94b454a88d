"""The text of the CUDA kernels: one unit of all .cu files. Called by `compile` and `blocks`."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent
_KERNEL = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\(\w+\)\s+)?(\w+)\(')


@cache
def translation_unit() -> str:
    """All .cu files, common.cu first; a compiler's messages name file and line."""
    paths = sorted(_FOLDER.glob("*.cu"), key=lambda path: (path.name != "common.cu", path.name))
    return "".join(f'#line 1 "{path.name}"\n{path.read_text("utf-8")}\n' for path in paths)


@cache
def kernel_names() -> tuple[str, ...]:
    """What can be launched."""
    return tuple(_KERNEL.findall(translation_unit()))


def digest(*parts: str) -> str:
    """A name for what was made from the kernels and from `parts` (compiler, options): hexadecimal."""
    joined = "\0".join((translation_unit(), *parts))
    return hashlib.sha256(joined.encode()).hexdigest()[:24]
