"""`-` as input and output: real processes, real pipes, and readers that are not ours."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from rtfilter.sources.pipe import PipeSource
from tests import films
from tests.clips import clip, picture_rgb, video_planes
from tests.films import Film, Sound

ROOT = Path(__file__).resolve().parents[2]
SIZE = (64, 48)
FRAMES = 10
RAW = b"".join(picture_rgb(index, *SIZE).tobytes() for index in range(FRAMES))


def rtfilter(words: str, given: bytes | None = None, **options) -> subprocess.CompletedProcess[bytes]:
    """A run whose stdin gets `given` through a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "rtfilter", "run", *words.split()],
        input=given,
        capture_output=True,
        cwd=ROOT,
        timeout=90,
        check=False,
        **options,
    )


def decoded(data: bytes) -> tuple[str, list[av.VideoFrame]]:
    with av.open(io.BytesIO(data)) as container:
        return container.format.name, list(container.decode(video=0))


def planes_of(frames: list[av.VideoFrame]) -> list[bytes]:
    return [frame.to_ndarray().tobytes() for frame in frames]


def test_raw_rgb_through_and_through_is_bit_exact_and_alone_on_stdout() -> None:
    done = rtfilter("-i - --size 64x48 --fps 25 -o - --format raw", RAW)
    assert done.returncode == 0, done.stderr
    assert done.stdout == RAW
    assert f"stdout: {FRAMES} frames".encode() in done.stderr


