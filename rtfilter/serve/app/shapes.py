"""Parts of a session as JSON. Called by `session`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rtfilter.profiles.profile import Profile
from rtfilter.serve.app.pipeline import Filtered
from rtfilter.system.clock import NS_PER_S

Json = dict[str, Any]


def rate_of(times_ns: Sequence[int]) -> float:
    """Pictures a second, of the times of the newest ones."""
    if len(times_ns) < 2:
        return 0.0
    return round((len(times_ns) - 1) * NS_PER_S / max(times_ns[-1] - times_ns[0], 1), 1)


def worn_message(profile: Profile | None, is_person: bool) -> Json | None:
    """`Worn` of openapi.json."""
    if profile is None:
        return None
    return {"name": profile.name, "created": profile.created, "recognised": is_person}


def timings_message(result: Filtered) -> Json:
    """The message about one picture."""
    picture = result.picture
    assert picture.pts is not None
    assert picture.time_base is not None
    return {
        "type": "timings",
        "rtp": int(picture.pts * picture.time_base * 90_000) % 2**32,
        "stages_ms": result.stages_ms,
        "face": result.face,
        "face_box": result.face_box,
        "strength": round(result.strength, 3),
        "dropped": result.dropped,
        "applied_seq": result.applied_seq,
    }
