"""Where aiortc keeps what rtfilter replaces: its private attributes, and the version they were read in."""

from __future__ import annotations

from importlib import metadata
from typing import TypeVar

from rtfilter.errors import UsageError
from rtfilter.system.installation import install_extra, install_packages

SUPPORTED = "1.16"
PRICE = "without the tuning a picture comes one frame interval later (33 ms at 30 fps) and delays can grow"

Part = TypeVar("Part")


class UnprovenVersionError(UsageError):
    """An aiortc whose insides are not the ones that the tuning was written for and tested with."""


def installed_version() -> str | None:
    """The version of the installed aiortc, or None where there is none."""
    try:
        return metadata.version("aiortc")
    except metadata.PackageNotFoundError:
        return None


def version_problem(version: str | None) -> str | None:
    """What is wrong with this aiortc version, as one line; None where nothing is."""
    if version is None:
        return f"aiortc is not installed: {install_extra('serve')}"
    if version != SUPPORTED and not version.startswith(f"{SUPPORTED}."):
        return (
            f"aiortc {version} is installed, and rtfilter knows the insides of {SUPPORTED} only: {PRICE}."
            f" Install it by: {install_packages(f'aiortc=={SUPPORTED}.*')}"
        )
    return None


def require_version() -> None:
    """Raises `UnprovenVersionError` unless the installed aiortc is one that was proven."""
    problem = version_problem(installed_version())
    if problem is not None:
        raise UnprovenVersionError(problem)


def private(holder: object, owner: type, name: str, kind: type[Part]) -> Part:
    """The attribute that class `owner` writes as `self.__name`, of type `kind`.

    Raises `UnprovenVersionError` where it is absent or something else.
    """
    mangled = f"_{owner.__name__}__{name}"
    if not hasattr(holder, mangled):
        raise _moved(owner, name, "is not there", kind)
    value = getattr(holder, mangled)
    if not isinstance(value, kind):
        raise _moved(owner, name, f"is a {type(value).__name__}", kind)
    return value


def replace_private(holder: object, owner: type, name: str, value: object) -> None:
    """Sets the attribute that class `owner` writes as `self.__name`; it must be there already."""
    mangled = f"_{owner.__name__}__{name}"
    if not hasattr(holder, mangled):
        raise _moved(owner, name, "is not there", type(value))
    setattr(holder, mangled, value)


def _moved(owner: type, name: str, found: str, kind: type) -> UnprovenVersionError:
    return UnprovenVersionError(
        f"aiortc {installed_version()}: {owner.__name__}.__{name} {found}, expected a {kind.__name__} as in"
        f' {SUPPORTED}; {PRICE}. Install "aiortc=={SUPPORTED}.*"'
    )
