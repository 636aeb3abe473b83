"""gateway/addresses.py: which addresses are on the internet."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.addresses import is_public

INNER = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.127.255.255", "0.1.2.3", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.0.0.1", "192.88.99.1", "::1", "::", "fe80::1", "fe80::1%eth0",
    "fc00::1", "fd12::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1",
    "nonsense", "",
]  # fmt: skip
OPEN = ["8.8.8.8", "1.1.1.1", "151.101.1.1", "2606:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", INNER)
def test_an_address_that_is_not_public_is_none(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OPEN)
def test_an_address_of_the_open_net_is_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=6))
def test_no_address_that_wraps_another_is_public(address: IPv6Address) -> None:
    if address.ipv4_mapped or address.sixtofour or address.teredo:
        assert not is_public(str(address))


@given(st.ip_addresses(v=4))
def test_one_that_is_translated_is_what_it_is_translated_to(address: IPv4Address) -> None:
    assert is_public(str(IPv6Address("64:ff9b::") + int(address))) is is_public(str(address))
