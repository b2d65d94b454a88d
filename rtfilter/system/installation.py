"""How this copy of rtfilter was installed, and the commands that add to it or replace it.

A command fits *this* installation: a checkout, a wheel, a tool of uv or pipx, an environment without pip.
`direct_url.json` (PEP 610) names the origin of a distribution; uv and pipx write a file of their own at the
root of the environments that they make. Called wherever a message names a missing package.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from rtfilter.system.version import package_version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DISTRIBUTION = "rtfilter-live"  # `rtfilter` alone is another project's name on the package index
UV_RECEIPT = "uv-receipt.toml"
PIPX_RECEIPT = "pipx_metadata.json"
_NAME = "rtfilter"
_COMMAND = "rtfilter.cli:main"  # as it was under the former name
_OPENCV = (
    "opencv-python-headless",  # ours, first
    "opencv-python",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


def install_extra(*extras: str) -> str:
    """The command that adds these extras to this installation, as `pip install "rtfilter-live[gpu]"`."""
    source, editable = _source()
    if _is_uv_tool():
        had, others = _uv_receipt()
        spec = _with_extras(source, sorted({*had, *extras}))
        beside = "".join(f" --with {_quoted(other)}" for other in others)
        return f"uv tool install{beside} {'-e ' if editable else ''}{_quoted(spec)}"
    return f"{_installer()} {'-e ' if editable else ''}{_quoted(_with_extras(source, extras))}"


def install_packages(*requirements: str, anew: bool = False, with_needs: bool = True) -> str:
    """The command that puts these packages into this environment.

    anew: replaces those that are installed but broken. with_needs: with all that they need themselves.
    """
    command = _installer()
    if anew:
        flag = {"pipx": "--force", "uv": "--reinstall"}.get(command.partition(" ")[0], "--force-reinstall")
        command += f" {flag}"
    if not with_needs:
        command += " --pip-args=--no-deps" if command.startswith("pipx ") else " --no-deps"
    return " ".join([command, *map(_quoted, requirements)])


def reinstall() -> str:
    """The command that installs rtfilter and all that it needs once more."""
    source, editable = _source()
    spec = f"{'-e ' if editable else ''}{_quoted(source)}"
    if _is_uv_tool():
        return f"uv tool install --reinstall {spec}"
    if _is_pipx():
        return f"pipx reinstall {_quoted(Path(sys.prefix).name)}"
    command = _installer()
    return f"{command} {'--reinstall' if command.startswith('uv ') else '--force-reinstall'} {spec}"


def uninstall(distribution: str) -> str:
    """The command that removes a package from this environment."""
    if _is_pipx():
        return f"pipx runpip {_quoted(Path(sys.prefix).name)} uninstall -y {distribution}"
    command = _installer()
    if command.startswith("uv ") or _is_uv_tool():
        return f"uv pip uninstall --python {_quoted(sys.executable)} {distribution}"
    return command.replace("pip install", "pip uninstall -y") + f" {distribution}"


def own_version() -> str | None:
    """The version of the installed distribution; None where rtfilter runs from a folder."""
    return package_version(DISTRIBUTION)


def foreign_distributions() -> list[tuple[str, bool]]:
    """Name and version of every other distribution of our import name, and whether it is ours of old.

    On the package index the *distribution* `rtfilter` is another project, which installs into the same
    folder; ours had that name in checkouts before it was seen.
    """
    found = []
    for distribution in metadata.distributions(name=_NAME):
        ours = any(entry.value == _COMMAND for entry in distribution.entry_points)
        found.append((f"{distribution.metadata['Name']} {distribution.version}", ours))
    return sorted(set(found))


def mixed_opencv() -> dict[str, str]:
    """The installed OpenCV distributions and their versions where these differ, else nothing.

    All four install into one folder, so that the last one's library meets the other ones' Python files.
    """
    found = {name: version for name in _OPENCV if (version := package_version(name)) is not None}
    return found if len(set(found.values())) > 1 else {}


def find_uv() -> str | None:
    """uv's program: on the path, beside this interpreter, or where its installer puts it."""
    name = "uv.exe" if sys.platform == "win32" else "uv"
    beside = Path(sys.executable).parent / name
    usual = (Path("~/.local/bin").expanduser() / name, Path("~/.cargo/bin").expanduser() / name)
    return shutil.which("uv") or next((str(path) for path in (beside, *usual) if path.is_file()), None)


def has_pip() -> bool:
    """Whether this interpreter has pip; environments of uv and pipx have none."""
    return importlib.util.find_spec("pip") is not None


@cache
def _installer() -> str:
    """The start of the command that installs into this environment."""
    if _is_pipx():
        return f"pipx inject {_quoted(Path(sys.prefix).name)}"
    python = _quoted(sys.executable)
    if has_pip() and not _is_uv_tool():
        found = shutil.which("pip")
        # A program that was called by its path may run in another environment than the shell's pip.
        return "pip install" if found and _same_folder(found, sys.executable) else f"{python} -m pip install"
    if _is_uv_tool() or find_uv() is not None:
        return f"uv pip install --python {python}"
    return f"{python} -m ensurepip && {python} -m pip install"


@cache
def _source() -> tuple[str, bool]:
    """The requirement by which an installer finds rtfilter, and whether it is an editable checkout."""
    try:
        text = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        # Imported from a folder: a checkout, or an unpacked archive.
        folder = Path(__file__).resolve().parents[2]
        return (str(folder), True) if (folder / "pyproject.toml").is_file() else (DISTRIBUTION, False)
    return _source_of(text)


def _source_of(text: str | None) -> tuple[str, bool]:
    if not text:  # it came from a package index
        return DISTRIBUTION, False
    origin: dict[str, Any] = json.loads(text)
    url = str(origin["url"])
    if version_control := origin.get("vcs_info"):
        commit = version_control.get("requested_revision") or version_control["commit_id"]
        return f"{DISTRIBUTION} @ {version_control['vcs']}+{url}@{commit}", False
    if urlsplit(url).scheme != "file":
        return f"{DISTRIBUTION} @ {url}", False
    return url2pathname(urlsplit(url).path), bool(origin.get("dir_info", {}).get("editable"))


def _with_extras(source: str, extras: tuple[str, ...] | list[str]) -> str:
    listed = f"[{','.join(extras)}]" if extras else ""
    name, at, url = source.partition(" @ ")
    return f"{name}{listed}{at}{url}"


def _is_uv_tool() -> bool:
    return (Path(sys.prefix) / UV_RECEIPT).is_file()


def _is_pipx() -> bool:
    return (Path(sys.prefix) / PIPX_RECEIPT).is_file()


def _uv_receipt() -> tuple[list[str], list[str]]:
    """The extras that the tool was installed with, and the names of the packages beside it."""
    try:
        receipt = tomllib.loads((Path(sys.prefix) / UV_RECEIPT).read_text(encoding="utf-8"))
        listed = receipt["tool"]["requirements"]
    except (OSError, ValueError, KeyError):
        return [], []
    extras = [extra for one in listed if one["name"] == DISTRIBUTION for extra in one.get("extras", [])]
    others = [f"{one['name']}{one.get('specifier', '')}" for one in listed if one["name"] != DISTRIBUTION]
    return extras, others


def _same_folder(program: str, python: str) -> bool:
    return Path(program).parent.resolve() == Path(python).parent.resolve()


def _quoted(text: str) -> str:
    if re.fullmatch(r"[\w@%+=:,./-]+", text):
        return text
    return shlex.quote(text) if re.search(r'["$`\\!]', text) and sys.platform != "win32" else f'"{text}"'
