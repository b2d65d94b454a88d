"""TLS contexts with the user's certificate, or with one made at the start. Called by `app.server`."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rtfilter.errors import UsageError
from rtfilter.serve.gate.networks import parse_address, served_names
from rtfilter.serve.gate.options import ServeOptions

# Validity. Browsers refuse a long one, and the next start makes another certificate.
_DAYS = 90


def ssl_context(
    options: ServeOptions, notify: Callable[[str], object] | None = None
) -> ssl.SSLContext | None:
    """The TLS context of the server, TLS 1.2 at least; None without `options.tls`.

    A certificate made here lives as long as the process. Its key is on the disk only while it is loaded.

    Args:
        options: The server's configuration.
        notify: called with one line that has the SHA-256 fingerprint, to compare with the browser's.

    Raises:
        UsageError: A file cannot be read, or the two are not a valid certificate and its key.
    """
    if not options.tls:
        return None
    if options.certificate is not None and options.key is not None:
        pem = _checked(options.certificate, options.key)
        context = _loaded(options.certificate, options.key)
        origin = str(options.certificate)
    else:
        pem, key = self_signed(served_names(options))
        # Readable by this user only: `ssl` takes a key from a file and from nowhere else.
        with tempfile.TemporaryDirectory(prefix="rtfilter-") as folder:
            path = Path(folder) / "server.pem"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(key + pem)
            context = _loaded(path, path)
        origin = "made for this run"
    if notify is not None:
        notify(f"certificate ({origin}), SHA-256 {fingerprint(pem)}")
    return context


def fingerprint(pem: bytes) -> str:
    """SHA-256 of the first certificate in `pem`, as browsers show it: pairs of hex digits with colons."""
    return x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex(":").upper()


def self_signed(names: Sequence[str]) -> tuple[bytes, bytes]:
    """A certificate for `names`, host names and addresses, and its P-256 key, unencrypted; both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rtfilter")])
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks differ.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _general_name(name: str) -> x509.GeneralName:
    address = parse_address(name)
    if address is not None:
        return x509.IPAddress(address)
    try:
        return x509.DNSName(name.encode("idna").decode("ascii"))
    except UnicodeError:
        raise UsageError(f"{name!r} is no host name that a certificate can be made for") from None


def _checked(certificate: Path, key: Path) -> bytes:
    """The PEM of the certificate. Raises UsageError unless both files can be read and it is valid today."""
    pem, key_pem = _read(certificate, "certificate"), _read(key, "key")
    try:
        parsed = x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise UsageError(
            f"{certificate} is no certificate: expected PEM, -----BEGIN CERTIFICATE-----"
        ) from None
    try:
        serialization.load_pem_private_key(key_pem, password=None)
    except TypeError:
        _no_password()
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{key} is no private key: expected PEM, -----BEGIN PRIVATE KEY-----") from None
    now = datetime.now(timezone.utc)
    if parsed.not_valid_after_utc < now:
        raise UsageError(f"{certificate} expired on {parsed.not_valid_after_utc:%Y-%m-%d}: renew it")
    if parsed.not_valid_before_utc > now:
        raise UsageError(f"{certificate} is valid from {parsed.not_valid_before_utc:%Y-%m-%d} only")
    return pem


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the {what} {path}: {error.strerror or error}") from error


def _loaded(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # An encrypted key must not make a server without a terminal wait for its password.
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        reason = str(error.reason or error)
        if "MISMATCH" in reason:
            raise UsageError(
                f"{key} is not the key of {certificate}: expected the pair that belongs together"
            ) from error
        raise UsageError(f"{certificate} and {key} are no pair for TLS: {reason}") from error
    return context


def _no_password() -> str:
    raise UsageError("the key is encrypted: give one without a password, readable by its owner only")
