"""Decoded pictures, turned upright and read as pixels. Called by `Frame.from_av` and `FileSource`."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from rtfilter.colour import PLANAR_FORMATS, RANGE_FULL, planes_of, spec_of
from rtfilter.media.depth import DEEP_FORMATS, eight_bits, opaque_name, planar_name, words_of
from rtfilter.media.side_data import side_data
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8

# The eight orientations of a picture, as signs (a, b, c, d) of the display matrix
# (shown_x, shown_y) = (a x + c y, b x + d y), with the filters that turn it upright. Only filters that
# write fresh rows are used (vflip, hflip + vflip return negative strides, which planes cannot show).
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
# The matrices of real files hold rounding errors of this size, in 16.16 fixed point, where zero is meant.
_MATRIX_ERROR = 1 << 8
# swscale's default for RGB takes the nearest chroma sample and is 1 to 1.4 levels too dark (measured).
_EXACT = int(
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
)
# AVColorSpace of a matrix name -> the number in swscale's own table.
_SWS_MATRIX = {"bt709": 1, "fcc": 4, "bt601": 5, "smpte240m": 7, "bt2020": 9}
_SWS_THREADS = 2


class FilterChain:
    """FFmpeg's filters on pictures. The graph is rebuilt where form or tags of the pictures change."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._key: object = None

    def run(self, picture: av.VideoFrame, *filters: tuple[str, str]) -> av.VideoFrame:
        """One picture through filters, each a name and its options.

        Raises av.FFmpegError; of that, av.BlockingIOError where the filters give no picture.
        """
        width, height, base = picture.width, picture.height, picture.time_base or Fraction(1, 90_000)
        tags = int(picture.colorspace), int(picture.color_range)
        key = (width, height, picture.format.name, base, tags, filters)
        if self._graph is None or key != self._key:
            graph = Graph()
            nodes = [
                graph.add_buffer(width=width, height=height, format=picture.format, time_base=base),
                *(graph.add(name, options) for name, options in filters),
                graph.add("buffersink"),
            ]
            graph.link_nodes(*nodes).configure()
            self._graph, self._key = graph, key
        self._graph.vpush(picture)
        return self._graph.vpull()

    def convert(self, picture: av.VideoFrame, *filters: tuple[str, str]) -> av.VideoFrame:
        """As `run`, with the timing and colour tags of `picture`, which a filter may have changed."""
        made = self.run(picture, *filters)
        made.pts, made.time_base, made.duration = picture.pts, picture.time_base, picture.duration
        made.colorspace, made.color_range = picture.colorspace, picture.color_range
        made.color_primaries, made.color_trc = picture.color_primaries, picture.color_trc
        return made


def bottom_first(picture: av.VideoFrame) -> bool:
    """Whether an interlaced picture's bottom field is shown first."""
    try:  # PyAV does not give it
        FilterChain().run(picture, ("select", "expr=eq(interlace_type,BOTTOMFIRST)"))
    except av.BlockingIOError:
        return False
    return True


class PixelReader:
    """A reader of decoded pictures of any pixel format: planar, upright, as planes or RGB.

    sideways: whether width and height of the last picture were swapped to turn it upright.
    """

    def __init__(self) -> None:
        self.sideways = False
        self._planar, self._turn = FilterChain(), FilterChain()
        self._reformatter = VideoReformatter()

    def planar(self, picture: av.VideoFrame) -> av.VideoFrame:
        """`picture` itself, or its samples of more than 8 bits in the planar format that has them."""
        name = planar_name(picture.format.name)
        if name is None or name == picture.format.name:
            return picture
        return self._planar.convert(picture, ("scale", "flags=bitexact+accurate_rnd"), ("format", name))

    def upright(self, picture: av.VideoFrame) -> av.VideoFrame:
        """`picture` itself when it is upright, else a turned copy of its samples."""
        steps = _upright_steps(picture)
        self.sideways = len(steps) == 1  # one transposition swaps the sides, two do not
        if not steps:
            return picture
        name = picture.format.name
        deep = DEEP_FORMATS.get(name)
        if (1, 0) in (PLANAR_FORMATS.get(name), deep and deep.shift):
            # 4:2:2 on its side is 4:4:0, which no consumer expects: keep all chroma instead.
            wider = name.replace("422", "444")
            picture = self._reformatter.reformat(picture, format=wider, interpolation=_EXACT)
        turns = (("transpose", f"dir={step}:passthrough=none") for step in steps)
        return self._turn.convert(picture, *turns)

    def pixels(self, picture: av.VideoFrame) -> U8 | Planes:
        """The picture as 8-bit pixels.

        Returns:
            8-bit planar YUV as its own planes, which sinks can keep. Deeper YUV as an 8-bit view, beside
            which sinks keep the picture's own samples. All else as RGB, uint8 [H, W, 3], by swscale, with
            the picture's matrix and range.

        Raises:
            av.FFmpegError: swscale cannot read the format.
        """
        spec = spec_of(picture)
        if spec is not None and picture.format.name == "nv12":
            # The same samples, with chroma in two planes.
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
        matrix = None if spec is None or picture.format.is_rgb else _SWS_MATRIX[spec.matrix]
        converted = self._reformatter.reformat(
            picture,
            format="rgb24",
            src_colorspace=matrix,
            src_color_range=None if matrix is None else int(ColorRange.JPEG if full else ColorRange.MPEG),
            interpolation=_EXACT,
            threads=_SWS_THREADS,
        )
        return np.ascontiguousarray(converted.to_ndarray())


def _upright_steps(picture: av.VideoFrame) -> tuple[str, ...]:
    """Steps of FFmpeg's `transpose` filter that turn the picture upright; () too for angles in between."""
    matrix = side_data(picture, "DISPLAYMATRIX")
    if matrix is None:
        return ()
    a, b, _u, c, d, *_ = struct.unpack("=9i", matrix)
    return _UPRIGHT.get((_sign(a), _sign(b), _sign(c), _sign(d)), ())


def _sign(fixed_16_16: int) -> int:
    return 0 if abs(fixed_16_16) < _MATRIX_ERROR else 1 if fixed_16_16 > 0 else -1


class Conformer:
    """A converter of a stream's pictures to the size and pixel format of its first one.

    Browsers' recorders and phones change the size in the middle; files and filters have one. A
    picture of another size is scaled as large as it fits, its proportions kept, on black.

    changed: None, or one line on the first picture that was converted.
    """

    def __init__(self) -> None:
        self.changed: str | None = None
        self._form: tuple[int, int, str] | None = None
        self._scaler = FilterChain()

    def conformed(self, picture: av.VideoFrame) -> av.VideoFrame:
        """`picture` itself when it is like the first, else a copy that is. Raises av.FFmpegError."""
        form = picture.width, picture.height, picture.format.name
        first = self._form = self._form or form
        if form == first:
            return picture
        if self.changed is None:
            at = "" if picture.time is None else f" at {picture.time:.2f} s"
            self.changed = (
                f"the size changes to {form[0]}x{form[1]}{at}: scaled to {first[0]}x{first[1]}"
                if form[:2] != first[:2]
                else f"the pixel format changes to {form[2]}{at}: converted to {first[2]}"
            )
        size = f"{first[0]}:{first[1]}"
        return self._scaler.convert(
            picture,
            ("scale", f"{size}:force_original_aspect_ratio=decrease:flags=bicubic"),
            ("format", first[2]),
            ("pad", f"{size}:-1:-1"),
        )
