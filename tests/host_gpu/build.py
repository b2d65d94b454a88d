"""The kernels as a library for this processor: built once by the system's C++ compiler, kept in the cache."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from rtfilter.errors import MissingExtraError, RtfilterError
from rtfilter.kernels import source
from rtfilter.system.cache import cache_folder, locked, write_cached

COMPILERS = ("c++", "g++", "clang++")
# No fused multiply-add and nothing of this very processor: the cache may be shared, and results should be.
OPTIONS = ("-std=c++17", "-O2", "-fPIC", "-shared", "-ffp-contract=off", "-fno-strict-aliasing",
           "-U_FORTIFY_SOURCE")  # fmt: skip
INSTALL_FIX = "install one: apt install g++, dnf install gcc-c++, or on macOS xcode-select --install"
_SHIM = Path(__file__).with_name("shim.h")


@cache
def library() -> ctypes.CDLL:
    """Every kernel as `shim_launch_<name>`; see shim.h.

    MissingExtraError where there is no compiler, InputError where the cache cannot be written.
    """
    return ctypes.CDLL(str(built(find_compiler())))


def find_compiler() -> str:
    """The path of a C++ compiler: $CXX, or the first of COMPILERS that is installed."""
    chosen = os.environ.get("CXX")
    for name in (chosen,) if chosen else COMPILERS:
        if found := shutil.which(name):
            return found
    what = f"CXX={chosen} is no program" if chosen else f"none of {', '.join(COMPILERS)} is installed"
    raise MissingExtraError(
        f"running GPU kernels on the processor needs a C++ compiler, and {what}: {INSTALL_FIX}"
    )


@cache
def describe(compiler: str) -> str:
    """Its first line about itself: name and version."""
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    return lines[0] if lines else Path(compiler).name


def host_unit() -> str:
    """The C++ source of the library."""
    exports = "\n".join(f"SHIM_KERNEL({name})" for name in source.kernel_names())
    return f'#line 1 "shim.h"\n{_SHIM.read_text("utf-8")}\n{source.translation_unit()}\n{exports}\n'


def built(compiler: str) -> Path:
    """The library in the cache, compiled when it is not there, or not whole."""
    key = source.digest(_SHIM.read_text("utf-8"), describe(compiler), *OPTIONS)
    path = cache_folder() / "kernels" / f"host-{key}.so"
    if _whole(path):
        return path
    with locked(path):
        if not _whole(path):
            content = compile_unit(compiler, host_unit())
            # Loaders ignore what follows a library's last section.
            write_cached(path, content + hashlib.sha256(content).digest())
    return path


def _whole(path: Path) -> bool:
    """Whether the file is there and ends with the checksum of the rest. A damaged one ends the process."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    size = hashlib.sha256().digest_size
    return hashlib.sha256(content[:-size]).digest() == content[-size:]


def compile_unit(compiler: str, text: str, *options: str) -> bytes:
    """The shared library that `compiler` makes of C++ source. RtfilterError with its first complaint."""
    with tempfile.TemporaryDirectory(prefix="rtfilter-") as folder:
        unit, made = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
        unit.write_text(text, "utf-8")
        command = [compiler, *OPTIONS, *options, str(unit), "-o", str(made)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode != 0 or not made.is_file():
            lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
            complaint = lines[0].strip() if lines else f"exit code {done.returncode}"
            raise RtfilterError(
                f"{compiler} cannot compile the kernels: {complaint}. Name another compiler: CXX=g++"
            )
        return made.read_bytes()
