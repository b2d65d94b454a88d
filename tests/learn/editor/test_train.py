"""Training: it learns, goes on exactly where it was, and ends in one clear line where it cannot go on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn` (PyTorch)")
pytest.importorskip("tensorboard", reason="needs the extra `learn` (tensorboard)")

from rtfilter.cli.main import main  # noqa: E402
from rtfilter.errors import InputError, OutputError, UsageError  # noqa: E402
from rtfilter.face.learned_weights import EditorWeights  # noqa: E402
from rtfilter.learn.data.track import SUFFIX  # noqa: E402
from rtfilter.learn.editor import export, train  # noqa: E402
from rtfilter.learn.editor.checkpoint import Checkpoint  # noqa: E402
from rtfilter.learn.editor.measures import measure  # noqa: E402
from rtfilter.learn.editor.pairs import load_pairs, mean_changes, split_speakers  # noqa: E402
from rtfilter.learn.training.steps import TrainingError  # noqa: E402
from tests.faces import builtin  # noqa: E402
from tests.learn.editor.clips import takes, write_tracks  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = """
[run]
output = "{output}"
seed = 4
threads = 1
[editor]
tracks = "{tracks}"
steps = {steps}
spatial = 0
temporal = 0
batch = 8
frames = 16
memory = 8
hidden = 16
save_every = 3
log_every = 2
"""


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tracks(tmp_path_factory.mktemp("tracks"), people=4)


def settings(folder: Path, tracks: Path, steps: int = 6) -> Path:
    path = folder / "editor.toml"
    path.write_text(SETTINGS.format(output=folder / "out", tracks=tracks, steps=steps), encoding="utf-8")
    return path


def test_what_it_learns_beats_the_closed_form_on_speakers_it_never_saw(tracks: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    path = train.main(settings(tmp_path, tracks, 250), notify=lines.append)
    npz, onnx = export.main(path)
    assert onnx.stat().st_size < 1_000_000
    _, held_out = split_speakers(load_pairs(tracks, None, builtin(), lines.append), 0.25)
    learned = measure(builtin().with_editor(EditorWeights.load(npz)), held_out)
    closed = measure(builtin(), held_out)
    assert learned.emotion_error < min(0.5, 0.6 * closed.emotion_error)
    assert learned.gap_r > 0.99
    assert learned.closures_kept > 0.98
    assert learned.growth > 0.99
    assert any("2 of other speakers" in line for line in lines)
    assert list(path.parent.glob("events.*"))


def test_a_run_that_goes_on_is_the_run(tracks: Path, tmp_path: Path) -> None:
    """Interrupted after any step: what is drawn depends on the step alone."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = Checkpoint.load(train.main(settings(tmp_path / "a", tracks)))
    part = settings(tmp_path / "b", tracks)
    before, steps = signal.getsignal(signal.SIGINT), 0

    def interrupted(self: torch.optim.AdamW) -> Any:
        """Ctrl-C in the middle of a step: some weights have moved, others not."""
        nonlocal steps
        steps += 1
        if steps == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self)

    step = torch.optim.AdamW.step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", interrupted)
        with pytest.raises(KeyboardInterrupt, match="SIGINT"):
            train.main(part)
    assert signal.getsignal(signal.SIGINT) is before
    assert Checkpoint.load(tmp_path / "b/out/editor/editor.pt").step == 4
    again = Checkpoint.load(train.main(part, resume=True))
    assert again.step == whole.step == 6
    for name, value in whole.network.items():
        assert torch.equal(value, again.network[name]), name


def test_stccl_supervises_the_edited_mesh_and_gives_the_source_no_gradient(
    tracks: Path, tmp_path: Path
) -> None:
    lines: list[str] = []
    sets = ["spatial=0.1", "temporal=0.1", "compared=2", "compare_every=2", "log_every=1", "pair=0.001"]
    overrides = [f"editor.{one}" for one in sets]
    supervised = Checkpoint.load(
        train.main(settings(tmp_path, tracks, 3), overrides=overrides, notify=lines.append)
    )
    told = [line for line in lines if line.startswith("step ")]
    assert ["temporal" in line for line in told] == [True, False, True]
    (tmp_path / "b").mkdir()
    alone = Checkpoint.load(train.main(settings(tmp_path / "b", tracks, 3), overrides=["editor.pair=0.001"]))
    assert any(not torch.equal(value, alone.network[name]) for name, value in supervised.network.items())


def test_two_processes_learn_as_one_and_only_the_first_writes(tracks: Path, tmp_path: Path) -> None:
    path = settings(tmp_path, tracks, 4)
    code = (
        "import sys; from pathlib import Path; from rtfilter.learn.editor import train; "
        "train.main(Path(sys.argv[1]), notify=print)"
    )
    script = tmp_path / "run.py"
    script.write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(script), str(path)], capture_output=True, text=True, timeout=120, env=environ
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step 4 of 4") == 1
    assert Checkpoint.load(tmp_path / "out/editor/editor.pt").settings["processes"] == "2"


