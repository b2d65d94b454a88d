"""`chain`: FFmpeg's own filters on a decoded picture."""

from __future__ import annotations

from fractions import Fraction

import av
from av.filter import Graph


def chain(picture: av.VideoFrame, *filters: tuple[str, str]) -> Graph:
    """A graph that puts pictures of this size and format through filters, each a name and its options."""
    graph = Graph()
    width, height, base = picture.width, picture.height, picture.time_base or Fraction(1, 90_000)
    nodes = [
        graph.add_buffer(width=width, height=height, format=picture.format, time_base=base),
        *(graph.add(name, options) for name, options in filters),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph
