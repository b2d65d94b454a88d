"""`LiveProfile`: whose own skin one session paints, changed while it runs.

Changed by `session`; read by `steering` before every frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rtfilter.profiles.profile import Profile


class Wearer(Protocol):
    """The part of `FaceFilter` that is used."""

    @property
    def profile(self) -> Profile | None: ...

    @property
    def own_skin(self) -> bool: ...

    def wear(self, profile: Profile | None) -> None: ...


class LiveProfile:
    """The profile of one session: set from any thread, put on in the filter's.

    recognised: called, in the filter's thread, with whether it is the profile's person, when that changes.
    """

    def __init__(self, profile: Profile | None = None) -> None:
        self._newest = profile
        self._is_person = True
        self.recognised: Callable[[Profile, bool], None] = lambda _profile, _is_person: None

    @property
    def newest(self) -> Profile | None:
        return self._newest

    @newest.setter
    def newest(self, profile: Profile | None) -> None:
        self._is_person = True
        self._newest = profile

    def dress(self, face_filter: Wearer) -> None:
        """Put the newest profile on, before a frame."""
        newest = self._newest
        if face_filter.profile is not newest:
            face_filter.wear(newest)

    def look(self, face_filter: Wearer) -> None:
        """Notice, after a frame, whether it is the person."""
        profile, own = face_filter.profile, face_filter.own_skin
        if profile is not None and profile is self._newest and own != self._is_person:
            self._is_person = own
            self.recognised(profile, own)
