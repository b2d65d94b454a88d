"""Nonsense in, one line out: offers, fragments, messages, settings and options that nobody meant."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import SessionDescription
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rtfilter.config import settings_from_environment, settings_from_file
from rtfilter.controls import Controls
from rtfilter.errors import RtfilterError, UsageError
from rtfilter.serve.app.messages import MessageError, Ping, merged, parse_message
from rtfilter.serve.gate.networks import AllowedNetworks, own_addresses, parse_address
from rtfilter.serve.gate.options import Limits, ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.serve.gate.sdp_offer import CheckedOffer, Kind, checked_offer
from rtfilter.serve.gate.sdp_transport import checked_candidates
from tests.serve.offer_files import CLIENTS, recorded

T = TypeVar("T")
LIMITS = Limits()
NETWORKS = AllowedNetworks(ServeOptions(token="t" * 16))
OFFERS = [(name, kind, recorded(name).split("\r\n")) for name, kind in CLIENTS.items()]
ODD_VALUES = st.sampled_from(
    ["", " ", "-1", "0", "65536", "4294967296", "9" * 400, "1e9", "NaN", "\u0663", "a" * 3000, "\0", "\r",
     "\u2028", "é", ":", "/", "=", ";", "127.0.0.1", "198.51.100.7", "::", "x.local", "IN IP4 x", "%s", "{}",
     "VP8/90000"]
)  # fmt: skip
many = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def mutated_offers(draw: st.DrawFn) -> tuple[Kind, str]:
    """A real client's offer with a few lines and words taken out, doubled, moved or replaced."""
    _, kind, original = draw(st.sampled_from(OFFERS))
    lines = list(original)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        what = draw(st.integers(0, 6))
        if what == 0:
            del lines[at]
        elif what == 1:
            lines.insert(draw(st.integers(0, len(lines))), lines[at])
        elif what == 2:
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        elif what == 3:
            words = lines[at].replace(":", ": ").split(" ")
            words[draw(st.integers(0, len(words) - 1))] = draw(ODD_VALUES)
            lines[at] = " ".join(words)
        elif what == 4:
            head = lines[at].partition(":")[0]
            lines[at] = f"{head}:{draw(ODD_VALUES)}"
        elif what == 5:
            cut = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:cut] + draw(ODD_VALUES) + lines[at][cut:]
        else:
            lines[at] = draw(st.text(max_size=40))
        if not lines:
            break
    return kind, "\r\n".join(lines)


def outcome(action: Callable[[], T], *expected: type[RtfilterError]) -> T | None:
    """What `action` gives, or None when it refuses as it should: with an expected error of one line."""
    try:
        return action()
    except expected as error:
        message = str(error)
    assert "\n" not in message
    assert message.encode("utf-8")
    return None


def refused(kind: Kind, text: str) -> CheckedOffer | None:
    """What `checked_offer` gives, or None when it refuses."""
    return outcome(lambda: checked_offer(text, kind, LIMITS, NETWORKS), RefusedError)


def addresses_of(sdp: str) -> set[str]:
    return {
        candidate.ip for media in SessionDescription.parse(sdp).media for candidate in media.ice_candidates
    }


@many
@given(mutated_offers())
def test_a_mutated_offer_is_refused_in_one_line_or_is_one_that_aiortc_takes(offer: tuple[Kind, str]) -> None:
    checked = refused(*offer)
    if checked is not None:
        assert all(NETWORKS.permits(address) for address in addresses_of(checked.sdp))
        assert checked_offer(checked.sdp, offer[0], LIMITS, NETWORKS).sdp == checked.sdp


@settings(many, max_examples=60)
@given(mutated_offers())
def test_what_passes_can_be_answered(offer: tuple[Kind, str]) -> None:
    checked = refused(*offer)

    async def answer(checked: CheckedOffer) -> None:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        try:
            await pc.setRemoteDescription(RTCSessionDescription(checked.sdp, "offer"))
            answer = checked.answer((await pc.createAnswer()).sdp)
            assert [line.partition(" ")[0] for line in answer.splitlines() if line.startswith("m=")] == [
                line.partition(" ")[0] for line in offer[1].splitlines() if line.startswith("m=")
            ]
        finally:
            await pc.close()

    if checked is not None:
        asyncio.run(answer(checked))


@many
@given(
    st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))),
    st.sampled_from(["peer", "whip", "whep"]),
)
def test_text_that_is_no_offer_is_refused(text: str, kind: Kind) -> None:
    assert refused(kind, text) is None
    assert refused(kind, f"v=0\r\n{text}") is None


