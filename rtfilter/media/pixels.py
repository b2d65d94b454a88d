"""A decoded picture -> upright picture and its pixels: orientation and colour, nothing about files."""

from __future__ import annotations

import struct

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from rtfilter.colour import PLANAR_FORMATS, RANGE_FULL, planes_of, spec_of
from rtfilter.media.depth import DEEP_FORMATS, eight_bits, opaque_name, planar_name, words_of
from rtfilter.media.filters import chain
from rtfilter.media.side_data import side_data
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8

# The eight ways a picture can lie, as signs (a, b, c, d) of the display matrix
# (shown_x, shown_y) = (a x + c y, b x + d y), with the filters that put it upright. Only filters that
# write fresh rows are used (vflip, hflip + vflip hand out negative strides, which planes cannot show).
_UPRIGHT = {
    (1, 0, 0, 1): (),
    (0, 1, -1, 0): ("clock",),
    (0, -1, 1, 0): ("cclock",),
    (-1, 0, 0, -1): ("clock", "clock"),
    (-1, 0, 0, 1): ("clock", "clock_flip"),
    (1, 0, 0, -1): ("clock", "cclock_flip"),
    (0, 1, 1, 0): ("cclock_flip",),
    (0, -1, -1, 0): ("clock_flip",),
}

# swscale's default for RGB takes the nearest chroma sample and is 1 to 1.4 levels too dark (measured).
_EXACT = int(
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
)
# AVColorSpace of a matrix name -> the number swscale's own table uses.
_SWS_MATRIX = {"bt709": 1, "fcc": 4, "bt601": 5, "smpte240m": 7, "bt2020": 9}
_SWS_THREADS = 2
_DUST = 1 << 8


def orientation(picture: av.VideoFrame) -> tuple[str, ...]:
    """Steps of FFmpeg's `transpose` filter that show the picture upright; () when it already is.

    Angles that are no quarter turn (nobody's camera writes them) are taken as upright.
    """
    matrix = side_data(picture, "DISPLAYMATRIX")
    if matrix is None:
        return ()
    a, b, _u, c, d, *_ = struct.unpack("=9i", matrix)
    return _UPRIGHT.get((_sign(a), _sign(b), _sign(c), _sign(d)), ())


def _sign(fixed_16_16: int) -> int:
    # The matrices of real files hold rounding dust where a zero is meant.
    return 0 if abs(fixed_16_16) < _DUST else 1 if fixed_16_16 > 0 else -1


class Uprighter:
    """Turns pictures upright, keeping their planes' bytes, colour tags and timing.

    sideways: whether the last picture's width and height were swapped.
    """

    def __init__(self) -> None:
        self.sideways = False
        self._graph: Graph | None = None
        self._key: tuple[object, ...] = ()
        self._reformatter = VideoReformatter()

    def turned(self, picture: av.VideoFrame) -> av.VideoFrame:
        """`picture` itself when it is upright, else a turned copy."""
        steps = orientation(picture)
        self.sideways = len(steps) == 1  # one transposition swaps width and height, two don't
        if not steps:
            return picture
        name = picture.format.name
        if PLANAR_FORMATS.get(name) == (1, 0) or (
            name in DEEP_FORMATS and DEEP_FORMATS[name].shift == (1, 0)
        ):
            # 4:2:2 on its side is 4:4:0, which no consumer expects: keep all chroma instead.
            wider = name.replace("422", "444")
            picture = self._reformatter.reformat(picture, format=wider, interpolation=_EXACT)
        key = (steps, picture.format.name, picture.width, picture.height)
        if self._graph is None or key != self._key:
            turns = (("transpose", f"dir={step}:passthrough=none") for step in steps)
            self._graph, self._key = chain(picture, *turns), key
        self._graph.vpush(picture)
        turned = self._graph.vpull()
        copy_properties(picture, turned)
        return turned


def copy_properties(picture: av.VideoFrame, copy: av.VideoFrame) -> None:
    """Give a picture that was made of another its timing and colour tags, which a filter may have changed."""
    copy.pts, copy.time_base, copy.duration = picture.pts, picture.time_base, picture.duration
    copy.colorspace, copy.color_range = picture.colorspace, picture.color_range
    copy.color_primaries, copy.color_trc = picture.color_primaries, picture.color_trc


class PixelReader:
    """Decoded pictures of any pixel format -> planes where they can be kept, else RGB uint8 [H, W, 3]."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._planar: tuple[tuple[int, int, str], Graph] | None = None

    def planar(self, picture: av.VideoFrame) -> av.VideoFrame:
        """`picture` itself, or its samples of more than 8 bits in the planar format that has them."""
        name = planar_name(picture.format.name)
        if name is None or name == picture.format.name:
            return picture
        form = (picture.width, picture.height, picture.format.name)
        if self._planar is None or self._planar[0] != form:
            steps = (("scale", "flags=bitexact+accurate_rnd"), ("format", name))
            self._planar = (form, chain(picture, *steps))
        graph = self._planar[1]
        graph.vpush(picture)
        planar = graph.vpull()
        copy_properties(picture, planar)
        return planar

    def pixels(self, picture: av.VideoFrame) -> U8 | Planes:
        """8-bit planar YUV as it is, which sinks can then keep; of deeper YUV an 8-bit view, where sinks keep
        the picture's own samples; all else as RGB, by swscale, with the matrix and range of its own.

        Raises av.FFmpegError for a format that swscale cannot read.
        """
        spec = spec_of(picture)
        if spec is not None and picture.format.name == "nv12":
            # The same samples, chroma taken apart.
            return Planes.of_picture(self._reformatter.reformat(picture, format="yuv420p"), spec)
        name = opaque_name(picture.format.name)
        if spec is not None and name in PLANAR_FORMATS:
            luma, cb, cr = planes_of(picture)[:3]
            return Planes(luma, cb, cr, PLANAR_FORMATS[name], spec)
        deep = DEEP_FORMATS.get(name)
        if deep is not None and deep.family == "gbrp":
            green, blue, red = eight_bits(words_of(picture)[:3], deep, full_range=True)
            return np.stack([red, green, blue], axis=-1)
        if deep is not None and spec is not None:
            luma, cb, cr = eight_bits(words_of(picture)[:3], deep, spec.full_range)
            return Planes(luma, cb, cr, deep.shift, spec)
        full = picture.format.name.startswith("yuvj") or int(picture.color_range) == RANGE_FULL
        tagged = not picture.format.is_rgb and spec is not None
        converted = self._reformatter.reformat(
            picture,
            format="rgb24",
            src_colorspace=_SWS_MATRIX[spec.matrix] if tagged and spec is not None else None,
            src_color_range=int(ColorRange.JPEG if full else ColorRange.MPEG) if tagged else None,
            interpolation=_EXACT,
            threads=_SWS_THREADS,
        )
        return np.ascontiguousarray(converted.to_ndarray())
