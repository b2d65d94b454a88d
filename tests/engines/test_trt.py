"""The TensorRT runner: what the real one says without a GPU, and what ours does with one that answers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from rtfilter.engines.onnx.graph import at_batch
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.engines.trt.builder import build_plan
from rtfilter.engines.trt.engine import Engine, PlanRejectedError
from rtfilter.engines.trt.flavour import Flavour
from rtfilter.engines.trt.runner import TensorRtRunner
from rtfilter.errors import GpuError, UsageError
from rtfilter.system.cache import CacheFile
from tests.engines.small import SMALL, run_on, small_onnx
from tests.fakes.immediate import ImmediateArray, ImmediateDevice, ImmediateStream
from tests.fakes.tensorrt_like import PLAN, SCRATCH_BYTES, Diagnostics, TensorRtLike

LIKE = Flavour("tensorrt_like", "1.7", 12)
BATCH = 2


@pytest.fixture
def like(monkeypatch: pytest.MonkeyPatch) -> TensorRtLike:
    module = TensorRtLike(LIKE.name)
    monkeypatch.setitem(sys.modules, LIKE.name, module)
    return module


def plan(batch: int = BATCH, seed: int = 0) -> bytes:
    return PLAN + at_batch(small_onnx(seed), batch).SerializeToString()


def pixels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SMALL.inputs[0].at(BATCH)).astype(np.float32)


def expected(given: np.ndarray) -> np.ndarray:
    return OnnxRunner(small_onnx(), SMALL, BATCH).run(pixels=given)["sums"]


def memory(device: ImmediateDevice) -> dict[str, ImmediateArray]:
    return {tensor.name: device.empty(tensor.at(BATCH), tensor.dtype) for tensor in SMALL.tensors()}


# --- the real TensorRT-RTX, which finds no GPU here ---


def test_the_real_one_says_that_there_is_no_driver(rtx: Flavour) -> None:
    good = build_plan(small_onnx(), SMALL, 1, "fp32", "sm89", rtx)
    with pytest.raises(
        GpuError, match=r"cannot load small: there is no NVIDIA driver.*nvidia\.com"
    ) as caught:
        Engine(good, SMALL, 1, rtx, None)
    assert not isinstance(caught.value, PlanRejectedError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "first byte"])
def test_the_real_one_rejects_what_is_no_plan(damage: str, rtx: Flavour) -> None:
    good = build_plan(small_onnx(), SMALL, 1, "fp32", "sm89", rtx)
    bad = {"cut": good[:-100], "empty": b"", "text": b"text" * 500, "first byte": b"?" + good[1:]}[damage]
    with pytest.raises(PlanRejectedError, match="rejects its plan of small"):
        Engine(bad, SMALL, 1, rtx, None)


# --- one that answers ---


@pytest.mark.parametrize(
    ("flags", "error", "said"),
    [
        (Diagnostics.UNSUPPORTED_CC, PlanRejectedError, "built for another GPU"),
        (Diagnostics.VERSION_MISMATCH, PlanRejectedError, "built by another version"),
        (Diagnostics.MALFORMED_ENGINE, PlanRejectedError, "not a plan"),
        (Diagnostics.OLD_CUDA_DRIVER | Diagnostics.UNSUPPORTED_CC, GpuError, "driver is too old"),
        (Diagnostics.INSUFFICIENT_GPU_MEMORY, GpuError, "too little free memory"),
        (Diagnostics.CUDA_ERROR, GpuError, "no NVIDIA driver, or it does not work"),
    ],
)
def test_why_a_plan_is_not_loaded(flags: int, error: type[GpuError], said: str, like: TensorRtLike) -> None:
    like.diagnostics = int(flags)
    with pytest.raises(GpuError, match=said) as caught:
        Engine(plan(), SMALL, BATCH, LIKE, None)
    assert type(caught.value) is error


def test_a_plan_of_another_network_or_batch_is_rejected(like: TensorRtLike) -> None:
    with pytest.raises(PlanRejectedError, match=r"expected a plan with .*rtfilter engines clear"):
        Engine(plan(batch=3), SMALL, BATCH, LIKE, None)


def test_bound_memory_is_used_where_it_lies(like: TensorRtLike) -> None:
    device, stream = ImmediateDevice(), ImmediateStream()
    runner = TensorRtRunner(plan(), SMALL, BATCH, LIKE, device)
    tensors = memory(device)
    made = device.made_bytes
    runner.bind(tensors)
    (context,) = like.contexts
    assert context.addresses == {name: array.pointer for name, array in tensors.items()}
    assert context.calls.count("run on 7") >= 1  # warm before it is captured
    for seed in (3, 4):
        tensors["pixels"].array[...] = pixels(seed)
        calls = len(context.calls)
        runner.enqueue(stream)
        assert context.calls[calls:] == ["run on 7"]  # no addresses, nothing else: that is what is captured
        np.testing.assert_allclose(tensors["sums"].array, expected(pixels(seed)), atol=1e-5)
    assert stream.waits == 0
    # Scratch and the tensors: nothing more is made, however often it runs.
    assert device.made_bytes == made == SCRATCH_BYTES + sum(array.nbytes for array in tensors.values())


def test_whether_it_may_be_captured_is_asked(like: TensorRtLike) -> None:
    for answer in (True, False):
        like.capturable = answer
        device = ImmediateDevice()
        runner = TensorRtRunner(plan(), SMALL, BATCH, LIKE, device)
        runner.bind(memory(device))
        assert runner.capturable is answer


def test_it_must_be_bound_to_all_of_its_memory(like: TensorRtLike) -> None:
    device = ImmediateDevice()
    runner = TensorRtRunner(plan(), SMALL, BATCH, LIKE, device)
    with pytest.raises(ValueError, match="bind its memory"):
        runner.enqueue(ImmediateStream())
    with pytest.raises(UsageError, match="expected memory for pixels, sums"):
        runner.bind({"pixels": memory(device)["pixels"]})


def test_a_gpu_that_vanishes_is_one_clear_line(like: TensorRtLike) -> None:
    device = ImmediateDevice()
    runner = TensorRtRunner(plan(), SMALL, BATCH, LIKE, device)
    runner.bind(memory(device))
    like.breaks = "Cuda Runtime (In enqueue: (cudaError 719:\n unspecified launch failure))"
    with pytest.raises(GpuError, match="cannot run small: the GPU failed: a kernel failed") as caught:
        runner.enqueue(ImmediateStream())
    assert "\n" not in str(caught.value)
    runner.close()
    runner.close()


def test_the_gpus_own_code_is_kept_between_starts(like: TensorRtLike, tmp_path: Path) -> None:
    path = tmp_path / "plans" / "small.runtime"
    kept = CacheFile(path, {"flavour": "like"})
    for _ in range(2):
        device = ImmediateDevice()
        runner = TensorRtRunner(plan(), SMALL, BATCH, LIKE, device, kept)
        runner.bind(memory(device))
        runner.close()
    assert like.compiled == 1
    path.write_bytes(path.read_bytes()[:-3])  # damaged: it is made anew, and kept again
    for _ in range(2):
        run_on(ImmediateDevice(), TensorRtRunner(plan(), SMALL, BATCH, LIKE, ImmediateDevice(), kept))
    assert like.compiled == 2


def test_code_that_cannot_be_kept_costs_time_and_nothing_else(
    like: TensorRtLike, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "plans").write_text("a file where the folder should be")
    kept = CacheFile(tmp_path / "plans" / "a.runtime", {})
    runner = TensorRtRunner(plan(), SMALL, BATCH, LIKE, ImmediateDevice(), kept)
    run_on(ImmediateDevice(), runner)
    assert "the next start will take seconds longer" in caplog.text
