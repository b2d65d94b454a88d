"""The kernels for one kind of GPU: compiled once by NVRTC, with or without such a GPU, kept in the cache."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rtfilter.errors import GpuError
from rtfilter.kernels import source
from rtfilter.kernels.nvrtc import Nvrtc, installed
from rtfilter.system.cache import cache_folder, kept
from rtfilter.system.sealed import SealError, read_sealed, write_sealed

# What is compiled ahead of time for, and tested: GTX 16 and RTX 20, A100, RTX 30, RTX 40, H100, RTX 50.
TARGETS = (75, 80, 86, 89, 90, 120)
OPTIONS = ("-std=c++17",)


@dataclass(frozen=True)
class Compiled:
    """image: a cubin, or PTX with a final zero, as the driver loads it. target: `sm_89`, or `compute_90`."""

    image: bytes
    target: str
    nvrtc: tuple[int, int]


@dataclass(frozen=True)
class Usage:
    """What one kernel takes of a multiprocessor, a thread (registers, stack, spills) or a block (shared)."""

    registers: int
    stack_bytes: int
    spill_bytes: int
    shared_bytes: int


def target_of(capability: tuple[int, int], architectures: tuple[int, ...]) -> str | None:
    """What to compile for a GPU of this compute capability: its own machine code, that of an earlier GPU of
    its family, or PTX, which the driver translates; None where the compiler knows nothing that would run."""
    wanted = 10 * capability[0] + capability[1]
    older = [known for known in architectures if known <= wanted]
    if not older:
        return None
    best = max(older)
    return f"sm_{best}" if best // 10 == capability[0] else f"compute_{best}"


def compiled_for(capability: tuple[int, int]) -> Compiled:
    """The kernels for GPUs of this compute capability, from the cache where they are there and whole.

    Where the cache cannot be used, they are compiled at every start, in a second. GpuError where no compiler
    is installed or none knows such a GPU.
    """
    nvrtc, target = _choice(capability)
    options = (f"--gpu-architecture={target}", *OPTIONS)
    key = source.digest(*options, *map(str, nvrtc.version))
    path = cache_folder() / "kernels" / f"{target}-{key}.kernels"

    def read() -> bytes | None:
        try:
            found = read_sealed(path)
        except SealError:
            return None  # compiled anew in a second
        return found[1] if found is not None else None

    image = kept(
        path,
        read,
        lambda: nvrtc.compile(source.translation_unit(), "kernels.cu", options)[0],
        lambda made: write_sealed(path, {"target": target}, made),
    )
    return Compiled(image, target, nvrtc.version)


def _choice(capability: tuple[int, int]) -> tuple[Nvrtc, str]:
    """A compiler, and what to ask it for: the first that knows the very GPU, else the first that helps."""
    offers = [(nvrtc, target_of(capability, nvrtc.architectures)) for nvrtc in installed()]
    usable = [(nvrtc, target) for nvrtc, target in offers if target is not None]
    if not usable:
        known = ", ".join(f"{nvrtc.version[0]}.{nvrtc.version[1]}" for nvrtc, _ in offers)
        raise GpuError(
            f"no NVRTC that is installed ({known}) compiles for compute capability "
            f"{capability[0]}.{capability[1]}; needed is a GPU of 7.5 (GTX 16, RTX 20, T4) or newer"
        )
    exact = f"sm_{capability[0]}{capability[1]}"
    return next((offer for offer in usable if offer[1] == exact), usable[0])


def usage(nvrtc: Nvrtc, architecture: int) -> dict[str, Usage]:
    """What each kernel takes on `sm_<architecture>`, as the assembler says; GpuError as of `compile`."""
    options = (f"--gpu-architecture=sm_{architecture}", *OPTIONS, "--ptxas-options=-v")
    _, log = nvrtc.compile(source.translation_unit(), "kernels.cu", options)
    found = {}
    for part in log.split("Compiling entry function")[1:]:
        name = re.search(r"'(\w+)'", part)
        if name is not None:
            spilled = _number(r"(\d+) bytes spill stores", part) + _number(r"(\d+) bytes spill loads", part)
            found[name[1]] = Usage(
                registers=_number(r"Used (\d+) registers", part),
                stack_bytes=_number(r"(\d+) bytes stack frame", part),
                spill_bytes=spilled,
                shared_bytes=_number(r"(\d+) bytes smem", part),
            )
    return found


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0
