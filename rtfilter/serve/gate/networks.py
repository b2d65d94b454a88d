"""Network addresses, host names and web origins that a server accepts.

`AllowedNetworks` is for media (`gate.transports`, `gate.sdp_transport`, `app.sessions`), `HostGate` for HTTP
(`gate.security`).
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

import ifaddr

from rtfilter.errors import UsageError
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.refusals import RefusedError, shown

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

ANY = "any"
# Ports below are those of services: an ICE check, harmless as it is, does not go to a DNS server.
LOWEST_PORT = 1024

_LOOPBACKS: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_UNUSABLE: tuple[Network, ...] = (ip_network("0.0.0.0/8"), ip_network("255.255.255.255/32"))
# A machine changes its IPv6 addresses within its /64 (RFC 8981), and its browser sends from several.
_PEER_PREFIX_IPV6 = 64
_DEFAULT_PORTS = {"http": 80, "https": 443}


class AllowedNetworks:
    """Addresses that media may be exchanged with: this machine's own, `ice_networks`, and one peer.

    An offer names the addresses that ICE checks are sent to, so its author must not choose a third party.
    Neighbours on the same network are not permitted as such; a peer is, by the address of its own request.

    Args:
        options: `ice_networks` has entries as "192.0.2.0/24" or "2001:db8::1"; "any" lifts the restriction,
            but for addresses that no single machine has.
        peer: Address of the peer, as "192.0.2.7"; None if it is unknown.

    Raises:
        UsageError: An entry of `ice_networks` is not a network.
    """

    def __init__(self, options: ServeOptions, peer: str | None = None) -> None:
        self._options = options
        self._any = ANY in options.ice_networks
        self._own = own_addresses()
        self._networks = [*_LOOPBACKS, *(_network(text) for text in options.ice_networks if text != ANY)]
        address = parse_address(peer or "")
        if address is not None and not _is_unusable(address):
            changes = address.version == 6 and not address.is_link_local
            prefix = _PEER_PREFIX_IPV6 if changes else address.max_prefixlen
            self._networks.append(ip_network((address, prefix), strict=False))

    def for_peer(self, address: str | None) -> AllowedNetworks:
        """The networks of one request from `address`, with this machine's addresses as they are now."""
        return AllowedNetworks(self._options, address)

    def permits(self, address: str) -> bool:
        """Whether packets may go to and come from `address`. False for a name, as "x.local"."""
        parsed = parse_address(address)
        if parsed is None or _is_unusable(parsed):
            return False
        return self._any or parsed in self._own or any(parsed in network for network in self._networks)

    def permits_candidate(self, protocol: str, component: int, address: str, port: int) -> bool:
        """Whether ICE checks may be sent to a candidate: UDP, first component, no service port.

        RTP and RTCP share a port here, so there is no second component.
        """
        sound = protocol.lower() == "udp" and component == 1 and LOWEST_PORT <= port <= 65535
        return sound and self.permits(address)

    def media_addresses(self) -> list[str]:
        """The addresses that media sockets are bound to, the most likely one first.

        A loopback server binds the adapters' addresses beside 127.0.0.1, because Firefox pairs no address of
        its own with a loopback one. A server that listens on one address binds only that.
        """
        own = [str(address) for address in sorted(self._own, key=lambda one: (one.version, int(one)))]
        if self._options.is_loopback:
            return [*own, "127.0.0.1"]
        host = parse_address(self._options.host)
        if host is not None and not host.is_unspecified:
            return [str(host)]
        return own or ["127.0.0.1"]


def own_addresses() -> list[Address]:
    """The addresses of this machine's adapters, IPv4 first, without loopback and link-local IPv6 ones."""
    found: dict[Address, None] = {}
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            own = parse_address(entry.ip if isinstance(entry.ip, str) else entry.ip[0])
            if own and not own.is_loopback and not (own.version == 6 and own.is_link_local):
                found[own] = None
    return sorted(found, key=lambda address: address.version)


def parse_address(text: str) -> Address | None:
    """An IP address without its zone, IPv4-mapped IPv6 as IPv4; None if `text` is not an address."""
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def _is_unusable(address: Address) -> bool:
    """Whether no single machine has this address."""
    return address.is_multicast or address.is_unspecified or any(address in network for network in _UNUSABLE)


