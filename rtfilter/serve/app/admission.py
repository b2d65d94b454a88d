"""Who is let in: caps on sessions, and no more than the processors carry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rtfilter.serve.app.processors import Load
from rtfilter.serve.gate.options import Limits
from rtfilter.serve.gate.refusals import RefusedError

# Decoding, filtering and encoding 720p30, measured on a 2-core server: what a session is taken to cost
# until the first ones have been measured.
GUESSED_COST = 0.7
# A watcher costs one encoder; a session decodes and filters as well.
WATCHER_SHARE = 0.4
# A session this young has not shown yet what it costs.
YOUNG_S = 8.0
RETRY_AFTER_S = 10


@dataclass(frozen=True, slots=True)
class Member:
    """A session as admission sees it. filters: it runs a filter; a watcher of another's does not."""

    address: str
    age_s: float
    filters: bool = True


def admit(
    members: Iterable[Member], address: str, limits: Limits, load: Load, *, filters: bool = True
) -> None:
    """Let one more session of `address` in, or raise RefusedError: 503 for no room, 429 for its share.

    filters: it will run a filter; a watcher of another's, who costs an encoder, does not.
    A machine without sessions takes one however busy it is: nobody suffers but who asked for it.
    """
    members = list(members)
    if len(members) >= limits.sessions:
        raise RefusedError(
            503,
            f"all {limits.sessions} places are taken: try again later, or raise --sessions",
            RETRY_AFTER_S,
        )
    same = sum(member.address == address for member in members)
    if same >= limits.sessions_per_address:
        raise RefusedError(
            429,
            f"{address} has {same} sessions, at most {limits.sessions_per_address} are allowed from one"
            " address: close one",
            RETRY_AFTER_S,
        )
    filtering = [member for member in members if member.filters]
    if not filtering:
        return
    share = 1.0 if filters else WATCHER_SHARE
    young = sum(member.age_s < YOUNG_S for member in filtering)
    old = len(filtering) - young
    cost = max(load.own / len(filtering), 0.1) if old else GUESSED_COST
    # What the young ones will take is not in the measured load yet; half of it is, on average.
    expected = cost * (share + 0.5 * young)
    free = load.count * limits.cpu_share - load.own
    if load.idle is not None:
        free = min(free, load.idle - load.count * (1 - limits.cpu_share))
    if expected > free:
        raise RefusedError(
            503,
            f"the processors are busy: one more session takes about {expected:.1f} of {load.count:g}, and"
            f" {max(free, 0.0):.1f} is free; close a session, lower its resolution, or try again later",
            RETRY_AFTER_S,
        )
