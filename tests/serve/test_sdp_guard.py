"""Offers: real clients' pass and can be answered, hostile ones get their 4xx and one line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from rtfilter.serve.networks import AllowedNetworks
from rtfilter.serve.options import Limits, ServeOptions
from rtfilter.serve.sdp_guard import Kind, SdpRefusedError, checked_candidates, checked_sdp
from tests.serve.offer_files import CLIENTS, aiortc_offer, recorded

LIMITS = Limits()
NETWORKS = AllowedNetworks(ServeOptions(token="t" * 16))


def check(text: str, kind: Kind = "peer") -> str:
    return checked_sdp(text, kind, LIMITS, NETWORKS)


async def answer_to(sdp: str) -> str:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        await pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        answer = await pc.createAnswer()
        return str(answer.sdp)
    finally:
        await pc.close()


@pytest.mark.parametrize(("client", "kind"), CLIENTS.items())
def test_a_real_clients_offer_passes_and_can_be_answered(client: str, kind: Kind) -> None:
    answer = asyncio.run(answer_to(check(recorded(client), kind)))
    assert answer.count("m=") == recorded(client).count("\r\nm=")
    assert re.search(r"a=rtpmap:\d+ (VP8|H264)/90000", answer)


@pytest.mark.parametrize(
    ("kind", "direction"), [("peer", "sendrecv"), ("whip", "sendonly"), ("whep", "recvonly")]
)
def test_aiortcs_own_offer_passes(kind: Kind, direction: str) -> None:
    async def run() -> str:
        return await answer_to(check(await aiortc_offer(direction=direction), kind))

    assert "a=mid:0" in asyncio.run(run())


def test_a_checked_offer_passes_again_unchanged() -> None:
    once = check(recorded("chromium"))
    assert check(once) == once


def test_a_watcher_may_ask_for_two_pictures_and_no_third() -> None:
    one = asyncio.run(aiortc_offer(audio=False, channel=False, direction="recvonly"))
    session, video = one.split("m=video", 1)
    session = session.replace("BUNDLE 0", "BUNDLE 0 1 2")
    sections = ["m=video" + video.replace("a=mid:0", f"a=mid:{mid}") for mid in range(3)]
    check(session.replace(" 2\r\n", "\r\n", 1) + sections[0] + sections[1], "whep")
    with pytest.raises(SdpRefusedError, match="at most 2") as refused:
        check(session + "".join(sections), "whep")
    assert refused.value.status == 422


def test_what_the_server_does_not_need_is_gone() -> None:
    written = check(recorded("firefox"))
    for gone in ("extmap-allow-mixed", "ice-options", "c=IN", "a=rtcp:", "mozilla", "end-of-candidates"):
        assert gone in recorded("firefox")
        assert gone not in written


def with_candidates(*values: str) -> str:
    offer = re.sub(r"a=candidate:.*\r\n", "", recorded("chromium"))
    lines = "".join(f"a=candidate:{value}\r\n" for value in values)
    return offer.replace("a=rtcp-mux\r\n", f"a=rtcp-mux\r\n{lines}", 1)


@pytest.mark.parametrize(
    "harmful",
    [
        "1 1 udp 2113937151 198.51.100.7 40000 typ host",
        "1 1 udp 2113937151 198.51.100.7 40000 typ srflx raddr 127.0.0.1 rport 40000",
        "1 1 udp 2113937151 198.51.100.7 40000 typ relay raddr 127.0.0.1 rport 40000",
        "1 1 udp 2113937151 2001:db8:1::7 40000 typ host",
        "1 1 udp 2113937151 224.0.0.251 5353 typ host",
        "1 1 udp 2113937151 255.255.255.255 40000 typ host",
        "1 1 udp 2113937151 0.0.0.0 40000 typ host",
        "1 1 udp 2113937151 127.0.0.1 53 typ host",
        "1 1 udp 2113937151 stranger.example 40000 typ host",
        "1 1 udp 2113937151 4c1f.local 40000 typ host",
        "1 1 tcp 2113937151 127.0.0.1 9 typ host tcptype active",
        "1 2 udp 2113937151 127.0.0.1 40001 typ host",
        "1 1 udp 2113937151 127.0.0.1 40000 typ prflx",
    ],
)
def test_a_candidate_that_must_not_be_checked_is_left_out(harmful: str) -> None:
    good = "7 1 udp 2113937151 127.0.0.1 40000 typ host"
    written = check(with_candidates(harmful, good))
    assert re.findall(r"a=candidate:(.*)\r\n", written) == [good]


def many_sections(offer: str) -> str:
    head, video = recorded("chromium").split("m=application", 1)
    return head + "".join(f"m=application{video.replace('a=mid:2', f'a=mid:{mid}')}" for mid in range(2, 9))


HOSTILE: dict[str, tuple[Callable[[str], str], int, str]] = {
    "nothing": (lambda _: "", 400, "no line of an SDP"),
    "not an SDP": (lambda _: "GET / HTTP/1.1\r\n\r\n", 400, "no line of an SDP"),
    "JSON": (lambda _: '{"type": "offer"}', 400, "no line of an SDP"),
    "another first line": (lambda o: "s=-\r\n" + o, 400, "expected v=0"),
    "too large": (lambda o: o + "a=x:" + "y\r\na=x:" * 20_000, 413, "at most 65536"),
    "a line without end": (lambda o: o + "a=x:" + "y" * 5000, 400, "5004 characters"),
    "a NUL": (lambda o: o.replace("s=-", "s=\0"), 400, "control character"),
    "a lone CR": (lambda o: o.replace("s=-", "s=-\ra=candidate:x"), 400, "control character"),
    "a separator of Unicode": (lambda o: o.replace("s=-", "s=-\u2028a=x"), 400, "control character"),
    "half a character": (lambda o: o.replace("s=-", "s=\ud800"), 400, "control character"),
    "no media": (lambda _: "v=0\r\ns=-\r\nt=0 0\r\n", 400, "without a media section"),
    "no video": (lambda o: re.sub(r"(?s)m=video.*?(?=m=|$)", "", o), 422, "without m=video"),
    "seven sections and more": (many_sections, 400, "more than 6 media sections"),
    "three channels": (lambda o: many_sections(o).split("a=mid:5")[0], 422, "m=application"),
    "an unknown kind": (lambda o: o.replace("m=audio", "m=text"), 422, "'text' is not served"),
    "an absurd port": (lambda o: re.sub("m=video [0-9]+", "m=video 70000", o), 400, "unreadable media line"),
    "no transport security": (lambda o: o.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), 400, "expected DTLS"),
    "no ufrag": (lambda o: re.sub(r"a=ice-ufrag:.*\r\n", "", o), 400, "a=ice-ufrag, got 0"),
    "no password": (lambda o: re.sub(r"a=ice-pwd:.*\r\n", "", o), 400, "a=ice-pwd, got 0"),
    "a short password": (lambda o: re.sub(r"a=ice-pwd:.*\r\n", "a=ice-pwd:short\r\n", o), 400, "22 to 256"),
    "no fingerprint": (lambda o: re.sub(r"a=fingerprint:.*\r\n", "", o), 400, "a=fingerprint"),
    "only a weak fingerprint": (
        lambda o: re.sub(r"a=fingerprint:.*\r\n", f"a=fingerprint:sha-1 {':'.join(['AA'] * 20)}\r\n", o),
        400,
        "a=fingerprint with sha-256",
    ),
    "a short fingerprint": (
        lambda o: re.sub(r"a=fingerprint:.*\r\n", "a=fingerprint:sha-256 AA:BB\r\n", o), 400, "32 bytes"
    ),
    "no setup": (lambda o: re.sub(r"a=setup:.*\r\n", "", o), 400, "a=setup, got 0"),
    "an odd setup": (lambda o: o.replace("a=setup:actpass", "a=setup:holdconn"), 400, "expected actpass"),
    "no mid": (lambda o: re.sub(r"a=mid:.*\r\n", "", o), 400, "one a=mid"),
    "the same mid": (lambda o: re.sub(r"a=mid:.*\r\n", "a=mid:0\r\n", o), 400, "same a=mid"),
    "a bundle of nobody": (lambda o: o.replace("BUNDLE 0", "BUNDLE 9"), 400, "not there"),
    "no rtcp-mux": (lambda o: o.replace("a=rtcp-mux\r\n", ""), 400, "needs a=rtcp-mux"),
    "two directions": (lambda o: o.replace("a=sendrecv", "a=sendrecv\r\na=recvonly"), 400, "2 directions"),
    "nothing sent": (lambda o: o.replace("a=sendrecv", "a=recvonly"), 422, "a=recvonly"),
    "an unknown codec": (
        lambda o: re.sub(r"(VP8|H264)/90000", "AV1/90000", o), 422, "expected VP8, or H.264"
    ),
    "unknown sound": (lambda o: re.sub(r"(?i)(opus|G722|PCM[UA])/", "speex/", o), 422, "m=audio offers"),
    "an absurd payload type": (lambda o: re.sub(r"(m=video .*SAVPF)", r"\1 300", o), 400, "no payload type"),
    "a payload type of RTCP": (lambda o: re.sub(r"(m=video .*SAVPF)", r"\1 73", o), 400, "no payload type"),
    "a parameter that is no number": (lambda o: re.sub(r"apt=[0-9]+", "apt=x", o), 400, "expected a number"),
    "an absurd clock": (lambda o: o.replace("VP8/90000", "VP8/90000000000"), 400, "a=rtpmap"),
    "an absurd channel port": (lambda o: o.replace("sctp-port:5000", "sctp-port:99999"), 400, "sctp-port"),
    "no channel port": (lambda o: o.replace("a=sctp-port:5000\r\n", ""), 400, "needs an a=sctp-port"),
    "an absurd extension": (lambda o: o.replace("a=extmap:1 ", "a=extmap:999 "), 400, "a=extmap"),
    "a malformed candidate": (lambda _: with_candidates("1 1 udp x y z"), 400, "malformed candidate"),
    "an absurd candidate port": (
        lambda _: with_candidates("1 1 udp 1 127.0.0.1 99999 typ host"), 400, "malformed candidate"
    ),
    "hundreds of candidates": (
        lambda _: with_candidates(*(f"1 1 udp 1 198.51.100.7 {port} typ host" for port in range(2000, 2100))),
        400,
        "100 candidates: expected at most 64",
    ),
    "a section without end": (lambda o: o + "a=x\r\n" * 900, 400, "more than 800 lines"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_offer_gets_its_status_and_one_line(case: str) -> None:
    change, status, said = HOSTILE[case]
    offer = recorded("chromium")
    with pytest.raises(SdpRefusedError) as refused:
        check(change(offer))
    message = str(refused.value)
    assert refused.value.status == status, message
    assert said in message
    assert message.isprintable()
    assert len(message) < 200


def test_an_error_does_not_repeat_a_secret() -> None:
    offer = re.sub(r"a=ice-pwd:.*\r\n", "a=ice-pwd:my-secret-password\r\n", recorded("chromium"))
    with pytest.raises(SdpRefusedError) as refused:
        check(offer)
    assert "my-secret" not in str(refused.value)


def test_a_publisher_that_watches_and_a_watcher_that_publishes_are_refused() -> None:
    with pytest.raises(SdpRefusedError, match="a=sendonly"):
        check(recorded("obs"), "whep")
    watcher = asyncio.run(aiortc_offer(direction="recvonly"))
    with pytest.raises(SdpRefusedError, match="a=recvonly"):
        check(watcher, "whip")


FRAGMENT = (
    "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    "a=candidate:1 1 udp 2113937151 127.0.0.1 40000 typ host\r\n"
    "a=candidate:2 1 udp 2113937151 198.51.100.7 40000 typ host\r\n"
    "a=candidate:3 1 tcp 2113937151 127.0.0.1 9 typ host tcptype active\r\na=end-of-candidates\r\n"
)


def test_a_trickled_fragment_keeps_what_may_be_checked() -> None:
    fragment = checked_candidates(FRAGMENT, LIMITS, NETWORKS)
    assert (fragment.ufrag, fragment.pwd) == ("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
    assert fragment.ended
    assert [(each.ip, each.port, each.sdpMid) for each in fragment.candidates] == [("127.0.0.1", 40000, "0")]


@pytest.mark.parametrize(
    ("fragment", "status"),
    [
        ("", 400),
        ("a=candidate:1 1 udp\r\n", 400),
        ("a=ice-ufrag:EsAw\r\na=ice-ufrag:Other\r\n", 400),
        ("a=ice-ufrag:x\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n", 400),
        ("a=x:" + "y" * 100_000, 413),
        ("".join(f"a=candidate:1 1 udp 1 127.0.0.1 {port} typ host\r\n" for port in range(2000, 2100)), 400),
    ],
)
def test_a_hostile_fragment_gets_its_status(fragment: str, status: int) -> None:
    with pytest.raises(SdpRefusedError) as refused:
        checked_candidates(fragment, LIMITS, NETWORKS)
    assert refused.value.status == status