def _network(text: str) -> Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise UsageError(
            f"{text!r} is no network: expected one as 192.0.2.0/24 or 2001:db8::/32, or {ANY!r}"
        ) from None


class HostGate:
    """Allow-lists for the `Host` and `Origin` fields of requests (RFC 9110).

    They keep web pages of other sites from using the server through the user's browser.

    Raises:
        UsageError: An entry of `allowed_hosts` is not a host, or one of `allowed_origins` not an origin.
    """

    def __init__(self, options: ServeOptions) -> None:
        self._scheme = "https" if options.tls else "http"
        self._names = set(served_names(options))
        self._exact: set[tuple[str, int]] = set()
        for entry in options.allowed_hosts:
            name, port = _split_host(entry)
            if name is None:
                raise UsageError(f"{entry!r} is no host: expected a name as cam.example or cam.example:8443")
            if port is None:
                self._names.add(name)
            else:
                self._exact.add((name, port))
        self._origins: set[tuple[str, str, int]] = set()
        for entry in options.allowed_origins:
            origin = _origin(entry.rstrip("/"))
            if origin is None:
                raise UsageError(f"{entry!r} is no origin: expected one as https://app.example")
            self._origins.add(origin)

    def check_host(self, values: list[str]) -> None:
        """Check all `Host` fields of a request.

        The port counts only for an entry that names one: the check is against DNS rebinding, which keeps the
        name, and a forwarded port differs from the one listened on.

        Raises:
            RefusedError: 400 unless there is one readable field, 421 for a name that is not served.
        """
        if len(values) != 1:
            raise RefusedError(400, f"expected one Host header, got {len(values)}")
        name, port = _split_host(values[0])
        if name is None:
            raise RefusedError(400, f"unreadable Host header {shown(values[0])}")
        if name not in self._names and (name, port or _DEFAULT_PORTS[self._scheme]) not in self._exact:
            raise RefusedError(
                421, f"Host {shown(values[0])} is not served here: permit it with --allow-host at the start"
            )

    def check_origin(self, origin: str, host: str) -> None:
        """Check the `Origin` of a request to `host`: this server's own page, or a permitted one.

        Raises:
            RefusedError: 403 for any other page, and for "null".
        """
        own = _origin(f"{self._scheme}://{host}")
        if _origin(origin) != own and not self.is_allowed(origin):
            raise RefusedError(
                403,
                f"a page from {shown(origin)} may not use this: permit it with --allow-origin at the start",
            )

    def is_allowed(self, origin: str) -> bool:
        """Whether `origin` is in `allowed_origins`, and its answers need CORS headers."""
        return _origin(origin) in self._origins


def served_names(options: ServeOptions) -> list[str]:
    """The names and addresses that the server is reached by, IPv6 without brackets."""
    host = options.host.lower().strip("[]")
    address = parse_address(host)
    wildcard = host == "" or (address is not None and address.is_unspecified)
    names = [] if wildcard else [_plain(host)]
    if wildcard or options.is_loopback:
        names += ["localhost", "127.0.0.1", "::1"]
    if not options.is_loopback:
        machine = socket.gethostname().lower()
        names += [machine, f"{machine.partition('.')[0]}.local"]
    if wildcard:
        names += [str(own) for own in own_addresses()]
    return list(dict.fromkeys(names))


def _plain(name: str) -> str:
    address = parse_address(name)
    return name.rstrip(".") if address is None else str(address)


def _split_host(text: str) -> tuple[str | None, int | None]:
    """Normalised name or address, and port; None for the name if `text` is unreadable."""
    try:
        parts = urlsplit(f"//{text}")
        name, port = parts.hostname, parts.port
    except ValueError:
        return None, None
    if not name or parts.netloc != text or "@" in text:
        return None, None
    return _plain(name), port


def _origin(origin: str) -> tuple[str, str, int] | None:
    """Scheme, name and port of a web origin; None if it is not one."""
    scheme, separator, host = origin.strip().lower().partition("://")
    if not separator or scheme not in _DEFAULT_PORTS:
        return None
    name, port = _split_host(host)
    return None if name is None else (scheme, name, port or _DEFAULT_PORTS[scheme])
