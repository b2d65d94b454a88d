"""VP8 for faces at low delay."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from aiortc.codecs.vpx import Vp8Encoder
from av.video.codeccontext import VideoCodecContext

from rtfilter.serve.rtc.picture_encoder import PictureEncoder

# libavcodec tells a running libvpx of no new bitrate, so that one needs a new stream and thus a keyframe:
# only for a change that matters, not again and again as an estimate slides down, and upwards, where
# nothing is lost meanwhile, only now and then.
DOWN = 0.8
DOWN_AFTER_S = 1.0
UP = 1.25
UP_AFTER_S = 4.0


class PromptVp8Encoder(PictureEncoder):
    """libvpx in real time: no noise filter, which costs 1 ms and 0.5 to 1.5 dB, and keyframes kept small."""

    def __init__(self, bitrate_bps: int, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(bitrate_bps)
        self._now = now
        self._opened_s = 0.0
        self._picture_id = random.randrange(1 << 15)

    def _needs_restart(self, context: VideoCodecContext) -> bool:
        ratio = self.target_bitrate / self._running_bps
        open_for_s = self._now() - self._opened_s
        if ratio > UP or (ratio > 1.0 and self.target_bitrate == self._most_bps):
            return open_for_s > UP_AFTER_S
        return ratio < DOWN and open_for_s > DOWN_AFTER_S

    def _open(self, width_px: int, height_px: int) -> VideoCodecContext:
        context = self._described("libvpx", width_px, height_px)
        context.qmin, context.qmax = 2, 56
        rate = str(self.target_bitrate)
        context.options = {
            "deadline": "realtime",
            # Against aiortc's -6: 8 to 30 % less time, a quarter of a decibel at 48 dB (measured on faces).
            "cpu-used": "-10",
            "lag-in-frames": "0",
            # Equal rates make it a constant bitrate; the buffer then lasts one second.
            "minrate": rate,
            "maxrate": rate,
            "bufsize": rate,
            "overshoot-pct": "15",
            "undershoot-pct": "100",
            "max-intra-rate": "600",
            "noise-sensitivity": "0",
            "static-thresh": "1",
        }
        self._opened_s = self._now()
        return context

    def _payloads(self, data: bytes) -> list[bytes]:
        payloads = Vp8Encoder._packetize(data, self._picture_id)
        self._picture_id = (self._picture_id + 1) % (1 << 15)
        return payloads
