"""DTLS of a peer connection: who opens it, and what is told when it fails."""

from __future__ import annotations

from aiortc import RTCPeerConnection
from aiortc.rtcdtlstransport import RTCDtlsTransport

# OpenSSL 4 has no P-224 any more. FFmpeg 8 makes its own certificate with it where it is built with GnuTLS,
# as Debian's and PyAV's are.
FAILED = (
    "the DTLS handshake failed: the certificate of the peer does not fit (FFmpeg built with GnuTLS needs"
    " -cert_file and -key_file with a P-256 key)"
)


def transports_of(connection: RTCPeerConnection) -> set[RTCDtlsTransport]:
    """The DTLS transports of a connection: of its media and of its data channels."""
    found = {transceiver.receiver.transport for transceiver in connection.getTransceivers()}
    if connection.sctp is not None:
        found.add(connection.sctp.transport)
    return found


def answer_passively(connection: RTCPeerConnection) -> None:
    """Let the peer open DTLS where its offer leaves that open, as RFC 9725 wants of a WHIP server.

    aiortc's ciphers need a server with an ECDSA key, and GStreamer has an RSA one: it can only be the client.
    Not for an offer with a=setup:passive (FFmpeg's): two that wait for each other never connect.
    """
    for transport in transports_of(connection):
        if transport._role == "auto":
            transport._set_role("server")
