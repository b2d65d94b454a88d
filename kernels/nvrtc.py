"""NVIDIA's run-time compiler NVRTC, by ctypes: CUDA C++ in, machine code out. Called by `compile`.

It needs neither GPU nor driver.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from rtfilter.errors import GpuError
from rtfilter.system.installation import install_extra, install_packages

# By CUDA's major version; the older one first, because its code runs on older drivers too.
MAJORS = (12, 13)
# Where the wheels put it, below the package `nvidia`, and where a toolkit does.
_WHEELS = {12: ("cuda_nvrtc",), 13: ("cu13", "cuda_nvrtc")}


class Nvrtc:
    """One version of the compiler. version: as (12, 9). architectures: numbers as 89, ascending."""

    def __init__(self, library: ctypes.CDLL, path: str) -> None:
        self._library = library
        self.path = path
        major, minor, count = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        self._check(library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
        self._check(library.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
        numbers = (ctypes.c_int * count.value)()
        self._check(library.nvrtcGetSupportedArchs(numbers))
        self.version = major.value, minor.value
        self.architectures = tuple(sorted(numbers))

    def compile(self, text: str, name: str, options: Sequence[str]) -> tuple[bytes, str]:
        """Machine code (PTX for an architecture `compute_..` in `options`) and the compiler's log.

        GpuError with the compiler's first complaint where it refuses the text or an option.
        """
        program = ctypes.c_void_p()
        made = self._library.nvrtcCreateProgram(
            ctypes.byref(program), text.encode(), name.encode(), 0, None, None
        )
        self._check(made)
        try:
            listed = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
            code = self._library.nvrtcCompileProgram(program, len(options), listed)
            log = self._content(program, "ProgramLog").rstrip(b"\0").decode("utf-8", "replace").strip()
            if code != 0:
                lines = [line for line in log.splitlines() if "error" in line] or log.splitlines()
                complaint = lines[0].strip() if lines else self._explained(code)
                raise GpuError(f"NVRTC {self._dotted} cannot compile {name}: {complaint}")
            kind = "PTX" if any("=compute_" in option for option in options) else "CUBIN"
            return self._content(program, kind), log
        finally:
            self._library.nvrtcDestroyProgram(ctypes.byref(program))

    def _content(self, program: ctypes.c_void_p, what: str) -> bytes:
        size = ctypes.c_size_t()
        self._check(self._library[f"nvrtcGet{what}Size"](program, ctypes.byref(size)))
        content = ctypes.create_string_buffer(max(size.value, 1))
        self._check(self._library[f"nvrtcGet{what}"](program, content))
        return content.raw[: size.value]

    def _check(self, code: int) -> None:
        if code != 0:
            raise GpuError(
                f"{self.path} does not work: {self._explained(code)}. Reinstall it: {_install_fix()}"
            )

    def _explained(self, code: int) -> str:
        explain = self._library.nvrtcGetErrorString
        explain.restype = ctypes.c_char_p
        return (explain(code) or b"").decode("utf-8", "replace") or f"error {code}"

    @property
    def _dotted(self) -> str:
        return f"{self.version[0]}.{self.version[1]}"


@cache
def installed() -> tuple[Nvrtc, ...]:
    """Every version that is installed, the preferred one first. GpuError where there is none."""
    found: list[Nvrtc] = []
    for major in MAJORS:
        for place in _places(major):
            try:
                found.append(_load(place))
            except (OSError, AttributeError):  # missing, or too old to list its architectures
                continue
            break
    if not found:
        raise GpuError(
            f"the GPU's kernels need NVIDIA's compiler NVRTC, which is not installed: {_install_fix()}"
        )
    return tuple(found)


def _install_fix() -> str:
    return f"{install_extra('gpu')}, or {install_packages('nvidia-cuda-nvrtc-cu12')}"


def _load(place: str) -> Nvrtc:
    """The library at a path. OSError where there is none, AttributeError where it is too old."""
    # Its other half, which it opens by name when it compiles; CUDA 13's wheel does not search its own folder.
    for builtins in sorted(Path(place).parent.glob("*nvrtc-builtins*")) if Path(place).is_absolute() else ():
        if ".alt." not in builtins.name:
            ctypes.CDLL(str(builtins))
    return Nvrtc(ctypes.CDLL(place), place)


def _places(major: int) -> Iterator[str]:
    """Where this version may be: wheels, the toolkit that the environment names, the system."""
    windows = sys.platform == "win32"
    pattern = f"nvrtc64_{major}0_0.dll" if windows else f"libnvrtc.so.{major}"
    folders = ("bin",) if windows else ("lib", "lib64")
    spec = importlib.util.find_spec("nvidia")
    bases = [
        Path(root, wheel)
        for root in (spec and spec.submodule_search_locations) or ()
        for wheel in _WHEELS[major]
    ]
    bases += [Path(root) for name in ("CUDA_PATH", "CUDA_HOME") if (root := os.environ.get(name))]
    for base in bases:
        for folder in folders:
            if (place := base / folder / pattern).is_file():
                yield str(place)
    yield pattern
