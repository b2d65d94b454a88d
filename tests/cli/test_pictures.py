"""A picture to a picture and a folder to a folder, read again by a reader that is not ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from rtfilter.cli.main import main
from rtfilter.sinks.image import LARGEST_PROFILE, ImageSink, profile_of_png
from rtfilter.sources.demo import DemoSource

Refused = Callable[[Sequence[str], int], str]
Image = pytest.importorskip("PIL.Image", reason="Pillow is missing, which reads pictures here")


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    source = DemoSource(width=480, height=360)
    rgb = source.frame(0).rgb.copy()
    source.close()
    return rgb


@cache
def profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("target", ["out.jpg", "out.png", "out.webp", "OUT.JPEG"])
def test_a_picture_becomes_a_picture_at_once(
    face: np.ndarray, tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(face).save(tmp_path / "me.jpg", quality=95)
    out = tmp_path / target
    assert main(["run", "-i", str(tmp_path / "me.jpg"), "-o", str(out), "-e", "happy=1"]) == 0
    assert "1 frames, a face in 1, 1 changed" in capsys.readouterr().err
    before = np.asarray(Image.open(tmp_path / "me.jpg").convert("RGB")).astype(int)
    after = np.asarray(Image.open(out).convert("RGB")).astype(int)
    assert after.shape == before.shape
    changed = np.abs(after - before).max(axis=2) > 40
    assert changed.any()
    assert np.abs(after - before)[:40, :40].mean() < 4
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["me.jpg", target])


def test_png_keeps_every_sample_and_transparency(face: np.ndarray, tmp_path: Path) -> None:
    alpha = np.tile(np.linspace(0, 255, face.shape[1]).astype(np.uint8), (face.shape[0], 1))
    rgba = np.dstack([face, alpha])
    Image.fromarray(rgba).save(tmp_path / "me.png")
    assert main(["run", "-i", str(tmp_path / "me.png"), "-o", str(tmp_path / "out.png")]) == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png")), rgba)
    assert main(["run", "-i", str(tmp_path / "me.png"), "-o", str(tmp_path / "out.webp")]) == 0
    webp = Image.open(tmp_path / "out.webp")
    assert webp.mode == "RGBA"
    assert np.abs(np.asarray(webp)[..., 3].astype(int) - alpha).max() <= 4


@pytest.mark.parametrize("source", ["me.jpg", "me.png", "me.webp"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_the_colour_profile_stays(tmp_path: Path, source: str, suffix: str) -> None:
    grey = Image.fromarray(np.full((48, 64, 3), 120, np.uint8))
    grey.save(tmp_path / source, icc_profile=profile())
    out = tmp_path / f"out{suffix}"
    assert main(["run", "-i", str(tmp_path / source), "-o", str(out), "--quiet"]) == 0
    read = Image.open(out)
    read.load()
    assert read.info["icc_profile"] == profile()
    assert np.abs(np.asarray(read.convert("RGB")).astype(int) - 120).max() <= 2
    assert cv2.imread(str(out)) is not None


def test_a_png_with_a_profile_does_not_end_the_process(tmp_path: Path) -> None:
    """PyAV frees the name of the profile twice: a segmentation fault when garbage is collected."""
    grey = Image.fromarray(np.full((48, 64, 3), 120, np.uint8))
    grey.save(tmp_path / "me.png", icc_profile=profile())
    program = (
        "import gc, sys\n"
        "from rtfilter.sources.file import FileSource\n"
        "for _ in range(20):\n"
        "    source = FileSource(sys.argv[1])\n"
        "    while (frame := source.read()) is not None: rgb = frame.rgb\n"
        "    source.close()\n"
        "    gc.collect()\n"
        "print(rgb[0, 0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "me.png")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[120 120 120]\n"), done.stderr


def test_a_phones_photo_is_upright_and_what_is_left_out_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rgb = np.full((48, 64, 3), 90, np.uint8)
    rgb[:24, :32] = (250, 10, 10)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    exif[0x010F] = "A phone"
    Image.fromarray(rgb).save(tmp_path / "me.jpg", exif=exif, quality=95)
    assert main(["run", "-i", str(tmp_path / "me.jpg"), "-o", str(tmp_path / "out.jpg")]) == 0
    assert "out.jpg has no EXIF" in capsys.readouterr().err
    out = Image.open(tmp_path / "out.jpg")
    assert out.size == (48, 64)
    assert np.asarray(out)[10, 40, 0] > 200
    assert not out.getexif()


def test_what_a_jpeg_cannot_hold_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rgba = np.full((48, 64, 4), 90, np.uint8)
    Image.fromarray(rgba).save(tmp_path / "me.png")
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((48, 64, 3), 40_000, np.uint16))
    assert main(["run", "-i", str(tmp_path / "me.png"), "-o", str(tmp_path / "out.jpg")]) == 0
    assert "has no transparency" in capsys.readouterr().err
    assert main(["run", "-i", str(tmp_path / "deep.png"), "-o", str(tmp_path / "out.png")]) == 0
    assert "more than 8 bits" in capsys.readouterr().err


@pytest.mark.parametrize(("source", "said"), [("exif.jpg", "EXIF"), ("clear.png", "transparency")])
def test_strict_refuses_what_a_picture_loses(
    source: str, said: str, tmp_path: Path, refused: Refused
) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A phone"
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(tmp_path / "exif.jpg", exif=exif)
    Image.fromarray(np.full((48, 64, 4), 90, np.uint8)).save(tmp_path / "clear.png")
    out = tmp_path / "out.jpg"
    words = ["run", "-i", str(tmp_path / source), "-o", str(out), "--quiet", "--strict"]
    assert f"out.jpg has no {said}" in refused(words, 1)
    assert not out.exists()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_exif_of_a_picture_that_comes_through_a_pipe_is_told(suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A phone"
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(tmp_path / f"me{suffix}", exif=exif)
    done = subprocess.run(
        [sys.executable, "-m", "rtfilter", "run", "-i", "-", "-o", str(tmp_path / "out.jpg"), "--strict"],
        input=(tmp_path / f"me{suffix}").read_bytes(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert b"out.jpg has no EXIF" in done.stderr
    assert not (tmp_path / "out.jpg").exists()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_profile_too_large_for_a_jpeg_is_left_out_and_told(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grey, out = Image.fromarray(np.full((48, 64, 3), 120, np.uint8)), tmp_path / f"out{suffix}"
    grey.save(tmp_path / "me.png", icc_profile=profile() + bytes(LARGEST_PROFILE))
    assert main(["run", "-i", str(tmp_path / "me.png"), "-o", str(out)]) == 0
    assert "has no colour profile of more than" in capsys.readouterr().err
    assert "icc_profile" not in Image.open(out).info


def test_a_large_profile_is_kept_whole(tmp_path: Path) -> None:
    """It is longer than the part of the file that is searched for other things."""
    large = profile() + np.random.default_rng(1).bytes(1 << 21)
    Image.fromarray(np.full((48, 64, 3), 120, np.uint8)).save(tmp_path / "me.png", icc_profile=large)
    for name in ("out.png", "out.jpg"):
        assert main(["run", "-i", str(tmp_path / "me.png"), "-o", str(tmp_path / name), "--quiet"]) == 0
    assert Image.open(tmp_path / "out.jpg").info["icc_profile"] == large
    # Pillow reads no profile above 1 MiB in a PNG.
    assert profile_of_png((tmp_path / "out.png").read_bytes()) == large


def test_one_picture_that_the_disk_refuses_ends_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(source / name)
    head = ImageSink._head

    def failing(sink: ImageSink, size: int) -> bytes:
        if sink.path.name == "a.png":
            raise OSError(5, "Input/output error")
        return head(sink, size)

    monkeypatch.setattr(ImageSink, "_head", failing)
    assert main(["run", "-i", str(source), "-o", str(target)]) == 1
    err = capsys.readouterr().err
    assert "a.png: Input/output error" in err
    assert "1 of 2 pictures failed: a.png" in err
    assert [path.name for path in target.iterdir()] == ["b.png"]


def test_a_folder_becomes_a_folder_and_a_bad_picture_stops_no_other(
    face: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target, report = tmp_path / "in", tmp_path / "out", tmp_path / "r.json"
    source.mkdir()
    Image.fromarray(face).save(source / "a.jpg", quality=95)
    Image.fromarray(face).save(source / "b.png")
    Image.fromarray(face).save(source / "b.bmp")
    (source / "c.jpg").write_bytes(b"no picture")
    (source / "notes.txt").write_text("text")
    words = ["run", "-i", str(source), "-o", str(target), "-e", "happy=1"]
    assert main([*words, "--report", str(report)]) == 1
    said = capsys.readouterr().err
    assert "c.jpg: not one frame could be decoded" in said
    assert "left out what is no picture: notes.txt" in said
    assert "1 of 4 pictures failed: c.jpg" in said
    assert sorted(path.name for path in target.iterdir()) == ["a.jpg", "b.bmp.png", "b.png"]
    document = json.loads(report.read_text())
    assert (document["frames"], document["frames_changed"]) == (3, 3)
    assert document["run"]["failed"] == ["c.jpg"]
    alone = tmp_path / "alone.png"
    assert main(["run", "-i", str(source / "b.png"), "-o", str(alone), "-e", "happy=1"]) == 0
    assert np.array_equal(np.asarray(Image.open(alone)), np.asarray(Image.open(target / "b.png")))
    (source / "c.jpg").unlink()
    assert main(words) == 1
    assert "--force" in capsys.readouterr().err
    assert main([*words, "--force", "--quiet"]) == 0


def some_picture(path: Path) -> Path:
    rng = np.random.default_rng(0)
    options = {"progressive": True} if path.stem == "progressive" else {}
    Image.fromarray(rng.integers(0, 255, (120, 160, 3), np.uint8)).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["plain.jpg", "progressive.jpg", "plain.png"])
def test_a_cut_picture_is_told_and_strict_ends_with_1_and_keeps_what_there_was(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It passed for whole."""
    source, out = some_picture(tmp_path / name), tmp_path / "out.png"
    words = ["run", "-i", str(source), "-o", str(out), "--quiet", "--force"]
    assert main([*words, "--strict"]) == 0
    assert capsys.readouterr().err == ""
    data = source.read_bytes()
    # FFmpeg refuses a PNG that breaks off within its one chunk of samples.
    source.write_bytes(data[:-12] if name == "plain.png" else data[: len(data) * 2 // 3])
    assert main(words) == 0
    assert "cut off: its end is missing; used what could be decoded" in capsys.readouterr().err
    out.unlink()
    assert main([*words, "--strict"]) == 1
    assert "--strict: the input is damaged or cut off" in capsys.readouterr().err
    assert cv2.imread(str(out)).shape == (120, 160, 3)


def test_a_cut_picture_of_a_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    some_picture(tmp_path / "in" / "whole.jpg")
    cut = some_picture(tmp_path / "in" / "cut.jpg")
    cut.write_bytes(cut.read_bytes()[:-3000])
    words = ["run", "-i", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--force"]
    assert main(words) == 0
    assert "cut.jpg: cut off: its end is missing" in capsys.readouterr().err
    assert main([*words, "--strict"]) == 1
    assert "1 of 2 pictures failed: cut.jpg" in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"whole.jpg", "cut.jpg"}
