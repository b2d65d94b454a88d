"""Processes of a training: each has its own GPU, and all stop at one step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from rtfilter.errors import UsageError  # noqa: E402
from rtfilter.learn.parallel import process_group  # noqa: E402

ROOT = str(Path(__file__).resolve().parents[2])
PROGRAM = """
import torch
from rtfilter.learn.parallel import process_group
with process_group("cpu", 1) as group:
    loss = torch.tensor(float("nan") if group.rank else 1.0)
    told = (group.all_finite(torch.tensor(1.0)), group.all_finite(loss), group.any_of(group.rank == 1))
    print(f"rank {group.rank}: {told}\\n", end="", flush=True)
"""


def test_what_one_process_finds_all_know(tmp_path: Path) -> None:
    """Else the others would wait for it without end."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, str(program)], capture_output=True, text=True, timeout=110, check=False,
        env={**os.environ, "PYTHONPATH": ROOT, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for rank in (0, 1):
        assert f"rank {rank}: (True, False, True)" in done.stdout


def test_each_process_has_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORLD_SIZE", "4"), ("RANK", "3"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    chosen: list[object] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", chosen.append)
    for last in ("barrier", "destroy_process_group"):
        monkeypatch.setattr(torch.distributed, last, lambda: None)
    with process_group("auto", 0) as group:
        assert (group.rank, group.size, group.first) == (3, 4, False)
        assert group.device == torch.device("cuda", 1)
    assert chosen == [torch.device("cuda", 1), "nccl"]


def test_alone_it_needs_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with process_group("auto", 0) as group:
        assert group.first
        assert group.device.type == "cpu"
        assert not group.all_finite(torch.tensor(float("inf")))
    with pytest.raises(UsageError, match="finds no GPU"), process_group("cuda", 0):
        pass
