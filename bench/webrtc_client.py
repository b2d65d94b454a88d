"""`python -m rtfilter.bench.webrtc_client SPEC`: a client in a process of its own; prints a record as JSON.

It sends stamped pictures and reads the stamps of those that return, so one clock serves both ends. It shares
no interpreter lock with the server, as no user's client does. Run by `bench.webrtc_turns`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import aiohttp
import av
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from rtfilter.bench.webrtc_camera import StampArea, StampedCamera, demo_pictures
from rtfilter.bench.webrtc_figures import reactions, thumb_of
from rtfilter.bench.webrtc_record import Change, ClientRecord, ClientSpec, Row, spec_from_json, to_json
from rtfilter.colour import planes_of
from rtfilter.errors import DeviceError
from rtfilter.serve.rtc.tuning import tune_receiver
from rtfilter.system.arrays import U8

CONNECT_S = 20.0
DISTINCT = 30  # pictures drawn ahead, shown forth and back: 2 s without a jump


class Client:
    """One connection, and a record of the pictures that return."""

    def __init__(self, spec: ClientSpec) -> None:
        self._spec = spec
        pictures = demo_pictures(spec.width, spec.height, 1 if spec.still else DISTINCT)
        self._camera = StampedCamera(pictures, spec.fps)
        self._area = StampArea(spec.width, spec.height)
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._came: asyncio.Future[MediaStreamTrack] = asyncio.get_running_loop().create_future()
        self._rows: list[Row] = []
        self._thumbs: list[U8] = []
        self._changes: list[Change] = []

    async def run(self) -> ClientRecord:
        """Connect, warm up, record, hang up. Raises DeviceError when no connection or picture comes."""
        spec, headers = self._spec, {}
        if self._spec.token:
            headers["Authorization"] = f"Bearer {spec.token}"
        async with aiohttp.ClientSession(headers=headers) as http:
            try:
                channel, location = await asyncio.wait_for(self._connect(http), CONNECT_S)
                track = await asyncio.wait_for(self._came, CONNECT_S)
                await self._receive(track, spec.warm_up_s)
                given, number = self._camera.given, self._camera.number
                self._rows.clear()
                self._thumbs.clear()
                changing = asyncio.create_task(self._send_changes(channel)) if channel else None
                await self._receive(track, spec.seconds)
                if changing is not None:
                    changing.cancel()
                taken = self._camera.given - given
                stages = await _end_session(http, f"{spec.url}{location}") if location else {}
            except TimeoutError as error:
                raise DeviceError(f"{spec.url}: no picture came back within {CONNECT_S:g} s") from error
            finally:
                await self._connection.close()
        return ClientRecord(
            rows=self._rows,
            given=taken,
            skipped=self._camera.number - number - taken,
            changes=reactions(self._changes, self._rows, self._thumbs),
            stages_ms=stages,
        )

    async def _connect(self, http: aiohttp.ClientSession) -> tuple[RTCDataChannel | None, str]:
        """Open the session; a data channel where there are changes to send, and the location, "" without."""
        transceiver = self._connection.addTransceiver(self._camera, "sendrecv")
        wanted = (f"video/{self._spec.codec}", "video/rtx")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType.lower() in wanted])
        channel = self._connection.createDataChannel("rtfilter") if self._spec.changes else None

        @self._connection.on("track")
        def took(track: MediaStreamTrack) -> None:
            if self._spec.tuned:
                tune_receiver(transceiver.receiver)
            self._came.set_result(track)

        await self._connection.setLocalDescription(await self._connection.createOffer())
        offer = self._connection.localDescription
        body = {"sdp": offer.sdp, "type": offer.type, "controls": dict(self._spec.controls)}
        async with http.post(f"{self._spec.url}/api/sessions", json=body) as response:
            if response.status != 201:
                text = (await response.text())[:200]
                raise DeviceError(f"{self._spec.url}: the server answered {response.status}: {text}")
            answer = await response.json()
            location = response.headers.get("Location", "")
        await self._connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        return channel, location

    async def _receive(self, track: MediaStreamTrack, seconds: float) -> None:
        """Record pictures for `seconds`. Raises TimeoutError when none comes for a while."""
        end_us: float | None = None
        while end_us is None or self._camera.now_us() < end_us:
            try:
                picture = await asyncio.wait_for(track.recv(), CONNECT_S)
            except MediaStreamError as error:
                raise DeviceError(f"{self._spec.url}: the stream ended") from error
            arrival_us = self._camera.now_us()
            if end_us is None:
                end_us = arrival_us + seconds * 1e6
            assert isinstance(picture, av.VideoFrame)
            stamp = self._area.read(picture)
            number, time_us = stamp if stamp is not None else (-1, -1)
            self._rows.append(Row(number, time_us, arrival_us))
            if self._spec.changes:
                self._thumbs.append(thumb_of(planes_of(picture)[0]))
            if self._spec.read_delay_s:
                await asyncio.sleep(self._spec.read_delay_s)

    async def _send_changes(self, channel: RTCDataChannel) -> None:
        """Send the changes one after the other, each between two pictures and not in step with them."""
        for seq, changes in enumerate(self._spec.changes, start=1):
            await asyncio.sleep(self._spec.change_every_s + 0.0077 * (seq % 4))
            self._changes.append(Change(self._camera.now_us(), self._camera.number))
            channel.send(json.dumps({"type": "controls", "changes": changes, "seq": seq}))


async def _end_session(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    """End a session, so that the next client has the processors to itself; its percentiles by stage."""
    async with http.get(url) as response:
        body = await response.json() if response.status == 200 else {}
    async with http.delete(url):
        stages: dict[str, Any] = body.get("stages_ms", {})
    return stages


async def _main(text: str) -> ClientRecord:
    return await Client(spec_from_json(text)).run()


if __name__ == "__main__":
    try:
        print(to_json(asyncio.run(_main(sys.argv[1]))))
    except (DeviceError, aiohttp.ClientError) as failure:
        sys.exit(str(failure))
