"""`rtfilter learn`: mistakes are one line, steps resume after Ctrl-C, a missing package is named."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rtfilter.cli.learn import MODULES
from rtfilter.cli.main import main
from rtfilter.cli.verbs import LEARN_STEPS
from rtfilter.system.installation import install_extra

NEEDED = "espeakng_loader"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "expected a step: corpus, track, align"),
        (["corpsu"], "unknown step 'corpsu': did you mean 'corpus'?"),
        (["corpus"], "expected settings: rtfilter learn corpus CONFIG.toml"),
        (["corpus", "none.toml"], "none.toml: no such file"),
        (["corpus", "small", "--resume"], "corpus takes no --resume"),
        (["corpus", "small", "--set", "corpus.poeple=3"], "unknown key 'poeple': did you mean 'people'?"),
        (["align", "small", "--set", "align.tracks=nowhere"], "nowhere: no tracks"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["learn", *words]) in (1, 2)
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_every_step_has_its_module() -> None:
    assert set(MODULES) == set(LEARN_STEPS)


def test_a_corpus_is_made_and_aligned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(NEEDED, reason='needs espeak-ng: pip install "rtfilter-live[learn]"')
    pytest.importorskip("librosa", reason='needs librosa: pip install "rtfilter-live[learn]"')
    sets = ["run.output=" + str(tmp_path), "corpus.people=1", "corpus.sentences=1", "corpus.levels=[1.0]"]
    words = [word for one in sets for word in ("--set", one)]
    assert main(["learn", "corpus", "small", *words]) == 0
    assert "8 tracks in" in capsys.readouterr().err
    assert main(["learn", "align", "small", *words]) == 0
    assert "7 pairs in" in capsys.readouterr().err


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    pytest.importorskip(NEEDED, reason='needs espeak-ng: pip install "rtfilter-live[learn]"')
    command = [sys.executable, "-m", "rtfilter", "learn", "corpus", "small"]
    command += ["--set", f"run.output={tmp_path}", "--set", "corpus.people=200"]
    folder = tmp_path / "corpus"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        until = time.monotonic() + 60
        while len(list(folder.rglob("*.track.npz"))) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "at work; what is finished is kept, and the same command goes on" in error
    assert "Traceback" not in error
    assert not list(folder.rglob(".*")), "a half-written file was left"


def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name}", name="torch")

    monkeypatch.setattr(importlib, "import_module", _only(fails, "rtfilter.learn"))
    assert main(["learn", "stccl", "small"]) == 2
    assert f"rtfilter learn needs torch: {install_extra('learn')}" in capsys.readouterr().err


def _only(fails: object, prefix: str) -> object:
    real = importlib.import_module
    return lambda name: fails(name) if name.startswith(prefix) else real(name)  # type: ignore[operator]
