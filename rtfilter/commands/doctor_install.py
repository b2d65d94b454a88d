"""What `rtfilter doctor` says of the installation itself: from where it runs, and what covers it."""

from __future__ import annotations

from pathlib import Path

import rtfilter
from rtfilter.commands.check import OK, WARN, Check
from rtfilter.system.installation import DISTRIBUTION, reinstall, uninstall
from rtfilter.system.overlap import foreign_distributions, own_version


def check_installation() -> list[Check]:
    """Our own distribution, then every other one that brings files of the same import name."""
    version, folder = own_version(), Path(rtfilter.__file__).resolve().parent
    said = f"{DISTRIBUTION} {version}" if version else "not installed, imported"
    return [Check("installation", OK, f"{said} from {folder}"), *map(_overlap, foreign_distributions())]


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
