"""Offers: real clients' pass and can be answered, hostile ones get their 4xx and one line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from rtfilter.serve.gate.networks import AllowedNetworks
from rtfilter.serve.gate.options import Limits, ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.serve.gate.sdp_offer import CheckedOffer, Kind, checked_offer
from rtfilter.serve.gate.sdp_transport import checked_candidates
from tests.serve.offer_files import CLIENTS, aiortc_offer, recorded

LIMITS = Limits()
NETWORKS = AllowedNetworks(ServeOptions(token="t" * 16))


def checked(text: str, kind: Kind = "peer") -> CheckedOffer:
    return checked_offer(text, kind, LIMITS, NETWORKS)


def check(text: str, kind: Kind = "peer") -> str:
    return checked(text, kind).sdp


async def answer_to(offer: CheckedOffer) -> str:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        await pc.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
        return offer.answer((await pc.createAnswer()).sdp)
    finally:
        await pc.close()


def sections(sdp: str) -> list[str]:
    return re.split(r"(?m)^(?=m=)", sdp)[1:]


@pytest.mark.parametrize(("client", "kind"), CLIENTS.items())
def test_a_real_clients_offer_passes_and_can_be_answered(client: str, kind: Kind) -> None:
    answer = asyncio.run(answer_to(checked(recorded(client), kind)))
    kinds = [section.split()[0] for section in sections(recorded(client))]
    assert [section.split()[0] for section in sections(answer)] == kinds
    assert re.search(r"a=rtpmap:\d+ (VP8|H264)/90000", answer)


@pytest.mark.parametrize(
    ("kind", "direction"), [("peer", "sendrecv"), ("whip", "sendonly"), ("whep", "recvonly")]
)
def test_aiortcs_own_offer_passes(kind: Kind, direction: str) -> None:
    async def run() -> str:
        return await answer_to(checked(await aiortc_offer(direction=direction), kind))

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
    with pytest.raises(RefusedError, match="at most 2") as refused:
        check(session + "".join(sections), "whep")
    assert refused.value.status == 422


def test_what_the_server_does_not_need_is_gone() -> None:
    written = check(recorded("firefox"))
    for gone in ("extmap-allow-mixed", "ice-options", "c=IN", "mozilla", "end-of-candidates"):
        assert gone in recorded("firefox")
        assert gone not in written


def test_a_section_in_a_bundle_gets_the_transport_of_the_first() -> None:
    """RFC 8829 has it offered without ICE, DTLS and rtcp-mux of its own; what is there does not count."""
    once = check(recorded("jsep").replace("a=mid:v1", "a=mid:v1\r\na=ice-ufrag:Other"), "whip")
    assert once.count("a=ice-ufrag:ETEn\r\n") == 3
    assert once.count("a=setup:actpass\r\n") == once.count("a=fingerprint:") == 3
    assert once.count("a=rtcp-mux\r\n") == 2


def test_a_bundle_may_name_a_section_that_is_not_there() -> None:
    """FFmpeg 8.0 writes BUNDLE 0 1 whatever it has."""
    silent = checked(recorded("ffmpeg_silent"), "whip")
    assert "a=group:BUNDLE 1\r\n" in silent.sdp
    assert "a=group:BUNDLE 1\r\n" in asyncio.run(answer_to(silent))


def test_an_answer_bundles_no_more_than_the_offer() -> None:
    alone = re.sub(r"a=group:BUNDLE.*\r\n", "", recorded("firefox_balanced"))
    alone = re.sub(r"a=bundle-only\r\n", "", alone).replace("m=video 0", "m=video 9")
    alone = alone.replace("m=application 0", "m=application 9")
    assert "a=group" not in asyncio.run(answer_to(checked(alone, "whip")))


def test_a_rejected_section_stays_rejected() -> None:
    offer = checked(recorded("rejected"), "whip")
    assert len(sections(offer.sdp)) == 1
    answer = asyncio.run(answer_to(offer))
    assert [section.split()[:2] for section in sections(answer)] == [
        ["m=audio", "0"],
        ["m=video", "9"],
        ["m=video", "0"],
    ]
    assert "a=group:BUNDLE 1\r\n" in answer
    assert "a=mid:0\r\n" in sections(answer)[0]
    assert "rtpmap" not in sections(answer)[0]


@pytest.mark.parametrize(
    "parameters",
    [
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f",
        "packetization-mode=1;profile-level-id=4d0028",
        "packetization-mode=1;profile-level-id=f40032",
        "profile-level-id=640c1f; sprop-parameter-sets=Z0LAKdoB4AiflwEQAAADABAAAAMDIPGDKkg=,aM48gA==",
        "",
    ],
)
def test_h264_of_every_profile_is_taken_and_answered_as_it_was_offered(parameters: str) -> None:
    """RFC 6184, section 8.2.2: profile and packetization mode of an answer are the offer's."""
    offer = re.sub(r"a=fmtp:106.*\r\n", "", recorded("ffmpeg"))
    if parameters:
        offer += f"a=fmtp:106 {parameters}\r\n"
    answer = asyncio.run(answer_to(checked(offer, "whip")))
    (answered,) = re.findall(r"a=fmtp:106 (.*)\r\n", answer)
    wanted = {part for part in parameters.split(";") if part.startswith(("profile", "packet"))}
    assert set(answered.split(";")) == {"level-asymmetry-allowed=1", *wanted}


