"""The texture's training: it learns, goes on where it was, and ends in one clear line where it cannot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn` (PyTorch)")
pytest.importorskip("tensorboard", reason="needs the extra `learn` (tensorboard)")

from rtfilter.engines.expression.texture_delta import TextureDelta  # noqa: E402
from rtfilter.errors import InputError, UsageError  # noqa: E402
from rtfilter.face.skin import SkinMaps  # noqa: E402
from rtfilter.learn.config import read_document  # noqa: E402
from rtfilter.learn.texture import evidence, export, train  # noqa: E402
from rtfilter.learn.texture.checkpoint import Checkpoint  # noqa: E402
from rtfilter.learn.texture.settings import TextureSettings  # noqa: E402
from rtfilter.learn.texture.synthetic import person  # noqa: E402
from rtfilter.profiles.profile import Profile  # noqa: E402
from rtfilter.profiles.report import Quality  # noqa: E402
from rtfilter.profiles.store import ProfileStore  # noqa: E402
from tests.learn.texture.made import MAPS, settings  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Learned:
    """A run on one person, long enough to have learned; what it told and wrote."""

    config: Path
    lines: list[str]
    files: list[Path]


@pytest.fixture(scope="module")
def learned(maps: Path, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    config, lines = settings(tmp_path_factory.mktemp("learned"), maps, 240), []
    only = ['texture.people=["synthetic00"]']
    train.main(config, notify=lines.append, overrides=only)
    return Learned(config, lines, export.main(config, notify=lines.append, overrides=only))


def test_held_out_maps_are_reconstructed_and_edited_better_than_by_the_mean(learned: Learned) -> None:
    document = read_document(learned.config, ['texture.people=["synthetic00"]'])
    chosen = document.table("texture", TextureSettings)
    (one,) = export.trained(chosen, document.run.folder("texture") / "texture.pt")
    assert len(one.held_out) == MAPS // 4
    mean_db, made_db = evidence.reconstruction(one)
    assert made_db > mean_db + 1.0, (mean_db, made_db)
    scores = evidence.table(one, 1.0)
    assert scores["zero"].folds_r == 0.0
    for name in ("eigen", "stylegan", "stylegan, distilled"):
        assert scores[name].psnr_db > scores["zero"].psnr_db + 0.5, name
        assert scores[name].folds_r > 0.6, (name, scores[name])


def test_losses_fall_and_are_logged(learned: Learned) -> None:
    told = [line for line in learned.lines if line.startswith("step ")]
    value = [float(line.split("reconstruct ")[1].split(",")[0]) for line in told]
    assert np.mean(value[-5:]) < 0.75 * np.mean(value[:3])
    assert any("path" in line for line in told)
    assert list((learned.config.parent / "out/texture").glob("events.*"))


def test_exported_files_say_what_the_truth_is(learned: Learned) -> None:
    onnx, skin = learned.files
    assert onnx.name == "synthetic00.texture.onnx"
    assert any("ONNX differs from PyTorch by" in line for line in learned.lines)
    made, truth = person(0, MAPS, 32)
    maps = SkinMaps.from_npz(skin.open("rb"), "skin")  # type: ignore[arg-type]
    runner = TextureDelta.load(onnx)
    a, b = (int(k) for k in np.argsort(np.abs(truth).sum((1, 2)))[[0, -1]])
    before, offset = made.expression[a], made.expression[b] - made.expression[a]
    change = (truth[b] - truth[a]).ravel()
    by_network = runner.gain_log(before, offset).ravel()
    by_maps = np.einsum("k,kyx->yx", maps.weights(before, offset), maps.maps).ravel()
    found = [float(np.corrcoef(one, change)[0, 1]) for one in (by_network, by_maps)]
    assert min(found) > 0.75, found  # measured 0.80, 0.81
    assert 0.4 < float(by_network @ change) / float(change @ change) < 1.6
    # Red is lost least in a synthetic fold: 0.8, 1.1, 1.2 of the change.
    assert runner.colour[0] < runner.colour[1] < runner.colour[2] + 0.1
    assert not runner.gain_log(before, np.zeros(52)).any()
    runner.close()


def test_the_maps_go_into_a_profile_that_was_enrolled(
    learned: Learned, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    only = ['texture.people=["synthetic00"]', "texture.profile=anna"]
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=r"there is no profile 'anna': make it with: rtfilter enroll"):
        export.main(learned.config, overrides=only)
    with pytest.raises(UsageError, match=r"one person's maps go into it, got 2: set texture.people"):
        export.main(learned.config, overrides=only[1:])
    quality = Quality(60.0, 300, {}, 120.0, 30.0, 5.0, (-20.0, 20.0), (-10.0, 10.0), 0.4, 0)
    side, linear = 256, SkinMaps.from_npz(learned.files[1].open("rb"), "skin")  # type: ignore[arg-type]
    enrolled = Profile(
        "anna", replace(linear, maps=0.5 * linear.maps), np.zeros((478, 3), np.float32),
        np.full((side, side, 3), 90, np.uint8), np.ones((side, side), np.uint8), "2026-01-01", quality,
    )  # fmt: skip
    ProfileStore().write("anna", enrolled.header(), enrolled.to_bytes())
    export.main(learned.config, overrides=only)
    header, content = ProfileStore().read("anna")
    worn = Profile.from_bytes("anna", header["created"], content)
    assert np.allclose(worn.skin.maps, linear.maps, atol=0.01)
    assert np.array_equal(worn.texture, enrolled.texture)
    assert (worn.created, worn.quality.seconds) == (enrolled.created, quality.seconds)


def test_a_run_that_goes_on_is_the_run(maps: Path, tmp_path: Path) -> None:
    whole = Checkpoint.load(train.main(settings(tmp_path / "a", maps)))
    part, steps = settings(tmp_path / "b", maps), 0

    def interrupted(self: torch.optim.Adam, *words: Any) -> Any:
        """Ctrl-C in the middle of a step: the critic has moved, the texture not."""
        nonlocal steps
        steps += 1
        if steps == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *words)

    step = torch.optim.Adam.step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.Adam, "step", interrupted)
        with pytest.raises(KeyboardInterrupt, match="SIGINT"):
            train.main(part)
    assert 0 < Checkpoint.load(tmp_path / "b/out/texture/texture.pt").step < 6
    again = Checkpoint.load(train.main(part, resume=True))
    assert again.step == whole.step == 6
    for name, value in whole.networks.items():
        assert torch.equal(value, again.networks[name]), name


def test_it_begins_from_other_people(maps: Path, tmp_path: Path) -> None:
    first = train.main(settings(tmp_path / "a", maps, 3))
    lines: list[str] = []
    sets = [f"texture.start={first}", 'texture.people=["synthetic01"]']
    second = Checkpoint.load(
        train.main(settings(tmp_path / "b", maps, 0), overrides=sets, notify=lines.append)
    )
    assert any("beginning from" in line and "synthetic00, synthetic01" in line for line in lines)
    began = Checkpoint.load(first).networks
    for name, value in second.networks.items():
        if name.startswith("average."):
            assert torch.equal(value, began[name]), name
    with pytest.raises(InputError, match="another network, expected one of: size = 32, latent = 16"):
        train.main(settings(tmp_path / "c", maps, 0), overrides=[*sets, "texture.latent=8"])


def test_two_processes_learn_as_one_and_only_the_first_writes(maps: Path, tmp_path: Path) -> None:
    path, script = settings(tmp_path, maps, 4), tmp_path / "run.py"
    script.write_text(
        "import sys; from pathlib import Path; from rtfilter.learn.texture import train; "
        "train.main(Path(sys.argv[1]), notify=print)",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(script), str(path)], capture_output=True, text=True, timeout=240, env=environ
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step 4 of 4") == 1
    assert Checkpoint.load(tmp_path / "out/texture/texture.pt").settings["processes"] == "2"
