"""The pairs that settings ask for: motion of meshes, or pictures of faces. Called by `train`, `evidence`."""

from __future__ import annotations

from rtfilter.errors import UsageError
from rtfilter.learn.data.track import Track
from rtfilter.learn.stccl.pairs import Pair, Signal, load_pairs
from rtfilter.learn.stccl.pictures import find_video, pictures
from rtfilter.learn.stccl.settings import StcclSettings


def pairs_of(settings: StcclSettings) -> list[Pair]:
    """All pairs. Raises InputError as `load_pairs` does; UsageError for pictures without videos."""
    videos = settings.videos
    if settings.signal == "mesh":
        return load_pairs(settings.tracks, settings.alignments)
    if videos is None:
        raise UsageError(f"signal = {settings.signal}: needs videos, the folder of the tracks' videos")

    def seen(track: Track) -> Signal:
        return pictures(find_video(videos, track), track, settings.signal)

    return load_pairs(settings.tracks, settings.alignments, seen)
