"""One finding of `rtfilter doctor`."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. status: ok, warn (a part of rtfilter is out of reach) or fail (its main job is).

    fix: what to do next, "" when there is nothing to do.
    """

    name: str
    status: str
    detail: str
    fix: str = ""
