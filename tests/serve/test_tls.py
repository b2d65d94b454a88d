"""TLS with a certificate made on the spot, and with the user's own."""

from __future__ import annotations

import asyncio
import re
import ssl
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from aiohttp import ClientConnectorCertificateError, ClientSession, Fingerprint, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rtfilter.errors import UsageError
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.tls import fingerprint, self_signed, ssl_context

TOKEN = "t" * 16


def with_files(certificate: Path, key: Path) -> ServeOptions:
    return ServeOptions(token=TOKEN, tls=True, certificate=certificate, key=key)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    pem, key_pem = self_signed(["localhost", "127.0.0.1"])
    certificate.write_bytes(pem)
    key.write_bytes(key_pem)
    return certificate, key


def test_without_tls_there_is_no_context() -> None:
    assert ssl_context(ServeOptions(token=TOKEN)) is None


def test_a_made_certificate_serves_the_fingerprint_that_was_printed_and_leaves_nothing() -> None:
    lines: list[str] = []
    folder = Path(tempfile.gettempdir())
    before = set(folder.glob("rtfilter-*"))
    context = ssl_context(ServeOptions(token=TOKEN, tls=True), lines.append)
    assert context is not None
    assert set(folder.glob("rtfilter-*")) <= before
    match = re.fullmatch(
        r"certificate \(made for this run\), SHA-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})", lines[0]
    )
    assert match is not None
    digest = bytes.fromhex(match[1].replace(":", ""))
    assert asyncio.run(status_with(context, Fingerprint(digest))) == 200
    with pytest.raises(ClientConnectorCertificateError):
        asyncio.run(status_with(context, True))


async def status_with(context: ssl.SSLContext, trust: Fingerprint | bool) -> int:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        async with ClientSession() as client:
            url = f"https://127.0.0.1:{runner.addresses[0][1]}/"
            async with client.get(url, ssl=trust) as response:
                return response.status
    finally:
        await runner.cleanup()


def test_a_made_certificate_is_for_the_served_names_and_p256() -> None:
    pem, key = self_signed(["localhost", "127.0.0.1", "::1", "cam.example"])
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "cam.example"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    private = serialization.load_pem_private_key(key, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.curve.name == "secp256r1"
    assert self_signed(["localhost"])[1] != key


def test_old_tls_is_refused() -> None:
    context = ssl_context(ServeOptions(token=TOKEN, tls=True))
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_the_users_own_certificate_is_loaded(pair: tuple[Path, Path]) -> None:
    lines: list[str] = []
    assert ssl_context(with_files(*pair), lines.append) is not None
    assert fingerprint(pair[0].read_bytes()) in lines[0]


@pytest.mark.parametrize(
    ("which", "content", "reason"),
    [
        ("certificate", None, "cannot read the certificate"),
        ("key", None, "cannot read the key"),
        ("certificate", b"hello", "is no certificate: expected PEM"),
        ("key", b"hello", "is no private key: expected PEM"),
        ("key", self_signed(["localhost"])[1], "is not the key of"),
        ("certificate", b"", "is no certificate"),
    ],
)
def test_files_that_will_not_do_are_named(
    pair: tuple[Path, Path], which: str, content: bytes | None, reason: str
) -> None:
    path = pair[0] if which == "certificate" else pair[1]
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=reason) as refused:
        ssl_context(with_files(*pair))
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_encrypted_key_is_refused_without_a_prompt(pair: tuple[Path, Path]) -> None:
    key = serialization.load_pem_private_key(pair[1].read_bytes(), None)
    pair[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(UsageError, match="the key is encrypted"):
        ssl_context(with_files(*pair))


def test_an_expired_certificate_is_named_with_its_day(pair: tuple[Path, Path]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    now = datetime.now(timezone.utc)
    expired = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now - timedelta(days=2))
        .sign(key, hashes.SHA256())
    )
    pair[0].write_bytes(expired.public_bytes(serialization.Encoding.PEM))
    pair[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with pytest.raises(UsageError, match=f"expired on {now - timedelta(days=2):%Y-%m-%d}"):
        ssl_context(with_files(*pair))