def test_a_piece_of_a_raw_frame_is_told() -> None:
    done = rtfilter("-i - --size 64x48 -o - --format raw", RAW[:-100])
    assert done.returncode == 0
    assert done.stdout == RAW[: len(RAW) // FRAMES * (FRAMES - 1)]
    assert b"damaged" in done.stderr


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p"])
def test_y4m_out_has_the_files_own_samples_and_comes_in_again(tmp_path: Path, pix_fmt: str) -> None:
    clip(tmp_path / "in.mkv", frames=FRAMES, codec="ffv1", pix_fmt=pix_fmt, steps=(3000,))
    first = rtfilter(f"-i {tmp_path / 'in.mkv'} -o - --quiet")
    assert (first.returncode, first.stderr) == (0, b"")
    form, frames = decoded(first.stdout)
    assert form == "yuv4mpegpipe"
    with av.open(str(tmp_path / "in.mkv")) as container:
        assert planes_of(frames) == planes_of(list(container.decode(video=0)))
    second = rtfilter(f"-i - -o {tmp_path / 'out.mkv'} --codec ffv1", first.stdout)
    assert second.returncode == 0, second.stderr
    for old, new in zip(video_planes(tmp_path / "in.mkv"), video_planes(tmp_path / "out.mkv"), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(old, new, strict=True))


def test_mkv_in_and_out_keeps_every_time_and_a_files_sound(tmp_path: Path) -> None:
    times = clip(tmp_path / "in.mkv", frames=FRAMES, audio="aac")
    piped = rtfilter(f"-i {tmp_path / 'in.mkv'} -o - --format mkv --crf 20")
    assert piped.returncode == 0, piped.stderr
    form, frames = decoded(piped.stdout)
    assert "matroska" in form
    got = [(frame.pts - frames[0].pts) * frame.time_base for frame in frames]
    for seconds, wanted in zip(got, times, strict=True):
        assert abs(seconds - Fraction(wanted - times[0], 90_000)) <= Fraction(1, 500)
    with av.open(io.BytesIO(piped.stdout)) as container:
        assert [stream.codec_context.name for stream in container.streams.audio] == ["aac"]
    back = rtfilter(f"-i - -o {tmp_path / 'back.mp4'}", piped.stdout)
    assert back.returncode == 0
    assert b"has no sound" in back.stderr
    with av.open(str(tmp_path / "back.mp4")) as container:
        assert len(list(container.decode(video=0))) == FRAMES


def test_what_beside_the_pictures_a_pipe_does_not_keep_is_told_and_strict_refuses(tmp_path: Path) -> None:
    film = Film([Sound()], "srt", tags={"title": "My film"}, chapters=True)
    data = films.write(tmp_path / "in.mkv", film).read_bytes()
    lacking = [
        "no sound track 1 (aac)",
        "no subtitles track 1 (subrip, ita)",
        'tag title "My film"',
        "chapters",
    ]
    for given, words in ((data, f"-i - -o {tmp_path / 'out.mkv'}"), (None, f"-i {tmp_path / 'in.mkv'} -o -")):
        done = rtfilter(f"{words} --strict", given)
        assert (done.returncode, done.stdout) == (1, b"")
        assert all(part in done.stderr.decode() for part in lacking)
        assert not (tmp_path / "out.mkv").exists()
    done = rtfilter(f"-i - -o {tmp_path / 'out.mkv'}", data)
    assert done.returncode == 0
    assert all(part in done.stderr.decode() for part in lacking)


def test_bits_that_stdout_has_not_are_told_and_strict_refuses(tmp_path: Path) -> None:
    clip(tmp_path / "in.mkv", frames=2, codec="ffv1", pix_fmt="yuv420p10le")
    done = rtfilter(f"-i {tmp_path / 'in.mkv'} -o - --format raw")
    assert done.returncode == 0
    assert b"10 bits a sample become 8" in done.stderr
    done = rtfilter(f"-i {tmp_path / 'in.mkv'} -o - --format raw --strict")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"10 bits a sample become 8" in done.stderr


def test_frames_of_uneven_times_are_put_on_a_constant_rate(tmp_path: Path) -> None:
    """A fifth of a second is missing in the middle: it is filled, and no frame is lost for it."""
    clip(tmp_path / "in.mp4", frames=20, steps=(3000,) * 9 + (18_000,) + (3000,) * 10)
    done = rtfilter(f"-i {tmp_path / 'in.mp4'} -o - --format raw")
    assert done.returncode == 0
    pictures = [done.stdout[i : i + 64 * 48 * 3] for i in range(0, len(done.stdout), 64 * 48 * 3)]
    assert len(set(pictures)) == 20
    assert len(pictures) == 25
    assert b"5 frames were repeated and 0 left out" in done.stderr


@pytest.mark.parametrize("form", ["raw", "y4m", "mkv"])
def test_a_reader_that_leaves_ends_it_cleanly(form: str) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "rtfilter",
            "run",
            "-i",
            "demo",
            "--duration",
            "600",
            "-o",
            "-",
            "--format",
            form,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert len(process.stdout.read(100)) == 100
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 141
    assert said.splitlines()[-1].startswith("rtfilter: the reader of stdout left after ")
    assert "Traceback" not in said


def test_ctrl_c_on_a_pipe_that_waits_completes_the_recording(tmp_path: Path) -> None:
    """The other program is silent, and stays there."""
    out = tmp_path / "out.mkv"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "rtfilter",
            "run",
            "-i",
            "-",
            "--size",
            "64x48",
            "--codec",
            "ffv1",
            "-o",
            str(out),
        ],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None
    process.stdin.write(20 * RAW)
    process.stdin.flush()
    deadline_s = time.monotonic() + 60
    while not any(path.stat().st_size for path in tmp_path.glob(".out.*")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    sent_s = time.monotonic()
    assert process.stderr is not None
    said = process.stderr.read().decode()
    assert process.wait(30) == 0, said
    assert time.monotonic() - sent_s < 8
    process.stdin.close()
    assert "stopped early" in said
    with av.open(str(out)) as container:
        assert 1 <= len(list(container.decode(video=0))) <= 20 * FRAMES


def test_close_ends_a_read_that_waits() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"YUV4MPEG2 W16 H16 F25:1 Ip C444\n" + 2 * (b"FRAME\n" + bytes(3 * 256)))
    os.write(writing, b"FRAME\n")
    # Probing waits for more than this: the end comes from `finish`, in another thread.
    import threading

    sources: list[PipeSource | BaseException] = []

    def opened() -> None:
        try:
            sources.append(PipeSource(reading))
        except BaseException as error:  # noqa: BLE001
            sources.append(error)

    thread = threading.Thread(target=opened)
    thread.start()
    thread.join(1.0)
    os.close(writing)
    thread.join(10.0)
    assert isinstance(sources[0], PipeSource)
    assert sources[0].read() is not None
    sources[0].close()
    sources[0].close()
    assert sources[0].read() is None
    os.close(reading)


@pytest.mark.parametrize(
    ("words", "given", "code", "said"),
    [
        ("-i - -o null", b"", 1, "stdin is empty"),
        ("-i - -o null", b"this is no video at all" * 100, 1, "stdin cannot be read as a video"),
        ("-i - -o null --size 64by48", b"", 2, "expected WxH like 1280x720"),
        ("-i demo -o - --format mp4", b"", 2, "Known: mkv, raw, y4m"),
        ("-i demo -o out.mp4 --format mkv", b"", 2, "a file's suffix tells its format"),
        ("-i demo -o - --crf 20", b"", 2, "y4m is not compressed"),
        ("-i demo -o - --format mkv --codec gif", b"", 2, "cannot hold gif"),
    ],
)
def test_what_cannot_be_piped_is_one_line(words: str, given: bytes, code: int, said: str) -> None:
    done = rtfilter(words, given)
    assert (done.returncode, done.stdout) == (code, b"")
    assert said in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_a_terminal_is_no_pipe() -> None:
    ours, theirs = pty.openpty()
    for words in ("-i - -o null", "-i demo -o -"):
        done = subprocess.run(
            [sys.executable, "-m", "rtfilter", "run", *words.split()],
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert b"is a terminal" in done.stderr
    os.close(ours)
    os.close(theirs)
