"""The GPU session's training: skipped with a reason without a GPU; its commands run on a processor too."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtfilter.bench import gpu_texture
from rtfilter.bench.gpu_machine import CUDA, Machine

TINY = (
    "run.device=cpu", "unwrap.size=32", "unwrap.synthetic=1", "unwrap.most=40", "texture.width=8",
    "texture.latent=8", "texture.batch=2", "texture.log_every=1",
)  # fmt: skip


def test_it_is_skipped_with_the_reason_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu_texture.texture(Machine("tests.host_gpu.on_host")) == {"skipped": "trains on CUDA alone"}
    monkeypatch.setattr(gpu_texture, "_PROBE", "print('')")
    assert "PyTorch finds no GPU" in gpu_texture.texture(Machine(CUDA))["skipped"]
    monkeypatch.setattr(gpu_texture, "_PROBE", "import there_is_no_such_package")
    assert "there_is_no_such_package" in gpu_texture.texture(Machine(CUDA))["skipped"]


def test_its_commands_train_until_the_time_is_up_then_export_and_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="needs the extra `learn` (PyTorch)")
    pytest.importorskip("tensorboard", reason="needs the extra `learn` (tensorboard)")
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setenv("OUT", str(out))
    result = gpu_texture._trained(tmp_path / "run", (*TINY, "texture.steps=100000"), 12.0)
    assert result["last"][0].endswith(" ms a step")
    (one,) = result["people"]
    assert set(one["scores"]) >= {"zero", "eigen", "stylegan"}
    assert (out / "synthetic00.texture.onnx").stat().st_size > 1000
