"""OSC over real UDP sockets."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

from rtfilter.controls import Controls
from rtfilter.errors import DeviceError, MissingExtraError, UsageError
from rtfilter.presets import BUILT_IN
from rtfilter.serve.app import osc
from rtfilter.serve.app.osc import OscError, OscServer, open_osc, read_packet
from rtfilter.serve.app.session import Session
from rtfilter.serve.app.sessions import Sessions
from rtfilter.system.installation import install_extra
from tests.fakes.serving import first, serving


class Desk:
    """Two sessions behind an OSC server, and a controller's program."""

    def __init__(self, server: OscServer, one: Session, two: Session) -> None:
        self.server, self.one, self.two = server, one, two
        self.client = SimpleUDPClient("127.0.0.1", server.port)

    def send(self, address: str, *values: object) -> None:
        self.client.send_message(address, list(values))


@asynccontextmanager
async def a_desk() -> AsyncIterator[Desk]:
    async with serving() as running:
        sessions: Sessions = running.sessions
        one, two = (Session(name, "cam", Controls(), BUILT_IN) for name in ("one", "two"))
        sessions.add_own(one)
        sessions.add_own(two)
        server = await open_osc("127.0.0.1:0", sessions)
        try:
            yield Desk(server, one, two)
        finally:
            server.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 60)

    asyncio.run(bounded())


def test_faders_and_buttons_reach_all_sessions() -> None:
    async def test() -> None:
        async with a_desk() as desk:
            desk.send("/rtfilter/emotion/happy", 0.5)
            desk.send("/rtfilter/intensity", 1.25)
            desk.send("/rtfilter/mouth", 0.25)
            desk.send("/rtfilter/valence", -0.5)
            desk.send("/rtfilter/arousal", 1)
            desk.send("/rtfilter/smoothing", 0.0)
            desk.send("/rtfilter/bypass", 1.0)
            expected = Controls(
                emotions={"happy": 0.5},
                intensity=1.25,
                mouth=0.25,
                valence=-0.5,
                arousal=1,
                smoothing=0,
                bypass=True,
            )
            await first(lambda: desk.one.controls.current == expected)
            assert desk.two.controls.current == expected
            desk.send("/rtfilter/bypass", False)
            desk.send("/rtfilter/paused", True)
            await first(lambda: desk.two.paused)
            assert desk.one.paused
            assert not desk.one.controls.current.bypass

    run(test)


def test_one_session_is_meant_by_its_id() -> None:
    async def test() -> None:
        async with a_desk() as desk:
            desk.send("/rtfilter/session/two/preset", "friendly")
            desk.send("/rtfilter/session/two/emotion/sad", 0.25)
            await first(lambda: desk.two.controls.current.emotions == {"happy": 0.4, "sad": 0.25})
            assert desk.one.controls.current == Controls()

    run(test)


def test_a_bundle_applies_at_once_whatever_its_time() -> None:
    async def test() -> None:
        async with a_desk() as desk:
            inner = OscBundleBuilder(IMMEDIATELY)
            outer = OscBundleBuilder(2_050_000_000.0)  # in years
            for bundle, address, value in (
                (inner, "/rtfilter/mouth", 0.5),
                (outer, "/rtfilter/arousal", 0.5),
            ):
                message = OscMessageBuilder(address)
                message.add_arg(value)
                bundle.add_content(message.build())
            outer.add_content(inner.build())
            desk.client.send(outer.build())
            await first(lambda: desk.one.controls.current == Controls(mouth=0.5, arousal=0.5))

    run(test)


