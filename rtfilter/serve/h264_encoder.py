"""H.264 for faces at low delay, in hardware where that works."""

from __future__ import annotations

import av
from aiortc.codecs.h264 import H264Encoder
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from rtfilter.colour import planes_of
from rtfilter.serve.h264_backends import SOFTWARE, Backend, chosen_backend, condemn
from rtfilter.serve.picture_encoder import NOMINAL_FPS, PictureEncoder

# level_idc, macroblocks a second, macroblocks a picture (H.264, table A-1).
_LEVELS = (
    (30, 40_500, 1_620),
    (31, 108_000, 3_600),
    (32, 216_000, 5_120),
    (40, 245_760, 8_192),
    (42, 522_240, 8_704),
    (51, 983_040, 36_864),
    (52, 2_073_600, 36_864),
)
# Smaller changes of the wanted bitrate are not worth the encoder's attention.
_WORTH = 0.05


def level_for(width_px: int, height_px: int, fps: float) -> int:
    """The lowest level_idc that permits this size and rate, not below 31, which all of WebRTC takes."""
    blocks = -(-width_px // 16) * -(-height_px // 16)
    for level, per_second, per_picture in _LEVELS[1:]:
        if blocks <= per_picture and blocks * fps <= per_second:
            return level
    return _LEVELS[-1][0]


class PromptH264Encoder(PictureEncoder):
    """The first hardware encoder that works, or x264. Baseline, one reference, no picture held back.

    A hardware encoder that fails on the way is left for x264, with a line in the log.
    """

    def __init__(self, bitrate_bps: int, *, fps: float = NOMINAL_FPS, hardware: bool = True) -> None:
        super().__init__(bitrate_bps)
        self._fps = fps
        self.backend: Backend = chosen_backend() if hardware else SOFTWARE

    def _fit(self, frame: VideoFrame) -> VideoFrame:
        picture = super()._fit(frame)
        return even(picture) if picture.width % 2 or picture.height % 2 else picture

    def _encoded(self, picture: VideoFrame) -> bytes:
        try:
            return super()._encoded(picture)
        except av.FFmpegError as error:
            if self.backend is SOFTWARE:
                raise
            condemn(self.backend, error)
            self.backend = SOFTWARE
            self._close()
            return super()._encoded(picture)

    def _needs_restart(self, context: VideoCodecContext) -> bool:
        if abs(self.target_bitrate / self._running_bps - 1.0) > _WORTH:
            if not self.backend.changes_rate:
                return True
            # libavcodec compares it before every picture and tells the encoder.
            context.bit_rate = self._running_bps = self.target_bitrate
        return False

    def _open(self, width_px: int, height_px: int) -> VideoCodecContext:
        context = self._described(self.backend.name, width_px, height_px)
        level_idc = level_for(width_px, height_px, self._fps)
        self.backend.configure(context, self.target_bitrate, level_idc)
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
