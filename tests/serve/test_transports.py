"""ICE held to the allowed networks: real connections, real datagrams, and those that get no answer."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import metadata

import pytest
from aioice import stun
from aioice.ice import Connection
from aiortc import RTCConfiguration, RTCIceCandidate, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import VideoStreamTrack

from rtfilter.errors import UsageError
from rtfilter.serve.gate import transports
from rtfilter.serve.gate.networks import AllowedNetworks
from rtfilter.serve.gate.options import Limits, ServeOptions
from rtfilter.serve.gate.sdp_offer import checked_offer
from rtfilter.serve.gate.transports import (
    MOST_REMOTE_CANDIDATES,
    MOST_WAITING,
    check_versions,
    guard_ice,
)
from rtfilter.system.installation import install_packages

OPTIONS = ServeOptions(token="t" * 16)
STRANGER = "127.0.0.77"
NO_SERVERS = RTCConfiguration(iceServers=[])

on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="needs Linux: all of 127/8 is this machine there"
)


class WithoutStranger(AllowedNetworks):
    """One address of this machine that plays an attacker's."""

    def for_peer(self, address: str | None) -> AllowedNetworks:
        return WithoutStranger(OPTIONS)

    def permits(self, address: str) -> bool:
        return address != STRANGER and super().permits(address)


async def offering() -> RTCPeerConnection:
    pc = RTCPeerConnection(NO_SERVERS)
    pc.addTransceiver(VideoStreamTrack(), "sendonly")
    pc.createDataChannel("rtfilter")
    await pc.setLocalDescription(await pc.createOffer())
    return pc


async def answering(offer: str, networks: AllowedNetworks) -> RTCPeerConnection:
    pc = RTCPeerConnection(NO_SERVERS)
    await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    guard_ice(pc, networks)
    await pc.setLocalDescription(await pc.createAnswer())
    return pc


@asynccontextmanager
async def guarded(
    change: Callable[[str], str] = str,
) -> AsyncIterator[tuple[RTCPeerConnection, RTCPeerConnection]]:
    """A client that has offered, and the guarded server that has answered."""
    networks = WithoutStranger(OPTIONS)
    client = await offering()
    offer = checked_offer(client.localDescription.sdp, "whip", Limits(), networks).sdp
    server = await answering(change(offer), networks)
    # aioice queues checks until it has the peer's user fragment, and follows them only then.
    await until(lambda: connection_of(server).remote_username is not None)
    try:
        yield client, server
    finally:
        await asyncio.gather(client.close(), server.close())


def run(scenario: Callable[[], Awaitable[None]]) -> list[str]:
    """The errors that the event loop reports as uncaught."""
    errors: list[str] = []

    async def whole() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(str(context)))
        await scenario()

    asyncio.run(whole())
    return errors


async def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    async def wait() -> None:
        while not true():
            await asyncio.sleep(0.02)

    await asyncio.wait_for(wait(), seconds)


def connection_of(pc: RTCPeerConnection) -> Connection:
    connection: Connection = pc.getTransceivers()[0].receiver.transport.transport._connection
    return connection


def without_candidates(sdp: str) -> str:
    return "".join(line for line in sdp.splitlines(True) if not line.startswith("a=candidate:"))


@pytest.mark.parametrize(
    "change", [str, without_candidates], ids=["with candidates", "found by its checks alone"]
)
def test_a_guarded_peer_connects(change: Callable[[str], str]) -> None:
    async def scenario() -> None:
        async with guarded(change) as (client, server):
            await client.setRemoteDescription(server.localDescription)
            await until(lambda: {client.connectionState, server.connectionState} == {"connected"})

    assert run(scenario) == []


def check_of(server: RTCPeerConnection, **attributes: object) -> bytes:
    """A check as only somebody who has seen the answer can send it."""
    connection = connection_of(server)
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{connection.local_username}:{connection.remote_username}"
    message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLING"] = 1
    for name, value in attributes.items():
        if value is None:
            del message.attributes[name]
    message.add_message_integrity(connection.local_password.encode())
    return bytes(message)


def at_loopback(server: RTCPeerConnection) -> tuple[str, int]:
    found = [each for each in connection_of(server).local_candidates if each.host == "127.0.0.1"]
    return found[0].host, found[0].port


async def answered(packet: bytes, source: str, target: tuple[str, int]) -> bool:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind((source, 0))
        await loop.sock_sendto(sock, packet, target)
        try:
            await asyncio.wait_for(loop.sock_recv(sock, 2000), 0.5)
        except asyncio.TimeoutError:
            return False
        return True