def test_a_watcher_is_sent_baseline_as_long_as_it_takes_it() -> None:
    """What we send is constrained baseline, in pieces (packetization-mode 1)."""
    watcher = recorded("safari").replace("a=sendrecv", "a=recvonly")
    both = asyncio.run(answer_to(checked(watcher, "whep")))
    assert "profile-level-id=640c1f" not in both
    high = re.sub(r"VP8/|(a=fmtp:98.*)", "x-vp8/", watcher)
    high = high.replace("a=rtpmap:98 H264", "a=rtpmap:98 x-h264")
    assert "profile-level-id=640c1f" in asyncio.run(answer_to(checked(high, "whep")))
    with pytest.raises(RefusedError, match="packetization-mode=1"):
        check(high.replace("packetization-mode=1", "packetization-mode=0"), "whep")


OPTIONAL = {
    "a tab in the name": ("s=-", "s=a\tb"),
    "a control character in the name": ("s=-", "s=a\0b"),
    "half a character": ("s=-", "s=\ud800"),
    "a line of no type": ("t=0 0", "t=0 0\r\nthis is no line"),
    "an identifier of a later standard": ("a=extmap:1 ", "a=extmap:4096 "),
    "an extension with attributes": ("a=extmap:1 ", "a=extmap:1 urn:x y z "),
    "an unreadable extension": ("a=extmap:1 ", "a=extmap:x "),
    "a long feedback": ("nack pli", "nack " + "p" * 500),
    "feedback of nothing": ("a=rtcp-fb:96 nack pli", "a=rtcp-fb:96"),
    "an empty number": ("minptime=10", "stereo=;minptime=10"),
    "a parameter that is no number": ("apt=96", "apt=x"),
    "a mode without a value": ("packetization-mode=1", "packetization-mode"),
    "parameters of nothing": ("a=fmtp:111 ", "a=fmtp:"),
    "a codec of nothing": ("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8/90000\r\na=rtpmap:x\r\na=rtpmap:97"),
    "an unreadable source": (
        "a=ssrc-group:FID",
        "a=ssrc:x y\r\na=ssrc:99999999999 cname:x\r\na=x:",
    ),
    "a stream without a track": ("a=msid:", "a=msid:x \r\na=x:"),
    "a very long attribute": ("a=mid:0", "a=mid:0\r\na=x:" + "y" * 5000),
    "an absurd message size": ("max-message-size:262144", "max-message-size:x"),
    "a malformed candidate": ("a=mid:0", "a=mid:0\r\na=candidate:1 1 udp x y z\r\na=candidate:"),
    "an absurd candidate": ("a=mid:0", "a=mid:0\r\na=candidate:1 1 udp 1 127.0.0.1 99999 typ host"),
    "a weak fingerprint beside": ("a=mid:0", "a=mid:0\r\na=fingerprint:sha-1 AA\r\na=fingerprint:x"),
    "two directions": ("a=sendrecv", "a=recvonly\r\na=sendrecv"),
    "two bundles": ("a=msid-semantic", "a=group:BUNDLE\r\na=msid-semantic"),
    "a bundle without its section": ("BUNDLE 0", "BUNDLE 9 0 0"),
}


