"""HTTP and RTSP inputs: real servers on the loopback, and what goes wrong with them."""

from __future__ import annotations

import http.server
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import av
import pytest

from rtfilter.cli.main import main
from rtfilter.errors import InputError
from rtfilter.sources.base import shown_address
from rtfilter.sources.network import LiveStreamSource, WebSource
from tests import films
from tests.clips import clip
from tests.fakes.rtsp_server import FPS, RtspServer
from tests.films import Film

FRAMES = 30
Refused = Callable[[Sequence[str], int], str]


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder; /cut/NAME breaks off in the middle, /slow/NAME is never answered."""

    def do_GET(self) -> None:
        if self.path.startswith("/slow/"):
            time.sleep(8)
        elif self.path.startswith("/cut/"):
            data = (Path(self.directory) / self.path.removeprefix("/cut/")).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) * 2 // 3])
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server's address, and the folder that it serves."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()
    server.server_close()


def frames_of(path: Path) -> int:
    with av.open(str(path)) as container:
        return len(list(container.decode(video=0)))


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts"])
def test_a_video_on_the_web_is_read_whole(
    site: tuple[str, Path], tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    address, folder = site
    clip(folder / name, frames=FRAMES, audio="aac")
    out, report = tmp_path / "out.mp4", tmp_path / "r.json"
    secret = address.replace("//", "//me:hidden@") + f"/{name}?key=hidden"
    assert main(["run", "-i", secret, "-o", str(out), "--report", str(report)]) == 0
    said = capsys.readouterr().err
    assert frames_of(out) == FRAMES
    assert "has no sound" in said
    assert "hidden" not in said + report.read_text()
    assert json.loads(report.read_text())["input"] == f"{address}/{name}"


def test_a_stream_that_breaks_off_is_told(
    site: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address, folder = site
    clip(folder / "clip.ts", frames=60, options={"g": "5"}, size=(160, 120))
    assert main(["run", "-i", f"{address}/cut/clip.ts", "-o", str(tmp_path / "out.mp4")]) == 0
    assert "used what could be decoded" in capsys.readouterr().err
    assert 0 < frames_of(tmp_path / "out.mp4") < 60


def test_an_mp4_with_its_index_last_is_read_from_a_file_only(site: tuple[str, Path]) -> None:
    """They were told to copy or record it again. The server here does not send parts."""
    address, folder = site
    clip(folder / "clip.mp4", frames=90, size=(320, 240), options={"qp": "0"})
    advice = "an MP4 or MOV with its index at the end is read from a file only: name the file"
    with pytest.raises(InputError, match=advice):
        WebSource(f"{address}/clip.mp4")
    with (folder / "clip.mp4").open("rb") as file:
        words = [sys.executable, "-m", "rtfilter", "run", "-i", "-", "-o", "null"]
        with subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE) as cat:
            done = subprocess.run(words, stdin=cat.stdout, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert advice in done.stderr.decode()


def test_a_playlist_on_the_web_cannot_read_files_of_this_machine(
    site: tuple[str, Path], tmp_path: Path
) -> None:
    address, folder = site
    clip(tmp_path / "private.ts", frames=30)
    (folder / "list.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://"
        + str(tmp_path / "private.ts")
        + "\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(InputError):
        WebSource(f"{address}/list.m3u8")


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, where 127.0.0.2 is this machine too")
def test_what_an_address_leads_to_on_another_host_is_read(tmp_path: Path) -> None:
    """As docs/privacy.md says: a redirection, and a playlist."""
    clip(tmp_path / "1.ts", frames=FRAMES)
    asked: list[str] = []

    class Other(Handler):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

    class First(Handler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.2:{port}{self.path}")
            self.end_headers()

    with (
        http.server.ThreadingHTTPServer(("127.0.0.2", 0), partial(Other, directory=str(tmp_path))) as other,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), First) as redirecting,
        http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(Handler, directory=str(tmp_path))
        ) as serving,
    ):
        servers = (other, redirecting, serving)
        for server in servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        port = other.server_address[1]
        (tmp_path / "list.m3u8").write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.2:{port}/1.ts\n#EXT-X-ENDLIST\n"
        )
        for first, name in ((redirecting, "1.ts"), (serving, "list.m3u8")):
            asked.clear()
            source = WebSource(f"http://127.0.0.1:{first.server_address[1]}/{name}")
            assert source.read() is not None
            source.close()
            assert "/1.ts" in asked
        for server in servers:
            server.shutdown()


def test_what_does_not_answer_ends_in_time(site: tuple[str, Path]) -> None:
    address, _ = site
    started_s = time.monotonic()
    with pytest.raises(InputError, match="does not answer within 1 s"):
        WebSource(f"{address}/slow/clip.mp4", timeout_s=1.0)
    assert time.monotonic() - started_s < 6


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("path", "said"), [("/absent.mp4", "404 Not Found"), ("/text.txt", "cannot be opened|is text")]
)
def test_what_is_not_there_is_one_line(
    site: tuple[str, Path], path: str, said: str, refused: Refused
) -> None:
    address, folder = site
    (folder / "text.txt").write_text("text " * 100)
    err = refused(["run", "-i", address + path, "-o", "null"], 1)
    assert any(part in err for part in said.split("|"))


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_closed_port_is_one_line(scheme: str, refused: Refused) -> None:
    assert "refused" in refused(["run", "-i", f"{scheme}://127.0.0.1:{closed_port()}/x", "-o", "null"], 1)


@pytest.mark.parametrize("address", ["http://[::1", "rtsp://[me:hidden@x", "https:///x"])
def test_an_address_that_is_none_is_one_line(address: str, refused: Refused) -> None:
    err = refused(["run", "-i", address, "-o", "null"], 2)
    assert "this is a bug" not in err
    assert "hidden" not in err


def test_rtsp_is_live_and_recorded_until_it_hangs_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = RtspServer(seconds=3.0)
    out, report = tmp_path / "out.mkv", tmp_path / "r.json"
    assert main(["run", "-i", server.address, "-o", str(out), "--report", str(report)]) == 0
    server.close()
    assert server.methods[:4] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    document = json.loads(report.read_text())
    assert document["run"]["written"] == frames_of(out) > FPS
    assert "captured" in document["run"]
    assert "Traceback" not in capsys.readouterr().err


def test_an_rtsp_streams_sound_is_told_and_strict_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = RtspServer(seconds=60.0, sound=True)
    words = ["run", "-i", server.address, "-o", str(tmp_path / "out.mkv"), "--duration", "1", "--quiet"]
    assert main([*words, "--strict"]) == 1
    assert "has no sound track 1 (pcm_mulaw)" in capsys.readouterr().err
    assert not (tmp_path / "out.mkv").exists()
    assert main(words) == 0
    assert "has no sound track 1 (pcm_mulaw)" in capsys.readouterr().err
    server.close()


def test_subtitles_chapters_and_tags_on_the_web_are_told_and_strict_refuses(
    site: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address, folder = site
    films.write(folder / "in.mkv", Film(subtitles="srt", tags={"title": "My film"}, chapters=True))
    words = ["run", "-i", f"{address}/in.mkv", "-o", str(tmp_path / "out.mkv"), "--quiet"]
    assert main([*words, "--strict"]) == 1
    err = capsys.readouterr().err
    for part in ("no subtitles track 1 (subrip, ita)", 'no tag title "My film"', "no chapters"):
        assert part in err
    assert not (tmp_path / "out.mkv").exists()
    assert main(words) == 0
    assert "no chapters" in capsys.readouterr().err


def test_rtsp_ends_after_a_duration_while_it_plays(tmp_path: Path) -> None:
    server = RtspServer(seconds=60.0)
    out = tmp_path / "out.mkv"
    started_s = time.monotonic()
    assert main(["run", "-i", server.address, "-o", str(out), "--duration", "1", "--quiet"]) == 0
    assert time.monotonic() - started_s < 20
    server.close()
    assert frames_of(out) > 5


def test_an_rtsp_server_that_falls_silent_is_noticed() -> None:
    server = RtspServer(seconds=2.0, mute=True)
    source = LiveStreamSource(server.address, timeout_s=2.0)
    started_s = time.monotonic()
    while source.read(20.0) is not None:
        pass
    assert time.monotonic() - started_s < 15
    assert "no data came in time" in str(source.damage)
    source.close()
    server.close()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://me:pass@cam.local:554/a/b?token=1#x", "rtsp://cam.local:554/a/b"),
        ("https://example.org", "https://example.org"),
        ("http://a@b@host/x", "http://host/x"),
        ("rtsp://me:pass/word@cam.local/x?a@b", "rtsp://cam.local/x"),
        ("/videos/clip.mp4", "/videos/clip.mp4"),
    ],
)
def test_secrets_in_an_address_are_not_shown(address: str, shown: str) -> None:
    assert shown_address(address) == shown
