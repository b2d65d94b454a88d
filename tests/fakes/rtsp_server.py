"""A small RTSP server (RFC 2326), over TCP: one H.264 stream, in real time, to one client after another."""

from __future__ import annotations

import base64
import contextlib
import socket
import struct
import threading
import time

import av

from tests.clips import picture_rgb

FPS = 25
_CLOCK_HZ = 90_000


def pictures(count: int, size: tuple[int, int]) -> tuple[bytes, list[list[bytes]]]:
    """A bit stream's parameter sets, base64, and the NAL units of each of its pictures."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.framerate = FPS
    encoder.options = {"tune": "zerolatency", "preset": "ultrafast", "x264-params": "keyint=5"}
    frames = [av.VideoFrame.from_ndarray(picture_rgb(i, *size), format="rgb24") for i in range(count)]
    for index, frame in enumerate(frames):
        frame.pts = index
    packets = [packet for frame in [*frames, None] for packet in encoder.encode(frame)]
    units = [_units(bytes(packet)) for packet in packets]
    sets = [unit for unit in units[0] if unit[0] & 31 in (7, 8)]
    return b",".join(base64.b64encode(unit) for unit in sets), units


def _units(annex_b: bytes) -> list[bytes]:
    parts = annex_b.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    return [part for part in parts if part]


class RtspServer:
    """Plays for `seconds` at `address`; then it hangs up or, with `mute`, says nothing more.

    sound: states a sound track, too, of which nothing comes.
    """

    def __init__(
        self, seconds: float = 3.0, size: tuple[int, int] = (64, 48), mute: bool = False, sound: bool = False
    ) -> None:
        self._sets, self._pictures = pictures(25, size)
        self._seconds, self._mute, self._sound = seconds, mute, sound
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"rtsp://127.0.0.1:{self._socket.getsockname()[1]}/live"
        self._closing = threading.Event()
        self.methods: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        self._socket.close()

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        while request := self._request(client):
            method = request.split(" ", 1)[0]
            self.methods.append(method)
            lines = dict(line.split(": ", 1) for line in request.split("\r\n")[1:] if ": " in line)
            headers, body = [f"CSeq: {lines['CSeq']}", "Session: 1"], b""
            if method == "OPTIONS":
                headers.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
            elif method == "DESCRIBE":
                body = b"\r\n".join(
                    [
                        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=live\r\nt=0 0\r\nc=IN IP4 0.0.0.0",
                        b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track",
                        b"a=fmtp:96 packetization-mode=1;sprop-parameter-sets=" + self._sets,
                        *([b"m=audio 0 RTP/AVP 0\r\na=control:sound"] if self._sound else []),
                        b"",
                    ]
                )
                headers += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
            elif method == "SETUP":
                headers.append(f"Transport: {lines['Transport']}")
            client.sendall("\r\n".join(["RTSP/1.0 200 OK", *headers, "", ""]).encode() + body)
            if method == "TEARDOWN":
                return
            if method == "PLAY":
                self._play(client)
                if self._mute:
                    self._closing.wait(60)
                return

    def _request(self, client: socket.socket) -> str:
        data = b""
        while b"\r\n\r\n" not in data:
            part = client.recv(4096)
            if not part:
                return ""
            data += part
        return data.decode()

    def _play(self, client: socket.socket) -> None:
        started_s, index, number = time.monotonic(), 0, 0
        while index < self._seconds * FPS and not self._closing.is_set():
            time.sleep(max(0.0, started_s + index / FPS - time.monotonic()))
            units = self._pictures[index % len(self._pictures)]
            for unit in units:
                marker = 0x80 if unit is units[-1] else 0
                stamp = index * _CLOCK_HZ // FPS & 0xFFFFFFFF
                rtp = struct.pack(">BBHII", 0x80, 96 | marker, number & 0xFFFF, stamp, 1) + unit
                client.sendall(b"$\0" + struct.pack(">H", len(rtp)) + rtp)
                number += 1
            index += 1
