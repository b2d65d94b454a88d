"""What a file holds beside its picture goes on; what cannot is converted or left out, with a line on it."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import av
import pytest
from av.stream import Disposition

from rtfilter.errors import OutputError
from rtfilter.sinks import fit
from rtfilter.sinks.file import FileSink
from rtfilter.sources.file import FileSource
from tests.clips import audio_packets, video_times
from tests.films import CHAPTERS, CLICKS_S, LENGTH_S, TAGS, Film, Sound, lines_of, onsets_s, write

TWO = (Sound(language="ger"), Sound(language="eng", default=True))


def convert(source_path: Path, target: Path, **options) -> list[str]:
    """Every frame unchanged, with the tracks; the sink's notes, without the name of the file."""
    source = FileSource(source_path)
    sink = FileSink(target, source.info, tracks_from=source_path, **options)
    notes = [*sink.notes]
    while (frame := source.read()) is not None:
        sink.write(frame.unchanged())
    sink.close(complete=True)
    source.close()
    assert notes == sink.notes
    assert all(note.startswith(f"{target}: ") and "\n" not in note for note in notes)
    return [note.removeprefix(f"{target}: ") for note in notes]


def packets_of(path: Path) -> list[bytes]:
    return [data for _, data in audio_packets(path)]


def kinds(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [s.type for s in container.streams if s.type != "data"]


@pytest.mark.parametrize("suffix", [".webm", ".mkv", ".mp4"])
def test_transparency_beside_the_pictures_is_told(tmp_path: Path, suffix: str) -> None:
    """WebM's is not decoded: its mark stayed, and nothing was said."""
    with av.open(str(tmp_path / "in.webm"), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p"
        stream.metadata["alpha_mode"] = "1"
        picture = av.VideoFrame(64, 48, "yuva420p")
        picture.pts = 0
        container.mux([*stream.encode(picture), *stream.encode(None)])
    notes = convert(tmp_path / "in.webm", tmp_path / f"out{suffix}")
    assert notes[0] == "transparency is left out"
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert not any(key.lower() == "alpha_mode" for key in container.streams.video[0].metadata)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_everything_is_kept_between_files_of_one_kind(tmp_path: Path, suffix: str) -> None:
    words = "srt" if suffix == ".mkv" else "mov_text"
    path = write(tmp_path / f"in{suffix}", Film(TWO, words, TAGS, chapters=True, cover=suffix != ".mov"))
    out = tmp_path / f"out{suffix}"
    assert convert(path, out) == []
    assert kinds(out) == kinds(path)
    assert packets_of(out) == packets_of(path)
    assert lines_of(out) == lines_of(path)
    with av.open(str(path)) as before, av.open(str(out)) as after:
        for key, value in TAGS.items():
            assert {k.lower(): v for k, v in after.metadata.items()}[key] == value
        assert after.chapters() == before.chapters()
        for old, new in zip(before.streams, after.streams, strict=True):
            assert new.disposition == old.disposition
            assert new.metadata.get("language") == old.metadata.get("language")


@pytest.mark.parametrize(("suffix", "other"), [(".mkv", ".mp4"), (".mp4", ".mkv"), (".mov", ".mkv")])
def test_another_container_gets_the_same_in_its_own_form(tmp_path: Path, suffix: str, other: str) -> None:
    words = "srt" if suffix == ".mkv" else "mov_text"
    path = write(tmp_path / f"in{suffix}", Film(TWO, words, TAGS, chapters=True))
    out = tmp_path / f"out{other}"
    notes = convert(path, out)
    assert notes[0].startswith(f"subtitles track 1 ({'subrip' if words == 'srt' else words}, ita) becomes ")
    assert kinds(out) == ["video", "audio", "audio", "subtitle"]
    # Where Matroska cannot have the sound's lead-in before zero, all tracks move together.
    moved_s = float(video_times(out)[0] - video_times(path)[0])
    for new, old in zip(lines_of(out), lines_of(path), strict=True):
        assert new[:2] == pytest.approx((old[0] + moved_s, old[1]), abs=0.002)
        assert new[2].replace("{\\i0}", "") == old[2].replace("{\\i0}", "")
    with av.open(str(out)) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
        assert {key: tags[key] for key in TAGS} == TAGS
        found = [(float(c["start"] * c["time_base"]), c["metadata"]["title"]) for c in container.chapters()]
        assert found == [(start_ms / 1000, title) for start_ms, _, title in CHAPTERS]
        plays = [bool(s.disposition & Disposition.default) for s in container.streams.audio]
        assert plays == [False, True]
        assert [s.metadata["language"] for s in container.streams.audio] == ["ger", "eng"]


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_the_timecode_is_kept(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / "in.mov", Film(TWO, video_tags={"timecode": "01:02:03:04"}))
    assert convert(path, tmp_path / f"out{suffix}") == []
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        tags = {key.lower(): value for key, value in container.streams.video[0].metadata.items()}
        assert tags["timecode"] == "01:02:03:04"
        if suffix != ".mkv":
            assert any("timecode" in stream.metadata for stream in container.streams.data)


def test_tags_of_a_phone_are_kept(tmp_path: Path) -> None:
    tags = {"com.apple.quicktime.make": "Apple", "com.android.version": "13", "title": "T"}
    path = write(tmp_path / "in.mov", Film(TWO[:1], tags=tags), {"movflags": "use_metadata_tags"})
    for suffix in (".mov", ".mp4", ".mkv"):
        assert convert(path, tmp_path / f"out{suffix}") == []
        with av.open(str(tmp_path / f"out{suffix}")) as container:
            found = {key.lower(): value for key, value in container.metadata.items()}
            assert {key: found[key] for key in tags} == tags


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
@pytest.mark.parametrize(
    ("codec", "suffix"), [("pcm_s16le", ".avi"), ("pcm_s24le", ".mkv"), ("pcm_s16le", ".mov")]
)
def test_pcm_becomes_aac_in_mp4_and_stays_what_it_is_elsewhere(
    tmp_path: Path, codec: str, suffix: str, layout: str
) -> None:
    """FFmpeg's own MP4 fails in the trailer for what has no layout, and few players know the rest."""
    picture = "mpeg4" if suffix == ".avi" else "libx264"
    path = write(tmp_path / f"in{suffix}", Film([Sound(codec, layout=layout)], picture_codec=picture))
    notes = convert(path, tmp_path / "out.mp4")
    assert notes == [f"sound track 1 ({codec}) becomes aac in .mp4 files; .mkv keeps it as it is"]
    assert onsets_s(tmp_path / "out.mp4") == pytest.approx(CLICKS_S, abs=0.002)
    with av.open(str(tmp_path / "out.mp4")) as container:
        sound = container.streams.audio[0]
        assert float(sound.duration * sound.time_base) == pytest.approx(LENGTH_S, abs=0.03)
        assert len(sound.layout.channels) == {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    # The advice is true.
    assert convert(path, tmp_path / "out.mkv") == []
    assert [data for _, data in audio_packets(tmp_path / "out.mkv")] == [
        data for _, data in audio_packets(path)
    ]


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
@pytest.mark.parametrize("start_s", [0.0, 0.4])
def test_sound_that_is_converted_stays_in_sync(tmp_path: Path, suffix: str, start_s: float) -> None:
    path = write(tmp_path / "in.mkv", Film([Sound("wavpack", start_s=start_s), Sound()]))
    notes = convert(path, tmp_path / f"out{suffix}")
    assert len(notes) == 1
    assert "sound track 1 (wavpack) becomes aac" in notes[0]
    wanted = [start_s + at_s for at_s in CLICKS_S]
    assert onsets_s(tmp_path / f"out{suffix}") == pytest.approx(wanted, abs=0.004)


def spatial(tmp_path: Path, sounds: int) -> Path:
    """As an iPhone's: the last sound track is of a format that FFmpeg has not even a name for."""
    path = write(tmp_path / "spatial.mp4", Film([Sound(language="eng")] * sounds))
    data = bytearray(path.read_bytes())
    for old, new in ((b"mp4a", b"apac"), (b"esds", b"none")):
        place = data.index(old, data.rindex(b"stsd"))
        data[place : place + 4] = new
    path.write_bytes(data)
    with av.open(str(path)) as container:
        assert getattr(container.streams.audio[-1], "codec_context", None) is None
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("sounds", [1, 2])
def test_a_track_without_decoder_is_left_out_and_named(tmp_path: Path, sounds: int, suffix: str) -> None:
    path = spatial(tmp_path, sounds)
    notes = convert(path, tmp_path / f"out{suffix}")
    assert notes == [f"left out: sound track {sounds} (apac, eng): a format that is not known here"]
    assert kinds(tmp_path / f"out{suffix}") == ["video"] + ["audio"] * (sounds - 1)


def test_strict_refuses_before_the_work_and_leaves_nothing(tmp_path: Path) -> None:
    path = spatial(tmp_path, 2)
    with pytest.raises(OutputError, match=r"cannot keep all of .*apac.*leave --strict away") as caught:
        convert(path, tmp_path / "out.mp4", strict=True)
    assert "\n" not in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    plain = write(tmp_path / "plain.mp4", Film(TWO, "mov_text", TAGS, chapters=True, cover=True))
    assert convert(plain, tmp_path / "out.mp4", strict=True) == []


def test_a_first_picture_track_without_decoder_gives_way_to_the_next(tmp_path: Path) -> None:
    path = write(tmp_path / "in.mp4", Film(TWO[:1], second_picture=True))
    data = bytearray(path.read_bytes())
    place = data.index(b"avc1", data.index(b"stsd"))
    data[place : place + 4] = b"zzzz"
    path.write_bytes(data)
    notes = convert(path, tmp_path / "out.mp4")
    assert notes == ["left out: picture track 1 (zzzz): only one picture track is filtered"]
    assert kinds(tmp_path / "out.mp4") == ["video", "audio"]


def test_covers_and_attached_files(tmp_path: Path) -> None:
    path = write(tmp_path / "in.mkv", Film(TWO[:1], cover=True, font=b"a font"))
    assert convert(path, tmp_path / "out.mkv") == []
    notes = convert(tmp_path / "out.mkv", tmp_path / "out.mp4")
    assert notes == ["left out: attached file f.ttf: .mp4 files cannot hold it; .mkv keeps it as it is"]
    assert convert(tmp_path / "out.mp4", tmp_path / "back.mkv") == []
    for name in ("out.mkv", "out.mp4", "back.mkv"):
        with av.open(str(tmp_path / name)) as container:
            cover = next(s for s in container.streams.video if s.disposition & Disposition.attached_pic)
            packet = next(p for p in container.demux(cover) if p.size)
            assert bytes(packet).startswith(b"\xff\xd8")
        assert FileSource(tmp_path / name).info.width == 64


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_sound_and_tags_of_a_file_without_pictures(tmp_path: Path, codec: str) -> None:
    path = write(tmp_path / "sound.mkv", Film([Sound(codec, "ger")], tags=TAGS, pictures=False))
    pictures = FileSource(write(tmp_path / "in.mp4", Film()))
    sink = FileSink(tmp_path / "out.mp4", pictures.info, tracks_from=path)
    while (frame := pictures.read()) is not None:
        sink.write(frame.unchanged())
    sink.close(complete=True)
    assert kinds(tmp_path / "out.mp4") == ["video", "audio"]
    assert onsets_s(tmp_path / "out.mp4") == pytest.approx(CLICKS_S, abs=0.003)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.metadata["title"] == TAGS["title"]
        assert container.streams.audio[0].metadata["language"] == "ger"


def test_a_timecode_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Drop-frame timecode is of 29.97 frames a second, and this is of 25."""
    path = write(tmp_path / "in.mkv", Film(TWO, video_tags={"timecode": "01:02:03;04"}))
    (note,) = convert(path, tmp_path / "out.mov")
    assert note == 'left out: the tag TIMECODE "01:02:03;04": .mov files have no place for that'
    assert kinds(tmp_path / "out.mov") == ["video", "audio", "audio"]


def test_a_second_picture_track_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "in.mkv", Film(second_picture=True))
    notes = convert(path, tmp_path / "out.mp4")
    assert notes == ["left out: picture track 2 (h264): only one picture track is filtered"]


def test_what_is_lost_of_the_labels_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "in.mkv", Film(TWO, "srt", {**TAGS, "mood": "blue"}, chapters=True))
    notes = convert(path, tmp_path / "out.avi")
    refused = "left out: subtitles track 1 (subrip, ita): .avi files cannot hold it; .mkv keeps it as it is"
    assert notes[0] == refused
    assert notes[-1].startswith("left out: the tag ")
    assert "the chapters" in notes[-1]
    assert "MOOD" in notes[-1]


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        ("ac3", ".mp4"),
        ("eac3", ".mp4"),
        ("libmp3lame", ".mp4"),
        ("flac", ".mp4"),
        ("libopus", ".mp4"),
        ("alac", ".mov"),
        ("ac3", ".avi"),
    ],
)
def test_what_a_muxer_can_only_tell_at_a_packet_is_copied_where_it_can(
    tmp_path: Path, codec: str, suffix: str
) -> None:
    path = write(tmp_path / "in.mkv", Film([Sound(codec)]))
    assert convert(path, tmp_path / f"out{suffix}") == []
    assert packets_of(tmp_path / f"out{suffix}") == packets_of(path)


def test_damaged_sound_that_is_converted_is_told(tmp_path: Path) -> None:
    path, out = write(tmp_path / "in.mkv", Film([Sound("flac")])), tmp_path / "out.webm"
    data = path.read_bytes()
    for packet in packets_of(path)[4:6]:
        assert data.count(packet[:12]) == 1
        data = data.replace(packet[:12], bytes(12))
    path.write_bytes(data)
    source = FileSource(path)
    sink = FileSink(out, source.info, tracks_from=path)
    before = len(sink.notes)
    while (frame := source.read()) is not None:
        sink.write(frame.unchanged())
    sink.close(complete=True)
    source.close()
    assert sink.notes[before:] == [f"{path}: sound track 1 (flac): 2 damaged packets left out"]


def test_tracks_that_break_off_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "in.mkv", Film(TWO))
    source = FileSource(path)
    sink = FileSink(tmp_path / "out.mkv", source.info, tracks_from=path)

    def breaking(packets):
        yield next(packets)
        raise OSError(5, "Input/output error")

    assert sink._tracks is not None
    monkeypatch.setattr(sink._tracks, "_packets", breaking(sink._tracks._packets))
    while (frame := source.read()) is not None:
        sink.write(frame.unchanged())
    sink.close(complete=True)
    source.close()
    assert sink.notes == [f"{path}: its tracks break off (Input/output error); kept what there was"]


def test_the_trial_picture_has_a_decoding_time() -> None:
    """x265 leaves that of a single picture unset; where a muxer refuses it, a track is left out."""
    written: list[av.Packet] = []
    with av.open(io.BytesIO(), "w", format="mp4") as output:
        stream = output.add_stream("libx265", rate=25)
        fit._one_picture(SimpleNamespace(mux=written.extend), stream)
    assert [(packet.pts, packet.dts) for packet in written] == [(0, 0)]
