"""What `rtfilter doctor` says of the installation itself: from where it runs, and what covers it."""

from __future__ import annotations

from pathlib import Path

import rtfilter
from rtfilter.cli.check import OK, WARN, Check
from rtfilter.system.installation import (
    DISTRIBUTION,
    foreign_distributions,
    install_packages,
    mixed_opencv,
    own_version,
    reinstall,
    uninstall,
)


def check_installation() -> list[Check]:
    """Our own distribution, then every other one that brings files of the same import name."""
    version, folder = own_version(), Path(rtfilter.__file__).resolve().parent
    said = f"{DISTRIBUTION} {version}" if version else "not installed, imported"
    own = Check("installation", OK, f"{said} from {folder}")
    return [own, *map(_overlap, foreign_distributions()), *_opencv()]


def _opencv() -> list[Check]:
    found = mixed_opencv()
    if not found:
        return []
    release = next(iter(found.values()))
    fix = install_packages(*(f"{name}=={release}" for name in found), anew=True, with_needs=False)
    listed = ", ".join(f"{name} {version}" for name, version in found.items())
    return [Check("opencv", WARN, f"{listed} share a folder and must be of one release", fix)]


def _overlap(found: tuple[str, bool]) -> Check:
    what, older = found
    if older and own_version() is None:
        # A checkout that was installed before the name changed: it works, and is renamed when next installed.
        return Check("other rtfilter", OK, f"{what} is this program under its former name")
    is_what = "this program under its former name" if older else "another project of the same import name"
    detail = (
        f"{what} is {is_what}; it writes into the same folder, and what was installed last hides the other"
    )
    return Check("other rtfilter", WARN, detail, f"{uninstall('rtfilter')} && {reinstall()}")
