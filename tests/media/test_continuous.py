"""One timeline for joined files: what follows a jump of timestamps goes on where everything has ended."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from rtfilter.media.continuous import Continuous
from rtfilter.sinks.file import FileSink
from rtfilter.sources.file import FileSource
from tests.clips import clip, video_times

STEP = Fraction(1, 30)


def joined(tmp_path: Path, *parts: Path) -> Path:
    path = tmp_path / f"joined{parts[0].suffix}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def part(tmp_path: Path, name: str, *, start_s: float = 0.0, suffix: str = ".ts", **options) -> Path:
    path = tmp_path / f"{name}{suffix}"
    codecs = {"codec": "libvpx"} if suffix == ".webm" else {}
    sound = {".ts": "aac", ".mkv": "flac", ".webm": "libopus"}[suffix]
    first = {"first_pts": round(start_s * 90_000), "audio_offset_s": start_s}
    clip(path, steps=(3000,), **{"frames": 45, "audio": sound, **first, **codecs, **options})
    return path


def times(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Start and end in seconds of every packet, by kind of stream."""
    found: dict[str, list[tuple[float, float]]] = {"video": [], "audio": []}
    with av.open(str(path)) as container:
        for packet in Continuous(container, container.streams):
            if packet.size:
                start_s = float(packet.pts * packet.time_base)
                length_s = float((packet.duration or 0) * packet.time_base)
                found[packet.stream.type].append((start_s, start_s + length_s))
    return {kind: sorted(spans) for kind, spans in found.items()}


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".webm"])
def test_a_joined_file_goes_on_with_picture_and_sound_in_step(tmp_path: Path, suffix: str) -> None:
    one = part(tmp_path, "one", suffix=suffix)
    alone, both = times(one), times(joined(tmp_path, one, one))
    moves = []
    for kind, spans in both.items():
        count = len(alone[kind])
        assert len(spans) == 2 * count
        assert spans[:count] == alone[kind]
        steps = {round(new[0] - old[0], 3) for old, new in zip(alone[kind], spans[count:], strict=True)}
        assert max(steps) - min(steps) <= 0.002
        moves.append(max(steps))
        # No overlap, which no muxer takes, and no gap but where the other stream was longer.
        assert -0.002 <= spans[count][0] - spans[count - 1][1] < 0.2
    assert moves[0] == pytest.approx(moves[1], abs=0.002)


@pytest.mark.parametrize("fps", [60, 25, 5, 1])
def test_b_frames_are_no_jump(tmp_path: Path, fps: int) -> None:
    """Matroska has no decoding times: FFmpeg cannot give any to the first packets."""
    path = tmp_path / "clip.mkv"
    b_frames = {"bf": "8", "b_strategy": "0", "b-pyramid": "normal"}
    clip(path, frames=24, steps=(90_000 // fps,), options=b_frames)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert packets[1].dts is None
        assert packets[2].dts is not None
        reach_s = float((packets[1].pts - packets[2].dts) * packets[1].time_base)
        assert reach_s == pytest.approx(9 / fps, rel=0.3)
    source = FileSource(path)
    shown = []
    while (frame := source.read()) is not None:
        shown.append(float(frame.pts * frame.time_base))
    assert shown == pytest.approx([shown[0] + n / fps for n in range(24)], abs=0.002)
    assert source.notes == []


@pytest.mark.parametrize("audio", ["aac", None])
@pytest.mark.parametrize("starts_s", [(0, 0, 0), (50, 3, 3600), (3, 95_000, 0)], ids=str)
def test_any_order_of_clocks(tmp_path: Path, starts_s: tuple[float, ...], audio: str | None) -> None:
    parts = [part(tmp_path, f"{n}", start_s=s, audio=audio) for n, s in enumerate(starts_s)]
    source = FileSource(joined(tmp_path, *parts))
    shown = []
    while (frame := source.read()) is not None:
        shown.append(float(frame.pts * frame.time_base))
    assert len(shown) == 3 * 45
    gaps = [later - earlier for earlier, later in pairwise(shown)]
    assert min(gaps) > 0.03
    assert max(gaps) < 0.2
    assert source.damage is None
    assert source.notes == [f"{source.path}: its timestamps start anew 2 times; what follows was joined on"]


def test_short_parts(tmp_path: Path) -> None:
    short, longer = part(tmp_path, "short", frames=9), part(tmp_path, "longer")
    spans = times(joined(tmp_path, short, short, short, longer))["video"]
    assert len(spans) == 3 * 9 + 45
    assert max(later[0] - earlier[0] for earlier, later in pairwise(spans)) < 0.3


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_joined_file_becomes_a_whole_one(tmp_path: Path, suffix: str) -> None:
    """It failed with "non monotonically increasing dts", or showed the second clip for a millisecond."""
    one = part(tmp_path, "one")
    path, out = joined(tmp_path, one, one), tmp_path / f"out{suffix}"
    source = FileSource(path)
    sink = FileSink(out, source.info, tracks_from=path)
    while (frame := source.read()) is not None:
        sink.write(frame.unchanged())
    sink.close(complete=True)
    shown = video_times(out)
    assert len(shown) == 90
    assert float(shown[-1] - shown[0]) == pytest.approx(3.0, abs=0.2)
    with av.open(str(out)) as container:
        heard = [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.size]
    assert len(heard) == 2 * len(times(one)["audio"])
    assert heard[-1] - heard[0] == pytest.approx(3.0, abs=0.2)


def test_a_pause_stays_a_pause(tmp_path: Path) -> None:
    """A gap in a file whose clock cannot be reset is what was recorded."""
    clip(tmp_path / "pause.mkv", frames=12, steps=(3000, 3000, 90_000 * 20))
    assert FileSource(tmp_path / "pause.mkv").notes == []
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(times(tmp_path / "pause.mkv")["video"])]
    assert max(gaps) == pytest.approx(20.0, abs=0.01)


def test_slow_pictures_of_a_transport_stream_are_no_reset(tmp_path: Path) -> None:
    """One picture every 15 s, as of slides: further apart than a clock that was reset would be."""
    clip(tmp_path / "slides.ts", frames=8, steps=(90_000 * 15,))
    source, count = FileSource(tmp_path / "slides.ts"), 0
    while source.read() is not None:
        count += 1
    assert (count, source.notes) == (8, [])
