"""Training: it learns, resumes exactly, runs in two processes, and refuses what it cannot use."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("tensorboard", reason="TensorBoard is not installed")

from rtfilter.errors import InputError, OutputError, RtfilterError, UsageError  # noqa: E402
from rtfilter.learn.interruption import between_steps  # noqa: E402
from rtfilter.learn.stccl import evidence, pairs, trials, weights  # noqa: E402
from rtfilter.learn.stccl.train import CHECKPOINT, LOG, METRIC, main  # noqa: E402
from tests.learn.stccl import speakers  # noqa: E402

SMALL = """
[run]
output = "{output}"
seed = 3
device = "cpu"
threads = 1

[stccl]
tracks = "{tracks}"
held_out = 0.34
regions = [24, 18, 12, 9]
channels = [8, 8, 8, 8]
centres = [8, 6, 4, 4]
head = 8
pairs = 3
windows = 3
steps = 8
log_every = 2
save_every = 4
"""


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracks")
    speakers.write(folder)
    return folder


def config(folder: Path, tracks: Path, name: str = "run") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(SMALL.format(output=folder / name, tracks=tracks))
    return path


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as archive:
        return dict(archive)


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("variant", ["vd", "cm"])
def test_a_resumed_run_ends_as_one_that_was_not_interrupted(
    variant: str, tmp_path: Path, tracks: Path
) -> None:
    change = [f"stccl.variant={variant}"]
    whole, cut = config(tmp_path, tracks, "whole"), config(tmp_path, tracks, "cut")
    assert main(whole, change) == 0

    def interrupt(done: int, total: int | None) -> None:
        if done == 6:
            raise Interrupted

    with pytest.raises(Interrupted):
        main(cut, change, progress=interrupt)
    assert not (tmp_path / "cut/stccl" / METRIC).exists()
    with pytest.raises(UsageError, match="add --resume"):
        main(cut, change)
    steps: list[int] = []
    assert main(cut, change, progress=lambda done, total: steps.append(done), resume=True) == 0
    assert steps == [5, 6, 7, 8]
    one, two = (arrays(tmp_path / name / "stccl" / METRIC) for name in ("whole", "cut"))
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[key], two[key]) for key in one)
    assert list((tmp_path / "whole/stccl" / LOG).glob("events.*"))


def test_ctrl_c_saves_the_last_whole_step(tmp_path: Path, tracks: Path) -> None:
    """Before `save_every` too, and bit for bit; two signals end it at once."""
    whole, cut = config(tmp_path, tracks, "whole"), config(tmp_path, tracks, "cut")
    change, lines = ["stccl.save_every=100"], []

    def interrupt(done: int, total: int | None) -> None:
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="SIGINT"):
        main(cut, change, progress=interrupt, notify=lines.append)
    assert signal.getsignal(signal.SIGINT) is before
    assert lines == ["interrupted after step 3: go on with --resume"]
    assert torch.load(tmp_path / "cut/stccl" / CHECKPOINT, weights_only=True)["step"] == 3
    main(cut, change, resume=True)
    main(whole, change)
    one, two = (arrays(tmp_path / name / "stccl" / METRIC) for name in ("whole", "cut"))
    assert all(np.array_equal(one[key], two[key]) for key in one)
    with between_steps() as interruption:
        signal.raise_signal(signal.SIGINT)
        assert interruption.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_it_learns_what_matches_on_a_speaker_it_has_not_seen(tmp_path: Path, tracks: Path) -> None:
    path = config(tmp_path, tracks)
    lines: list[str] = []
    steps = ["stccl.steps=120", "stccl.rate=0.005", "stccl.save_every=120"]
    main(path, steps, notify=lines.append)
    assert "120 steps over 8 pairs" in lines[0]
    _, unseen = pairs.split(pairs.load_pairs(tracks), 0.34)
    assert {pair.person for pair in unseen} == {"P2"}
    found = trials.trials_of(unseen)
    network, form = weights.load(tmp_path / "run/stccl" / METRIC)
    torch.manual_seed(0)
    before = trials.network_scores(weights.build(form, network.encoder.mean_iod.numpy()), found)
    after = trials.network_scores(network, found)
    for condition in ("misaligned", "other sentence"):
        for kind in ("space", "time"):
            old, new = (evidence.areas(each, kind, condition, found)[-1] for each in (before, after))
            assert new > 0.8, (condition, kind)
            assert new > old - 0.02, (condition, kind)
    assert (
        evidence.areas(after, "space", "misaligned", found)[-1]
        > evidence.areas(before, "space", "misaligned", found)[-1] + 0.03
    )


def test_evidence_prints_its_table(tmp_path: Path, tracks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = config(tmp_path, tracks)
    main(path)
    assert evidence.main([str(path)]) == 0
    shown = capsys.readouterr().out
    assert "1 speakers" in shown
    for row in (
        "| Pearson | space |",
        "| VD, random weights | time |",
        "| **VD** (stccl/metric.npz) | space |",
    ):
        assert row in shown
    assert evidence.main([str(path), "--metric", str(tmp_path / "absent.npz")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_two_processes_end_with_one_network(tmp_path: Path, tracks: Path) -> None:
    path = config(tmp_path, tracks)
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\nfrom pathlib import Path\nfrom rtfilter.learn.stccl.train import main\n"
        "main(Path(sys.argv[1]), ['stccl.steps=3'], notify=print)\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        [*command, str(program), str(path)], capture_output=True, text=True, timeout=110, check=False,
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("3 steps over 8 pairs") == 1
    alone = tmp_path / "alone"
    alone.mkdir()
    main(config(alone, tracks), ["stccl.steps=3"])
    two, one = (arrays(folder / "run/stccl" / METRIC) for folder in (tmp_path, alone))
    # The second process drew other batches.
    assert any(not np.array_equal(one[key], two[key]) for key in one if key != "head")
    with pytest.raises(UsageError, match="processes = 2"):
        main(path, ["stccl.steps=3"], resume=True)


def test_without_time_its_heads_stay_as_they_were(tmp_path: Path, tracks: Path) -> None:
    path = config(tmp_path, tracks)
    main(path, ["stccl.temporal=false", "stccl.weight_decay=0"])
    network, form = weights.load(tmp_path / "run/stccl" / METRIC)
    torch.manual_seed(3)
    fresh = weights.build(form, network.encoder.mean_iod.numpy()).state_dict()
    trained = network.state_dict()
    assert torch.equal(trained["heads.time.0.0.weight"], fresh["heads.time.0.0.weight"])
    assert not torch.equal(trained["heads.space.0.0.weight"], fresh["heads.space.0.0.weight"])


def test_what_cannot_be_learned_from_is_one_clear_line(tmp_path: Path, tracks: Path) -> None:
    empty, single, alone, short = (tmp_path / name for name in ("empty", "single", "alone", "short"))
    empty.mkdir()
    speakers.write(single, emotions=("happy",))
    speakers.write(alone, people=1)
    speakers.write(short, people=2, frames=8)
    for folder, message in (
        (empty, "no tracks"),
        (single, "neutral"),
        (alone, "pairs of P0 alone: .* give two speakers"),
        (short, "shorter than 9 frames"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            main(config(tmp_path, folder))
        assert "\n" not in str(caught.value)
    damaged = tmp_path / "damaged"
    speakers.write(damaged, people=2, sentences=1)
    first = sorted(damaged.glob("*"))[0]
    first.write_bytes(first.read_bytes()[:500])
    with pytest.raises(InputError, match=first.name):
        main(config(tmp_path, damaged))


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path, tracks: Path) -> None:
    path = config(tmp_path, tracks)
    with pytest.raises(RtfilterError, match=r"step \d: the loss is not a number: lower stccl.rate"):
        main(path, ["stccl.noise_iod=1e30"])
    assert not (tmp_path / "run/stccl" / METRIC).exists()


def test_a_full_disk_is_one_clear_line(tmp_path: Path, tracks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = config(tmp_path, tracks)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device; make room"):
        main(path)
    assert not (tmp_path / "run/stccl" / CHECKPOINT).exists()


@pytest.mark.parametrize(
    "change",
    ["variant=xx", "signal=sound", "tau=0", "held_out=1.0", "regions=[9,9]", "regions=[9,10,11,12]",
     "centres=[99,9,9,9]", "windows=1", "steps=0", "noise_iod=-1.0", "signal=crop"],
)  # fmt: skip
def test_settings_are_checked(change: str, tmp_path: Path, tracks: Path) -> None:
    with pytest.raises(UsageError):
        main(config(tmp_path, tracks), [f"stccl.{change}"])
