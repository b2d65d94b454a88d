"""Profiles on the disk as a server's clients see them; each error is one line. Called by `profile_api`.

All of it blocks: on the disk, and where a passphrase is tried for a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtfilter.controls import shown
from rtfilter.errors import InputError, OutputError, UsageError
from rtfilter.profiles.gather import LEAST_S, PART_S
from rtfilter.profiles.profile import Profile, load_profile, quality_in
from rtfilter.profiles.seal import DamagedProfileError, PassphraseError, Seal
from rtfilter.profiles.store import Entry, ProfileStore, check_new_name
from rtfilter.serve.gate.refusals import RefusedError

# A client with the token may enrol people, but not fill the disk.
MOST_PROFILES = 50
SECONDS, SECONDS_MAX = 60.0, 300.0
LONGEST_PASSPHRASE = 1024
NO_SPACE = 507
_EXPECTED = '{"name": "me", "seconds"?: 60, "passphrase"?: text, "replace"?: true, "fresh"?: true}'


@dataclass(frozen=True)
class EnrolmentRequest:
    """What a client asks of an enrolment. replace: a profile that exists; fresh: forget what was gathered."""

    name: str
    seconds: float
    replace: bool
    fresh: bool
    passphrase: str | None = field(repr=False)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> EnrolmentRequest:
        """Raises RefusedError, or UsageError for a name that no profile may have."""
        name, seconds = body.get("name"), body.get("seconds", SECONDS)
        replace, fresh = body.get("replace", False), body.get("fresh", False)
        if not (isinstance(name, str) and isinstance(replace, bool) and isinstance(fresh, bool)):
            raise RefusedError(400, f"expected {_EXPECTED}")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise RefusedError(400, f"expected {_EXPECTED}")
        if not LEAST_S <= seconds <= SECONDS_MAX:
            raise RefusedError(400, f"seconds: expected {LEAST_S:g}..{SECONDS_MAX:g}, got {shown(seconds)}")
        return cls(check_new_name(name), float(seconds), replace, fresh, passphrase_in(body))

    def store(self, folder: Path | None) -> ProfileStore:
        """The store for this enrolment. Raises RefusedError, and UsageError for a short passphrase."""
        store = ProfileStore(folder, Seal(self.passphrase))
        try:
            store.require_writable()
            entries = store.entries()
            if self.fresh:
                store.forget_parts(self.name)
        except OutputError as error:
            raise RefusedError(NO_SPACE, str(error)) from error
        if store.exists(self.name) and not self.replace:
            raise RefusedError(409, f"a profile {self.name} exists: replace it, or choose another name")
        if len(entries) >= MOST_PROFILES and self.name not in {entry.name for entry in entries}:
            raise RefusedError(409, f"there are {len(entries)} profiles, the most there may be: delete one")
        return store


def passphrase_in(body: Mapping[str, Any]) -> str | None:
    """The passphrase of a request; "" is none. Raises RefusedError, which never quotes it."""
    passphrase = body.get("passphrase")
    if not isinstance(passphrase, str | None) or len(passphrase or "") > LONGEST_PASSPHRASE:
        raise RefusedError(400, f"passphrase: expected a text of at most {LONGEST_PASSPHRASE} letters")
    return passphrase or None


def listed(folder: Path | None) -> list[dict[str, Any]]:
    """All profiles as JSON: `Profile` of openapi.json. Raises InputError for an unreadable folder."""
    store = ProfileStore(folder)
    return [_described(store, entry) for entry in store.entries()]


def opened(folder: Path | None, name: str, passphrase: str | None) -> Profile:
    """A profile. Raises RefusedError."""
    absent = RefusedError(404, f"there is no profile {name}: choose another, or enrol")
    try:
        return load_profile(ProfileStore(folder, Seal(passphrase)), name)
    except PassphraseError as error:
        if not ProfileStore(folder).exists(name):  # the passphrase alone was wrong, as a short one is
            raise absent from error
        line = f"profile {name} is locked: give its passphrase"
        if passphrase is not None:
            line = f"profile {name} does not open with this passphrase: give the one it was made with"
        raise RefusedError(403, line) from error
    except DamagedProfileError as error:
        raise RefusedError(409, f"profile {name} is damaged: delete it, or enrol again") from error
    except InputError as error:
        raise RefusedError(409, str(error)) from error
    except UsageError as error:
        raise absent from error


def deleted(folder: Path | None, name: str) -> None:
    """Remove a profile and what was gathered for it. Raises RefusedError."""
    try:
        ProfileStore(folder).delete(name)
    except UsageError as error:
        raise RefusedError(404, f"there is no profile {name}") from error
    except OutputError as error:
        raise RefusedError(409, str(error)) from error


def _described(store: ProfileStore, entry: Entry) -> dict[str, Any]:
    quality, problem = None, entry.problem
    if not problem and not entry.encrypted:
        try:
            quality = quality_in(store.read(entry.name)[1])
        except (InputError, UsageError) as error:
            problem = str(error)
        if quality is None:
            problem = problem or "is damaged"
    return {
        "name": entry.name,
        "created": str(entry.header.get("created", "")),
        "locked": entry.encrypted,
        "problem": problem,
        "gathered_s": PART_S * entry.gathered,
        "quality": None
        if quality is None
        else {
            "seconds": quality.seconds,
            "shown": quality.shown,
            "of": len(quality.coverage),
            "explained": max(quality.explained, 0.0),
        },
    }
