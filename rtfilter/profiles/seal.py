"""Files that know whether they are whole, and that a passphrase can close. Called by `profiles.store`.

A file is _MAGIC, the header's length (4 bytes, little endian), the header as JSON, the content. The checksum
is of the content as it lies on the disk, so that damage and a wrong passphrase are told apart. Encrypted
content is AES-256-GCM with a key of scrypt (RFC 7914); the header is authenticated with it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rtfilter.errors import InputError, MissingExtraError, UsageError
from rtfilter.system.installation import install_extra

PASSPHRASE_VARIABLE = "RTFILTER_PASSPHRASE"
LEAST_LETTERS = 8

_MAGIC = b"rtfilter profile 1\n"
_LENGTH_BYTES = 4
_LONGEST_HEADER = 1 << 16
_SALT_BYTES, _NONCE_BYTES, _KEY_BYTES = 16, 12, 32
# 32 MB and a tenth of a second for each guess; of a file, more is not accepted, or it could ask for anything.
_COST, _BLOCKS, _LANES = 1 << 15, 8, 1
_COST_MAX = 1 << 18


class DamagedProfileError(InputError):
    """A file that is not whole, or not of this program; the message completes "the file ..."."""


class PassphraseError(UsageError):
    """A passphrase that is missing, wrong or too short."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file that was read: its header, and its content, still encrypted where the header says so."""

    header: dict[str, Any]
    content: bytes

    @property
    def encrypted(self) -> bool:
        return "salt" in self.header


class Seal:
    """Closes and opens files with one passphrase, or without.

    passphrase: None leaves content readable. Raises PassphraseError for a short one, MissingExtraError where
    the package for encryption is not installed.
    """

    def __init__(self, passphrase: str | None = None) -> None:
        if passphrase is not None:
            if len(passphrase) < LEAST_LETTERS:
                raise PassphraseError(
                    f"the passphrase has {len(passphrase)} letters: expected at least {LEAST_LETTERS}"
                )
            _require_cryptography()
        self._passphrase = passphrase
        self._salt = secrets.token_bytes(_SALT_BYTES)
        self._keys: dict[tuple[bytes, int], bytes] = {}

    @property
    def encrypts(self) -> bool:
        return self._passphrase is not None

    def close(self, header: dict[str, Any], content: bytes) -> bytes:
        """The bytes of a file. header: JSON values that stay readable without the passphrase."""
        whole = dict(header)
        if self._passphrase is not None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            nonce = secrets.token_bytes(_NONCE_BYTES)
            whole |= {"salt": self._salt.hex(), "nonce": nonce.hex(), "cost": _COST}
            content = AESGCM(self._key(self._salt, _COST)).encrypt(nonce, content, _authenticated(whole))
        whole |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        text = json.dumps(whole, sort_keys=True).encode()
        return _MAGIC + len(text).to_bytes(_LENGTH_BYTES, "little") + text + content

    def open(self, sealed: Sealed) -> bytes:
        """The content. Raises PassphraseError, DamagedProfileError or MissingExtraError."""
        if not sealed.encrypted:
            return sealed.content
        if self._passphrase is None:
            raise PassphraseError(
                f"is encrypted: give its passphrase with --passphrase, or in {PASSPHRASE_VARIABLE}"
            )
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            salt, nonce = bytes.fromhex(sealed.header["salt"]), bytes.fromhex(sealed.header["nonce"])
            cost = int(sealed.header["cost"])
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedProfileError("is damaged: its header is not readable") from error
        if not 2 <= cost <= _COST_MAX or cost & (cost - 1) or len(nonce) != _NONCE_BYTES:
            raise DamagedProfileError("is damaged: its header is not readable")
        try:
            key = self._key(salt, cost)
            return AESGCM(key).decrypt(nonce, sealed.content, _authenticated(sealed.header))
        except InvalidTag as error:
            raise PassphraseError(
                "does not open with this passphrase: give the one it was made with"
            ) from error

    def _key(self, salt: bytes, cost: int) -> bytes:
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

        if (salt, cost) not in self._keys:
            kdf = Scrypt(salt=salt, length=_KEY_BYTES, n=cost, r=_BLOCKS, p=_LANES)
            self._keys[salt, cost] = kdf.derive((self._passphrase or "").encode("utf-8", "surrogateescape"))
        return self._keys[salt, cost]


def read_sealed(data: bytes) -> Sealed:
    """Header and content of a file's bytes, checked. Raises DamagedProfileError."""
    if not data.startswith(_MAGIC):
        raise DamagedProfileError("was not written by this rtfilter, or is damaged")
    begin = len(_MAGIC) + _LENGTH_BYTES
    end = begin + int.from_bytes(data[len(_MAGIC) : begin], "little")
    header = None
    if end <= begin + _LONGEST_HEADER:
        with suppress(ValueError, RecursionError):  # of brackets in brackets
            header = json.loads(data[begin:end])
    if not isinstance(header, dict):
        raise DamagedProfileError("is damaged: its header is not readable")
    content = data[end:]
    if len(content) != header.get("bytes"):
        raise DamagedProfileError(f"is cut short: it holds {len(content)} of {header.get('bytes')} bytes")
    if hashlib.sha256(content).hexdigest() != header.get("sha256"):
        raise DamagedProfileError("is damaged: its checksum is wrong")
    return Sealed(header, content)


def _authenticated(header: dict[str, Any]) -> bytes:
    """What of a header is bound to its content."""
    return json.dumps(
        {key: header[key] for key in sorted(header) if key not in ("bytes", "sha256")}, sort_keys=True
    ).encode()


def _require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(f"a passphrase needs cryptography: {install_extra('serve')}") from error
