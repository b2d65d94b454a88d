"""`rtfilter learn unwrap`: videos of people to UV maps with expressions, by the product's tracker and fit.

One file a person; a file that is there is kept, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, Notify
from rtfilter.face.fit import FaceFit
from rtfilter.face.model import MorphableModel
from rtfilter.learn.config import read_document
from rtfilter.learn.data.refit import fit_all
from rtfilter.learn.texture.maps import SUFFIX, Maps, normalised
from rtfilter.learn.texture.settings import UnwrapSettings, parse_person
from rtfilter.learn.texture.synthetic import person
from rtfilter.render.unwrap import Unwrapper
from rtfilter.sources.file import FileSource
from rtfilter.tracking.engine import EngineTracker

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Progress = Callable[[int, int | None], None]

STEP: Final = "unwrap"
VIDEOS: Final = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".mpg", ".mpeg", ".m4v")
# Share of the skin that must be seen: less is a profile, or a hand.
LEAST_SKIN: Final = 0.35


def main(
    config_path: Path,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
    notify: Notify = lambda line: None,
) -> int:
    """Make the missing maps of all people of a settings file, in `output/unwrap`.

    Raises InputError where a video cannot be used, OutputError for a full disk: what is finished is kept.
    """
    document = read_document(config_path, overrides)
    settings, folder = document.table(STEP, UnwrapSettings), document.run.folder(STEP)
    videos: dict[str, list[Path]] = {}
    for name, place in map(parse_person, settings.people):
        videos.setdefault(name, []).extend(_videos(place))
    total, done = len(videos) + settings.synthetic, 0
    for number in range(settings.synthetic):
        maps, _ = person(number, settings.most, settings.size)
        path = folder / f"{maps.person}{SUFFIX}"
        maps.save(path)
        notify(f"{path}: {len(maps)} maps of {maps.size} px")
        done += 1
        if progress is not None:
            progress(done, total)
    tracker: EngineTracker | None = None
    try:
        for name, files in videos.items():
            path = folder / f"{name}{SUFFIX}"
            if not path.exists():
                tracker = tracker or EngineTracker(progress=notify)
                maps = unwrapped(name, files, tracker, settings)
                maps.save(path)
                notify(f"{path}: {len(maps)} maps of {maps.size} px")
            done += 1
            if progress is not None:
                progress(done, total)
    finally:
        if tracker is not None:
            tracker.close()
    return 0


def unwrapped(name: str, files: Sequence[Path], tracker: EngineTracker, settings: UnwrapSettings) -> Maps:
    """The maps of one person's videos. Raises InputError where they show too little."""
    model = MorphableModel.builtin()
    unwrapper, fit = Unwrapper(settings.size, model.triangles), FaceFit(model)
    skin = float(unwrapper.mask.sum())
    points: list[F32] = []
    times: list[float] = []
    kept: list[tuple[int, U8, U8]] = []  # number of the landmarks, texture, weight
    for file in files:
        since = times[-1] + 0.04 if times else 0.0
        for rgb, found, at in _faces(file, tracker):
            points.append(found)
            times.append(since + at)
            if (len(points) - 1) % settings.every == 0:
                texture, weight = unwrapper.unwrap(rgb, found)
                if float(weight.sum()) >= LEAST_SKIN * skin:
                    whole = np.rint(np.clip(texture, 0.0, 255.0)).astype(np.uint8)
                    kept.append((len(points) - 1, whole, np.rint(weight * 255.0).astype(np.uint8)))
    if not kept:
        raise InputError(f"{name}: no frame shows the face from the front: expected a video of one face")
    fitted, _ = fit_all(fit, points, times)
    step = max(len(kept) / settings.most, 1.0)
    chosen = [kept[int(k * step)] for k in range(int(len(kept) / step))]
    textures = np.stack([texture for _, texture, _ in chosen])
    weights = np.stack([weight for _, _, weight in chosen]).astype(np.float32) / np.float32(255.0)
    expression = fitted.expression[[number for number, _, _ in chosen]]
    return normalised(name, textures, weights, unwrapper.mask, expression)


def _faces(file: Path, tracker: EngineTracker) -> Iterator[tuple[U8, F32, float]]:
    """Picture, landmarks and seconds of the frames of a video with a face."""
    tracker.reset()
    first = 0.0
    with closing(FileSource(file)) as source:
        number = 0
        while (frame := source.read()) is not None:
            at = frame.pts_ns * 1e-9
            first = first if number else at
            number += 1
            landmarks = tracker.track(frame)
            if landmarks is not None:
                yield frame.rgb, landmarks.points_px.copy(), at - first


def _videos(place: Path) -> list[Path]:
    """The video, or those of a folder. Raises InputError for none."""
    if place.is_dir():
        found = sorted(one for one in place.iterdir() if one.suffix.lower() in VIDEOS)
        if found:
            return found
        raise InputError(f"{place}: no videos in it, expected {', '.join(VIDEOS)}")
    if not place.is_file():
        raise InputError(f"{place}: no such video or folder")
    return [place]
