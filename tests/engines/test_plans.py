"""The cache of plans: what is kept is found again, and nothing else is ever taken for it."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rtfilter.engines.trt.plans import PlanCache, PlanKey, plan_key
from rtfilter.errors import InputError, RtfilterError
from tests.engines.small import SMALL, small_onnx

FLAVOUR = ("tensorrt_rtx", "1.7.1.116", 12)


def key(**changes: object) -> PlanKey:
    made = plan_key(SMALL, small_onnx(), 1, "fp16", "sm89", FLAVOUR)
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def cache(tmp_path: Path) -> PlanCache:
    return PlanCache(tmp_path / "plans")


def never() -> bytes:
    pytest.fail("built anew")


def test_what_was_built_is_found_again(cache: PlanCache) -> None:
    assert cache.load(key()) is None
    assert cache.get(key(), lambda: b"plan") == b"plan"
    assert cache.get(key(), never) == b"plan"
    (entry,) = cache.entries()
    assert (entry.key, entry.problem) == (key(), "")
    assert entry.nbytes == cache.path(key()).stat().st_size > 4


@pytest.mark.parametrize(
    "changes",
    [
        {"onnx_sha256": "0" * 64},
        {"network": "other"},
        {"network_version": 2},
        {"flavour": "tensorrt"},
        {"flavour_version": "1.7.1.117"},
        {"cuda_major": 13},
        {"target": "sm86"},
        {"precision": "fp32"},
        {"batch": 2},
        {"recipe": 2},
    ],
)
def test_whatever_a_plan_depends_on_has_its_own(changes: dict[str, object], cache: PlanCache) -> None:
    cache.get(key(), lambda: b"first")
    assert cache.get(key(**changes), lambda: b"second") == b"second"
    assert cache.get(key(), never) == b"first"


def test_the_key_names_everything_that_the_test_above_changes() -> None:
    assert set(PlanKey.__slots__) == {
        "network", "network_version", "onnx_sha256", "flavour", "flavour_version", "cuda_major", "target",
        "precision", "batch", "recipe",
    }  # fmt: skip


@pytest.mark.parametrize("kept", [0, 5, 17, 22, 100, -1, -5000])
def test_a_truncated_plan_is_rebuilt_with_a_notice(
    kept: int, cache: PlanCache, caplog: pytest.LogCaptureFixture
) -> None:
    path = cache.path(key())
    cache.get(key(), lambda: b"x" * 10_000)
    path.write_bytes(path.read_bytes()[:kept])
    with caplog.at_level(logging.WARNING):
        assert cache.get(key(), lambda: b"again") == b"again"
    assert "it is built anew" in caplog.text
    assert path.name in caplog.text
    assert cache.get(key(), never) == b"again"


@pytest.mark.parametrize("place", [0, 20, 30, 200, -1])
def test_a_damaged_byte_is_noticed(place: int, cache: PlanCache, caplog: pytest.LogCaptureFixture) -> None:
    path = cache.path(key())
    cache.get(key(), lambda: b"x" * 10_000)
    data = bytearray(path.read_bytes())
    data[place] ^= 0x55
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert cache.get(key(), lambda: b"again") == b"again"
    assert "it is built anew" in caplog.text


def test_a_foreign_plan_is_rebuilt_with_a_notice(cache: PlanCache, caplog: pytest.LogCaptureFixture) -> None:
    other = key(target="sm120")
    cache.get(other, lambda: b"for another GPU")
    cache.path(other).rename(cache.path(key()))
    with caplog.at_level(logging.WARNING):
        assert cache.get(key(), lambda: b"for this one") == b"for this one"
    assert "belongs to something else" in caplog.text
    cache.path(key()).write_bytes(b"ftrt" + bytes(500))  # a plan as TensorRT writes it, put here by hand
    assert cache.get(key(), lambda: b"ours") == b"ours"
    assert "was not written by this rtfilter" in caplog.text


def test_a_build_that_fails_leaves_nothing(cache: PlanCache) -> None:
    def fail() -> bytes:
        raise InputError("no")

    with pytest.raises(InputError):
        cache.get(key(), fail)
    assert cache.entries() == []
    assert not [path for path in cache.folder.iterdir() if path.suffix != ".lock"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "plans").write_text("a file where the folder should be")
    cache = PlanCache(tmp_path / "plans")
    for use in (lambda: cache.get(key(), never), cache.entries, cache.clear, lambda: cache.load(key())):
        with pytest.raises(RtfilterError, match=r"plans.*RTFILTER_CACHE") as caught:
            use()
        assert "\n" not in str(caught.value)
    assert (tmp_path / "plans").read_text() == "a file where the folder should be"


def test_listing_and_clearing(cache: PlanCache) -> None:
    assert cache.entries() == []
    assert cache.clear() == (0, 0)
    cache.get(key(), lambda: b"one")
    cache.get(key(batch=2), lambda: b"two")
    cache.path(key(batch=4)).write_bytes(b"torn")
    entries = cache.entries()
    assert [entry.key.batch if entry.key else None for entry in entries] == [1, 2, None]
    assert "was not written by this rtfilter" in entries[2].problem
    (cache.folder / f"{key().stem}.runtime").write_bytes(b"beside it")
    count, nbytes = cache.clear()
    assert count == 4
    assert nbytes == sum(entry.nbytes for entry in entries) + len(b"beside it")
    assert list(cache.folder.iterdir()) == []


def test_a_plan_that_turned_out_not_to_run_is_forgotten_with_what_lies_beside_it(cache: PlanCache) -> None:
    cache.get(key(), lambda: b"one")
    runtime = cache.runtime_path(key(), "NVIDIA GeForce RTX 4070")
    assert runtime != cache.runtime_path(key(), "NVIDIA GeForce RTX 4090")
    runtime.write_bytes(b"beside it")
    cache.discard(key())
    cache.discard(key())
    assert cache.load(key()) is None
    assert not runtime.exists()


def test_of_two_processes_one_builds_and_the_other_waits_and_says_so(tmp_path: Path) -> None:
    # The second is started once the first is building, and takes what the first has built.
    code = f"""
import sys, time
from pathlib import Path
from dataclasses import replace
from rtfilter.engines.trt.plans import PlanCache
from tests.engines.test_plans import key
def build():
    print("building", flush=True)
    time.sleep(3)
    return b"by " + sys.argv[1].encode()
print(PlanCache(Path({str(tmp_path)!r})).get(key(), build).decode(), flush=True)
"""
    root = Path(__file__).resolve().parents[2]

    def start(name: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", code, name],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    first = start("first")
    assert first.stdout is not None
    assert first.stdout.readline() == "building\n"
    second = start("second")
    out, err = second.communicate(timeout=60)
    assert out == "by first\n"
    assert "waiting for another process" in err
    assert first.communicate(timeout=60)[0] == "by first\n"
