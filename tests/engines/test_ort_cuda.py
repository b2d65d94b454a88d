"""ONNX Runtime on fixed memory, with its CPU provider in the GPU's place: binding and errors are the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from rtfilter.engines.ort import cuda as ort_cuda
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.engines.ort.cuda import PROVIDER, OrtCudaRunner, has_cuda
from rtfilter.engines.ort.load import onnxruntime
from rtfilter.errors import GpuError, GpuLostError, GpuMemoryError, InputError, UsageError
from rtfilter.kernels.memory import unsafe_in_capture
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


def test_bound_memory_on_one_stream_and_another() -> None:
    under_test, device, stream = runner(), ImmediateDevice(), ImmediateStream()
    tensors = {tensor.name: device.empty(tensor.at(BATCH), tensor.dtype) for tensor in SMALL.tensors()}
    under_test.bind(tensors)
    for seed in (1, 2):
        tensors["pixels"].array[...] = pixels(seed)
        under_test.enqueue(stream)
        np.testing.assert_allclose(tensors["sums"].array, expected(pixels(seed)), atol=1e-5)
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
    with pytest.raises(UsageError, match="expected memory for pixels, sums"):
        runner().bind({})
    with pytest.raises(InputError, match=r"cannot load the network small: ."):
        runner(small_onnx()[:500]).enqueue(ImmediateStream())


def test_without_cuda_it_never_runs_on_the_processor_instead() -> None:
    if has_cuda():
        pytest.skip("needs an ONNX Runtime without CUDA, and this one has it")
    assert PROVIDER not in onnxruntime.get_available_providers()
    under_test = OrtCudaRunner(small_onnx(), SMALL, BATCH, ImmediateDevice())
    with pytest.raises(GpuError, match=r"has no CUDA.*onnxruntime-gpu"):
        under_test.enqueue(ImmediateStream())


class Sessions:
    """In the place of `onnxruntime.InferenceSession`: what it is asked for. refuses: what it says instead."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.refuses: list[str] = []
        self.runs: list[bool] = []  # whether others were kept from the GPU's memory

    def __call__(
        self, source: object, options: object, providers: list[Any], enable_fallback: int
    ) -> Sessions:
        assert not enable_fallback
        self.asked.append(providers[0][1])
        self.say()
        return self

    def say(self) -> None:
        if self.refuses:
            raise RuntimeError(self.refuses.pop(0))

    def get_providers(self) -> list[str]:
        return [PROVIDER]

    def disable_fallback(self) -> None: ...

    def io_binding(self) -> Sessions:
        return self

    def bind_input(self, name: str, place: str, gpu: int, *_: object) -> None:
        assert (place, gpu) == ("cuda", 1)

    bind_output = bind_input

    def run_with_iobinding(self, binding: object, options: object) -> None:
        self.say()
        with ThreadPoolExecutor(1) as pool:
            self.runs.append(not pool.submit(_free).result())


def _free() -> bool:
    free = unsafe_in_capture.acquire(blocking=False)
    if free:
        unsafe_in_capture.release()
    return free


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> Sessions:
    made = Sessions()
    monkeypatch.setattr(ort_cuda, "has_cuda", lambda: True)
    monkeypatch.setattr(onnxruntime, "InferenceSession", made)
    return made


def on_second_gpu() -> OrtCudaRunner:
    device = ImmediateDevice()
    device.index = 1
    under_test = OrtCudaRunner(small_onnx(), SMALL, BATCH, device)
    under_test.bind({tensor.name: device.empty(tensor.at(BATCH), tensor.dtype) for tensor in SMALL.tensors()})
    return under_test


def test_it_computes_on_the_devices_gpu_and_stream(sessions: Sessions) -> None:
    on_second_gpu().enqueue(ImmediateStream())
    (asked,) = sessions.asked
    assert asked["device_id"] == "1"
    assert asked["user_compute_stream"] == "7"
    assert asked["enable_cuda_graph"] == "1"


def test_a_network_that_no_graph_holds_runs_without(sessions: Sessions) -> None:
    sessions.refuses = ["This session cannot use the graph capture feature as requested by the user"]
    on_second_gpu().enqueue(ImmediateStream())
    assert ["enable_cuda_graph" in asked for asked in sessions.asked] == [True, False]


def test_while_it_records_nobody_else_makes_memory(sessions: Sessions) -> None:
    """Once for each thread, because its graphs are a thread's own."""
    under_test, stream = on_second_gpu(), ImmediateStream()
    for _ in range(2):
        under_test.enqueue(stream)
    with ThreadPoolExecutor(1) as other:
        for _ in range(2):
            other.submit(under_test.enqueue, stream).result()
    assert sessions.runs == [True, False, True, False]


def test_a_gpu_that_fails_is_no_broken_file(sessions: Sessions) -> None:
    under_test = on_second_gpu()
    sessions.refuses = ["CUDA failure 2: out of memory ; GPU=1 ; hostname=here"]
    with pytest.raises(GpuMemoryError, match="cannot load small: the GPU is out of memory"):
        under_test.enqueue(ImmediateStream())
    assert len(sessions.asked) == 1
    under_test.enqueue(ImmediateStream())
    sessions.refuses = ["", "CUDA failure 700: an illegal memory access was encountered"]
    with pytest.raises(GpuError, match="cannot run small: RuntimeError"):
        under_test.enqueue(under_test._stream)
    with pytest.raises(GpuLostError, match="the GPU failed"):
        under_test.enqueue(under_test._stream)
