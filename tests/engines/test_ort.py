"""ONNX Runtime on the processor: what goes in, what comes out, whose memory it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rtfilter.engines.networks import FACE_DETECTOR
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.engines.prepare.files import NETWORKS, network
from rtfilter.engines.spec import BATCH_NAME, F32, NetworkSpec, TensorSpec
from rtfilter.errors import InputError, UsageError
from tests.engines.small import SIDE_PX, SMALL, small_onnx
from tests.host_gpu.device import HostDevice
from tests.host_gpu.on_host import HostRunner


def pixels(batch: int, seed: int = 0) -> F32:
    return np.random.default_rng(seed).normal(0, 1, (batch, 3, SIDE_PX, SIDE_PX)).astype(np.float32)


def test_a_batch_is_its_parts_and_outputs_are_used_again() -> None:
    runner = OnnxRunner(small_onnx(), SMALL, batch=3)
    single = OnnxRunner(small_onnx(), SMALL)
    first = runner.run(pixels=pixels(3))["sums"]
    parts = np.concatenate([single.run(pixels=pixels(3)[i : i + 1])["sums"].copy() for i in range(3)])
    np.testing.assert_allclose(first, parts, rtol=0, atol=1e-6)
    kept = first.copy()
    second = runner.run(pixels=pixels(3, seed=1))["sums"]
    assert second is first
    assert abs(second - kept).max() > 0.1


def test_inputs_that_do_not_lie_in_order_are_read_as_they_mean() -> None:
    """A picture as a camera has it, axes swapped without a copy."""
    runner = OnnxRunner(small_onnx(), SMALL)
    swapped = np.ascontiguousarray(pixels(1).transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert not swapped.flags.c_contiguous
    kept = runner.run(pixels=swapped)["sums"].copy()
    np.testing.assert_array_equal(kept, runner.run(pixels=pixels(1))["sums"])


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "small: expected the inputs pixels, got nothing"),
        ({"picture": pixels(1)}, "small: expected the inputs pixels, got picture"),
        ({"pixels": pixels(2)}, r"pixels must be float32 \[1, 3, 16, 16\], got float32 \[2, 3, 16, 16\]"),
        ({"pixels": pixels(1).astype(np.float64)}, "must be float32 .*, got float64"),
    ],
)
def test_wrong_inputs_are_refused(inputs: dict[str, F32], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        OnnxRunner(small_onnx(), SMALL).run(**inputs)


def test_bound_memory_is_read_and_written_in_place_also_from_a_graph() -> None:
    device = HostDevice()
    stream = device.stream()
    x, y = device.empty((2, 3, SIDE_PX, SIDE_PX), np.float32), device.empty((2, 4), np.float32)
    staged, result = device.pinned(x.shape, np.float32), device.pinned(y.shape, np.float32)
    runner = HostRunner(small_onnx(), SMALL, batch=2)
    runner.bind({"pixels": x, "sums": y})

    def record() -> None:
        stream.upload(x, staged)
        runner.enqueue(stream)
        stream.download(result, y)

    graph = stream.capture(record)
    for seed in range(2):
        staged[:] = pixels(2, seed)
        graph.launch()
        stream.wait()
        np.testing.assert_array_equal(result, runner.run(pixels=pixels(2, seed))["sums"])
    device.close()


def test_memory_of_the_wrong_size_is_not_bound() -> None:
    device = HostDevice()
    x, y = device.empty((1, 3, SIDE_PX, SIDE_PX), np.float32), device.empty((1, 5), np.float32)
    runner = HostRunner(small_onnx(), SMALL, batch=1)
    with pytest.raises(UsageError, match=r"sums must be float32 \[1, 4\], got float32 \[1, 5\]"):
        runner.bind({"pixels": x, "sums": y})
    with pytest.raises(UsageError, match="expected memory for pixels, sums, got pixels"):
        runner.bind({"pixels": x})
    device.close()


@pytest.mark.parametrize(
    "broken", [lambda whole: b"", lambda whole: whole[: len(whole) // 2], lambda whole: b"no network" * 100]
)
def test_bytes_that_are_no_network_are_named(broken: Callable[[bytes], bytes]) -> None:
    with pytest.raises(InputError, match=r"cannot load the network small \(\d+ bytes\): ."):
        OnnxRunner(broken(small_onnx()), SMALL)


def test_closed_twice() -> None:
    runner = OnnxRunner(small_onnx(), SMALL)
    runner.close()
    runner.close()


def test_networks_are_known_by_name() -> None:
    assert network("face_detector") is FACE_DETECTOR
    with pytest.raises(UsageError, match=r"unknown network 'face_mush'.*did you mean 'face_mesh'"):
        network("face_mush")


@pytest.mark.parametrize("spec", NETWORKS, ids=lambda spec: spec.name)
def test_specifications_and_files_agree(spec: NetworkSpec, onnx_files: dict[str, bytes]) -> None:
    session = OnnxRunner(onnx_files[spec.name], spec)._session
    for tensors, nodes in ((spec.inputs, session.get_inputs()), (spec.outputs, session.get_outputs())):
        assert [tensor.name for tensor in tensors] == [node.name for node in nodes]
        assert [_shape(tensor) for tensor in tensors] == [
            [1 if n == BATCH_NAME else n for n in node.shape] for node in nodes
        ]


def _shape(tensor: TensorSpec) -> list[int]:
    return list(tensor.at(1))
