"""`AllowedNetworks`: which addresses media may be exchanged with."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import ifaddr

from rtfilter.errors import UsageError
from rtfilter.serve.gate.options import ServeOptions

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

ANY = "any"
_LOOPBACKS: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
# A machine changes its IPv6 addresses within its /64 (RFC 8981), and its browser sends from several.
_PEER_PREFIX_IPV6 = 64


class AllowedNetworks:
    """This machine's own addresses, `options.ice_networks`, and the peer that asked (`for_peer`).

    Nothing else: an offer names the addresses that the server is to send its checks to, and whoever
    writes one must not choose a stranger, on the same network neither. The neighbours are therefore
    not permitted as such; a peer is, by the address that its own request came from.

    ice_networks: "192.0.2.0/24" or "2001:db8::1"; "any" lifts the restriction, but for addresses that no
    single machine has. Raises UsageError for a network that is none.
    """

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._networks: tuple[Network, ...] = (
            *_LOOPBACKS,
            *(_network(text) for text in options.ice_networks if text != ANY),
        )
        self._any = ANY in options.ice_networks
        self._own = frozenset(own_addresses())

    def for_peer(self, address: str | None) -> AllowedNetworks:
        """The same for one request, from `address` ("192.0.2.7", or None when that is not known).

        The machine's own addresses are read again: they change while a server runs. On loopback the
        peer's address is this machine's anyway, and adds nothing.
        """
        networks = AllowedNetworks(self._options)
        peer = parse_address(address) if address else None
        if peer is not None and not _is_nobody(peer):
            if isinstance(peer, IPv6Address) and not peer.is_link_local:
                networks._networks += (IPv6Network((peer, _PEER_PREFIX_IPV6), strict=False),)
            else:
                networks._networks += (ip_network(peer),)
        return networks

    def permits(self, address: str) -> bool:
        """Whether packets may go to and come from `address`. False for a name, as "x.local"."""
        parsed = parse_address(address)
        if parsed is None or _is_nobody(parsed):
            return False
        if self._any or parsed in self._own:
            return True
        return any(parsed.version == network.version and parsed in network for network in self._networks)

    @property
    def this_machine_only(self) -> bool:
        """Whether the server is one for this machine alone, and its sockets need not hear others."""
        return self._options.is_loopback and not self._options.ice_networks

    def media_addresses(self) -> list[str]:
        """The addresses that media sockets are to be bound to, the most likely one first.

        On loopback the adapters' addresses are in it beside 127.0.0.1, because Firefox pairs no address of
        its own with a loopback one; when the server listens at one address, only that.
        """
        own = [str(address) for address in sorted(self._own, key=_own_order)]
        if self._options.is_loopback:
            return [*own, "127.0.0.1"]
        host = parse_address(self._options.host)
        if host is not None and not host.is_unspecified:
            return [str(host)]
        return own or ["127.0.0.1"]

    @property
    def own(self) -> frozenset[Address]:
        """The addresses of this machine's network adapters when this was made; no loopback ones."""
        return self._own


def own_addresses() -> list[Address]:
    """The addresses of this machine's adapters, IPv4 first; without loopback and link-local IPv6 ones."""
    found: list[Address] = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            text = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            parsed = parse_address(text)
            if parsed is None or parsed.is_loopback or (parsed.version == 6 and parsed.is_link_local):
                continue
            if parsed not in found:
                found.append(parsed)
    return sorted(found, key=lambda address: address.version)


def _own_order(address: Address) -> tuple[int, int]:
    return address.version, int(address)


def parse_address(text: str) -> Address | None:
    """An IP address, an IPv4 one inside IPv6 as what it is, without its zone; None when it is none."""
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def _is_nobody(address: Address) -> bool:
    """Whether no single machine has this address."""
    broadcast = isinstance(address, IPv4Address) and address == IPv4Address("255.255.255.255")
    this_network = isinstance(address, IPv4Address) and address in IPv4Network("0.0.0.0/8")
    return address.is_multicast or address.is_unspecified or broadcast or this_network


def _network(text: str) -> Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise UsageError(
            f"{text!r} is no network: expected one as 192.0.2.0/24 or 2001:db8::/32, or {ANY!r}"
        ) from None
