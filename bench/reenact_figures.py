"""Means, intervals, signs and tables of `bench reenact`. Called by `bench.reenact` and the verb."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb
from typing import Any, Final

import numpy as np

from rtfilter.bench.common import table
from rtfilter.bench.reenact_compare import MEASURES

Row = Mapping[str, float | None]  # a measure each
RESAMPLES: Final = 2000
SPAN: Final = (2.5, 97.5)
JUDGED: Final = ("psnr_db", "ssim", "fold_gradient")  # any one of them makes a stage beat the one before


def clip_figures(rows: Mapping[str, Sequence[Row]], over: Mapping[str, str]) -> dict[str, Any]:
    """Of one clip: means by stage and measure, and each stage's gain over another.

    rows: by stage, a row for each pair, the pairs in one order. over: by stage, which it is compared with.
    """
    stages = list(rows)
    means = {stage: {name: _mean(_column(rows[stage], name)) for name in MEASURES} for stage in stages}
    gains = {
        stage: {name: _gain(rows[before], rows[stage], name) for name in MEASURES}
        for stage, before in over.items()
    }
    return {"means": means, "over": dict(over), "gains": gains}


def all_figures(clips: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Over clips: means of the clips' means, gains with intervals over clips, in how many clips a stage
    gains, and the sign test's p. A clip without a stage does not count in that stage's figures."""
    stages = dict.fromkeys(stage for clip in clips for stage in clip["means"])
    over = {stage: below for clip in clips for stage, below in clip["over"].items()}
    means = {
        stage: {
            name: _mean([clip["means"][stage][name] for clip in clips if stage in clip["means"]])
            for name in MEASURES
        }
        for stage in stages
    }
    gains: dict[str, dict[str, Any]] = {}
    for stage, below in over.items():
        same = [clip["gains"][stage] for clip in clips if clip["over"].get(stage) == below]
        gains[stage] = {name: _over_clips([one[name] for one in same if one[name]]) for name in MEASURES}
    verdicts = {stage: verdict(gain) for stage, gain in gains.items()}
    return {"means": means, "over": over, "gains": gains, "verdicts": verdicts}


def _over_clips(each: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """One measure's gains of clips as one."""
    if not each:
        return None
    values = np.array([one["mean"] for one in each], np.float64)
    ups, downs = int((values > 0.0).sum()), int((values < 0.0).sum())
    return {
        **_interval(values),
        "clips_up": ups,
        "clips_sure": sum(one["low"] is not None and one["low"] > 0.0 for one in each),
        "clips": len(values),
        "sign_p": round(sign_p(ups, downs), 4),
    }


def verdict(gains: Mapping[str, Any]) -> dict[str, str]:
    """By judged measure: `better` or `worse` where the interval of the gain leaves 0 out, else `open`."""
    words = {}
    for name in JUDGED:
        one = gains[name]
        words[name] = "open"
        if one is not None and one["low"] is not None:
            words[name] = "better" if one["low"] > 0.0 else "worse" if one["high"] < 0.0 else "open"
    return words


def sign_p(ups: int, downs: int) -> float:
    """Two-sided sign test: how often chance alone would be so one-sided, 0..1."""
    count, most = ups + downs, max(ups, downs)
    tail = sum(comb(count, k) for k in range(most, count + 1)) / 2.0**count
    return float(min(1.0, 2.0 * tail))


def text_of(document: Mapping[str, Any]) -> str:
    """The tables of a result, as Markdown."""
    lines: list[str] = []
    for clip in document["clips"]:
        exposure = f"exposure differs by {clip['exposure_percent']:.1f} %"
        lines += [f"\n{clip['name']}: {clip['pairs']} pairs; {exposure}", ""]
        lines += _table(clip)
    if len(document["clips"]) > 1:
        lines += [f"\nMean of {len(document['clips'])} clips", "", *_table(document["all"])]
        lines += ["", "Gain over another stage (95 % interval over clips; clips that gain; sign test)", ""]
        over = document["all"]["over"]
        head = ("stage", "over", *(MEASURES[name][1] for name in JUDGED), "beats it")
        rows = [
            (
                stage,
                over[stage],
                *(_gained(gains[name], name) for name in JUDGED),
                _beats(gains),
            )
            for stage, gains in document["all"]["gains"].items()
        ]
        lines += table(head, *rows)
    left_out = {**document["left_out"], **document["clips_left_out"]}
    if left_out:
        lines += ["", *(f"left out: {name}: {why}" for name, why in left_out.items())]
    return "\n".join(lines).strip()


def _beats(gains: Mapping[str, Any]) -> str:
    words = verdict(gains)
    if "better" in words.values():
        return "yes" if "worse" not in words.values() else "in part"
    return "no" if "worse" in words.values() else "not shown"


def _gained(gain: Mapping[str, Any] | None, name: str) -> str:
    if gain is None:
        return "-"
    digits = MEASURES[name][2]
    span = "" if gain["low"] is None else f" ({gain['low']:+.{digits}f} to {gain['high']:+.{digits}f})"
    return f"{gain['mean']:+.{digits}f}{span}; {gain['clips_up']}/{gain['clips']}, p {gain['sign_p']:.3f}"


def _table(figures: Mapping[str, Any]) -> list[str]:
    rows = []
    for stage, means in figures["means"].items():
        cells = []
        for name, (_, _, digits) in MEASURES.items():
            value, gain = means[name], figures["gains"].get(stage, {}).get(name)
            sure = gain is not None and gain["low"] is not None and (gain["low"] > 0.0 or gain["high"] < 0.0)
            mark = ("+" if gain["mean"] > 0.0 else "-") if sure and gain is not None else ""
            cells.append("-" if value is None else f"{value:.{digits}f}{mark}")
        rows.append((stage, *cells))
    return table(("stage", *(title for _, title, _ in MEASURES.values())), *rows)


def _gain(before: Sequence[Row], after: Sequence[Row], name: str) -> dict[str, Any] | None:
    """By how much `after` is better, over pairs that both have: mean and interval, in the measure's unit."""
    sign = 1.0 if MEASURES[name][0] else -1.0
    both = zip(_column(before, name), _column(after, name), strict=True)
    values = np.array([sign * (b - a) for a, b in both if a is not None and b is not None], np.float64)
    if len(values) == 0:
        return None
    return {**_interval(values), "up": int((values > 0.0).sum()), "pairs": len(values)}


def _interval(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float | None]:
    """Mean, and the bootstrap's 95 % interval of it; None for a single value."""
    mean = float(values.mean())
    if len(values) < 2:
        return {"mean": round(mean, 5), "low": None, "high": None}
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(1), SPAN)
    return {"mean": round(mean, 5), "low": round(float(low), 5), "high": round(float(high), 5)}


def _column(rows: Sequence[Row], name: str) -> list[float | None]:
    return [row[name] for row in rows]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 5) if known else None