@pytest.mark.parametrize("case", OPTIONAL)
def test_what_is_optional_and_unreadable_is_left_out(case: str) -> None:
    old, new = OPTIONAL[case]
    offer = recorded("chromium")
    assert old in offer
    answer = asyncio.run(answer_to(checked(offer.replace(old, new, 1))))
    assert re.search(r"a=rtpmap:96 VP8/90000", answer)
    assert answer.count("a=mid:") == 3


def test_sound_of_a_static_payload_type_needs_no_rtpmap() -> None:
    """RFC 3551: 0 is PCMU."""
    offer = re.sub(r"a=rtpmap:0 .*\r\n", "", recorded("jsep")).replace("opus/", "speex/")
    assert "a=rtpmap:0 PCMU/8000\r\n" in asyncio.run(answer_to(checked(offer, "whip")))


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
    "nothing": (lambda _: "", 400, "expected v=0"),
    "not an SDP": (lambda _: "GET / HTTP/1.1\r\n\r\n", 400, "expected v=0"),
    "JSON": (lambda _: '{"type": "offer"}', 400, "expected v=0"),
    "another first line": (lambda o: "s=-\r\n" + o, 400, "expected v=0"),
    "too large": (lambda o: o + "a=x:" + "y\r\na=x:" * 20_000, 413, "at most 65536"),
    "no media": (lambda _: "v=0\r\ns=-\r\nt=0 0\r\n", 400, "without a media section"),
    "no video": (lambda o: re.sub(r"(?s)m=video.*?(?=m=|$)", "", o), 422, "without m=video"),
    "seven sections and more": (many_sections, 400, "9 media sections: expected at most 6"),
    "three channels": (lambda o: many_sections(o).split("a=mid:5")[0], 422, "m=application"),
    "an unknown kind": (lambda o: o.replace("m=audio", "m=text"), 422, "'text' is not served"),
    "an absurd port": (lambda o: re.sub("m=video [0-9]+", "m=video 70000", o), 400, "unreadable media line"),
    "no transport security": (lambda o: o.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), 400, "expected DTLS"),
    "no ufrag": (lambda o: re.sub(r"a=ice-ufrag:.*\r\n", "", o), 400, "a=ice-ufrag of 4"),
    "no password": (lambda o: re.sub(r"a=ice-pwd:.*\r\n", "", o), 400, "a=ice-pwd of 22"),
    "a short password": (lambda o: re.sub(r"a=ice-pwd:.*\r\n", "a=ice-pwd:short\r\n", o), 400, "22 to 256"),
    "no fingerprint": (lambda o: re.sub(r"a=fingerprint:.*\r\n", "", o), 400, "a=fingerprint"),
    "only a weak fingerprint": (
        lambda o: re.sub(r"a=fingerprint:.*\r\n", f"a=fingerprint:sha-1 {':'.join(['AA'] * 20)}\r\n", o),
        400,
        "a=fingerprint with sha-256",
    ),
    "a short fingerprint": (
        lambda o: re.sub(r"a=fingerprint:.*\r\n", "a=fingerprint:sha-256 AA:BB\r\n", o), 400, "a=fingerprint"
    ),
    "no setup": (lambda o: re.sub(r"a=setup:.*\r\n", "", o), 400, "an a=setup"),
    "an odd setup": (lambda o: o.replace("a=setup:actpass", "a=setup:holdconn"), 400, "expected actpass"),
    "no mid": (lambda o: re.sub(r"a=mid:.*\r\n", "", o), 400, "needs an a=mid"),
    "the same mid": (lambda o: re.sub(r"a=mid:.*\r\n", "a=mid:0\r\n", o), 400, "same a=mid"),
    "no rtcp-mux": (lambda o: o.replace("a=rtcp-mux\r\n", ""), 400, "needs a=rtcp-mux"),
    "nothing sent": (lambda o: o.replace("a=sendrecv", "a=recvonly"), 422, "a=recvonly"),
    "an unknown codec": (
        lambda o: re.sub(r"(VP8|H264)/90000", "AV1/90000", o), 422, "expected VP8, or H.264"
    ),
    "unknown sound": (
        lambda o: re.sub(r"m=audio .*", "m=audio 9 UDP/TLS/RTP/SAVPF 111", o).replace("opus/", "speex/"),
        422,
        "m=audio offers",
    ),
    "an absurd payload type": (lambda o: re.sub(r"(m=video .*SAVPF)", r"\1 300", o), 400, "cannot be read"),
    "a payload type of RTCP": (lambda o: re.sub(r"(m=video .*SAVPF)", r"\1 73", o), 400, "cannot be read"),
    "an absurd channel port": (lambda o: o.replace("sctp-port:5000", "sctp-port:99999"), 400, "sctp-port"),
    "no channel port": (lambda o: o.replace("a=sctp-port:5000\r\n", ""), 400, "needs an a=sctp-port"),
    "a section without end": (lambda o: o + "a=x\r\n" * 4000, 400, "expected at most 4000"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_offer_gets_its_status_and_one_line(case: str) -> None:
    change, status, reason = HOSTILE[case]
    offer = recorded("chromium")
    with pytest.raises(RefusedError) as refused:
        check(change(offer))
    message = str(refused.value)
    assert refused.value.status == status, message
    assert reason in message
    assert message.isprintable()
    assert len(message) < 200


def test_an_error_does_not_repeat_a_secret() -> None:
    offer = re.sub(r"a=ice-pwd:.*\r\n", "a=ice-pwd:my-secret-password\r\n", recorded("chromium"))
    with pytest.raises(RefusedError) as refused:
        check(offer)
    assert "my-secret" not in str(refused.value)


def test_a_publisher_that_watches_and_a_watcher_that_publishes_are_refused() -> None:
    with pytest.raises(RefusedError, match="a=sendonly"):
        check(recorded("obs"), "whep")
    watcher = asyncio.run(aiortc_offer(direction="recvonly"))
    with pytest.raises(RefusedError, match="a=recvonly"):
        check(watcher, "whip")


FRAGMENT = (
    "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    "a=candidate:1 1 udp 2113937151 127.0.0.1 40000 typ host\r\n"
    "a=candidate:2 1 udp 2113937151 198.51.100.7 40000 typ host\r\n"
    "a=candidate:3 1 tcp 2113937151 127.0.0.1 9 typ host tcptype active\r\na=end-of-candidates\r\n"
)


def test_a_trickled_fragment_keeps_what_may_be_checked() -> None:
    fragment = checked_candidates(FRAGMENT, LIMITS, NETWORKS)
    assert fragment.ufrags == {"EsAw"}
    assert [(each.ip, each.port, each.sdpMid) for each in fragment.candidates] == [("127.0.0.1", 40000, "0")]


def test_a_fragment_keeps_what_can_be_read_of_it_and_no_more_than_the_limit() -> None:
    lines = "".join(f"a=candidate:1 1 udp 1 127.0.0.1 {port} typ host\r\n" for port in range(2000, 2100))
    fragment = checked_candidates(f"a=candidate:1 1 udp\r\n{lines}", LIMITS, NETWORKS)
    assert [each.port for each in fragment.candidates] == list(range(2000, 2000 + LIMITS.candidates))


@pytest.mark.parametrize(
    ("fragment", "status"),
    [
        ("", 400),
        ("GET / HTTP/1.1\r\n", 400),
        ("a=x:" + "y" * 100_000, 413),
        ("a=x\r\n" * 4001, 400),
    ],
)
def test_a_hostile_fragment_gets_its_status(fragment: str, status: int) -> None:
    with pytest.raises(RefusedError) as refused:
        checked_candidates(fragment, LIMITS, NETWORKS)
    assert refused.value.status == status
