"""Pictures of 256 colours for GIF, each with a palette of its own."""

from __future__ import annotations

from fractions import Fraction

import av
from av.filter import Graph

from rtfilter.frame import Frame


class Palettes:
    """RGB -> 256 colours, by FFmpeg's palettegen and paletteuse: the palette is of the one picture."""

    def __init__(self, width: int, height: int) -> None:
        graph = self._graph = Graph()
        buffer = graph.add_buffer(
            width=width, height=height, format=av.VideoFormat("rgb24"), time_base=Fraction(1)
        )
        split, palette = graph.add("split"), graph.add("palettegen", "stats_mode=single")
        used, sink = graph.add("paletteuse", "new=1:dither=sierra2_4a"), graph.add("buffersink")
        buffer.link_to(split)
        split.link_to(palette, 0, 0)
        split.link_to(used, 1, 0)
        palette.link_to(used, 0, 1)
        used.link_to(sink)
        graph.configure()
        self._count = 0

    def picture(self, frame: Frame) -> av.VideoFrame:
        """`frame` in the format "pal8"."""
        picture = av.VideoFrame.from_ndarray(frame.rgb, format="rgb24")
        # The filter pairs picture and palette by their time.
        picture.pts = self._count
        self._count += 1
        self._graph.vpush(picture)
        return self._graph.vpull()
