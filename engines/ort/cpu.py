"""Networks on the processor, by ONNX Runtime: the CPU lane's, and what GPU runners are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rtfilter.engines.ort.load import onnxruntime
from rtfilter.engines.spec import BATCH_NAME, F32, NetworkSpec
from rtfilter.errors import InputError


class OnnxRunner:
    """One network on the CPU, for a fixed batch.

    onnx: the file, or its bytes.
    threads: more than one is quicker on an idle machine and stutters on a busy one; see docs/decisions.md.
    InputError for a file that is no such network.
    """

    def __init__(self, onnx: Path | bytes, spec: NetworkSpec, batch: int = 1, threads: int = 1) -> None:
        self.spec = spec
        self.batch = batch
        self._session = _session(onnx, spec, batch, threads)
        self._outputs = {
            tensor.name: np.zeros(tensor.at(batch), dtype=tensor.dtype) for tensor in spec.outputs
        }
        self._own: Any = self._session.io_binding()
        for tensor in spec.outputs:
            _bind_output(self._own, tensor.name, self._outputs[tensor.name])

    def run(self, **inputs: F32) -> dict[str, F32]:
        """See `Runner.run`. The inputs are read where they lie, the outputs written where they stay."""
        self.spec.check_inputs(inputs, self.batch)
        # Alive until the run is over: the binding knows addresses only.
        contiguous = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        for name, array in contiguous.items():
            self._own.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        self._session.run_with_iobinding(self._own)
        return self._outputs

    def close(self) -> None:
        """Free the network. May be called twice."""
        self._own = self._session = None


def _session(onnx: Path | bytes, spec: NetworkSpec, batch: int, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin between two frames take the processor from whoever else is in the call.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_free_dimension_override_by_name(BATCH_NAME, batch)
    try:
        # Bytes, never a path: ONNX Runtime takes paths as UTF-8 only, whatever the locale is.
        data = onnx if isinstance(onnx, bytes) else onnx.read_bytes()
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own types share no other base
        where = f"{len(onnx)} bytes" if isinstance(onnx, bytes) else str(onnx)
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{where}: expected the network {spec.name} as ONNX, which ONNX Runtime cannot load: {reason}. "
            "Remove it and run 'rtfilter engines prepare'"
        ) from error
    came = {node.name for node in (*session.get_inputs(), *session.get_outputs())}
    wanted = {tensor.name for tensor in spec.tensors()}
    if came != wanted:
        where = str(onnx) if isinstance(onnx, Path) else spec.name
        raise InputError(
            f"{where}: expected {', '.join(sorted(wanted))} as inputs and outputs, "
            f"got {', '.join(sorted(came))}. Remove it and run 'rtfilter engines prepare'"
        )
    return session


def _bind_output(binding: Any, name: str, array: F32) -> None:
    binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
