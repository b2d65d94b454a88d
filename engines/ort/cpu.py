"""Networks on the processor, by ONNX Runtime: the CPU lane's, and the reference for GPU runners.

Called by `tracking.engine`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rtfilter.engines.ort.load import onnxruntime
from rtfilter.engines.spec import BATCH_NAME, F32, NetworkSpec
from rtfilter.errors import InputError


class OnnxRunner:
    """One network on one core, for a fixed batch.

    More threads are quicker on an idle machine and stutter on a busy one; see docs/decisions.md.

    Args:
        onnx: the ONNX file's bytes.

    Raises:
        InputError: ONNX Runtime cannot load them.
    """

    def __init__(self, onnx: bytes, spec: NetworkSpec, batch: int = 1) -> None:
        self.spec = spec
        self.batch = batch
        self._session = _session(onnx, spec, batch)
        self._outputs = {
            tensor.name: np.zeros(tensor.at(batch), dtype=tensor.dtype) for tensor in spec.outputs
        }
        self._own: Any = self._session.io_binding()
        for name, array in self._outputs.items():
            self._own.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def run(self, **inputs: F32) -> dict[str, F32]:
        """See `Runner.run`. The inputs are read where they lie, the outputs written where they stay."""
        self.spec.check_inputs(inputs, self.batch)
        # Alive until the run is over: the binding holds addresses only.
        contiguous = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        for name, array in contiguous.items():
            self._own.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        self._session.run_with_iobinding(self._own)
        return self._outputs

    def close(self) -> None:
        """Free the network. May be called twice."""
        self._own = self._session = None


def _session(onnx: bytes, spec: NetworkSpec, batch: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin between two frames take the processor from the other programs of a call.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_free_dimension_override_by_name(BATCH_NAME, batch)
    try:
        return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own types share no other base
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(
            f"ONNX Runtime cannot load the network {spec.name} ({len(onnx)} bytes): {reason}"
        ) from error
