"""WHIP and WHEP as RFC 9725 and the WHEP draft have them; the real clients are in test_whip_clients.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

from rtfilter.bench.soak import hang_up_rudely
from rtfilter.controls import Controls
from rtfilter.serve.app import whip
from rtfilter.serve.gate.options import Limits, ServeOptions
from tests.fakes.serving import (
    TOKEN,
    Camera,
    Running,
    first,
    grey_picture,
    incoming,
    luma,
    new_peer,
    next_picture,
    offer_of,
    picture_when,
    serving,
    visiting,
)

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = "application/trickle-ice-sdpfrag"


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 90))


def camera() -> Camera:
    return Camera(lambda _: grey_picture())


@dataclass
class Resource:
    """What a POST made."""

    pc: RTCPeerConnection
    location: str
    etag: str
    answer: str

    @property
    def tracks(self) -> dict[str, list[MediaStreamTrack]]:
        return incoming(self.pc)


@asynccontextmanager
async def publishing(running: Running, path: str = "/whip/studio") -> AsyncIterator[Resource]:
    pc = new_peer()
    pc.addTransceiver(camera(), "sendonly")
    async with posted(running, path, pc) as resource:
        yield resource


@asynccontextmanager
async def watching(running: Running, path: str = "/whep/studio", videos: int = 1) -> AsyncIterator[Resource]:
    pc = new_peer()
    for _ in range(videos):
        pc.addTransceiver("video", "recvonly")
    async with posted(running, path, pc) as resource:
        yield resource


@asynccontextmanager
async def posted(running: Running, path: str, pc: RTCPeerConnection) -> AsyncIterator[Resource]:
    try:
        async with running.http.post(path, data=await offer_of(pc), headers=SDP) as response:
            answer = await response.text()
            assert response.status == 201, answer
            assert response.content_type == "application/sdp"
            headers = response.headers
        await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        yield Resource(pc, headers["Location"], headers["ETag"], answer)
    finally:
        await pc.close()


async def answer_to(
    running: Running, method: str, path: str, data: str | None = None, **headers: str
) -> tuple[int, Mapping[str, str], str]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with running.http.request(method, path, data=data, headers=sent) as response:
        return response.status, response.headers, await response.text()


async def patch(running: Running, path: str, data: str, **headers: str) -> tuple[int, Mapping[str, str], str]:
    return await answer_to(running, "PATCH", path, data, Content_Type=FRAGMENT, **headers)


def fragment(pc: RTCPeerConnection, ufrag: str | None = None, candidate: str | None = None) -> str:
    """As a client trickles: credentials, the first section, one candidate, and the end."""
    lines = pc.localDescription.sdp.splitlines()
    own = next(line for line in lines if line.startswith("a=ice-ufrag:"))
    pwd = next(line for line in lines if line.startswith("a=ice-pwd:"))
    media = next(line for line in lines if line.startswith("m="))
    mid = next(line for line in lines if line.startswith("a=mid:"))
    candidate = candidate or next(line for line in lines if line.startswith("a=candidate:"))
    first_line = own if ufrag is None else f"a=ice-ufrag:{ufrag}"
    return "\r\n".join([first_line, pwd, media, mid, candidate, "a=end-of-candidates", ""])


def test_a_published_stream_is_a_session_and_is_watched_filtered() -> None:
    async def test() -> None:
        options = ServeOptions(
            port=0,
            token=TOKEN,
            controls=Controls(emotions={"happy": 1.0}),
            limits=Limits(cpu_share=100.0),
        )
        async with serving(options) as running, publishing(running) as published:
            assert published.location.startswith("/whip/studio/")
            assert len(published.location.rpartition("/")[2]) >= 20
            assert published.etag[0] == published.etag[-1] == '"'
            # RFC 9725: the answer takes what is sent, and lets the client open DTLS.
            assert "a=recvonly" in published.answer
            assert "a=setup:passive" in published.answer
            await first(lambda: running.sessions.find("studio").state == "live")
            assert running.sessions.find("studio").kind == "whip"
            async with watching(running) as one, watching(running, videos=2) as two:
                await picture_when(one.tracks["video"][0], lambda p: luma(p)[24:40, 24:40].mean() > 180)
                # The second section of an offer gets what the camera sent.
                await picture_when(two.tracks["video"][0], lambda p: luma(p)[24:40, 24:40].mean() > 180)
                original = await next_picture(two.tracks["video"][1])
                assert luma(original)[24:40, 24:40].mean() < 140

    run(test())


def test_a_name_may_be_left_out_and_is_sent_once_at_a_time() -> None:
    async def test() -> None:
        async with serving() as running, publishing(running, "/whip") as published:
            assert published.location.startswith("/whip/main/")
            pc = new_peer()
            pc.addTransceiver(camera(), "sendonly")
            status, _, text = await answer_to(running, "POST", "/whip/main", await offer_of(pc), **KIND)
            assert (status, "'main'" in text) == (409, True)
            await pc.close()
            assert (await answer_to(running, "DELETE", published.location))[0] == 200
            async with publishing(running, "/whip/main") as again:
                assert again.location != published.location
                # The first one's secret is worth nothing to the second.
                assert (await answer_to(running, "DELETE", published.location))[0] == 404
                assert running.sessions.has("main")

    run(test())


KIND = {"Content_Type": "application/sdp"}


def test_a_publisher_that_crashed_takes_its_name_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whip, "SILENT_S", 1.0)

    async def test() -> None:
        async with serving() as running, publishing(running) as crashed:
            await first(lambda: running.sessions.find("studio").frames or None)
            before = running.sessions.find("studio")
            await hang_up_rudely(crashed.pc)
            await first(lambda: before.silent_s > 1.0 or None)
            async with publishing(running):
                after = running.sessions.find("studio")
                assert after is not before
                assert (before.state, before.reason) == ("ended", "its publisher came back")
                await first(lambda: after.frames or None)

    run(test())


def test_what_an_ended_stream_notices_late_ends_no_newer_one_of_its_name() -> None:
    async def test() -> None:
        async with serving() as running:
            async with publishing(running):
                old = running.sessions._entry("studio").stream
                assert old is not None
                await running.sessions.close("studio", "of a test")
            async with publishing(running):
                await first(lambda: running.sessions.find("studio").frames or None)
                old.refuse_size(9999, 9999)
                await asyncio.sleep(0.2)
                assert running.sessions.find("studio").state == "live"

    run(test())


def test_trickled_candidates_are_taken() -> None:
    async def test() -> None:
        async with serving() as running:
            pc = new_peer()
            pc.addTransceiver(camera(), "sendonly")
            offer = await offer_of(pc)
            bare = "".join(
                line
                for line in offer.splitlines(keepends=True)
                if not line.startswith(("a=candidate", "a=end-of-candidates"))
            )
            status, headers, answer = await answer_to(running, "POST", "/whip/studio", bare, **KIND)
            assert status == 201
            status, _, text = await patch(
                running, headers["Location"], fragment(pc), If_Match=headers["ETag"]
            )
            assert (status, text) == (204, "")
            await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            await first(lambda: running.sessions.find("studio").state == "live")
            await pc.close()

    run(test())


def test_patch_asks_for_the_etag_and_refuses_a_restart() -> None:
    async def test() -> None:
        async with serving() as running, publishing(running) as published:
            path, pc = published.location, published.pc
            good = fragment(pc)
            assert (await patch(running, path, good))[0] == 428
            assert (await patch(running, path, good, If_Match='"another"'))[0] == 412
            assert (await patch(running, path, good, If_Match="*"))[0] == 204
            assert (await patch(running, path, good, If_Match=f'"another", {published.etag}'))[0] == 204
            status, _, text = await patch(running, path, fragment(pc, ufrag="restarted"), If_Match="*")
            assert (status, "ICE restart" in text) == (422, True)
            assert (await patch(running, path, "rubbish", If_Match="*"))[0] == 400
            status, _, _ = await answer_to(
                running, "PATCH", path, good, Content_Type="application/sdp", If_Match="*"
            )
            assert status == 415
            # After all of this the stream goes on.
            before = running.sessions.find("studio").frames
            await first(lambda: running.sessions.find("studio").frames > before + 3)

    run(test())


def test_candidates_of_strangers_are_not_asked() -> None:
    async def test() -> None:
        async with serving() as running, publishing(running) as published:
            stranger = "a=candidate:1 1 udp 2130706431 203.0.113.9 40000 typ host"
            body = fragment(published.pc, candidate=stranger)
            assert (await patch(running, published.location, body, If_Match=published.etag))[0] == 204
            transport = running.sessions.peer("studio").connection.getTransceivers()[0].receiver.transport
            remote = {candidate.ip for candidate in transport.transport.getRemoteCandidates()}
            assert remote
            assert "203.0.113.9" not in remote

    run(test())


def test_only_the_secret_ends_a_stream() -> None:
    async def test() -> None:
        async with serving() as running, publishing(running) as published, watching(running) as watcher:
            secret = published.location.rpartition("/")[2]
            for path in ("/whip/studio/wrong", f"/whip/other/{secret}", f"/whep/studio/{secret}"):
                assert (await answer_to(running, "DELETE", path))[0] == 404, path
            assert (await answer_to(running, "DELETE", watcher.location))[0] == 200
            assert (await answer_to(running, "DELETE", watcher.location))[0] == 404
            assert running.sessions.has("studio")
            assert (await answer_to(running, "DELETE", published.location))[0] == 200
            assert not running.sessions.has("studio")
            async with aiohttp.request("DELETE", running.address + published.location) as response:
                assert response.status == 401

    run(test())


def test_watchers_go_with_their_publisher() -> None:
    async def test() -> None:
        async with serving() as running, publishing(running) as published, watching(running) as watcher:
            await next_picture(watcher.tracks["video"][0])
            await answer_to(running, "DELETE", published.location)
            await first(lambda: watcher.pc.connectionState in ("closed", "failed"))
            assert (await answer_to(running, "DELETE", watcher.location))[0] == 404

    run(test())


def test_a_watcher_who_leaves_is_forgotten_and_the_others_go_on() -> None:
    async def test() -> None:
        async with serving() as running, publishing(running), watching(running) as stays:
            async with watching(running) as leaves:
                await next_picture(leaves.tracks["video"][0])
            results = running.sessions.find("studio").results
            await first(lambda: results.readers == 1)
            await next_picture(stays.tracks["video"][0])

    run(test())


def test_a_session_of_a_browser_is_watched_by_its_id() -> None:
    async def test() -> None:
        async with (
            serving() as running,
            visiting(running, camera()) as visitor,
            watching(running, f"/whep/{visitor.id}") as watcher,
        ):
            await next_picture(watcher.tracks["video"][0])

    run(test())


def test_a_player_that_comes_too_early_is_told_to_come_back() -> None:
    async def test() -> None:
        async with serving() as running:
            pc = new_peer()
            pc.addTransceiver("video", "recvonly")
            status, headers, text = await answer_to(
                running, "POST", "/whep/studio", await offer_of(pc), **KIND
            )
            assert (status, int(headers["Retry-After"]) > 0) == (409, True)
            assert "nobody sends" in text
            await pc.close()

    run(test())


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/whip", "/whip/studio", "/whep/studio"])
def test_endpoints_take_post_alone(method: str, path: str) -> None:
    async def test() -> None:
        async with serving() as running:
            status, headers, _ = await answer_to(running, method, path)
            assert (status, headers["Allow"]) == (405, "POST")

    run(test())


def test_options_names_what_post_takes() -> None:
    async def test() -> None:
        async with (
            serving() as running,
            aiohttp.request("OPTIONS", f"{running.address}/whip/studio") as response,
        ):
            assert 200 <= response.status < 300
            assert response.headers["Accept-Post"] == "application/sdp"

    run(test())


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        ("/whip/studio", {"Content-Type": "application/json"}, "{}", 415),
        ("/whip/studio", {"Content-Type": FRAGMENT}, "a=mid:0", 415),
        ("/whip/studio", {}, None, 415),
        ("/whip/studio", SDP, None, 400),
        ("/whip/studio", SDP, "rubbish", 400),
        ("/whip/studio", SDP, b"v=0\r\n\xff\xfe", 400),
        ("/whip/studio", SDP, "v=0\r\n" + "a=x\r\n" * 20_000, 413),
        ("/whip/no.dots", SDP, "v=0", 404),
        ("/whip/" + "x" * 41, SDP, "v=0", 404),
        ("/whep/no.dots", SDP, "v=0", 404),
        ("/whip/studio", {"Content-Type": "application/sdp; charset=none-such"}, "rubbish", 415),
    ],
)
def test_what_is_no_offer_is_refused(
    path: str, headers: dict[str, str], body: str | bytes | None, status: int
) -> None:
    async def test() -> None:
        async with serving() as running:
            async with running.http.post(path, data=body, headers=headers) as response:
                text = await response.json()
                assert response.status == status, text
                assert text.keys() == {"error"}
            assert running.sessions.count == 0

    run(test())


def test_directions_that_make_no_sense_are_refused() -> None:
    async def test() -> None:
        async with serving() as running, publishing(running):
            for path, direction in (("/whip/other", "recvonly"), ("/whep/studio", "sendonly")):
                pc = new_peer()
                pc.addTransceiver("video", direction)
                status, _, text = await answer_to(running, "POST", path, await offer_of(pc), **KIND)
                assert (status, direction in text) == (422, True)
                await pc.close()

    run(test())


def test_a_page_of_an_allowed_origin_can_publish() -> None:
    async def test() -> None:
        options = ServeOptions(port=0, token=TOKEN, allowed_origins=("https://studio.example",))
        async with serving(options) as running:
            pc = new_peer()
            pc.addTransceiver(camera(), "sendonly")
            offer = await offer_of(pc)
            status, headers, _ = await answer_to(
                running, "POST", "/whip/a", offer, Origin="https://studio.example", **KIND
            )
            assert (status, headers["Access-Control-Allow-Origin"]) == (201, "https://studio.example")
            assert {"Location", "ETag"} <= set(headers["Access-Control-Expose-Headers"].split(", "))
            status, _, _ = await answer_to(
                running, "POST", "/whip/b", offer, Origin="https://other.example", **KIND
            )
            assert status == 403
            await pc.close()

    run(test())
