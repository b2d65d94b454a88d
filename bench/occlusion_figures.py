"""Tables and bars of `bench occlusion`. Called by the verb."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from rtfilter.bench.common import limit, limits_table, table

Row = Mapping[str, Any]
CHANGED_PERCENT: Final = 0.0
FALSE_PERCENT: Final = 0.5
LINE_PX: Final = 0.3
RIM_PX: Final = 0.6
RIM_PERCENT: Final = 0.4  # of an IOD
DELAY_MS: Final = 100.0
_OCCLUDED: Final = (
    ("changed_rest", "changed, resting, %", 2),
    ("changed_moving", "moving, %", 2),
    ("levels_mean", "mean, levels", 2),
    ("levels_max", "most", 0),
    ("elsewhere", "edit elsewhere", 2),
    ("flicker", "flicker", 2),
    ("in_ms", "in, ms", 0),
    ("out_ms", "out, ms", 0),
)


def text_of(document: Mapping[str, Any]) -> str:
    """The tables of a result, as Markdown."""
    lines: list[str] = []
    if rows := document.get("occluders"):
        clips = len({row["clip"] for row in rows})
        lines += [f"Before the face, mean of {clips} clips and {len(document['emotions'])} emotions", ""]
        lines += _occluded(rows, "occluder")
        lines += ["", *_occluded(rows, "emotion"), ""]
    if rows := document.get("masks"):
        lines += ["The mask, percent: intersection over union, and what is held of the free face", ""]
        lines += [*_masks(rows), ""]
    if rows := document.get("false"):
        lines += [
            "Nothing before the face, percent: face held; edit that differs, in all and in the worst frame",
            "",
        ]
        lines += [*_matrix(rows, ("held", "differs", "differs_most"), 2), ""]
    if rows := document.get("lines"):
        lines += ["Lines behind the person: largest deviation, px; percent of the wall that changed", ""]
        lines += [*_matrix(rows, ("px_max", "changed"), 2), ""]
    if rows := document.get("rims"):
        lines += ["Rims of glasses: deviation of shape, px: root mean square; 95 of 100 points", ""]
        lines += [*_matrix(rows, ("rms_px", "p95_px"), 2), ""]
    if rows := document.get("crowds"):
        lines += ["People who walk past each other, percent", ""]
        names = ("found", "kept", "own", "edited", "others", "wall")
        cells = [(row["people"], *(_cell(row[name], 2) for name in names)) for row in rows]
        lines += [*table(("people", *names), *cells), ""]
    lines += limits_table(bars(document))
    if document["left_out"]:
        lines += ["", *(f"left out: {name}: {why}" for name, why in document["left_out"].items())]
    return "\n".join(lines).strip()


def bars(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was asked for and what came of it."""
    found = []
    if rows := document.get("occluders"):
        worst = _most(rows, "changed_rest")
        found.append(_bar("pixels before the face that change, resting", worst, CHANGED_PERCENT, "%"))
        late = sum(row["in_ms"] is None for row in rows) + sum(row["out_ms"] is None for row in rows)
        longest = max(_most(rows, "in_ms"), _most(rows, "out_ms"))
        value = f"{longest:.0f} ms" + (f", and {late} of {2 * len(rows)} never" if late else "")
        found.append(
            limit(
                "held, and let go again, within", value, f"{DELAY_MS:g} ms", not late and longest <= DELAY_MS
            )
        )
    if rows := document.get("false"):
        mean = float(np.mean([row["held"] for row in rows]))
        worst = _most(rows, "held")
        value = f"{mean:.2f} % in the mean, {worst:.2f} % at most"
        found.append(limit("of a free face held", value, f"{FALSE_PERCENT:g} %", worst <= FALSE_PERCENT))
    if rows := document.get("lines"):
        found.append(_bar("lines behind the person move by", _most(rows, "px_max"), LINE_PX, "px"))
    if rows := document.get("rims"):
        worst = _most(rows, "rms_px")
        known = [row for row in rows if row["rms_px"] is not None]
        met = all(row["rms_px"] <= RIM_PX or row["rms_percent"] <= RIM_PERCENT for row in known)
        value = f"{worst:.2f} px" if known else "no rims found"
        asked = f"{RIM_PX:g} px or {RIM_PERCENT:g} % IOD"
        found.append(limit("rims keep their shape within", value, asked, bool(known) and met))
    if rows := document.get("crowds"):
        least = min(row["own"] or 0.0 for row in rows)
        found.append(limit("people who keep their controls", f"{least:.1f} %", "100 %", least >= 100.0))
        found.append(
            _bar(
                "pixels of others and of the wall", max(_most(rows, n) for n in ("others", "wall")), 0.0, "%"
            )
        )
    return found


def _bar(what: str, value: float, most: float, unit: str) -> dict[str, Any]:
    return limit(what, f"{value:.2f} {unit}", f"{most:g} {unit}", value <= most)


def _most(rows: Sequence[Row], name: str) -> float:
    return max((row[name] for row in rows if row[name] is not None), default=0.0)


def _occluded(rows: Sequence[Row], key: str) -> list[str]:
    lines = []
    for one in dict.fromkeys(row[key] for row in rows):
        same = [row for row in rows if row[key] == one]
        cells = []
        for name, _, digits in _OCCLUDED:
            known = [row[name] for row in same if row[name] is not None]
            value = None if not known else max(known) if name == "levels_max" else float(np.mean(known))
            never = len(same) - len(known) if name in ("in_ms", "out_ms") else 0
            cells.append(_cell(value, digits) + (f" ({never}/{len(same)} never)" if never else ""))
        lines.append((one, *cells))
    return table((key, *(title for _, title, _ in _OCCLUDED)), *lines)


def _masks(rows: Sequence[Row]) -> list[str]:
    names = ("iou_rest", "iou_moving", "beside")
    lines = []
    for one in dict.fromkeys(row["occluder"] for row in rows):
        same = [row for row in rows if row["occluder"] == one]
        known = [[row[name] for row in same if row[name] is not None] for name in names]
        lines.append((one, *(_cell(float(np.mean(cells)) if cells else None, 1) for cells in known)))
    return table(("occluder", "resting", "moving", "held beside it"), *lines)


def _matrix(rows: Sequence[Row], names: Sequence[str], digits: int) -> list[str]:
    """Clips by emotions, two figures a cell."""
    emotions = list(dict.fromkeys(row["emotion"] for row in rows))
    lines = []
    for clip in dict.fromkeys(row["clip"] for row in rows):
        by_emotion = {row["emotion"]: row for row in rows if row["clip"] == clip}
        cells = ["; ".join(_cell(by_emotion[one][name], digits) for name in names) for one in emotions]
        lines.append((clip, *cells))
    return table(("clip", *emotions), *lines)


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