def test_a_loss_that_is_not_finite_ends_it(
    tracks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settings(tmp_path, tracks)
    monkeypatch.setattr(train.losses, "pair", lambda *_: torch.tensor(float("nan")))
    with pytest.raises(TrainingError, match=r"step 0: a loss is not finite \(pair nan.*lower editor.rate"):
        train.main(path)


def test_a_full_disk_ends_it_and_keeps_what_was(
    tracks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settings(tmp_path, tracks)
    train.main(path)
    before = (tmp_path / "out/editor/editor.pt").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("rtfilter.learn.data.track.write_atomically", full)
    with pytest.raises(OutputError, match="No space left"):
        train.main(path, resume=True)
    assert (tmp_path / "out/editor/editor.pt").read_bytes() == before


def test_an_earlier_run_is_not_lost_by_a_new_one(tracks: Path, tmp_path: Path) -> None:
    path = settings(tmp_path, tracks)
    train.main(path)
    with pytest.raises(OutputError, match="exists: go on with --resume"):
        train.main(path)
    with pytest.raises(UsageError, match=r"rate = 0.01 \(was 0.002\)"):
        train.main(path, resume=True, overrides=["editor.rate=0.01"])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("editor.frames=500", "no pair has 500 frames, the longest has 50"),
        ("editor.frames=3", "frames: expected 9 or more"),
        ("editor.rate=0", "rate: expected more than 0"),
        ("editor.colour=1", "unknown key 'colour'"),
        ("editor.noise=-1", "noise: expected 0 or more"),
        ("editor.tracks=nowhere", "nowhere: no tracks"),
        ("editor.held_out=1", "held_out: expected a share"),
    ],
)
def test_wrong_settings_are_one_line(tracks: Path, tmp_path: Path, override: str, said: str) -> None:
    with pytest.raises((UsageError, InputError), match=said):
        train.main(settings(tmp_path, tracks), overrides=[override])


def test_quiet_has_no_line_of_how_far_it_is(
    tracks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, words, shown in (("a", [], True), ("b", ["--quiet"], False)):
        (tmp_path / name).mkdir()
        assert main(["learn", "editor", str(settings(tmp_path / name, tracks, 2)), *words]) == 0
        error = capsys.readouterr().err
        assert ("step 2 of 2" in error) == shown
        assert "pairs to learn from" in error


def test_a_file_names_its_command_without_paths(tracks: Path, tmp_path: Path) -> None:
    config = settings(tmp_path, tracks, 1)
    sets = [
        "editor.noise=0.02",
        f"editor.tracks={tracks}",
        "run.output=mine",
        'editor.metric="my/metric.npz"',
    ]
    told = "rtfilter learn editor editor.toml --set editor.noise=0.02 --set editor.tracks=..."
    assert train.command_of(config, sets) == f"{told} --set run.output=... --set editor.metric=..."
    path = train.main(config, overrides=sets[:2])
    assert EditorWeights.load(export.main(path)[0]).made_by == f"{told}; rtfilter learn export editor.pt"


def test_folders_have_defaults_and_a_missing_one_says_what_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "editor.toml"
    path.write_text(f'[run]\noutput = "{tmp_path}/out"\n[editor]\nsteps = 1\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"out/track: no tracks .*rtfilter learn track"):
        train.main(path)
    for number in range(2):
        for one in takes(number, ("happy",)):
            replace(one, truth={}).save(tmp_path / "out/track" / f"{one.name}{SUFFIX}")
    with pytest.raises(InputError, match=r"out/align: no such folder.*learn align.*--set editor.alignments="):
        train.main(path)
    (tmp_path / "out/align").mkdir()
    with pytest.raises(InputError, match=r"is missing.*rtfilter learn align"):
        train.main(path)


def test_sets_that_hold_too_little_are_refused_or_told(tmp_path: Path) -> None:
    lines: list[str] = []
    for people, emotions, said in ((1, ("happy",), "all pairs are of one speaker"), (2, (), "no pairs")):
        folder = write_tracks(tmp_path / f"{people}", people, emotions)
        with pytest.raises(InputError, match=said):
            train.main(settings(tmp_path, folder))
    folder = write_tracks(tmp_path / "one", 2, ("happy",))
    train.main(settings(tmp_path, folder), notify=lines.append)
    assert any(line.startswith("no tracks of sad, angry") for line in lines)


def test_the_average_change_is_at_intensity_one(tracks: Path) -> None:
    from rtfilter.controls import BLENDSHAPES, EMOTIONS

    table = mean_changes(load_pairs(tracks, None, builtin(), print))
    smile = table[:, BLENDSHAPES.index("mouthSmileLeft")]
    assert 0.2 < smile[EMOTIONS.index("happy")] < 0.7
    assert not np.delete(smile, EMOTIONS.index("happy")).round(6).any()
