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
from tests.browser.servers import ServerProcess

# A moving picture, a tone and a channel, offered and answered; gives what came of it.
_PUBLISH = """
const [policy, token, done] = arguments;
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
  const response = await fetch(`/whip/${policy}`, {method: "POST", headers, body: offer});
  const answer = await response.text();
  if (response.status !== 201) return done({error: answer, offer});
  await pc.setRemoteDescription({type: "answer", sdp: answer});
  done({offer, answer});
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


@pytest.mark.parametrize("policy", ["balanced", "max-compat", "max-bundle"])
def test_a_browser_publishes_with_every_bundle_policy(
    publisher: Browser, server: ServerProcess, policy: str
) -> None:
    publisher.get(f"{server.address}/")
    said = publisher.execute_async_script(_PUBLISH, policy, server.token)
    assert "error" not in said, said
    wait_live(server, policy)


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
