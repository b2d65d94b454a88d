"""Other distributions that bring files of our import name, `rtfilter`, and so cover ours."""

from __future__ import annotations

from importlib import metadata

from rtfilter.system.installation import DISTRIBUTION

_NAME = "rtfilter"
_COMMAND = "rtfilter.cli:main"


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


def own_version() -> str | None:
    """The version that the installed distribution has; None where rtfilter runs from a folder."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return None
