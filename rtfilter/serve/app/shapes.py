"""Parts of a session as JSON. Called by `session`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rtfilter.controls import Controls
from rtfilter.profiles.profile import Profile
from rtfilter.serve.app.pipeline import Filtered, Seen
from rtfilter.system.clock import NS_PER_S

Json = dict[str, Any]


def rate_of(times_ns: Sequence[int]) -> float:
    """Pictures a second, of the times of the newest ones."""
    if len(times_ns) < 2:
        return 0.0
    return round((len(times_ns) - 1) * NS_PER_S / max(times_ns[-1] - times_ns[0], 1), 1)


def people_shape(people: Sequence[Seen], controls: Mapping[int, Controls]) -> list[Json]:
    """Everybody in a picture: `Person` of openapi.json. controls: of those who have their own."""
    own = people_controls(controls)
    return [
        {
            "person": one.person,
            "face_box": one.face_box,
            "strength": one.strength,
            "controls": own.get(str(one.person)),
        }
        for one in people
    ]


def people_controls(controls: Mapping[int, Controls]) -> Json:
    """The controls of those who have their own, by number."""
    return {str(number): one.as_dict() for number, one in controls.items()}


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
        "people": [{"person": one.person, "face_box": one.face_box} for one in result.people],
        "strength": round(result.strength, 3),
        "dropped": result.dropped,
        "applied_seq": result.applied_seq,
    }
