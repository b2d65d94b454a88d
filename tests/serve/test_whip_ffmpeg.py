"""FFmpeg publishes with its WHIP muxer: every H.264 profile of x264, with and without sound."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from tests.fakes.ffmpeg_whip import LEFT, RIGHT, WIDTH
from tests.fakes.serving import TOKEN, Running, first, luma, serving

pytestmark = pytest.mark.skipif(
    "whip" not in av.formats_available, reason="needs PyAV with FFmpeg's WHIP muxer (FFmpeg 8), missing"
)


async def publish(running: Running, folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "tests.fakes.ffmpeg_whip", f"{running.address}/whip/studio", TOKEN]
    return await asyncio.create_subprocess_exec(
        *command, *arguments, str(folder), cwd=Path(__file__).parents[2], stderr=asyncio.subprocess.PIPE
    )


@pytest.mark.parametrize(
    ("profile", "pix_fmt", "more"),
    [
        ("baseline", "yuv420p", ["--sound"]),
        ("main", "yuv420p", []),
        ("high", "yuv420p", ["--sound", "--active"]),
        ("high", "yuv420p", []),
        ("high444", "yuv444p", []),
    ],
)
def test_x264_of_every_profile_is_decoded(
    tmp_path: Path, profile: str, pix_fmt: str, more: list[str]
) -> None:
    async def test() -> None:
        async with serving() as running:
            process = await publish(running, tmp_path, profile, pix_fmt, *more)
            try:
                await first(lambda: running.sessions.has("studio") or process.returncode is not None)
                assert process.returncode is None, (await process.communicate())[1].decode()[-500:]
                session = running.sessions.find("studio")
                await first(lambda: session.state == "live")
                result = await session.results.subscribe().next()
            finally:
                if process.returncode is None:
                    process.kill()
                await process.communicate()
        assert result is not None
        columns = luma(result.original)[20:220].mean(axis=0)
        assert np.abs(columns[: WIDTH // 2 - 16] - LEFT).max() < 4
        assert np.abs(columns[WIDTH // 2 + 16 : WIDTH] - RIGHT).max() < 4

    asyncio.run(asyncio.wait_for(test(), 90))


def test_a_certificate_that_openssl_does_not_take_is_named(tmp_path: Path) -> None:
    """With the one that FFmpeg makes itself: P-224 where it is built with GnuTLS, else a good one."""
    reasons: list[str] = []

    async def test() -> bool:
        async with serving() as running:
            process = await publish(running, tmp_path, "high", "yuv420p", "--own-certificate")
            try:
                await first(lambda: running.sessions.has("studio"))
                session = running.sessions.find("studio")
                await first(lambda: session.state in ("live", "ended"))
                reasons.append(session.reason)
                return session.state == "live"
            finally:
                if process.returncode is None:
                    process.kill()
                await process.communicate()

    if asyncio.run(asyncio.wait_for(test(), 90)):
        pytest.skip(
            "needs an FFmpeg whose own certificate OpenSSL refuses (with GnuTLS); this one's is accepted"
        )
    assert "-cert_file and -key_file with a P-256 key" in reasons[0]
