"""Both browsers publish to WHIP with every bundle policy, the sound in front, which carries the bundle."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.browser.chromium import chromium
from tests.browser.firefox import firefox
from tests.browser.servers import ServerProcess, running_server

# A moving picture, a tone and a channel, offered and answered; gives what came of it, and where to end it.
_PUBLISH = """
const [policy, name, token, done] = arguments;
(async () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [320, 240];
  const context = canvas.getContext("2d");
  let seq = 0;
  setInterval(() => {
    context.fillStyle = seq++ % 2 ? "#246" : "#642";
    context.fillRect(0, 0, 320, 240);
  }, 66);
  const sound = new AudioContext().createMediaStreamDestination();
  const tracks = {video: canvas.captureStream(15).getTracks()[0], audio: sound.stream.getTracks()[0]};
  const pc = new RTCPeerConnection({bundlePolicy: policy});
  (window.kept ??= []).push(pc);
  for (const kind of ["audio", "video"]) pc.addTransceiver(tracks[kind], {direction: "sendonly"});
  pc.createDataChannel("rtfilter");
  await pc.setLocalDescription();
  const headers = {"Content-Type": "application/sdp", Authorization: `Bearer ${token}`};
  const offer = pc.localDescription.sdp;
  const response = await fetch(`/whip/${name}`, {method: "POST", headers, body: offer});
  const answer = await response.text();
  if (response.status !== 201) return done({error: answer, offer});
  await pc.setRemoteDescription({type: "answer", sdp: answer});
  done({offer, answer, location: response.headers.get("Location")});
})().catch((error) => done({error: String(error)}));
"""


class Browser(Protocol):
    def get(self, url: str) -> None: ...

    def execute_async_script(self, script: str, *arguments: object) -> Any: ...


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def publisher(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    profile: Path = tmp_path_factory.mktemp("bundle") / "profile"
    with chromium(profile, None) if request.param == "chromium" else firefox(profile) as found:
        yield found


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """One of its own: sessions that other tests left behind may keep a busy machine from taking more."""
    with running_server() as running:
        yield running


@pytest.mark.parametrize("policy", ["balanced", "max-compat", "max-bundle"])
def test_a_browser_publishes_with_every_bundle_policy(
    publisher: Browser, server: ServerProcess, policy: str
) -> None:
    publisher.get(f"{server.address}/")
    # A stream is missed only after a while when its browser is gone, and holds its name until then.
    name = f"{type(publisher).__name__}-{policy}"
    published = publisher.execute_async_script(_PUBLISH, policy, name, server.token)
    assert "error" not in published, published
    wait_live(server, name)
    end(server, published["location"])


def wait_live(server: ServerProcess, name: str) -> None:
    """Until the stream of that name gives pictures."""
    headers = {"Authorization": f"Bearer {server.token}"}
    request = urllib.request.Request(f"{server.address}/api/sessions/{name}", headers=headers)
    deadline_s = time.monotonic() + 30
    state = ""
    while state != "live":
        assert time.monotonic() < deadline_s, f"the stream is {state}"
        with urllib.request.urlopen(request, timeout=10) as answered:
            state = json.load(answered)["state"]
        time.sleep(0.1)


def end(server: ServerProcess, location: str) -> None:
    """End the stream, so that it takes nothing from the next one."""
    headers = {"Authorization": f"Bearer {server.token}"}
    request = urllib.request.Request(f"{server.address}{location}", headers=headers, method="DELETE")
    with urllib.request.urlopen(request, timeout=30) as answered:
        assert answered.status == 200