@pytest.mark.parametrize(
    ("address", "values"),
    [
        ("/rtfilter/emotion/hapy", [0.5]),
        ("/rtfilter/emotion", [0.5]),
        ("/rtfilter/intensity", [9.0]),
        ("/rtfilter/intensity", [float("nan")]),
        ("/rtfilter/intensity", ["much"]),
        ("/rtfilter/intensity", [0.1, 0.2]),
        ("/rtfilter/intensity/more", [0.1]),
        ("/rtfilter/bypass", [0.5]),
        ("/rtfilter/bypass", ["on"]),
        ("/rtfilter/preset", [3]),
        ("/rtfilter/preset", ["frendly"]),
        ("/rtfilter/session/three/mouth", [0.5]),
        ("/rtfilter/session/one", [0.5]),
        ("/other/mouth", [0.5]),
        ("/", [0.5]),
    ],
)
def test_a_message_that_makes_no_sense_is_logged_and_changes_nothing(
    address: str, values: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with a_desk() as desk:
            desk.send(address, *values)
            await first(lambda: "OSC message ignored" in caplog.text)
            assert (desk.one.controls.current, desk.one.paused) == (Controls(), False)
            desk.send("/rtfilter/mouth", 0.5)
            await first(lambda: desk.two.controls.current.mouth == 0.5)

    run(test)


BUNDLE = b"#bundle\x00" + bytes(7) + b"\x01"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 64,
        b"/rtfilter/mouth",
        b"/rtfilter/mouth\x00" + b"," + b"f" * 400 + b"\x00" * 8,
        b"/rtfilter/mouth\x00,[[[",
        b"/rtfilter/mouth\x00,b\x00\x00\x7f\xff\xff\xff",
        b"/rtfilter/preset\x00\x00\x00\x00,s\x00\x00\xff\xfe\xfd\x00",
        b"#bundle\x00",
        # An element of minus four bytes: a reader that adds sizes reads it for ever.
        BUNDLE + b"\xff\xff\xff\xfc" * 2,
        BUNDLE + b"\x00\x00\x00\x00",
        BUNDLE + b"\x00\x00\x10\x00" + b"/rtfilter/mouth\x00",
        b"/" + b"x" * 5000,
    ],
)
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(OscError):
        list(read_packet(data))


def test_bundles_in_bundles_end() -> None:
    data = b"/rtfilter/mouth\x00,f\x00\x00\x3f\x00\x00\x00"
    assert list(read_packet(data)) == [("/rtfilter/mouth", [0.5])]
    for _ in range(20):
        data = BUNDLE + len(data).to_bytes(4, "big") + data
    with pytest.raises(OscError, match="deep"):
        list(read_packet(data))


def test_complaints_are_few(caplog: pytest.LogCaptureFixture) -> None:
    now_ns = 0

    async def test() -> None:
        nonlocal now_ns
        async with serving() as running:
            server = OscServer(running.sessions, clock=lambda: now_ns)
            with caplog.at_level(logging.WARNING, logger="rtfilter.serve.app.osc"):
                for _ in range(50):
                    server.datagram_received(b"rubbish", ("127.0.0.1", 1))
                assert len(caplog.records) == 1
                now_ns = osc.LOG_EVERY_NS
                server.datagram_received(b"rubbish", ("127.0.0.1", 1))
            assert "49 more" in caplog.records[-1].getMessage()

    run(test)


@pytest.mark.parametrize(
    "where",
    ["0.0.0.0:9000", "192.0.2.1:9000", "example.org:9000", "9000", "127.0.0.1", "127.0.0.1:99999", ":1"],
)
def test_only_this_machine_is_listened_to(where: str) -> None:
    async def test() -> None:
        async with serving() as running:
            with pytest.raises(UsageError, match=r"127\.0\.0\.1"):
                await open_osc(where, running.sessions)

    run(test)


def test_a_taken_port_and_a_missing_extra_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with serving() as running:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
                taken.bind(("127.0.0.1", 0))
                with pytest.raises(DeviceError, match="another port"):
                    await open_osc(f"127.0.0.1:{taken.getsockname()[1]}", running.sessions)
            monkeypatch.setattr(osc.importlib.util, "find_spec", lambda _: None)
            with pytest.raises(MissingExtraError, match=re.escape(install_extra("osc"))):
                await open_osc("127.0.0.1:0", running.sessions)

    run(test)
