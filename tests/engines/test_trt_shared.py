"""Engines that runners share: loaded once, freed with the last, whatever fails and from whatever thread."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rtfilter.engines.trt.builder import build_plan
from rtfilter.engines.trt.engine import ENGINES, PlanRejectedError
from rtfilter.engines.trt.flavour import Flavour
from rtfilter.engines.trt.runner import TensorRtRunner
from rtfilter.errors import GpuError, GpuMemoryError
from rtfilter.system.cache import CacheFile
from tests.engines.small import SMALL, run_on, small_onnx
from tests.engines.test_trt import BATCH, LIKE, expected, memory, pixels, plan
from tests.fakes.immediate import ImmediateDevice, ImmediateStream
from tests.fakes.tensorrt_like import SCRATCH_BYTES, TensorRtLike


@pytest.fixture
def like(monkeypatch: pytest.MonkeyPatch) -> Iterator[TensorRtLike]:
    module = TensorRtLike(LIKE.name)
    monkeypatch.setitem(sys.modules, LIKE.name, module)
    gc.collect()
    assert len(ENGINES) == 0
    yield module
    assert len(ENGINES) == 0, "an engine was not given back"


def runner(
    device: ImmediateDevice | None = None, seed: int = 0, kept: CacheFile | None = None
) -> TensorRtRunner:
    return TensorRtRunner(plan(seed=seed), SMALL, BATCH, LIKE, device or ImmediateDevice(), kept)


def engines_of(like: TensorRtLike) -> int:
    """Those that are alive."""
    like.contexts.clear()
    gc.collect()
    return len(like.engines)


def test_runners_of_a_plan_share_its_engine_and_the_last_frees_it(like: TensorRtLike) -> None:
    devices = [ImmediateDevice() for _ in range(3)]
    runners = [runner(device) for device in devices]
    assert (like.loads, len(like.contexts)) == (1, 3)
    assert [device.made_bytes for device in devices] == [SCRATCH_BYTES] * 3, (
        "each computes in memory of its own"
    )
    assert len({context.scratch for context in like.contexts}) == 3
    for number, one in enumerate(runners):
        np.testing.assert_allclose(
            run_on(devices[number], one, pixels=pixels(number))["sums"], expected(pixels(number)), atol=1e-5
        )
    for one in (runners[1], runners[1], runners[0]):
        one.close()
        assert engines_of(like) == 1
    np.testing.assert_allclose(
        run_on(devices[2], runners[2], pixels=pixels(7))["sums"], expected(pixels(7)), atol=1e-5
    )
    runners[2].close()
    assert engines_of(like) == 0
    runner().close()
    assert like.loads == 2


def test_another_plan_batch_or_gpu_is_another_engine(like: TensorRtLike) -> None:
    other_gpu = ImmediateDevice()
    other_gpu.index = 1
    runners = [runner(), runner(seed=1), runner(other_gpu)]
    runners.append(TensorRtRunner(plan(batch=3), SMALL, 3, LIKE, ImmediateDevice()))
    assert like.loads == 4
    with pytest.raises(PlanRejectedError):  # the same bytes do not become right by being loaded
        TensorRtRunner(plan(), SMALL, 3, LIKE, ImmediateDevice())
    for one in runners:
        one.close()


def test_threads_that_open_at_once_load_once(like: TensorRtLike) -> None:
    started = threading.Barrier(8)

    def open_one(number: int) -> np.ndarray:
        started.wait()
        one = runner()
        tensors = memory(one._device)
        tensors["pixels"].array[...] = pixels(number)
        one.bind(tensors)
        one.enqueue(ImmediateStream())
        opened.wait()  # nobody closes before all are open
        one.close()
        return tensors["sums"].array

    opened = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        for number, sums in enumerate(pool.map(open_one, range(8))):
            np.testing.assert_allclose(sums, expected(pixels(number)), atol=1e-5)
    assert like.loads == 1
    assert engines_of(like) == 0


def test_a_first_load_that_fails_leaves_nothing_and_the_next_tries_anew(like: TensorRtLike) -> None:
    """Another thread waits for the very engine while it fails."""
    loading, go_on = threading.Event(), threading.Event()

    def first() -> None:
        loading.set()
        go_on.wait(10)
        like.loading = lambda: None
        raise MemoryError("the first alone")

    like.loading = first
    with ThreadPoolExecutor(2) as pool:
        failing = pool.submit(runner)
        assert loading.wait(10)
        waiting = pool.submit(runner)
        go_on.set()
        with pytest.raises(MemoryError, match="the first alone"):
            failing.result(10)
        one = waiting.result(10)
    assert like.loads == 2
    one.close()
    assert engines_of(like) == 0


def test_a_context_that_cannot_be_made_gives_the_engine_back(like: TensorRtLike) -> None:
    like.refuses_contexts = True
    with pytest.raises(GpuMemoryError, match="cannot prepare small: the GPU is out of memory"):
        runner()
    assert engines_of(like) == 0
    like.refuses_contexts = False
    one = runner()
    like.refuses_contexts = True
    with pytest.raises(GpuError):
        runner()
    assert engines_of(like) == 1
    one.close()


def test_one_that_nobody_closes_is_given_back_when_nobody_has_it(like: TensorRtLike) -> None:
    one = runner()
    del one
    assert engines_of(like) == 0


def test_the_gpus_code_that_one_made_serves_all(like: TensorRtLike, tmp_path: Path) -> None:
    """Also where it cannot be kept in a file."""
    (tmp_path / "plans").write_text("a file where the folder should be")
    runners = [runner(kept=CacheFile(tmp_path / "plans" / "a.runtime", {})) for _ in range(3)]
    for one in runners:
        run_on(ImmediateDevice(), one, pixels=pixels())
    assert like.compiled == 1
    for one in runners:
        one.close()


def test_the_real_one_keeps_no_engine_that_does_not_load(rtx: Flavour) -> None:
    good = build_plan(small_onnx(), SMALL, 1, "fp32", "sm89", rtx)
    gc.collect()
    for bad in (good, good[:-100]):
        with pytest.raises(GpuError):
            TensorRtRunner(bad, SMALL, 1, rtx, ImmediateDevice())
    assert len(ENGINES) == 0