FRAGMENT_LINES = st.sampled_from(
    ["a=ice-ufrag:EsAw", "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1", "m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=mid:0",
     "a=candidate:1 1 udp 2113937151 127.0.0.1 40000 typ host", "a=end-of-candidates", "a=candidate:",
     "a=candidate:1 1 udp 1 198.51.100.7 40000 typ host", "a=candidate:1 1 udp 1 :: 4 typ host generation"]
)  # fmt: skip


@many
@given(st.lists(st.one_of(FRAGMENT_LINES, ODD_VALUES, st.text(max_size=30)), max_size=20))
def test_a_fragment_is_refused_in_one_line_or_has_only_permitted_candidates(lines: list[str]) -> None:
    fragment = outcome(lambda: checked_candidates("\r\n".join(lines), LIMITS, NETWORKS), RefusedError)
    if fragment is not None:
        assert all(NETWORKS.permits(candidate.ip) for candidate in fragment.candidates)


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just(10**400)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=10,
)
KEYS = st.sampled_from(["type", "changes", "seq", "name", "paused", "t", "x"])
TYPES = st.sampled_from(["controls", "preset", "paused", "ping", "nothing"])
CONTROL_KEYS = st.sampled_from([*Controls().as_dict(), "x"])


@many
@given(st.dictionaries(KEYS, st.one_of(TYPES, JSON_VALUES), max_size=5))
@example({"type": "ping", "t": 10**400})
@example({"type": "ping", "t": float("inf")})
@example({"type": "controls", "changes": {"intensity": 10**400}})
def test_a_message_is_understood_or_refused_in_one_line(body: dict[str, Any]) -> None:
    message = outcome(lambda: parse_message(json.dumps(body)), MessageError)
    if isinstance(message, Ping):
        assert json.dumps(message.t, allow_nan=False)


@many
@given(st.one_of(st.text(), st.binary(max_size=200)))
@example("[" * 100_000)
@example('{"a":' * 3000)
@example('{"type": "ping", "t": 1e999}')
@example('{"type": "ping", "t": ' + "9" * 5000 + "}")
@example("\ud800")
def test_what_is_no_message_is_refused(text: str | bytes) -> None:
    outcome(lambda: parse_message(text), MessageError)


@many
@given(st.dictionaries(CONTROL_KEYS, st.one_of(JSON_VALUES, st.floats(-2, 2)), max_size=5))
def test_a_target_is_taken_or_refused_and_never_out_of_range(changes: dict[str, Any]) -> None:
    target = outcome(lambda: merged(Controls(), changes), UsageError)
    assert target is None or json.dumps(target.as_dict(), allow_nan=False)


@many
@given(
    st.one_of(
        st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))
    )
)
def test_a_settings_file_is_read_or_refused_in_one_line(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_bytes(content)
        outcome(lambda: settings_from_file(path), RtfilterError)


NAMES = st.sampled_from(
    ["INTENSITY", "EMOTION", "PRESET", "WIDTH", "FPS", "BYPASS", "SMOOTHING", "MOUTH", "NONE"]
)


@many
@given(
    st.dictionaries(NAMES.map("RTFILTER_{}".format), st.one_of(ODD_VALUES, st.text(max_size=20)), max_size=4)
)
def test_an_environment_is_read_or_refused_in_one_line(environ: dict[str, str]) -> None:
    outcome(lambda: settings_from_environment(environ), UsageError)


@many
@given(st.one_of(st.text(max_size=50), st.ip_addresses().map(str), ODD_VALUES))
def test_an_address_is_permitted_only_when_it_is_this_machines(text: str) -> None:
    address = parse_address(text)
    mine = address is not None and (address.is_loopback or address in own_addresses())
    assert NETWORKS.permits(text) == mine
    general = ServeOptions(host="0.0.0.0", tls=True, token="t" * 16)
    assert AllowedNetworks(general).for_peer(text).permits("198.51.100.9") == (str(address) == "198.51.100.9")


@many
@given(
    st.lists(
        st.one_of(st.text(max_size=20), st.ip_addresses(network="10.0.0.0/8").map(str), ODD_VALUES),
        max_size=3,
    )
)
def test_options_are_taken_or_refused_in_one_line(networks: list[str]) -> None:
    outcome(lambda: AllowedNetworks(ServeOptions(token="t" * 16, ice_networks=tuple(networks))), UsageError)
