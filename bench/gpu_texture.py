"""The StyleGAN texture, trained on a GPU for a few minutes on people who do not exist.

Called by `bench.gpu_session`. Skipped, with the reason,
without PyTorch for CUDA. The same commands as on a processor, at 256 px and wider.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from rtfilter.bench.gpu_machine import CUDA, SO_FAR, Machine
from rtfilter.system.tied import TiedProcess, run_tied

SECONDS: Final = 150.0  # of training
_ENDS_S: Final = 60.0
_PROBE: Final = (
    "import tensorboard, torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
)
_SETS: Final = (
    "unwrap.size=256", "unwrap.synthetic=3", "unwrap.most=120", "texture.width=64", "texture.least=16",
    "texture.batch=16", "texture.steps=20000", "texture.adversarial_every=1",
)  # fmt: skip


def texture(machine: Machine, seconds: float = SECONDS) -> dict[str, Any]:
    """Steps and milliseconds a step, what the texture is worth on maps that it never saw, and its files."""
    if machine.device != CUDA:
        return {"skipped": "trains on CUDA alone"}
    probe = run_tied(["-c", _PROBE], 60.0)
    if probe.returncode != 0 or not probe.stdout.strip():
        reason = probe.stderr.strip().splitlines()[-1:] or ["PyTorch finds no GPU"]
        return {"skipped": f"needs PyTorch for CUDA and tensorboard: {reason[0]}"}
    with tempfile.TemporaryDirectory() as name:
        return _trained(Path(name), ("run.device=cuda", *_SETS), seconds) | {"device": probe.stdout.strip()}


def _trained(folder: Path, sets: tuple[str, ...], seconds: float) -> dict[str, Any]:
    """Maps, `seconds` of training, export and evidence, with the settings that come with the program."""
    over = [word for one in (f"run.output={folder}", *sets) for word in ("--set", one)]
    _run(["-m", "rtfilter", "learn", "unwrap", "texture", *over])
    started = time.monotonic()
    words = ["-m", "rtfilter", "learn", "texture", "texture", *over]
    training = TiedProcess(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, told = training.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # It ends the step, saves and goes: exit code 130.
        training.send_signal(signal.SIGINT)
        _, told = training.communicate(timeout=_ENDS_S)
    took_s = time.monotonic() - started
    lines = [line for line in told.splitlines() if line.endswith(" ms a step")]
    result: dict[str, Any] = {"trained_s": round(took_s, 1), "last": (lines or told.splitlines()[-1:])[-1:]}
    print(json.dumps({SO_FAR: result}), flush=True)
    _run(["-m", "rtfilter", "learn", "texture-export", "texture", *over])
    scores = _run(["-m", "rtfilter.learn.texture.evidence", "texture", *over])
    result["people"] = [json.loads(line) for line in scores.splitlines()]
    if out := os.environ.get("OUT"):
        for file in (folder / "texture").glob("*.onnx"):
            shutil.copy(file, Path(out) / file.name)
    return result


def _run(words: list[str]) -> str:
    """What a command prints. Raises RuntimeError with the last line of its errors."""
    done = run_tied(words, 120.0)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words[1:4])}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    return done.stdout
