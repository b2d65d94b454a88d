"""Other distributions that bring files of our import name, `rtfilter`, and so cover ours."""

from __future__ import annotations

from importlib import metadata

from rtfilter.system.installation import DISTRIBUTION

_NAME = "rtfilter"
_COMMAND = "rtfilter.cli:main"  # as it was under the former name
_OPENCV = (
    "opencv-python-headless",  # ours, first
    "opencv-python",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


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
    found = {name: version for name in _OPENCV if (version := _version(name)) is not None}
    return found if len(set(found.values())) > 1 else {}


def own_version() -> str | None:
    """The version that the installed distribution has; None where rtfilter runs from a folder."""
    return _version(DISTRIBUTION)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
