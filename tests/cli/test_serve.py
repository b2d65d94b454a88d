"""`rtfilter serve` as a user starts it: the link, an orderly end, and mistakes told in one line."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from rtfilter.cli.main import main
from rtfilter.cli.serve import kept_token
from rtfilter.errors import UsageError
from rtfilter.system.installation import install_extra

# Loading everything on a busy machine.
PATIENCE_S = 60


def start(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rtfilter", "serve", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def link_of(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    for line in server.stdout:
        if found := re.search(r"https?://\S+", line):
            return found.group(0)
    assert server.stderr is not None
    raise AssertionError(server.stderr.read())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(number: signal.Signals) -> None:
    server = start()
    try:
        address = link_of(server).partition("/#token=")[0]
        with urllib.request.urlopen(f"{address}/healthz", timeout=PATIENCE_S) as answer:
            assert json.load(answer) == {"status": "ok", "sessions": 0}
        server.send_signal(number)
        _, said = server.communicate(timeout=PATIENCE_S)
    finally:
        server.kill()
    assert server.returncode == 0
    assert "Traceback" not in said


def test_a_new_token_at_every_start_and_the_kept_one_with_a_file(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "token"
    links = []
    for options in ((), (), ("--token-file", str(file)), ("--token-file", str(file))):
        server = start(*options, "--duration", "0.1")
        links.append(link_of(server).partition("#token=")[2])
        assert server.wait(PATIENCE_S) == 0
    assert links[0] != links[1]
    assert links[2] == links[3] == file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_token_s_file_that_holds_none(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("short\n")
    with pytest.raises(UsageError, match="at least 16 characters; delete it"):
        kept_token(file)


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port), "--quiet"]) == 1
    said = capsys.readouterr().err
    assert f"cannot listen on 127.0.0.1:{port}" in said
    assert "--port" in said


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--host", "0.0.0.0"], "add --tls"),
        (["--certificate", "c.pem"], "a certificate needs its key"),
        (["--token", "short"], "at least 16 characters"),
        (["--port", "99999"], "0..65535"),
        (["--video-codec", "av1"], "unknown video codec"),
        (["--osc", "127.0.0.1:9000"], "unknown argument '--osc'"),
        (["--ice-network", "nowhere"], "is no network"),
    ],
)
def test_mistakes_are_told_in_one_line(
    options: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # The last of two --port counts.
    assert main(["serve", "--port", "0", "--quiet", *options]) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert "Traceback" not in said


def test_without_the_extra_it_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "aiortc" else find(name))
    assert main(["serve"]) == 2
    assert f"serving needs aiortc: {install_extra('serve')}" in capsys.readouterr().err
