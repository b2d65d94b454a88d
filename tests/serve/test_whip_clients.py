"""A face published by a WebRTC stack that is not ours, filtered, and watched."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from aiortc import RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

from rtfilter.bench.webrtc_camera import Stamp, StampArea, demo_pictures
from rtfilter.controls import Controls
from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.gate.options import Limits, ServeOptions
from rtfilter.serve.rtc.pictures import copy_of
from rtfilter.sources.demo import DemoSource
from tests.fakes.serving import TOKEN, first, incoming, luma, new_peer, next_picture, offer_of, serving
from tests.fakes.whip_client import whip_client

WIDTH, HEIGHT, FPS, SECONDS = 480, 360, 10, 40
LOOKED_AT = 12
MOUTH_CORNERS = (61, 291)
AREA = StampArea(WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's person talking, every picture with its number in its pixels."""
    path = tmp_path_factory.mktemp("clip") / "demo.mp4"
    pictures = demo_pictures(WIDTH, HEIGHT, 40)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "12"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(SECONDS * FPS):
            picture = copy_of(pictures[number % len(pictures)])
            AREA.draw(picture, Stamp(number, 0))
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
    return path


async def numbered(track: MediaStreamTrack, pictures: dict[int, npt.NDArray[np.uint8]]) -> None:
    """Collect pictures by the number in their pixels."""
    while True:
        picture = await next_picture(track)
        stamp = AREA.read(picture)
        if stamp is not None:
            pictures[stamp.number] = luma(picture)


async def tone(track: MediaStreamTrack) -> float:
    """The strongest frequency, in Hz, of half a second of sound that is not silence."""
    while True:
        blocks = [(await track.recv()).to_ndarray().reshape(-1, 2)[:, 0] for _ in range(25)]
        wave = np.concatenate(blocks).astype(np.float64)
        if np.abs(wave).max() > 1000:
            spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
            return float(np.argmax(spectrum)) * 48_000 / len(wave)


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_a_face_published_by_gstreamer_is_watched_smiling(clip: Path, tmp_path: Path, codec: str) -> None:
    filtered: dict[int, npt.NDArray[np.uint8]] = {}
    original: dict[int, npt.NDArray[np.uint8]] = {}
    options = ServeOptions(
        port=0,
        token=TOKEN,
        codec=codec,
        controls=Controls(emotions={"happy": 1.0}, smoothing=0.0),
        limits=Limits(cpu_share=100.0),
    )

    async def test() -> float:
        async with serving(options, FilterPool()) as running:
            with whip_client(tmp_path, f"{running.address}/whip/studio", TOKEN, clip, codec) as log:

                def session_is_live() -> bool:
                    there = running.sessions.has("studio")
                    return there and running.sessions.find("studio").state == "live"

                try:
                    await first(session_is_live)
                except AssertionError:
                    pytest.fail(f"whip-client did not publish:\n{log.read_text(errors='replace')[-2000:]}")
                pc = new_peer()
                for kind in ("video", "video", "audio"):
                    pc.addTransceiver(kind, "recvonly")
                headers = {"Content-Type": "application/sdp"}
                async with running.http.post(
                    "/whep/studio", data=await offer_of(pc), headers=headers
                ) as response:
                    assert response.status == 201
                    await pc.setRemoteDescription(RTCSessionDescription(await response.text(), "answer"))
                tracks = incoming(pc)
                collecting = [
                    asyncio.create_task(numbered(tracks["video"][0], filtered)),
                    asyncio.create_task(numbered(tracks["video"][1], original)),
                ]
                heard_hz = await asyncio.wait_for(tone(tracks["audio"][0]), 30)
                await first(lambda: len(filtered.keys() & original.keys()) >= LOOKED_AT)
                for task in collecting:
                    task.cancel()
                await pc.close()
            # Ctrl-C at the client: it asks for its resource to be deleted.
            await first(lambda: running.sessions.count == 0)
            return heard_hz

    heard_hz = asyncio.run(asyncio.wait_for(test(), 150))
    assert heard_hz == pytest.approx(440, abs=6)
    source = DemoSource(width=WIDTH, height=HEIGHT, frame_count=40)
    at_mouth, elsewhere = [], []
    for number in sorted(filtered.keys() & original.keys()):
        difference = np.abs(filtered[number].astype(np.int16) - original[number])
        mouth = np.zeros(difference.shape, bool)
        for corner in MOUTH_CORNERS:
            x, y = source.truth(number % 40).points_px[corner, :2].astype(int)
            mouth[y - 12 : y + 12, x - 12 : x + 12] = True
        at_mouth.append(difference[mouth].mean())
        # The right edge: neither face nor stamp.
        elsewhere.append(difference[:-60, -60:].mean())
    source.close()
    assert np.median(at_mouth) > 3 * np.median(elsewhere) + 2, (at_mouth, elsewhere)
