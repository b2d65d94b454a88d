"""Versions: rtfilter's own, and those of installed distributions."""

from __future__ import annotations

from importlib import metadata

__version__ = "0.1.0"


def package_version(name: str) -> str | None:
    """The installed version of a distribution; None when it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
