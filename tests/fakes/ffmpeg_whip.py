"""FFmpeg's own WHIP muxer, as `ffmpeg -f whip` has it, out of PyAV: `python -m tests.fakes.ffmpeg_whip ...`.

In a process of its own, since its handshake holds the interpreter and the server's has to answer it.
"""

from __future__ import annotations

import argparse
import time
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

FPS, WIDTH, HEIGHT = 20, 320, 240
LEFT, RIGHT = 60, 180  # grey, as luma of limited range


def write_certificate(folder: Path) -> dict[str, str]:
    """A P-256 certificate and its key, as options; GnuTLS would make one that OpenSSL 4 refuses."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "publisher")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return {"cert_file": str(folder / "certificate.pem"), "key_file": str(folder / "key.pem")}


def picture(number: int, pix_fmt: str) -> av.VideoFrame:
    """Left half dark, right half bright."""
    planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    planes[:HEIGHT, : WIDTH // 2], planes[:HEIGHT, WIDTH // 2 :] = LEFT, RIGHT
    made = av.VideoFrame.from_ndarray(planes, format="yuv420p").reformat(format=pix_fmt)
    made.pts, made.time_base = number, Fraction(1, FPS)
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("url", "token", "profile", "pix_fmt"):
        parser.add_argument(name)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sound", action="store_true")
    parser.add_argument("--own-certificate", action="store_true")
    parser.add_argument("--active", action="store_true")
    given = parser.parse_args()
    options = {"authorization": given.token, "handshake_timeout": "15000"}
    options |= {} if given.own_certificate else write_certificate(given.folder)
    options |= {"whip_flags": "dtls_active"} if given.active else {}
    x264 = {"preset": "veryfast", "tune": "zerolatency", "profile": given.profile, "bf": "0", "g": "20"}
    with av.open(given.url, "w", format="whip", options=options) as container:
        video = container.add_stream("libx264", rate=FPS, options=x264)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, given.pix_fmt
        sound = container.add_stream("libopus", rate=48_000, layout="stereo") if given.sound else None
        start_s = time.monotonic()
        for number in range(60 * FPS):
            container.mux(video.encode(picture(number, given.pix_fmt)))
            if sound is not None:
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), "s16", "stereo")
                silence.sample_rate, silence.pts = 48_000, number * 2400
                container.mux(sound.encode(silence))
            time.sleep(max(0.0, start_s + (number + 1) / FPS - time.monotonic()))


if __name__ == "__main__":
    main()
