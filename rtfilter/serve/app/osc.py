"""Controls as OSC messages over UDP, from a controller's program on this machine (extra `osc`)."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import math
import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from rtfilter.errors import DeviceError, MissingExtraError, UsageError, nearest
from rtfilter.serve.app.session import Session
from rtfilter.serve.app.sessions import Sessions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.system.clock import NS_PER_S, Clock, monotonic_ns
from rtfilter.system.installation import install_extra

AMOUNTS = ("intensity", "mouth", "valence", "arousal", "smoothing")
NAMES = (*AMOUNTS, "emotion", "bypass", "preset", "paused")
# A fader's message has 32 bytes; a bundle of all of them stays below this.
LONGEST_BYTES = 2048
LOG_EVERY_NS = 5 * NS_PER_S

_BUNDLE = b"#bundle\x00"
_HEADER = len(_BUNDLE) + 8  # and its time tag
_DEEPEST = 4
# Address and type tags, each ended and padded with NULs; the types that a control can have.
_MESSAGE = re.compile(rb"(/[!-~]{1,200})\x00+(,[ifhdsTF]{1,4})\x00")

_log = logging.getLogger(__name__)


class OscError(UsageError):
    """A datagram that is no message of ours."""


class OscServer(asyncio.DatagramProtocol):
    """Applies what arrives to the sessions; what is not understood is logged and otherwise ignored."""

    def __init__(self, sessions: Sessions, clock: Clock = monotonic_ns) -> None:
        self._sessions = sessions
        self._clock = clock
        self._transport: asyncio.BaseTransport | None = None
        self._logged_ns: int | None = None
        self._unlogged = 0

    @property
    def port(self) -> int:
        """The UDP port that it listens on."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def close(self) -> None:
        """Listen no more."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        try:
            for address, values in read_packet(data):
                apply(self._sessions, address, values)
        except (UsageError, RefusedError) as error:
            self._complain(str(error))

    def _complain(self, problem: str) -> None:
        """Log at most one line in LOG_EVERY_NS: a fader sends a hundred messages a second."""
        now_ns = self._clock()
        if self._logged_ns is not None and now_ns - self._logged_ns < LOG_EVERY_NS:
            self._unlogged += 1
            return
        more = f" ({self._unlogged} more since the last such line)" if self._unlogged else ""
        _log.warning("OSC message ignored: %s%s", problem, more)
        self._logged_ns, self._unlogged = now_ns, 0


async def open_osc(where: str, sessions: Sessions) -> OscServer:
    """Take OSC messages at `where`, as "127.0.0.1:9000", until the answer is closed.

    Raises MissingExtraError without python-osc, UsageError for an address that is not this machine's own
    loopback (OSC has no authentication), DeviceError when the port can't be had.
    """
    if importlib.util.find_spec("pythonosc") is None:
        raise MissingExtraError(f"--osc needs python-osc: {install_extra('osc')}")
    host, port = _loopback(where)
    loop = asyncio.get_running_loop()
    try:
        _, server = await loop.create_datagram_endpoint(lambda: OscServer(sessions), local_addr=(host, port))
    except OSError as error:
        raise DeviceError(
            f"--osc cannot listen on {where} ({error.strerror or error}): choose another port"
        ) from error
    return server


def _loopback(where: str) -> tuple[str, int]:
    host, _, port = where.rpartition(":")
    host = host.strip("[]")
    if host == "localhost":
        host = "127.0.0.1"
    if not (port.isascii() and port.isdigit()) or int(port) > 65535 or not host:
        raise UsageError(f"--osc: expected an address and a port as 127.0.0.1:9000, got {where[:60]!r}")
    try:
        is_loopback = ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise UsageError(
            f"--osc {where[:60]}: OSC has no authentication, so it is taken from this machine alone:"
            " use 127.0.0.1"
        )
    return host, int(port)


def read_packet(data: bytes) -> Iterator[tuple[str, list[Any]]]:
    """Addresses and values of a datagram's messages; those of a bundle apply at once, whatever its time.

    Raises OscError. Bundles are taken apart here, since python-osc does not end on one with a negative
    size, and waits, blocking, for the time of another.
    """
    if len(data) > LONGEST_BYTES:
        raise OscError(f"datagram of {len(data)} bytes: expected at most {LONGEST_BYTES}")
    return _read(data, 0)


def _read(data: bytes, depth: int) -> Iterator[tuple[str, list[Any]]]:
    if not data.startswith(_BUNDLE):
        yield _message(data)
        return
    if depth == _DEEPEST or len(data) < _HEADER:
        raise OscError("bundle that is cut off or too deep")
    start = _HEADER
    while start < len(data):
        size = int.from_bytes(data[start : start + 4], "big")
        start += 4
        if not 0 < size <= len(data) - start:
            raise OscError(f"bundle with an element of {size} bytes, and {len(data) - start} left")
        yield from _read(data[start : start + size], depth + 1)
        start += size


def _message(data: bytes) -> tuple[str, list[Any]]:
    from pythonosc.osc_message import OscMessage, ParseError

    if not _MESSAGE.match(data):
        raise OscError(
            f"expected an address and 1 to 4 numbers, truths or texts, got {ascii(data[:24])[2:-1]}"
        )
    try:
        message = OscMessage(data)
    except (ParseError, ValueError) as error:
        raise OscError(f"message that cannot be read: {type(error).__name__}") from error
    return message.address, list(message.params)


def apply(sessions: Sessions, address: str, values: list[Any]) -> None:
    """Do what one message asks, for the session that it names or for all of them.

    Raises UsageError for an unknown address or a value out of range, RefusedError for an unknown session.
    """
    parts = address.split("/")[1:]
    if parts[0] != "rtfilter" or len(parts) < 2:
        raise OscError(f"{address[:60]!r}: expected /rtfilter/...")
    parts = parts[1:]
    targets = sessions.all()
    if parts[0] == "session" and len(parts) >= 3:
        targets, parts = [sessions.find(parts[1])], parts[2:]
    if parts[0] not in NAMES or len(parts) != (2 if parts[0] == "emotion" else 1):
        raise OscError(f"unknown address {address[:60]!r}:{nearest(parts[0][:40], NAMES)}")
    if len(values) != 1:
        raise OscError(f"{address[:60]}: expected one value, got {len(values)}")
    for session in targets:
        _apply_one(session, parts, values[0])


def _apply_one(session: Session, parts: list[str], value: Any) -> None:
    name = parts[0]
    if name == "emotion":
        session.controls.change({"emotions": {parts[1]: value}})
    elif name in AMOUNTS:
        session.controls.change({name: value})
    elif name == "bypass":
        session.controls.change({name: _truth(name, value)})
    elif name == "paused":
        session.pause(_truth(name, value))
    elif isinstance(value, str):
        session.choose_preset(value)
    else:
        raise OscError(f"preset: expected a name, got {value!r}")


def _truth(name: str, value: Any) -> bool:
    """Buttons of touch surfaces send 0.0 and 1.0, not the truths that OSC 1.1 has."""
    if isinstance(value, str) or not math.isfinite(value) or value not in (0, 1):
        raise OscError(f"{name}: expected 0 or 1, got {value!r}")
    return bool(value)
