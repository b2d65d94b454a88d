"""UDP sockets that hear this machine only, though they are bound to an address of its network."""

from __future__ import annotations

import ctypes
import logging
import socket
import struct
import sys

from rtfilter.serve.gate.networks import parse_address

_log = logging.getLogger(__name__)

_RECEIVE_BUFFER_BYTES = 1 << 20
# linux/filter.h: code, jump if true, jump if false, operand.
_INSTRUCTION = struct.Struct("=HBBI")
_LOAD_WORD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_INTERFACE_INDEX = 0xFFFFF000 + 8  # SKF_AD_OFF + SKF_AD_IFINDEX
_WHOLE_PACKET = 0xFFFFFFFF
_SO_ATTACH_FILTER = 26


def udp_socket(address: str, this_machine_only: bool) -> socket.socket:
    """A non-blocking socket bound to a free port of `address`.

    this_machine_only: packets that come from the network are dropped by the kernel, where it can (Linux).
    Raises OSError when the address cannot be bound.
    """
    parsed = parse_address(address)
    family = socket.AF_INET6 if parsed is not None and parsed.version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        if this_machine_only and sys.platform == "linux":
            _hear_loopback_only(sock)
        sock.bind((address, 0))
    except OSError:
        sock.close()
        raise
    return sock


def _hear_loopback_only(sock: socket.socket) -> None:
    """Attach a packet filter: what did not come through `lo` is dropped.

    What a machine sends to any of its own addresses comes through `lo`. SO_BINDTODEVICE does not do it:
    the kernel compares the interface that has the address there, and Firefox, which sends from the
    network's address to the same one, was not heard (Linux 6.18).
    """
    program = b"".join(
        (
            _INSTRUCTION.pack(_LOAD_WORD, 0, 0, _INTERFACE_INDEX),
            _INSTRUCTION.pack(_EQUAL, 0, 1, socket.if_nametoindex("lo")),
            _INSTRUCTION.pack(_RETURN, 0, 0, _WHOLE_PACKET),
            _INSTRUCTION.pack(_RETURN, 0, 0, 0),
        )
    )
    held = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a count, and a pointer at its own alignment. The kernel copies what it points to.
    described = struct.pack("@HP", len(program) // _INSTRUCTION.size, ctypes.addressof(held))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
    except OSError as error:
        # Some sandboxes have no packet filters. The guard still looks at every sender's address.
        _log.info("no packet filter for a media socket: %s", error)
