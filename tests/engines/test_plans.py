"""The cache of plans: what is kept is found again, and nothing else is ever taken for it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rtfilter.engines.trt.flavour import Flavour
from rtfilter.engines.trt.plans import PlanCache, PlanKey, plan_key
from rtfilter.errors import InputError, RtfilterError
from tests.engines.small import SMALL, small_onnx

FLAVOUR = Flavour("tensorrt_rtx", "1.7.1.116", 12)


def key(**changes: object) -> PlanKey:
    made = plan_key(small_onnx(), SMALL, 1, "fp16", "sm89", FLAVOUR)
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlanCache:
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path))
    return PlanCache()


def never() -> bytes:
    pytest.fail("built anew")


def test_what_was_built_is_found_again(cache: PlanCache) -> None:
    assert cache.plan(key()).read() is None
    assert cache.plan(key()).get(lambda: b"plan") == b"plan"
    assert cache.plan(key()).get(never) == b"plan"
    (entry,) = cache.entries()
    assert (entry.key, entry.problem) == (key(), "")
    assert entry.nbytes == cache.plan(key()).path.stat().st_size > 4


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
    cache.plan(key()).get(lambda: b"first")
    assert cache.plan(key(**changes)).get(lambda: b"second") == b"second"
    assert cache.plan(key()).get(never) == b"first"


def test_the_key_names_everything_that_the_test_above_changes() -> None:
    assert set(PlanKey.__slots__) == {
        "network", "network_version", "onnx_sha256", "flavour", "flavour_version", "cuda_major", "target",
        "precision", "batch", "recipe",
    }  # fmt: skip


@pytest.mark.parametrize("kept", [0, 5, 17, 22, 100, -1, -5000])
def test_a_truncated_plan_is_rebuilt_with_a_notice(
    kept: int, cache: PlanCache, caplog: pytest.LogCaptureFixture
) -> None:
    path = cache.plan(key()).path
    cache.plan(key()).get(lambda: b"x" * 10_000)
    path.write_bytes(path.read_bytes()[:kept])
    with caplog.at_level(logging.WARNING):
        assert cache.plan(key()).get(lambda: b"again") == b"again"
    assert "it is made anew" in caplog.text
    assert path.name in caplog.text
    assert cache.plan(key()).get(never) == b"again"


@pytest.mark.parametrize("place", [0, 20, 30, 200, -1])
def test_a_damaged_byte_is_noticed(place: int, cache: PlanCache, caplog: pytest.LogCaptureFixture) -> None:
    path = cache.plan(key()).path
    cache.plan(key()).get(lambda: b"x" * 10_000)
    data = bytearray(path.read_bytes())
    data[place] ^= 0x55
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert cache.plan(key()).get(lambda: b"again") == b"again"
    assert "it is made anew" in caplog.text


def test_a_foreign_plan_is_rebuilt_with_a_notice(cache: PlanCache, caplog: pytest.LogCaptureFixture) -> None:
    other = key(target="sm120")
    cache.plan(other).get(lambda: b"for another GPU")
    cache.plan(other).path.rename(cache.plan(key()).path)
    with caplog.at_level(logging.WARNING):
        assert cache.plan(key()).get(lambda: b"for this one") == b"for this one"
    assert "belongs to something else" in caplog.text
    cache.plan(key()).path.write_bytes(b"ftrt" + bytes(500))  # a plan as TensorRT writes it, put here by hand
    assert cache.plan(key()).get(lambda: b"ours") == b"ours"
    assert "was not written by this rtfilter" in caplog.text


def test_a_build_that_fails_leaves_nothing(cache: PlanCache) -> None:
    def fail() -> bytes:
        raise InputError("no")

    with pytest.raises(InputError):
        cache.plan(key()).get(fail)
    assert cache.entries() == []
    assert not [path for path in cache.folder.iterdir() if path.suffix != ".lock"]


def test_a_folder_that_cannot_be_read_is_named(cache: PlanCache, tmp_path: Path) -> None:
    (tmp_path / "plans").write_text("a file where the folder should be")
    for use in (
        lambda: cache.plan(key()).get(never, required=True),
        cache.entries,
        cache.clear,
        lambda: cache.plan(key()).read(),
    ):
        with pytest.raises(RtfilterError, match=r"plans.*RTFILTER_CACHE") as caught:
            use()
        assert "\n" not in str(caught.value)
    assert (tmp_path / "plans").read_text() == "a file where the folder should be"


def test_listing_and_clearing(cache: PlanCache) -> None:
    assert cache.entries() == []
    assert cache.clear() == (0, 0)
    cache.plan(key()).get(lambda: b"one")
    cache.plan(key(batch=2)).get(lambda: b"two")
    cache.plan(key(batch=4)).path.write_bytes(b"torn")
    entries = cache.entries()
    assert [entry.key.batch if entry.key else None for entry in entries] == [1, 2, None]
    assert "was not written by this rtfilter" in entries[2].problem
    (cache.folder / f"{key().stem}.runtime").write_bytes(b"beside it")
    count, nbytes = cache.clear()
    assert count == 4
    assert nbytes == sum(entry.nbytes for entry in entries) + len(b"beside it")
    assert list(cache.folder.iterdir()) == []


def test_a_plan_that_turned_out_not_to_run_is_forgotten_with_what_lies_beside_it(cache: PlanCache) -> None:
    cache.plan(key()).get(lambda: b"one")
    runtime = cache.runtime(key(), "NVIDIA GeForce RTX 4070").path
    assert runtime != cache.runtime(key(), "NVIDIA GeForce RTX 4090").path
    runtime.write_bytes(b"beside it")
    cache.discard(key())
    cache.discard(key())
    assert cache.plan(key()).read() is None
    assert not runtime.exists()


def test_of_two_processes_one_builds_and_the_other_waits_and_says_so(tmp_path: Path) -> None:
    # The second is started once the first is building, and takes what the first has built.
    code = """
import sys, time
from rtfilter.engines.trt.flavour import Flavour
from rtfilter.engines.trt.plans import PlanCache
from tests.engines.test_plans import key
def build():
    print("building", flush=True)
    time.sleep(3)
    return b"by " + sys.argv[1].encode()
print(PlanCache().plan(key()).get(build).decode(), flush=True)
"""
    root = Path(__file__).resolve().parents[2]

    def start(name: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", code, name],
            cwd=root,
            env={**os.environ, "RTFILTER_CACHE": str(tmp_path)},
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
