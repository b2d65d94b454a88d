"""`rtfilter learn squares`: footage to squares around faces, with landmarks and where the person is.

One file a person; a file that is there is kept, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, Notify
from rtfilter.frame import Frame
from rtfilter.learn.config import read_document
from rtfilter.learn.data.track import write_whole
from rtfilter.learn.occlusion.matte import Matte
from rtfilter.learn.occlusion.settings import SquareSettings
from rtfilter.learn.texture.settings import parse_person
from rtfilter.learn.texture.unwrap import VIDEOS
from rtfilter.sources.file import FileSource
from rtfilter.tracking.base import Landmarks
from rtfilter.tracking.engine import EngineTracker
from rtfilter.tracking.roi import Roi

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Progress = Callable[[int, int | None], None]

STEP: Final = "squares"
SUFFIX: Final = ".squares.npz"
PICTURES: Final = (".jpg", ".jpeg", ".png")
WIDE: Final = 1.35  # side over that of the network's square: room for jitter
SIZE_PX: Final = 176


@dataclass(frozen=True)
class Squares:
    """Squares of one person, N of them, SIZE_PX a side, in the order of time.

    rgb: uint8 [N, S, S, 3]. person: uint8 [N, S, S], 0..255, how surely a pixel is the person. sure: uint8
    [N, S, S], 0..255, how far that can be trusted; 0 beyond the picture. points: float32 [N, 478, 3], pixels
    of the square. clip: int32 [N], which of the person's files.
    """

    rgb: U8
    person: U8
    sure: U8
    points: F32
    clip: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.rgb)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        file = io.BytesIO()
        np.savez_compressed(file, **{one.name: getattr(self, one.name) for one in fields(self)})
        write_whole(path, file.getvalue())

    @classmethod
    def load(cls, path: Path) -> Squares:
        """Read the file. Raises InputError for a missing or damaged one."""
        try:
            with np.load(path) as arrays:
                found = {one.name: arrays[one.name] for one in fields(cls)}
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such file: `rtfilter learn {STEP} CONFIG.toml` makes it") from error
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise InputError(f"{path}: damaged squares: remove the file and make it again") from error
        count = len(found["rgb"])
        shapes: dict[str, tuple[int, ...]] = {
            "rgb": (count, SIZE_PX, SIZE_PX, 3), "person": (count, SIZE_PX, SIZE_PX),
            "sure": (count, SIZE_PX, SIZE_PX), "points": (count, 478, 3), "clip": (count,),
        }  # fmt: skip
        for name, shape in shapes.items():
            if found[name].shape != shape:
                raise InputError(f"{path}: {name} is {list(found[name].shape)}, expected {list(shape)}")
        return cls(**found)

    def only(self, chosen: npt.NDArray[Any]) -> Squares:
        """Those chosen."""
        return replace(self, **{one.name: getattr(self, one.name)[chosen] for one in fields(self)})


def main(
    config_path: Path,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
    notify: Notify = lambda line: None,
) -> int:
    """Make the missing squares of all people of a settings file, in `output/squares`.

    Raises InputError where footage shows no face, OutputError for a full disk: what is finished is kept.
    """
    document = read_document(config_path, overrides)
    settings, folder = document.table(STEP, SquareSettings), document.run.folder(STEP)
    files: dict[str, list[Path]] = {}
    for name, place in map(parse_person, settings.people):
        files.setdefault(name, []).extend(files_of(place))
    with Matte() as matte, closing(EngineTracker(progress=notify)) as tracker:
        for done, (name, paths) in enumerate(files.items(), start=1):
            path = folder / f"{name}{SUFFIX}"
            if not path.exists():
                squares = squares_of(name, paths, tracker, matte, settings)
                squares.save(path)
                notify(f"{path}: {len(squares)} squares")
            if progress is not None:
                progress(done, len(files))
    return 0


def squares_of(
    name: str, files: Sequence[Path], tracker: EngineTracker, matte: Matte, settings: SquareSettings
) -> Squares:
    """The squares of one person's footage. Raises InputError where no face is found."""
    kept: list[tuple[U8, U8, U8, F32, int]] = []
    number = 0
    for clip, file in enumerate(files):
        for frame, found in faces_of(file, tracker):
            if number % settings.every == 0 or file.suffix.lower() in PICTURES:
                kept.append((*square_of(frame.rgb, found.points_px, *matte.of(frame.rgb)), clip))
            number += 1
    if not kept:
        raise InputError(f"{name}: no face in {files[0]}: expected footage of one face")
    step = max(len(kept) / settings.most, 1.0)
    columns = zip(*(kept[int(k * step)] for k in range(int(len(kept) / step))), strict=True)
    rgb, person, sure, points, clips = (list(one) for one in columns)
    return Squares(
        np.stack(rgb), np.stack(person), np.stack(sure), np.stack(points), np.array(clips, np.int32)
    )


def square_of(rgb: U8, points_px: F32, person: F32, sure: F32) -> tuple[U8, U8, U8, F32]:
    """One square of a picture: colours, person, sure and landmarks, as `Squares` has them."""
    roi = Roi.of_landmarks(points_px)
    scale = roi.side * WIDE / SIZE_PX
    cos, sin = scale * np.cos(roi.angle_rad), scale * np.sin(roi.angle_rad)
    turn = np.array([[cos, -sin], [sin, cos]])
    origin = np.array([roi.x, roi.y]) - turn @ np.full(2, SIZE_PX / 2)
    if scale > 1.0:  # averaged first: the warp reads four pixels only
        rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), 0.4 * scale), np.uint8)
    # cv2 counts pixels at their middles.
    matrix = np.hstack([turn, (origin + turn @ np.full(2, 0.5) - 0.5)[:, None]])

    def warped(picture: npt.NDArray[Any], border: int) -> npt.NDArray[Any]:
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(picture, matrix, (SIZE_PX, SIZE_PX), flags=how, borderMode=border)

    points = points_px.astype(np.float32).copy()
    points[:, :2] = (points_px[:, :2] - origin) @ np.linalg.inv(turn).T
    points[:, 2] /= scale
    return (
        warped(rgb, cv2.BORDER_REPLICATE).astype(np.uint8),
        np.rint(255.0 * warped(person, cv2.BORDER_REPLICATE)).astype(np.uint8),
        np.rint(255.0 * warped(sure, cv2.BORDER_CONSTANT)).astype(np.uint8),
        points,
    )


def faces_of(file: Path, tracker: EngineTracker) -> Iterator[tuple[Frame, Landmarks]]:
    """The frames of a file with a face, and its landmarks."""
    tracker.reset()
    if file.suffix.lower() in PICTURES:
        bgr = cv2.imread(str(file))
        if bgr is None:
            raise InputError(f"{file}: no picture that OpenCV reads")
        frame = Frame.from_bgr(bgr)
        if (found := tracker.track(frame)) is not None:
            yield frame, found
        return
    with closing(FileSource(file)) as source:
        while (read := source.read()) is not None:
            if (found := tracker.track(read)) is not None:
                yield read, found


def files_of(place: Path) -> list[Path]:
    """The file, or those of a folder and the folders in it. Raises InputError for none."""
    if place.is_dir():
        found = sorted(one for one in place.rglob("*") if one.suffix.lower() in (*VIDEOS, *PICTURES))
        if found:
            return found
        raise InputError(f"{place}: no footage in it, expected {', '.join((*VIDEOS, *PICTURES))}")
    if not place.is_file():
        raise InputError(f"{place}: no such file or folder")
    return [place]
