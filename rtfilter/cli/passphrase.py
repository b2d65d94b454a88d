"""The passphrase of profiles: of the environment, or asked for. Called by `enroll` and `settings`."""

from __future__ import annotations

import getpass
import os
import sys
from typing import TYPE_CHECKING

from rtfilter.errors import UsageError

if TYPE_CHECKING:
    from rtfilter.profiles.seal import Seal


def seal_for(asked: bool, *, new: bool = False) -> Seal:
    """What closes and opens profiles.

    asked: --passphrase was given. new: for a file that is to be made: it is asked for twice. Raises
    UsageError where it cannot be asked for, or both differ; MissingExtraError without the package for
    encryption.
    """
    from rtfilter.profiles.seal import PASSPHRASE_VARIABLE, Seal

    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given is not None and given != "":
        return Seal(given)
    if not asked:
        return Seal()
    if not sys.stdin.isatty():
        raise UsageError(
            f"--passphrase asks in a terminal, and there is none: give it in {PASSPHRASE_VARIABLE}"
        )
    text = _typed("passphrase: ")
    if new and _typed("once more: ") != text:
        raise UsageError("the two passphrases differ: run the command again")
    return Seal(text)


def _typed(prompt: str) -> str:
    """A line that does not show. Raises UsageError for an end of the input, or no text."""
    try:
        return getpass.getpass(prompt)
    except (EOFError, UnicodeDecodeError) as error:
        raise UsageError("no passphrase was typed: run the command again") from error
