"""The pairs that settings ask for: motion of meshes, or pictures of faces. Called by `train`, `evidence`."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from rtfilter.errors import InputError, UsageError
from rtfilter.learn.data.sets.read import parse_set, read_sets
from rtfilter.learn.data.track import Track, write_whole
from rtfilter.learn.stccl.pairs import Pair, Signal, load_pairs
from rtfilter.learn.stccl.pictures import VERSION, pictures
from rtfilter.learn.stccl.settings import StcclSettings

SUFFIX = ".pictures.npz"


def pairs_of(settings: StcclSettings) -> list[Pair]:
    """All pairs. Raises InputError as `load_pairs` does; UsageError for pictures without videos."""
    if settings.signal == "mesh":
        return load_pairs(settings.tracks, settings.alignments)
    if not settings.sets:
        raise UsageError(f"signal = {settings.signal}: needs sets as [track] has them, for the videos")
    clips = read_sets([parse_set(text) for text in settings.sets], lambda line: None)
    videos = {clip.name: clip.path for clip in clips}
    folder = settings.pictures / settings.signal

    def seen(track: Track) -> Signal:
        if track.name not in videos:
            raise InputError(f"{track.name}: no video of it in {', '.join(settings.sets)}: add its set")
        video = videos[track.name]
        return kept_pictures(kept_path(folder, track.name, video), video, track, settings.signal)

    return load_pairs(settings.tracks, settings.alignments, seen)


def kept_path(folder: Path, name: str, video: Path) -> Path:
    """Where a track's pictures are kept: another file when the video's size or time of change is another."""
    state = video.stat()
    return folder / f"{name}-{state.st_size}-{state.st_mtime_ns}{SUFFIX}"


def kept_pictures(path: Path, video: Path, track: Track, signal: str) -> Signal:
    """A track's pictures, float16 [T, 64, 64]: from the file `path`, or made and kept there.

    A file that is damaged, or of another length or version, is made again.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            found: Signal = archive[f"pictures{VERSION}"]
        if len(found) == track.frames:
            return found
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):
        pass
    made = pictures(video, track, signal).astype(np.float16)
    file = io.BytesIO()
    arrays = {f"pictures{VERSION}": made}
    np.savez_compressed(file, **arrays)
    write_whole(path, file.getvalue())
    return made
