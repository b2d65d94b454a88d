"""ONNX Runtime on fixed memory, with its CPU provider in the GPU's place: binding and errors are the same."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from rtfilter.engines.ort import OnnxRunner
from rtfilter.engines.ort_cuda import PROVIDER, OrtCudaRunner, has_cuda
from rtfilter.errors import GpuError, InputError, UsageError
from tests.engines.small import SMALL, small_onnx
from tests.fakes.immediate import ImmediateDevice, ImmediateStream

BATCH = 3


def runner(onnx: bytes | None = None) -> OrtCudaRunner:
    data = small_onnx() if onnx is None else onnx
    return OrtCudaRunner(data, SMALL, BATCH, ImmediateDevice(), provider="CPUExecutionProvider", place="cpu")


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SMALL.inputs[0].at(BATCH)).astype(np.float32)


def expected(given: np.ndarray) -> np.ndarray:
    return OnnxRunner(small_onnx(), SMALL, BATCH).run(pixels=given)["sums"]


def test_bound_memory_and_host_arrays() -> None:
    under_test, device, stream = runner(), ImmediateDevice(), ImmediateStream()
    tensors = {tensor.name: device.empty(tensor.at(BATCH), tensor.dtype) for tensor in SMALL.tensors()}
    under_test.bind(tensors)
    for seed in (1, 2):
        tensors["pixels"].array[...] = pixels(seed)
        under_test.enqueue(stream)
        np.testing.assert_allclose(tensors["sums"].array, expected(pixels(seed)), atol=1e-5)
    before = tensors["sums"].array.copy()
    np.testing.assert_allclose(under_test.run(pixels=pixels(5))["sums"], expected(pixels(5)), atol=1e-5)
    np.testing.assert_array_equal(tensors["sums"].array, before)
    other = ImmediateStream()
    tensors["pixels"].array[...] = pixels(6)
    under_test.enqueue(other)
    np.testing.assert_allclose(tensors["sums"].array, expected(pixels(6)), atol=1e-5)
    assert not under_test.capturable
    under_test.close()
    under_test.close()


def test_wrong_use_and_broken_files() -> None:
    with pytest.raises(ValueError, match="bind its memory"):
        runner().enqueue(ImmediateStream())
    with pytest.raises(UsageError, match="expected the inputs pixels"):
        runner().run(picture=pixels(0))
    with pytest.raises(InputError, match=r"cannot load the network small.*rtfilter engines prepare"):
        runner(small_onnx()[:500]).run(pixels=pixels(0))


def test_without_cuda_it_never_runs_on_the_processor_instead() -> None:
    if has_cuda():
        pytest.skip("needs an ONNX Runtime without CUDA, and this one has it")
    assert PROVIDER not in onnxruntime.get_available_providers()
    under_test = OrtCudaRunner(small_onnx(), SMALL, BATCH, ImmediateDevice())
    with pytest.raises(GpuError, match=r"has no CUDA.*onnxruntime-gpu"):
        under_test.run(pixels=pixels(0))
