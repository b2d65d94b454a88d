"""Which addresses media may be exchanged with."""

from __future__ import annotations

import pytest

from rtfilter.errors import UsageError
from rtfilter.serve.gate.networks import AllowedNetworks, own_addresses, parse_address
from rtfilter.serve.gate.options import ServeOptions

TOKEN = "t" * 16
STRANGERS = ["198.51.100.7", "8.8.8.8", "2001:db8:1::7", "169.254.169.254", "fe80::1"]
NOBODY = ["0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.251", "::", "ff02::fb", "", "x", "a.local"]


def networks(host: str = "127.0.0.1", *ice: str) -> AllowedNetworks:
    options = ServeOptions(host=host, token=TOKEN, tls=host != "127.0.0.1", ice_networks=ice)
    return AllowedNetworks(options)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_this_machine(address: str) -> None:
    assert networks().permits(address)


def test_this_machines_own_addresses_are_permitted() -> None:
    for address in own_addresses():
        assert networks().permits(str(address))


@pytest.mark.parametrize("address", STRANGERS)
def test_strangers_are_not(address: str) -> None:
    assert not networks().permits(address)
    assert not networks("0.0.0.0").permits(address)


def test_a_neighbour_of_this_machine_is_a_stranger() -> None:
    for address in own_addresses():
        neighbour = str(address + 1)
        if address + 1 not in own_addresses():
            assert not networks("0.0.0.0").permits(neighbour)


@pytest.mark.parametrize("address", NOBODY)
def test_what_is_no_single_machine_is_never_permitted(address: str) -> None:
    assert not networks("127.0.0.1", "any").permits(address)
    assert not networks("127.0.0.1", "0.0.0.0/0", "::/0").permits(address)
    assert not networks("0.0.0.0").for_peer(address).permits(address)


def test_a_peer_is_permitted_by_the_address_of_its_request_and_for_itself() -> None:
    general = networks("0.0.0.0")
    peer = general.for_peer("198.51.100.7")
    assert peer.permits("198.51.100.7")
    assert not peer.permits("198.51.100.8")
    assert not general.permits("198.51.100.7")
    assert general.for_peer("::ffff:198.51.100.7").permits("198.51.100.7")
    assert not general.for_peer(None).permits("198.51.100.7")


def test_a_peer_may_change_its_address_within_its_ipv6_network() -> None:
    peer = networks("0.0.0.0").for_peer("2001:db8:1::7")
    assert peer.permits("2001:db8:1::ffff:1")
    assert not peer.permits("2001:db8:2::7")


def test_networks_can_be_added_and_lifted() -> None:
    added = networks("127.0.0.1", "198.51.100.0/24", "2001:db8:1::7")
    assert added.permits("198.51.100.200")
    assert added.permits("2001:db8:1::7")
    assert not added.permits("198.51.101.1")
    assert all(networks("127.0.0.1", "any").permits(address) for address in STRANGERS)


@pytest.mark.parametrize("text", ["", "x", "198.51.100.0/33", "all", "2001:db8::/200"])
def test_a_network_that_is_none_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="is no network: expected one as"):
        networks("127.0.0.1", text)


def test_where_media_is_listened_for() -> None:
    own = [str(address) for address in own_addresses()]
    assert networks().media_addresses()[-1] == "127.0.0.1"
    assert set(networks().media_addresses()) == {*own, "127.0.0.1"}
    assert networks("198.51.100.1").media_addresses() == ["198.51.100.1"]
    assert networks("0.0.0.0").media_addresses() == (own or ["127.0.0.1"])


def test_addresses_are_read_in_one_spelling() -> None:
    assert str(parse_address("::FFFF:192.0.2.1")) == "192.0.2.1"
    assert str(parse_address("fe80::1%eth0")) == "fe80::1"
    assert parse_address("127.1") is None
    assert parse_address("localhost") is None