@on_linux
def test_a_check_from_elsewhere_is_neither_answered_nor_followed() -> None:
    async def scenario() -> None:
        async with guarded(without_candidates) as (_, server):
            target = at_loopback(server)
            assert await answered(check_of(server), "127.0.0.1", target)
            assert not await answered(check_of(server), STRANGER, target)
            assert not await answered(b"\x00" * 40, STRANGER, target)
            hosts = {each.host for each in connection_of(server).remote_candidates}
            assert STRANGER not in hosts

    assert run(scenario) == []


@on_linux
def test_an_unguarded_peer_would_have_answered() -> None:
    """What the guard is there for, and that the test above can fail."""

    async def scenario() -> None:
        client = await offering()
        server = RTCPeerConnection(NO_SERVERS)
        await server.setRemoteDescription(client.localDescription)
        await server.setLocalDescription(await server.createAnswer())
        connection = connection_of(server)
        here = [each for each in connection.local_candidates if ":" not in each.host]
        if not here:
            pytest.skip("needs an IPv4 address beside loopback, which stock aioice leaves out")
        assert await answered(check_of(server), STRANGER, (here[0].host, here[0].port))
        await asyncio.gather(client.close(), server.close())

    run(scenario)


@on_linux
def test_nothing_is_sent_to_a_candidate_elsewhere_even_when_it_gets_past_the_offer() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim:
            victim.setblocking(False)
            victim.bind((STRANGER, 0))
            port = victim.getsockname()[1]
            line = f"a=candidate:1 1 udp 2130706431 {STRANGER} {port} typ host\r\n"
            async with guarded(lambda offer: offer.replace("a=mid:0\r\n", f"a=mid:0\r\n{line}")) as (
                _,
                server,
            ):
                trickled = RTCIceCandidate(1, "2", STRANGER, port, 1, "udp", "host", sdpMid="0")
                await server.addIceCandidate(trickled)
                assert connection_of(server).remote_candidates
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(loop.sock_recv(victim, 2000), 1.5)

    assert run(scenario) == []


def test_the_end_of_candidates_does_not_end_the_waiting_for_the_peers_checks() -> None:
    async def scenario() -> None:
        async with guarded(without_candidates) as (client, server):
            await server.addIceCandidate(None)
            await asyncio.sleep(0.3)
            assert server.iceConnectionState == "checking"
            await client.setRemoteDescription(server.localDescription)
            await until(lambda: server.connectionState == "connected")

    assert run(scenario) == []


def test_random_datagrams_raise_nothing_and_do_not_pile_up() -> None:
    random.seed(3)

    async def scenario() -> None:
        async with guarded(without_candidates) as (_, server):
            target = at_loopback(server)
            sound = check_of(server)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                for number in range(6000):
                    packet = bytearray(sound if number % 2 else random.randbytes(random.randrange(200)))
                    for _ in range(random.randrange(4)):
                        if packet:
                            packet[random.randrange(len(packet))] = random.randrange(256)
                    sock.sendto(packet, target)
                    if number % 50 == 0:
                        await asyncio.sleep(0)
            await asyncio.sleep(0.3)
            assert connection_of(server)._queue.qsize() <= MOST_WAITING
            assert await answered(check_of(server), "127.0.0.1", target)

    assert run(scenario) == []


def test_a_check_without_a_priority_is_not_heard() -> None:
    async def scenario() -> None:
        async with guarded(without_candidates) as (_, server):
            assert not await answered(check_of(server, PRIORITY=None), "127.0.0.1", at_loopback(server))

    assert run(scenario) == []


def test_a_peer_that_checks_from_every_port_is_not_followed_for_ever() -> None:
    async def scenario() -> None:
        async with guarded(without_candidates) as (_, server):
            target, packet = at_loopback(server), check_of(server)
            for _ in range(MOST_REMOTE_CANDIDATES * 2):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.bind(("127.0.0.1", 0))
                    sock.sendto(packet, target)
                await asyncio.sleep(0)
            await asyncio.sleep(0.3)
            assert 10 < len(connection_of(server).remote_candidates) <= MOST_REMOTE_CANDIDATES

    assert run(scenario) == []


def test_a_guard_after_the_sockets_is_refused() -> None:
    async def scenario() -> None:
        client = await offering()
        with pytest.raises(RuntimeError, match="before setLocalDescription"):
            guard_ice(client, AllowedNetworks(OPTIONS))
        await client.close()

    assert run(scenario) == []


def test_another_aioice_is_refused_politely(monkeypatch: pytest.MonkeyPatch) -> None:
    check_versions()
    monkeypatch.setattr(
        transports, "version", lambda package: "9.9.1" if package == "aioice" else metadata.version(package)
    )
    with pytest.raises(
        UsageError, match=rf"aioice 9\.9\.1: .* {re.escape(install_packages('aioice==0.13.*'))}"
    ):
        check_versions()
