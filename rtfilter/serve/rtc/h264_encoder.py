"""H.264 for faces at low delay, in hardware where that works."""

from __future__ import annotations

import av
from aiortc.codecs.h264 import H264Encoder
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from rtfilter.colour import planes_of
from rtfilter.serve.rtc.h264_backends import SOFTWARE, Backend, chosen_backend, condemn
from rtfilter.serve.rtc.picture_encoder import NOMINAL_FPS, PictureEncoder

# level_idc, macroblocks a second, macroblocks a picture, bits a second (H.264, table A-1), from the one
# that all of WebRTC takes on.
_LEVELS = (
    (31, 108_000, 3_600, 14_000_000),
    (32, 216_000, 5_120, 20_000_000),
    (40, 245_760, 8_192, 20_000_000),
    (42, 522_240, 8_704, 50_000_000),
    (51, 983_040, 36_864, 240_000_000),
    (52, 2_073_600, 36_864, 240_000_000),
)
# Smaller changes of the wanted bitrate are not worth the encoder's attention.
_WORTH = 0.05


def level_for(width_px: int, height_px: int, fps: float, bitrate_bps: int) -> int:
    """The lowest level_idc from 31 on that permits this stream; the highest where none does."""
    blocks = -(-width_px // 16) * -(-height_px // 16)
    for level, blocks_per_second, blocks_per_picture, most_bps in _LEVELS:
        if blocks <= blocks_per_picture and blocks * fps <= blocks_per_second and bitrate_bps <= most_bps:
            return level
    return _LEVELS[-1][0]


class PromptH264Encoder(PictureEncoder):
    """The first hardware encoder that works, or x264. Baseline, one reference, no picture held back.

    A hardware encoder that fails on the way is left for x264, with a line in the log.
    """

    def __init__(self, bitrate_bps: int, *, fps: float = NOMINAL_FPS, hardware: bool = True) -> None:
        super().__init__(bitrate_bps)
        self._fps = fps
        # Looked for with the first picture, as trying hardware may take its time and this is the event loop.
        self.backend: Backend | None = None if hardware else SOFTWARE

    def _fit(self, frame: VideoFrame) -> VideoFrame:
        picture = super()._fit(frame)
        return even(picture) if picture.width % 2 or picture.height % 2 else picture

    def _encoded(self, picture: VideoFrame) -> bytes:
        try:
            return super()._encoded(picture)
        except av.FFmpegError as error:
            if self.backend is None or self.backend is SOFTWARE:
                raise
            condemn(self.backend, error)
            self.backend = SOFTWARE
            self._close()
            return super()._encoded(picture)

    def _needs_restart(self, context: VideoCodecContext) -> bool:
        if abs(self.target_bitrate / self._running_bps - 1.0) > _WORTH:
            if self.backend is None or not self.backend.changes_rate:
                return True
            # libavcodec compares it before every picture and tells the encoder.
            context.bit_rate = self._running_bps = self.target_bitrate
        return False

    def _open(self, width_px: int, height_px: int) -> VideoCodecContext:
        if self.backend is None:
            self.backend = chosen_backend()
        context = self._described(self.backend.name, width_px, height_px)
        # The ceiling of a running stream stays: it must leave room for what the bitrate may rise to.
        ceiling_bps = self._most_bps if self.backend.changes_rate else self.target_bitrate
        level_idc = level_for(width_px, height_px, self._fps, ceiling_bps)
        self.backend.configure(context, ceiling_bps, level_idc)
        return context

    def _payloads(self, data: bytes) -> list[bytes]:
        return H264Encoder._packetize(H264Encoder._split_bitstream(data))


def even(picture: VideoFrame) -> VideoFrame:
    """A copy of a 4:2:0 picture without its last row or column where their number is odd."""
    cropped = VideoFrame(picture.width // 2 * 2, picture.height // 2 * 2, picture.format.name)
    for target, plane in zip(planes_of(cropped), planes_of(picture), strict=True):
        target[...] = plane[: target.shape[0], : target.shape[1]]
    cropped.pts, cropped.time_base = picture.pts, picture.time_base
    cropped.pict_type = picture.pict_type
    return cropped
