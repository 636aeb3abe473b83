"""Which addresses anybody on the internet can reach: what strangers name must not lead into the operator's network."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_GLOBAL_V6 = ip_network("2000::/3")
_NOBODYS_V6 = tuple(map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
"""Of the global ones: protocols' own (Teredo too), examples, and 6to4, which wraps any IPv4 address."""
_RELAYS_V4 = ip_network("192.88.99.0/24")
_NAT64 = ip_network("64:ff9b::/96")
"""How a host that has IPv6 alone sees the rest of the world."""
NOT_PUBLIC = "its address is not public"

AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[str | int | bytes, ...]]


class InnerError(OSError):
    """The socket is not made."""


def is_public(address: str) -> bool:
    """Whether an address is one of the open net: not private, loopback, link-local, multicast, reserved, shared by a
    provider's customers, nor one that leads to any of these by translation.
    """
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip in _NAT64:
        ip = IPv4Address(int(ip) & 0xFFFFFFFF)
    if isinstance(ip, IPv6Address):
        return ip in _GLOBAL_V6 and ip.is_global and not any(ip in network for network in _NOBODYS_V6)
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and ip not in _RELAYS_V4


def public_socket(info: AddrInfo) -> socket.socket:
    """For who connects. It stands behind a name's resolution and every redirect, so that no name can change what it
    means in between. Raises InnerError.
    """
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise InnerError(NOT_PUBLIC)
    return socket.socket(family, kind, protocol)
