"""`ServeOptions` and `Limits`: the configuration of one server, validated once.

Made by `cli.serve`; read by the rooms `gate`, `rtc` and `app`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from rtfilter.controls import Controls
from rtfilter.errors import UsageError

CODECS = ("vp8", "h264")


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds of what one server accepts. Sizes in bytes, times in seconds."""

    sdp_bytes: int = 64 * 1024
    json_bytes: int = 16 * 1024
    media_sections: int = 6
    candidates: int = 64
    sessions: int = 16
    sessions_per_address: int = 8
    cpu_share: float = 0.9
    width_px: int = 1920
    height_px: int = 1920
    fps: float = 60.0
    ice_s: float = 20.0
    idle_s: float = 30.0


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Configuration of one server.

    Attributes:
        host, port: Address that HTTP listens on; port 0 takes a free one.
        token: Bearer token, 16 to 256 characters of an RFC 9110 token.
        tls: Serve HTTPS.
        certificate, key: PEM files; None for a certificate made at the start.
        allowed_hosts: Further host names, as "cam.example:8443".
        allowed_origins: Further web origins, as "https://app.example".
        ice_networks: Networks that media may be exchanged with beside this machine's own addresses, as
            "192.0.2.0/24"; "any" lifts the restriction.
        codec: Preferred video codec, "vp8" or "h264".
        bitrate_bps: Maximum bitrate of the sent picture.
        controls: Initial controls of a new session.
        faces: How many faces of a picture are followed.
        profiles: Whether clients may use profiles, and enrol; None: where nobody else is let in.

    Raises:
        UsageError: A value is out of range, or TLS is missing on an address that others can reach.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token: str = ""
    tls: bool = False
    certificate: Path | None = None
    key: Path | None = None
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    ice_networks: tuple[str, ...] = ()
    codec: str = "vp8"
    bitrate_bps: int = 2_500_000
    limits: Limits = field(default_factory=Limits)
    controls: Controls = field(default_factory=Controls)
    profiles: bool | None = None
    faces: int = 1

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise UsageError(f"unknown codec {self.codec!r}: expected one of {', '.join(CODECS)}")
        if not 0 <= self.port <= 65535:
            raise UsageError(f"port: expected 0..65535, got {self.port}")
        if not 100_000 <= self.bitrate_bps <= 50_000_000:
            raise UsageError(f"bitrate: expected 100 000..50 000 000 bit/s, got {self.bitrate_bps}")
        if len(self.token) < 16:
            raise UsageError(f"token: expected at least 16 characters, got {len(self.token)}")
        # The token is part of a link and of a WebSocket subprotocol, which is a token of RFC 9110.
        if not re.fullmatch(r"[A-Za-z0-9._~-]{16,256}", self.token):
            raise UsageError("token: expected 16 to 256 letters, digits, -, ., _ or ~, got others too")
        if (self.certificate is None) != (self.key is None):
            raise UsageError("a certificate needs its key: give --certificate and --key together")
        if not self.is_loopback and not self.tls:
            raise UsageError(
                f"{self.host} can be reached from other machines, and only TLS keeps pictures and token"
                " private there: add --tls, or serve on 127.0.0.1"
            )

    @property
    def offers_profiles(self) -> bool:
        """Whether clients may use profiles, and enrol.

        Whoever has the token may then use those of everybody who was enrolled on this account. Unless it is
        said, that is so for a server of this machine alone, which nobody prepared for others either.
        """
        if self.profiles is not None:
            return self.profiles
        for_others = self.allowed_hosts or self.allowed_origins or self.ice_networks
        return self.is_loopback and not for_others

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False
