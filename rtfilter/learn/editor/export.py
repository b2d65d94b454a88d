"""`rtfilter learn export`: the editor's checkpoint as the file that the product runs, and as ONNX.

`editor.npz` holds the weights (`face.learned_weights`), which both lanes read: `--editor FILE`. `editor.onnx`
is the same network alone, one step of it, for other programs. Both are checked against PyTorch before they
are written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from rtfilter.controls import BLENDSHAPE_COUNT, EMOTIONS, INTENSITY_MAX
from rtfilter.engines.expression.learned import EDITOR, editor_graph
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.errors import InputError, Notify, UsageError
from rtfilter.face.learned import LearnedEditor
from rtfilter.face.learned_weights import ASSET, MEMORY_ROOM, EditorWeights
from rtfilter.learn.config import read_document
from rtfilter.learn.data.track import write_whole
from rtfilter.learn.editor.checkpoint import FILE, SUFFIX, Checkpoint
from rtfilter.learn.editor.network import EditorNetwork

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

ONNX: Final = "editor.onnx"
# Between float32 in three orders of summing; measured 3e-7 over random weights and inputs.
TOLERANCE: Final = 2e-5
_FRAMES, _FPS, _CUTOFF_HZ = 40, 30.0, 0.5


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """`[export]`. checkpoint: default that of `rtfilter learn editor`. folder: default the checkpoint's."""

    checkpoint: Path | None = None
    folder: Path | None = None


def main(config_path: Path, overrides: Sequence[str] = (), notify: Notify = lambda line: None) -> list[Path]:
    """Write both files, and check them; their paths.

    config_path: settings, or a checkpoint itself (.pt). Raises InputError where the checkpoint is none, or
    one of the two differs from PyTorch; OutputError for a folder that cannot be written.
    """
    if config_path.suffix == SUFFIX:
        if overrides:
            raise UsageError("--set belongs to a settings file; expected it in place of the checkpoint")
        return export(config_path, config_path.parent, notify)
    document = read_document(config_path, overrides)
    settings = document.table("export", ExportSettings)
    checkpoint = settings.checkpoint or document.run.folder("editor") / FILE
    return export(checkpoint, settings.folder or checkpoint.parent, notify)


def export(checkpoint_path: Path, folder: Path, notify: Notify) -> list[Path]:
    """See `main`."""
    checkpoint = Checkpoint.load(checkpoint_path)
    network = checkpoint.restored(checkpoint_path).eval()
    made_by = f"{checkpoint.made_by}; rtfilter learn export {checkpoint_path.name}"
    weights = network.weights(checkpoint.face_model, made_by)
    again = EditorWeights.from_bytes(weights.to_bytes(), str(checkpoint_path))
    onnx = editor_graph(again)
    for name, off in differences(network, again, onnx).items():
        if not off <= TOLERANCE:
            raise InputError(
                f"{checkpoint_path}: {name} differs from PyTorch by {off:.2g}, expected {TOLERANCE:g} "
                "at most: train it again"
            )
        notify(f"{name} differs from PyTorch by {off:.1g} at most")
    written = []
    for name, content in ((ASSET, weights.to_bytes()), (ONNX, onnx)):
        write_whole(folder / name, content)
        digest = hashlib.sha256(content).hexdigest()[:16]
        notify(f"{folder / name}: {len(content) / 1000:.0f} kB, sha256 {digest}")
        written.append(folder / name)
    return written


def differences(network: EditorNetwork, weights: EditorWeights, onnx: bytes) -> dict[str, float]:
    """The largest difference of an offset from PyTorch's, in NumPy and in the ONNX file, over a stream of
    random faces."""
    rng = np.random.default_rng(0)
    faces = np.clip(rng.normal(0.2, 0.3, (_FRAMES, BLENDSHAPE_COUNT)), 0.0, 1.0)
    amounts = rng.uniform(0.0, INTENSITY_MAX, len(EMOTIONS))
    mouth = float(rng.uniform())
    with torch.no_grad():
        wanted, _ = network(
            torch.tensor(faces[None], dtype=torch.float32),
            torch.tensor(np.tile(amounts, (1, _FRAMES, 1)), dtype=torch.float32),
            torch.full((1, _FRAMES), mouth),
            torch.full((1, _FRAMES), 1.0 / _FPS),
        )
    found = {
        "NumPy": _by_numpy(weights, faces, amounts, mouth),
        "ONNX": _by_onnx(onnx, faces, amounts, mouth),
    }
    return {name: float(np.abs(got - wanted[0].numpy()).max()) for name, got in found.items()}


def _by_numpy(weights: EditorWeights, faces: F64, amounts: F64, mouth: float) -> F64:
    editor, offsets = LearnedEditor(weights), []
    state = editor.first_state()
    for k, face in enumerate(faces):
        offset, state = editor.step(state, face, amounts, mouth, _CUTOFF_HZ, k / _FPS)
        offsets.append(offset)
    return np.array(offsets)


def _by_onnx(onnx: bytes, faces: F64, amounts: F64, mouth: float) -> F64:
    runner, offsets = OnnxRunner(onnx, EDITOR), []
    memory, smooth = np.zeros((1, MEMORY_ROOM), np.float32), np.zeros((1, len(EMOTIONS)), np.float32)

    def one(value: float) -> F32:
        return np.full((1, 1), value, np.float32)

    for k, face in enumerate(faces):
        out = runner.run(
            expression=face[None].astype(np.float32),
            amounts=amounts[None].astype(np.float32),
            mouth=one(mouth),
            cutoff_hz=one(_CUTOFF_HZ),
            since_s=one(1.0 / _FPS),
            held=one(float(k > 0)),
            memory=memory,
            smooth_amounts=smooth,
        )
        memory, smooth = out["new_memory"].copy(), out["new_smooth_amounts"].copy()
        offsets.append(out["offset"][0].astype(np.float64))
    runner.close()
    return np.array(offsets)
