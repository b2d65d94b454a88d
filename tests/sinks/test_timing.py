"""Times at a file's ends: what begins before zero is not hidden, and the last picture is held."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from rtfilter.cli.main import main
from rtfilter.errors import OutputError
from rtfilter.frame import Frame
from rtfilter.media.info import SourceInfo
from rtfilter.sinks.file import FileSink
from rtfilter.sources.file import FileSource
from tests.clips import audio_packets, clip, picture_rgb, video_times


def convert(path: Path, target: Path, **options) -> None:
    source = FileSource(path)
    sink = FileSink(target, source.info, tracks_from=path, **options)
    while (frame := source.read()) is not None:
        sink.write(frame.unchanged())
    sink.close(complete=True)
    source.close()


def held(path: Path, *, b_frames: int, frames: int = 50, hold_s: int = 8) -> None:
    """Pictures 40 ms apart and a last one that stays: what recorders of screens write."""
    base = Fraction(1, 1000)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": str(b_frames)})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = base
        packets = []
        for index in range(frames):
            picture = av.VideoFrame.from_ndarray(picture_rgb(index, 64, 48))
            picture.pts, picture.time_base = index * 40, base
            packets += stream.encode(picture)
        packets += stream.encode(None)
        packets[-1].duration = (frames - 1) * 40 + hold_s * 1000 - packets[-1].pts
        container.mux(packets)


# QuickTime files cannot hold FFV1.
@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("h264", ".mp4"), ("h264", ".mkv"), ("h264", ".mov"), ("ffv1", ".mp4"), ("ffv1", ".mkv")],
)
@pytest.mark.parametrize("b_frames", [0, 2])
def test_the_last_picture_is_held_as_long_as_it_was(tmp_path, b_frames, codec, suffix) -> None:
    held(tmp_path / "in.mp4", b_frames=b_frames)
    convert(tmp_path / "in.mp4", tmp_path / f"out{suffix}", codec=codec)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert container.duration / 1e6 == pytest.approx(49 * 0.04 + 8, abs=0.002)
    assert len(video_times(tmp_path / f"out{suffix}")) == 50


@pytest.mark.parametrize("frames", [1, 2])
def test_hevc_of_one_picture_or_two_can_be_written(tmp_path: Path, frames: int) -> None:
    """Every third could not: x265 leaves the decoding times unset."""
    clip(tmp_path / "in.mp4", frames=frames, steps=(3000,))
    for index in range(8):
        out = tmp_path / f"{index}.{('mkv', 'mp4')[index % 2]}"
        convert(tmp_path / "in.mp4", out, codec="hevc")
        with av.open(str(out)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            assert len(packets) == frames
            assert container.duration / 1e6 == pytest.approx(frames / 30, abs=0.04)
        times = [float(time) for time in video_times(out)]
        assert times == pytest.approx([index / 30 for index in range(frames)], abs=0.001)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("frames", [12, 15, 30])
def test_a_constant_rate_stays_what_it_was(tmp_path, suffix, codec, frames) -> None:
    """A B-frame that comes last was as long as two."""
    clip(tmp_path / "in.mp4", frames=frames, steps=(3000,))
    convert(tmp_path / "in.mp4", tmp_path / f"out{suffix}", codec=codec)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 30
        assert container.duration / 1e6 == pytest.approx(frames / 30, abs=0.002)
        if suffix != ".mkv":  # which states neither
            assert stream.frames == frames
            assert stream.duration * stream.time_base == Fraction(frames, 30)


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_frame_says_how_long_it_is_shown(tmp_path: Path, b_frames: int) -> None:
    held(tmp_path / "in.mp4", b_frames=b_frames)
    source = FileSource(tmp_path / "in.mp4")
    frame = last = source.read()
    while frame is not None:
        last, frame = frame, source.read()
    assert last is not None
    assert float(last.duration * last.time_base) == pytest.approx(8, abs=0.001)
    assert last.unchanged().duration == last.duration


@pytest.mark.parametrize("start_s", [-2.3, -0.5, -0.05])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("audio", [None, "aac"])
def test_pictures_before_zero_are_shown(tmp_path, start_s, suffix, audio) -> None:
    """A transport stream over the wrap of its clock begins before zero; the edit list hid that part."""
    path, out = tmp_path / "in.ts", tmp_path / f"out{suffix}"
    # The clock has 33 bits at 90 kHz: it comes round after 95443.7 s.
    wrap_s = 2**33 / 90_000
    first = round((wrap_s + start_s) * 90_000) - 126_000  # the muxer adds 1.4 s
    clip(path, frames=120, steps=(3000,), first_pts=first, audio=audio, audio_offset_s=first / 90_000)
    before = video_times(path)
    assert before[0] < 0 or start_s > -0.1
    convert(path, out)
    after = video_times(out)
    assert len(after) == len(before) == 120
    assert after[0] >= 0
    moved = after[0] - before[0]
    assert all(abs(new - old - moved) <= Fraction(1, 999) for old, new in zip(before, after, strict=True))
    if audio:
        old, new = audio_packets(path), audio_packets(out)
        # Without the header that a transport stream repeats before every packet.
        assert all(data.endswith(kept) for (_, data), (_, kept) in zip(old, new, strict=True))
        assert all(abs(b - a - moved) <= Fraction(2, 999) for (a, _), (b, _) in zip(old, new, strict=True))
        assert new[0][0] >= 0


@pytest.mark.parametrize("codec", ["h264", "ffv1"])
@pytest.mark.parametrize(
    ("steps", "rate"),
    # From 30 to 10 frames a second and back; any times at all; and constant ones, which stay what they are.
    [(30 * (3000,) + 10 * (9000,), 30), ((3000, 1501, 4500, 3003), 60), ((3000,), 30), ((3003,), None)],
)
def test_avi_has_the_times_of_a_variable_rate(tmp_path: Path, steps, rate, codec) -> None:
    """It had the mean rate, on whose ticks the frames were put one after the other, whatever their times."""
    path, out = tmp_path / "in.mp4", tmp_path / "out.avi"
    clip(path, frames=80, steps=steps, audio="aac")
    source = FileSource(path)
    info = replace(source.info, fps=source.fine_fps)
    source.close()
    assert main(["run", "-i", str(path), "-o", str(out), "--codec", codec]) == 0
    before = video_times(path)
    with av.open(str(out)) as container:
        after = [packet.dts * packet.time_base for packet in container.demux(video=0) if packet.size]
    assert len(after) == len(before) == 80
    # Sound that leads in moves everything, and the first one, too, is up to half a tick off.
    # AVI begins with a picture in any case.
    moved = [new - old for old, new in zip(before[1:], after[1:], strict=True)]
    assert max(moved) - min(moved) <= 1 / info.fps + Fraction(1, 10_000)
    assert rate is None or info.fps == rate


def test_avi_says_how_late_pictures_are(tmp_path: Path) -> None:
    for strict in (False, True):
        info = SourceInfo("made", 64, 48, Fraction(20), False)
        sink = FileSink(tmp_path / f"{strict}.avi", info, strict=strict)
        for index in range(20):
            sink.write(Frame.from_rgb(picture_rgb(index, 64, 48), pts=index * 10_000_000, seq=index))
        if strict:
            with pytest.raises(OutputError, match="constant rate: pictures are up to"):
                sink.close(complete=True)
        else:
            sink.close(complete=True)
            assert "up to 0.76 s late in it; .mkv and .mp4 keep their times" in sink.notes[0]
    assert not (tmp_path / "True.avi").exists()
