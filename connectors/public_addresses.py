"""Which addresses of machines are anybody's on the internet, and not of this machine or the networks behind it."""

from __future__ import annotations

import ipaddress
import socket

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: IPv6 addresses that lead to an IPv4 one: NAT64 (RFC 6052, and RFC 8215's of one network)
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


class NotPublic(OSError):
    """A name that leads, with one of its addresses at least, to where no stranger may send us."""


def is_public(address: str) -> bool:
    """Whether this is an address that anybody can have. False also for what is no address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(map(_is_public, (found, *_inside(found))))


def public_addresses(host: str, port: int) -> list[str]:
    """What the system's resolver makes of a name, in its order. Raises NotPublic, socket.gaierror.

    All of them have to be public: a name with one of each would lead to the other one at another time. Who connects
    connects to one of these and does not ask again, or the name could mean something else by then.
    """
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not found or not all(map(is_public, found)):
        raise NotPublic(f"{host} leads to an address that is not public")
    return found


def _is_public(address: _Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _inside(address: _Address) -> list[_Address]:
    """IPv4 addresses that an IPv6 one stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    inside: list[_Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _NAT64) or int(address) < 1 << 32:  # or "IPv4-compatible" (RFC 4291)
        inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if address.is_site_local:
        inside.append(ipaddress.IPv4Address(0))
    return [each for each in inside if each is not None]
