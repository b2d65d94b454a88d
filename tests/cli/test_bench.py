"""`rtfilter bench`: its output; how fast anything is, is no test."""

from __future__ import annotations

import json

import pytest

from rtfilter.bench import webrtc
from rtfilter.cli import serve
from rtfilter.cli.bench import SIZES, webrtc_table
from rtfilter.cli.main import main
from rtfilter.system.installation import install_extra


def age(p50: float) -> dict[str, float]:
    return {"p50_ms": p50, "p95_ms": p50 + 5, "p99_ms": p50 + 9, "max_ms": p50 + 20, "count": 100}


def figures(title: str, p50: float | None) -> dict[str, object]:
    return {"title": title, "age": None if p50 is None else age(p50), "dropped": 3, "repeated": 0}


RESULT = {
    "inside": {"model": age(4.0), "picture": age(8.0)},
    "webrtc": {
        "stock": figures("stock aiortc both ends, no filter", 90.0),
        "bypass": figures("rtfilter without the filter (bypass), tuned client", 27.0),
        "filtered": figures("rtfilter with the filter, tuned client", 36.0),
    },
    "changes": {"pictures_seen": {"min": 0, "median": 1, "max": 2}},
}


def test_the_table_holds_every_boundary_and_the_ratio() -> None:
    text = webrtc_table(RESULT)
    for wanted in ("model only", "picture in, picture out", "stock aiortc", "bypass", "with the filter"):
        assert wanted in text
    assert "stock aiortc without: 0.40" in text
    assert "after 1 pictures, at most 2" in text
    assert len({len(line) for line in text.splitlines()[3:6]}) == 1


def test_the_table_tells_of_the_long_run() -> None:
    slope = {"ms_per_min": -0.012, "standard_error": 0.02, "minutes": 10.0}
    text = webrtc_table({**RESULT, "long": {**figures("long", 37.0), "slope": slope}})
    assert "-0.012 ms a minute (standard error 0.020) over 10 min" in text


def test_a_contender_of_whom_nothing_came_back_has_dashes() -> None:
    nothing = {**RESULT, "webrtc": {**RESULT["webrtc"], "filtered": figures("filtered", None)}}
    text = webrtc_table(nothing)
    assert "stock aiortc without:" not in text
    assert "-       -" in text


def test_json_of_a_run_with_real_processes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SIZES, "480p", (320, 180))
    monkeypatch.setattr(webrtc, "QUICK_ROUNDS", 1)
    monkeypatch.setattr(webrtc, "QUICK_PICTURES", 5)
    assert main(["bench", "webrtc", "--size", "480p", "--seconds", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    measured = document["sizes"]["480p"]
    assert document["controls"]["emotions"] == {"happy": 0.8}
    assert set(measured["webrtc"]) == {"stock", "bypass", "filtered"}
    for one in measured["webrtc"].values():
        assert one["age"]["p50_ms"] > 0
        assert one["unreadable"] == 0
    assert measured["inside"]["model"]["p50_ms"] < measured["inside"]["picture"]["p50_ms"]
    assert "long" not in measured


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bench", "webrt"], "did you mean 'webrtc'"),
        (["bench", "--minutes", "2"], "rtfilter bench webrtc"),
        (["bench", "webrtc", "--minutes", "0"], "0.1..600"),
    ],
)
def test_a_wrong_line_is_answered_in_one(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_without_the_extra_it_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serve, "PACKAGES", ("aiohttp", "no_such_package"))
    assert main(["bench", "webrtc"]) == 2
    error = capsys.readouterr().err
    assert "no_such_package" in error
    assert install_extra("serve") in error
