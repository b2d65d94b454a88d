"""The profiles of this machine: one file each, and what an unfinished enrolment has gathered.

They lie in the user's data folder, for its owner alone; nothing is sent anywhere. Called by `cli` and
`serve`.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtfilter.errors import InputError, OutputError, UsageError, nearest
from rtfilter.profiles.seal import DamagedProfileError, PassphraseError, Seal, Sealed, read_sealed
from rtfilter.system.files import temporary_prefix, user_data, write_atomically

PROFILE, PART, GATHERED = ".profile", ".part", ".gathered"
LEFTOVER_S = 60.0  # a temporary file that is younger may be of another process, which still writes
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
# Windows takes these for devices, whatever suffix follows.
_DEVICES = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the list of profiles.

    header: what a file says without a passphrase; created among it. problem: why it cannot be used, or "".
    gathered: parts of an enrolment that was not finished.
    """

    name: str
    path: Path
    header: dict[str, Any]
    encrypted: bool
    problem: str = ""
    gathered: int = 0


def profiles_dir() -> Path:
    """The folder of the user's profiles; it need not exist."""
    return user_data() / "profiles"


def check_name(name: str) -> str:
    """The name in lower case. Raises UsageError for one that no profile may have."""
    plain = name.strip().lower()
    if not _NAME.fullmatch(plain):
        raise UsageError(f"a profile's name is 1 to 40 of a-z, 0-9, - and _, got {name[:60]!r}")
    return plain


def check_new_name(name: str) -> str:
    """`check_name` for a profile that is to be made."""
    plain = check_name(name)
    if _DEVICES.fullmatch(plain):
        raise UsageError(f"{plain} is the name of a device on Windows: choose another for the profile")
    return plain


class ProfileStore:
    """Profiles in `folder`, by default the user's, opened with one `seal`."""

    def __init__(self, folder: Path | None = None, seal: Seal | None = None) -> None:
        self.folder = folder or profiles_dir()
        self._seal = seal or Seal()

    @property
    def encrypts(self) -> bool:
        """Whether what is written needs a passphrase."""
        return self._seal.encrypts

    def entries(self) -> list[Entry]:
        """All profiles, and enrolments that were not finished, by name; contents are not opened.

        Raises InputError for a folder that cannot be read.
        """
        found = []
        for name in sorted({path.stem for kind in (PROFILE, GATHERED) for path in self._listed(kind)}):
            path, gathered = self._path(name), len(self._parts(name))
            if not path.exists():
                if gathered:
                    found.append(Entry(name, self._gathered(name), {}, False, "not finished", gathered))
                continue
            try:
                sealed = _read(path)
                found.append(Entry(name, path, sealed.header, sealed.encrypted, "", gathered))
            except InputError as error:
                found.append(Entry(name, path, {}, False, str(error), gathered))
        return found

    def require_writable(self) -> None:
        """Make the folder. Raises OutputError where nothing can be written to it."""
        try:
            self.folder.mkdir(0o700, parents=True, exist_ok=True)
            if not os.access(self.folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise OutputError(
                f"{self.folder}: cannot be written to: {error.strerror}; mend its permissions, or name "
                "another place in XDG_DATA_HOME"
            ) from error

    def exists(self, name: str) -> bool:
        return self._path(name).exists()

    def write(self, name: str, header: dict[str, Any], content: bytes) -> Path:
        """Keep a profile, in place of an older one. Raises OutputError."""
        path = self._path(name)
        _write(path, self._seal.close(header, content))
        self._sweep(name, LEFTOVER_S)
        return path

    def read(self, name: str) -> tuple[dict[str, Any], bytes]:
        """Header and content of a profile.

        Raises UsageError for an unknown name, PassphraseError, and DamagedProfileError with what to do.
        """
        path = self._path(name)
        if not path.exists():
            known = [entry.name for entry in self.entries() if entry.path.suffix == PROFILE]
            if not known:
                raise UsageError(
                    f"there is no profile {name!r}: make it with: rtfilter enroll camera:0 --name {name}"
                )
            raise UsageError(f"unknown profile {name!r}:{nearest(name, known)}")
        try:
            sealed = _read(path)
            return sealed.header, self._seal.open(sealed)
        except DamagedProfileError as error:
            raise DamagedProfileError(
                f"profile {name}: {path} {error}. Enrol again: rtfilter enroll camera:0 --name {name} --force"
            ) from error
        except PassphraseError as error:
            raise PassphraseError(f"profile {name} {error}") from error

    def delete(self, name: str) -> list[Path]:
        """Remove a profile and what was gathered for it; what was removed. UsageError, OutputError."""
        doomed = [path for path in (self._path(name), self._gathered(name)) if path.exists()]
        self._sweep(name, 0.0)
        if not doomed:
            self.read(name)  # says which there are
        try:
            for path in doomed:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        except OSError as error:
            raise OutputError(f"{error.filename}: cannot be deleted: {error.strerror}") from error
        return doomed

    def add_part(self, name: str, header: dict[str, Any], content: bytes) -> None:
        """Keep a part of what an enrolment gathers. Raises OutputError."""
        parts = self._parts(name)
        number = int(parts[-1].stem) + 1 if parts else 1
        _write(self._gathered(name) / f"{number:06d}{PART}", self._seal.close(header, content))

    def parts(self, name: str) -> Iterator[tuple[Path, bytes | None]]:
        """The parts of an unfinished enrolment, oldest first; None for a damaged one.

        With a passphrase, parts that were gathered without one are encrypted now. Raises PassphraseError,
        and OutputError for a part that cannot be.
        """
        for path in self._parts(name):
            try:
                sealed = _read(path)
                content = self._seal.open(sealed)
            except DamagedProfileError:
                yield path, None
                continue
            except PassphraseError as error:
                raise PassphraseError(
                    f"what was gathered for {name} {error}; --fresh forgets it, and begins anew"
                ) from error
            if self._seal.encrypts and not sealed.encrypted:
                _write(path, self._seal.close(sealed.header, content))
            yield path, content

    def forget_parts(self, name: str) -> None:
        """Remove what was gathered. Raises OutputError."""
        folder = self._gathered(name)
        try:
            if folder.exists():
                shutil.rmtree(folder)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be deleted: {error.strerror}") from error

    def _sweep(self, name: str, older_s: float) -> None:
        """Remove what a write that was killed has left of a profile: it may be a face, unencrypted."""
        for path in self.folder.glob(f"{temporary_prefix(self._path(name))}*"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime >= older_s:
                    path.unlink()

    def _path(self, name: str) -> Path:
        return self.folder / f"{check_name(name)}{PROFILE}"

    def _gathered(self, name: str) -> Path:
        return self.folder / f"{check_name(name)}{GATHERED}"

    def _listed(self, kind: str) -> list[Path]:
        try:
            paths = list(self.folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(
                f"{self.folder}: cannot be read: {error.strerror}; mend its permissions"
            ) from error
        # Temporary files of an interrupted write begin with a dot.
        return [path for path in paths if path.suffix == kind and _NAME.fullmatch(path.stem)]

    def _parts(self, name: str) -> list[Path]:
        return sorted(path for path in self._gathered(name).glob(f"*{PART}") if path.stem.isdecimal())


def _read(path: Path) -> Sealed:
    try:
        return read_sealed(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; mend its permissions") from error


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data, private=True)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written: {error.strerror or error}. Free some space or mend "
            "the folder's permissions, then try again"
        ) from error
