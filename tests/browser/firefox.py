"""Headless Firefox through Marionette, its own remote control: Debian has no geckodriver.

Marionette speaks `length:[type, id, name or error, value]` as JSON on a TCP socket. Its camera is a script
of ours in place of `getUserMedia`: the browser's own fake camera shows a test pattern, and there is no file
that it would play.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FIREFOX = ("firefox-esr", "firefox")
START_S = 60.0
ANSWER_S = 40.0

_PREFERENCES: dict[str, bool | int | str] = {
    "marionette.port": 0,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#",
    "devtools.jsonview.enabled": False,
    "media.autoplay.default": 0,
    "media.navigator.permission.disabled": True,
    "media.gmp-manager.updateEnabled": False,
    # Its own fake camera: a test pattern without a face.
    "media.navigator.streams.fake": True,
    "media.peerconnection.ice.loopback": True,
}

# Draws pictures, given as URLs, over and over, and gives them out as the camera.
_CAMERA = """
const [urls, done] = arguments;
Promise.all(urls.map(async (url) => {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
})).then((images) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [images[0].width, images[0].height];
  const context = canvas.getContext("2d");
  let seq = 0;
  const draw = () => context.drawImage(images[seq++ % images.length], 0, 0);
  draw();
  setInterval(draw, 1000 / 30);
  navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(30);
  done(true);
}, (error) => done(String(error)));
"""


class Firefox:
    """One page of one browser. Scripts run in the page, with `arguments`, and return what JSON can say."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), ANSWER_S)
        self._file = self._socket.makefile("rb")
        self._ids = 0
        self._receive()  # its greeting
        self._call("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {}}})

    def get(self, url: str) -> None:
        self._call("WebDriver:Navigate", {"url": url})

    def execute_script(self, script: str, *arguments: object) -> Any:
        """What `script` returns."""
        return self._value("WebDriver:ExecuteScript", script, arguments)

    def execute_async_script(self, script: str, *arguments: object) -> Any:
        """What `script` gives to its last argument."""
        return self._value("WebDriver:ExecuteAsyncScript", script, arguments)

    def play_as_camera(self, picture_urls: list[str]) -> None:
        """Have the page's `getUserMedia` give these pictures, 30 a second, from now on."""
        assert self.execute_async_script(_CAMERA, picture_urls) is True

    def save_screenshot(self, path: str) -> None:
        answer = self._call("WebDriver:TakeScreenshot", {"full": False})
        Path(path).write_bytes(base64.b64decode(answer["value"]))

    def press(self, key: str) -> None:
        """Press and release a key, as a keyboard does."""
        actions = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        self._call("WebDriver:PerformActions", {"actions": [keyboard]})

    def quit(self) -> None:
        self._send("Marionette:Quit", {"flags": ["eForceQuit"]})
        self._socket.close()

    def _value(self, command: str, script: str, arguments: tuple[object, ...]) -> Any:
        # sandbox null: in the page's own world, where what is replaced stays replaced.
        body = {"script": script, "args": list(arguments), "sandbox": None, "newSandbox": False}
        return self._call(command, {**body, "scriptTimeout": int(ANSWER_S * 1000)})["value"]

    def _call(self, command: str, parameters: dict[str, Any]) -> Any:
        self._send(command, parameters)
        kind, number, error, value = self._receive()
        assert (kind, number) == (1, self._ids), f"an answer to another question: {number}"
        assert error is None, f"{command}: {error}"
        return value

    def _send(self, command: str, parameters: dict[str, Any]) -> None:
        self._ids += 1
        text = json.dumps([0, self._ids, command, parameters]).encode()
        self._socket.sendall(str(len(text)).encode() + b":" + text)

    def _receive(self) -> Any:
        length = b""
        while (digit := self._file.read(1)) not in (b":", b""):
            length += digit
        assert digit, "Firefox closed the connection"
        return json.loads(self._file.read(int(length)))


@contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """A browser with a fresh `profile` folder. Skips when Firefox is missing."""
    binary = next((path for name in FIREFOX if (path := shutil.which(name))), None)
    if binary is None:
        pytest.skip("needs Firefox, which is missing: apt install firefox-esr")
    profile.mkdir(parents=True)
    lines = [f"user_pref({json.dumps(key)}, {json.dumps(value)});" for key, value in _PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines), encoding="utf-8")
    process = subprocess.Popen(
        [binary, "--headless", "--marionette", "--no-remote", "--profile", str(profile)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(profile), "MOZ_HEADLESS_WIDTH": "1360", "MOZ_HEADLESS_HEIGHT": "900"},
    )
    try:
        browser = Firefox(_port(profile, process))
        yield browser
        browser.quit()
        process.wait(20)
    finally:
        process.kill()
        process.wait(20)


def _port(profile: Path, process: subprocess.Popen[bytes]) -> int:
    """Where Marionette listens; it writes that into the profile."""
    file = profile / "MarionetteActivePort"
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if file.is_file() and (text := file.read_text(encoding="ascii").strip()):
            return int(text)
        time.sleep(0.1)
    raise AssertionError(f"Firefox did not open its remote control within {START_S:g} s")
