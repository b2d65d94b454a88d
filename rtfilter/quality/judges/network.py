"""Networks of the user's, ONNX or TFLite, run one item at a time. Called by the judges.

ONNX runs through ONNX Runtime, TFLite through the package ai-edge-litert where it is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rtfilter.engines.ort.load import onnxruntime
from rtfilter.errors import InputError, MissingExtraError
from rtfilter.system.installation import install_packages

F32 = npt.NDArray[np.float32]

_TFLITE_MARK = b"TFL3"  # at byte 4
_ONNX_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input: its name, shape (None: free) and type, and of integers the step and zero of their scale."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]
    step: float = 0.0
    zero: int = 0

    def stored(self, values: F32) -> npt.NDArray[Any]:
        """`values` in the tensor's own type."""
        if self.dtype.kind == "f":
            return values.astype(self.dtype)
        scaled = values / self.step + self.zero if self.step else values
        limits = np.iinfo(self.dtype)
        return np.clip(np.rint(scaled), limits.min, limits.max).astype(self.dtype)


class Network(Protocol):
    """A loaded network. `name` is the file's, for messages."""

    name: str
    inputs: tuple[Tensor, ...]

    def run(self, *inputs: F32) -> list[F32]:
        """All outputs, float32, of one batch; inputs in the order of `inputs`."""
        ...


def open_network(path: Path) -> Network:
    """Load a network. Raises InputError: no such file, or no network; MissingExtraError: no TFLite here."""
    head = read_head(path)
    return TfliteNetwork(path) if head[4:8] == _TFLITE_MARK else OnnxNetwork(path)


def read_head(path: Path) -> bytes:
    """The first 16 bytes of a file. Raises InputError: missing, folder, empty, not readable."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: name the model file inside it")
        with path.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the name and the folder") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check its permissions") from error
    if not head:
        raise InputError(f"{path} is empty (0 bytes): copy or download it again")
    return head


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def finite(outputs: Sequence[F32], name: str) -> list[F32]:
    """`outputs` where all of them are numbers. Raises InputError."""
    if all(np.isfinite(output).all() for output in outputs):
        return list(outputs)
    raise InputError(
        f"{name} gave NaN or infinity: check the range of its input (docs/evaluation.md, FILE.json)"
    )


class OnnxNetwork:
    """A network in ONNX Runtime, on the processor."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        # Threads that spin between two frames take the processor from the trackers.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                self.name, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own types share no other base
            raise InputError(
                f"{path} cannot be loaded as ONNX ({first_line(error)}): expected an ONNX or TFLite "
                "file, not one of PyTorch or Keras; export it first"
            ) from error
        unknown = {one.type for one in self._session.get_inputs()} - set(_ONNX_TYPES)
        if unknown:
            raise InputError(
                f"{path} takes {', '.join(sorted(unknown))}, expected {', '.join(_ONNX_TYPES)}: "
                "export it with such inputs"
            )
        self.inputs = tuple(
            Tensor(
                one.name,
                tuple(size if isinstance(size, int) and size > 0 else None for size in one.shape),
                np.dtype(_ONNX_TYPES[one.type]),
            )
            for one in self._session.get_inputs()
        )

    def run(self, *inputs: F32) -> list[F32]:
        """See `Network.run`. Raises InputError where the network refuses."""
        feed = {one.name: one.stored(values) for one, values in zip(self.inputs, inputs, strict=True)}
        try:
            found = self._session.run(None, feed)
        except Exception as error:  # as above
            shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in feed.items())
            raise InputError(f"{self.name} refuses {shapes} ({first_line(error)})") from error
        return finite([np.asarray(one, np.float32) for one in found], self.name)


class TfliteNetwork:
    """A network in LiteRT, TensorFlow Lite's runtime, on the processor."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingExtraError(
                f"{path} is a TFLite file, which the package ai-edge-litert runs: "
                f"{install_packages('ai-edge-litert')}, or give the network as ONNX"
            ) from error
        try:
            self._interpreter = Interpreter(self.name, num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InputError(
                f"{path} cannot be loaded as TFLite ({first_line(error)}): it is damaged, or needs operators "
                "that the runtime lacks; download or export it again"
            ) from error
        described = self._interpreter.get_input_details()
        self._places = [one["index"] for one in described]
        self.inputs = tuple(
            Tensor(
                one["name"],
                tuple(int(size) if size > 0 else None for size in one["shape_signature"]),
                np.dtype(one["dtype"]),
                *_scale(one),
            )
            for one in described
        )
        self._outputs = self._interpreter.get_output_details()

    def run(self, *inputs: F32) -> list[F32]:
        """See `Network.run`. Raises InputError where the network refuses."""
        try:
            for place, one, values in zip(self._places, self.inputs, inputs, strict=True):
                self._interpreter.set_tensor(place, one.stored(values))
            self._interpreter.invoke()
            found = [(one, self._interpreter.get_tensor(one["index"])) for one in self._outputs]
        except (ValueError, RuntimeError) as error:
            shapes = ", ".join(str(list(values.shape)) for values in inputs)
            raise InputError(f"{self.name} refuses {shapes} ({first_line(error)})") from error
        outputs = []
        for one, values in found:
            step, zero = _scale(one)
            outputs.append(np.asarray((values.astype(np.float32) - zero) * (step or 1.0), np.float32))
        return finite(outputs, self.name)


def _scale(detail: dict[str, Any]) -> tuple[float, int]:
    step, zero = detail["quantization"]
    return float(step), int(zero)
