"""`python -m rtfilter.learn.data.report CORPUS [REAL]`: the synthetic corpus beside measurements of people.

CORPUS: a folder of `rtfilter learn corpus`. REAL: tracks of people with phones, such as GRID's. The tables of
docs/learn.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, RtfilterError
from rtfilter.face import landmarks as lm
from rtfilter.learn.data.measured import table_bytes
from rtfilter.learn.data.track import Track, track_files
from rtfilter.learn.data.visemes import NAMES, visemes_of

F64 = npt.NDArray[np.float64]


def gap_iod(track: Track) -> F64:
    """The gap between the middles of the inner lips, float64 [T]."""
    shape = track.shape_iod.astype(np.float64)
    return np.asarray(shape[:, lm.LIP_LOWER_INNER, 1] - shape[:, lm.LIP_UPPER_INNER, 1])


def width_iod(track: Track) -> F64:
    """The distance of the inner corners of the lips across the face, float64 [T]."""
    shape = track.shape_iod.astype(np.float64)
    return np.asarray(shape[:, lm.INNER_CORNER_LEFT, 0] - shape[:, lm.INNER_CORNER_RIGHT, 0])


def against_twins(tracks: Sequence[Track]) -> dict[str, dict[str, float]]:
    """Lips at level 1 against the neutral twin's at the same words, by emotion, means over clips.

    Ratios of mean width, of the width of the roundest fifth, of mean gap; and the slope of the gap.
    """
    named = {track.name: track for track in tracks}
    silence = NAMES.index("silence")
    found: dict[str, list[list[float]]] = {}
    for track in tracks:
        twin = named.get(str(track.truth.get("twin", "")))
        if twin is None or track.emotion == "neutral" or track.level != 1.0:
            continue
        spoken = track.truth["viseme"] != silence
        frames = np.interp(track.truth["twin_time_s"], twin.time_s, np.arange(twin.frames))
        at = np.rint(frames).astype(int)[spoken]
        width, plain_width = width_iod(track)[spoken], width_iod(twin)[at]
        gap, plain_gap = gap_iod(track)[spoken], gap_iod(twin)[at]
        round_ = np.argsort(plain_width)[: max(len(at) // 5, 1)]
        slope = np.cov(gap, plain_gap)[0, 1] / plain_gap.var(ddof=1)
        found.setdefault(track.emotion, []).append(
            [
                width.mean() / plain_width.mean(),
                width[round_].mean() / plain_width[round_].mean(),
                gap.mean() / plain_gap.mean(),
                float(slope),
            ]
        )
    keys = ("width", "roundest", "gap", "slope")
    return {
        emotion: dict(zip(keys, np.mean(rows, axis=0).tolist(), strict=True))
        for emotion, rows in found.items()
    }


def speech(tracks: Sequence[Track]) -> dict[str, float]:
    """Neutral clips with phones: the mean gap at kinds of sound, and how lips vary, in IODs."""
    plain = [track for track in tracks if track.emotion == "neutral" and track.phones]
    if not plain:
        raise InputError("no neutral track with phones: nothing to compare")
    gaps: dict[str, list[float]] = {}
    for track in plain:
        gap = gap_iod(track)
        for start, end, phone in track.phones:
            inside = (track.time_s >= start) & (track.time_s < end)
            if inside.any():
                gaps.setdefault(visemes_of(phone)[0], []).append(float(gap[inside].mean()))
    rows = {f"gap at {name}": float(np.mean(gaps[name])) for name in NAMES if name in gaps}
    rows["gap, deviation"] = float(np.mean([gap_iod(track).std() for track in plain]))
    speeds = [np.quantile(np.abs(np.diff(gap_iod(track)) * track.fps), 0.95) for track in plain]
    rows["gap, 95 % of its speed, a second"] = float(np.mean(speeds))
    rows["width, deviation"] = float(np.mean([width_iod(track).std() for track in plain]))
    rows["clips"] = float(len(plain))
    return rows


def main(words: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m rtfilter.learn.data.report", description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("real", type=Path, nargs="?")
    arguments = parser.parse_args(words)
    tracks = [Track.load(path) for path in track_files(arguments.corpus)]
    table: dict[str, Any] = json.loads(table_bytes())["emotions"]
    print("level 1 against the neutral twin (measured on people)   width   roundest   gap   slope")
    for emotion, row in against_twins(tracks).items():
        people = table[emotion]
        known = (
            people["width_ratio"]["mean"],
            people["width_ratio"]["roundest"],
            people["gap_ratio"]["mean"],
            people["gap_ratio"]["gain"],
        )
        cells = [f"{value:5.2f} ({other:.2f})" for value, other in zip(row.values(), known, strict=True)]
        print(f"{emotion:<10}  {'  '.join(cells)}")
    own = speech(tracks)
    real = speech([Track.load(path) for path in track_files(arguments.real)]) if arguments.real else {}
    print("neutral speech, IODs: corpus" + (", real" if real else ""))
    for key, value in own.items():
        print(f"{key:<34} {value:8.3f}" + (f" {real[key]:8.3f}" if key in real else ""))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RtfilterError as error:
        sys.exit(str(error))
