"""Trainings that cannot begin, or cannot go on: one clear line, and nothing lost."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn` (PyTorch)")
pytest.importorskip("tensorboard", reason="needs the extra `learn` (tensorboard)")

from rtfilter.errors import InputError, OutputError, UsageError  # noqa: E402
from rtfilter.learn.texture import export, train  # noqa: E402
from rtfilter.learn.texture.checkpoint import Checkpoint  # noqa: E402
from rtfilter.learn.training.steps import TrainingError  # noqa: E402
from tests.learn.texture.made import settings  # noqa: E402


def test_a_loss_that_is_not_finite_ends_it(
    maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train.losses, "likeness", lambda *_: torch.tensor(float("nan")))
    with pytest.raises(TrainingError, match=r"step 0: .* not finite \(.*reconstruct nan.*lower texture.rate"):
        train.main(settings(tmp_path, maps))


def test_a_full_disk_ends_it_and_keeps_what_was(
    maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settings(tmp_path, maps, 3)
    written = train.main(path)
    before = written.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("rtfilter.learn.data.track.write_atomically", full)
    with pytest.raises(OutputError, match="No space left"):
        train.main(path, resume=True)
    with pytest.raises(OutputError, match="No space left"):
        export.main(path)
    assert written.read_bytes() == before


def test_an_earlier_run_is_not_lost_and_another_version_is_refused(maps: Path, tmp_path: Path) -> None:
    path = settings(tmp_path, maps, 1)
    written = train.main(path)
    with pytest.raises(OutputError, match="exists: go on with --resume"):
        train.main(path)
    with pytest.raises(UsageError, match=r"rate = 0.01 \(was 0.005\)"):
        train.main(path, resume=True, overrides=["texture.rate=0.01"])
    values = torch.load(written, weights_only=True)
    for change, said in (
        ({"version": 99}, "checkpoint version 99, expected 1: train again"),
        ({"format": "other"}, "not a checkpoint of a texture"),
        ({"networks": {}}, "damaged checkpoint"),
        ({"step": "3"}, "damaged checkpoint"),
    ):
        torch.save({**values, **change}, written)
        with pytest.raises(InputError, match=said) as caught:
            export.main(path)
        assert "\n" not in str(caught.value)
    written.write_bytes(b"none")
    with pytest.raises(InputError, match="no checkpoint, or a damaged one"):
        train.main(path, resume=True)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("texture.rate=0", "rate: expected more than 0"),
        ("texture.held_out=1", "held_out: expected a share"),
        ("texture.maps=nowhere", "nowhere: no maps .*learn unwrap"),
        ('texture.people=["x"]', "no maps of 'x'; there are synthetic00, synthetic01"),
        ("texture.colour=1", "unknown key 'colour'"),
        ("texture.latent=1", "latent: expected 4 or more"),
    ],
)
def test_wrong_settings_are_one_line(maps: Path, tmp_path: Path, override: str, said: str) -> None:
    with pytest.raises((UsageError, InputError), match=said):
        train.main(settings(tmp_path, maps), overrides=[override])


def test_a_file_names_its_command_without_paths(maps: Path, tmp_path: Path) -> None:
    path = train.main(settings(tmp_path, maps, 0), overrides=[f"texture.maps={maps}", "texture.ridge=2"])
    told = "rtfilter learn texture texture.toml --set texture.maps=... --set texture.ridge=2"
    assert Checkpoint.load(path).made_by == told
