"""Maps of people: light taken out, holes filled, videos read; what cannot be used is one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `learn` (PyTorch)")

from rtfilter.errors import InputError, UsageError
from rtfilter.learn.texture import unwrap
from rtfilter.learn.texture.maps import SUFFIX, Maps, load_all, normalised
from rtfilter.learn.texture.network import SCALE
from rtfilter.learn.texture.synthetic import person

SIZE = 32


def made(shades: np.ndarray, seen: np.ndarray | None = None) -> Maps:
    """Maps of a grey skin with log gains [T, S, S]."""
    textures = (120.0 * np.exp(shades))[..., None].repeat(3, 3).astype(np.float32)
    whole = np.ones(shades.shape, np.float32) if seen is None else seen
    mask = np.ones((SIZE, SIZE), np.float32)
    return normalised("someone", textures, whole, mask, np.zeros((len(shades), 52), np.float32))


def test_light_is_taken_out_and_a_fold_is_left() -> None:
    line = np.linspace(-0.3, 0.3, SIZE)
    shades = np.zeros((12, SIZE, SIZE))
    shades += np.sin(np.arange(12))[:, None, None] * (line[None, :, None] + line[None, None, :] ** 2)
    fold = np.zeros((SIZE, SIZE))
    fold[10:20, 8] = -0.2
    shades[6:] += fold
    maps = made(shades)
    change = SCALE * (maps.deviation[6:].mean(0) - maps.deviation[:6].mean(0)).astype(np.float64)
    assert change[:, 10:20, 8].mean() == pytest.approx(-0.2, abs=0.02)
    assert np.abs(np.delete(change, 8, axis=2)).max() < 0.03
    # The mean, with the light taken out, is the skin.
    assert np.exp(maps.base[0, 5, 20]) == pytest.approx(120.0, rel=0.05)


def test_what_is_not_seen_comes_from_the_other_side_and_else_is_the_mean() -> None:
    rng = np.random.default_rng(0)
    shades = 0.2 * rng.standard_normal((12, SIZE, SIZE))
    seen = np.ones((12, SIZE, SIZE), np.float32)
    seen[0, :, : SIZE // 2] = 0.0
    seen[1, 4:8] = 0.0
    maps = made(shades, seen)
    left, right = maps.deviation[0, :, :, : SIZE // 2], maps.deviation[0, :, :, SIZE // 2 :]
    assert np.array_equal(left, right[:, :, ::-1])
    assert not maps.deviation[1, :, 4:8].any()


def test_synthetic_people_have_their_folds_back() -> None:
    maps, truth = person(0, 60, SIZE, noise=0.0)
    shares = np.array([0.8, 1.1, 1.2])  # of the channels, in a synthetic fold
    # Both without their means over time; the light that was taken out took a little of the folds along.
    got = SCALE * maps.deviation.astype(np.float64)
    wanted = (truth - truth.mean(0))[:, None] * shares[:, None, None]
    inside = np.broadcast_to(maps.mask > 0.9, got.shape)
    assert np.corrcoef(got[inside], wanted[inside])[0, 1] > 0.95
    other, _ = person(1, 60, SIZE, noise=0.0)
    assert not np.allclose(other.base, maps.base)
    assert np.array_equal(person(0, 60, SIZE, noise=0.0)[0].deviation, maps.deviation)


def test_maps_are_kept_and_damaged_ones_refused(tmp_path: Path) -> None:
    maps, _ = person(0, 12, SIZE)
    path = tmp_path / f"synthetic00{SUFFIX}"
    maps.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    (again,) = load_all(tmp_path, ())
    assert again.person == maps.person
    assert np.array_equal(again.deviation, maps.deviation)
    first, last = again.split(0.25)
    assert (len(first), len(last)) == (9, 3)
    person(1, 12, 64)[0].save(tmp_path / f"synthetic01{SUFFIX}")
    with pytest.raises(InputError, match=r"maps of \[32, 64\] px"):
        load_all(tmp_path, ())
    for content in (b"", path.read_bytes()[:2000]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"no maps, or damaged ones .*learn unwrap"):
            Maps.load(path)
    np.savez(path, version=np.array(9))
    with pytest.raises(InputError, match="maps of format 9, expected 1"):
        Maps.load(path)


def test_too_few_maps_are_one_line() -> None:
    with pytest.raises(InputError, match="someone: 3 maps, expected 8 or more: give a longer video"):
        made(np.zeros((3, SIZE, SIZE)))


CONFIG = '[run]\noutput = "{output}"\n[unwrap]\nsize = 32\n'


def config_of(folder: Path, text: str) -> Path:
    path = folder / "unwrap.toml"
    path.write_text(CONFIG.format(output=folder / "out") + text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "people: expected some"),
        ('people = ["anna"]', "expected NAME:VIDEO or NAME:FOLDER, got 'anna'"),
        ('people = ["anna:nowhere.mp4"]', "nowhere.mp4: no such video or folder"),
        ("synthetic = 1\nmost = 0", "most: expected 1 or more"),
    ],
)
def test_wrong_settings_are_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises((UsageError, InputError), match=said):
        unwrap.main(config_of(tmp_path, text))


def test_a_side_that_no_network_has_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="size: expected one of 32, 64, 128, 256, got 33"):
        unwrap.main(config_of(tmp_path, "synthetic = 1"), overrides=["unwrap.size=33"])


def test_a_folder_without_videos_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no videos in it, expected \.mp4"):
        unwrap.main(config_of(tmp_path, f'people = ["anna:{tmp_path}/empty"]'))


def test_a_real_clip_gives_maps_with_its_expressions(tmp_path: Path, shared: Path) -> None:
    clip = shared / "footage" / "d18.mp4"
    if not clip.is_file():
        pytest.skip("needs shared/footage/d18.mp4, which is missing")
    config = config_of(tmp_path, f'people = ["d18:{clip}"]\nevery = 6')
    lines: list[str] = []
    unwrap.main(config, notify=lines.append)
    (maps,) = load_all(tmp_path / "out/unwrap", ())
    assert maps.deviation.shape == (36, 3, SIZE, SIZE)
    assert 0.05 < float(maps.expression.std(0).max()) < 0.6
    assert 80.0 < float(np.exp(maps.base[:, 16, 8]).mean()) < 230.0  # a cheek
    # There already: nothing is tracked again.
    before = (tmp_path / f"out/unwrap/d18{SUFFIX}").stat().st_mtime_ns
    unwrap.main(config, notify=lines.append)
    assert (tmp_path / f"out/unwrap/d18{SUFFIX}").stat().st_mtime_ns == before
