"""Which addresses of machines are anybody's on the internet, and not of this machine or the networks behind it."""

from __future__ import annotations

import ipaddress
import socket

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: IPv6 addresses that lead to an IPv4 one: NAT64 (RFC 6052)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: what ``ipaddress`` takes for anybody's, or once took: protocols' own (RFC 6890), relays of 6to4 (RFC 7526),
#: a cloud's own services (Azure), NAT64 of one network, where the IPv4 one may stand elsewhere, examples (RFC 9637)
_NOT_ANYBODYS = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "64:ff9b:1::/48", "3fff::/20"),
    )
)
#: in the middle of an address of ISATAP (RFC 5214), with an IPv4 one behind it that is anybody's, or is not
_ISATAP = (0x00005EFE, 0x02005EFE)


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
    is_special = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not is_special and not any(address in network for network in _NOT_ANYBODYS)


def _inside(address: _Address) -> list[_Address]:
    """IPv4 addresses that an IPv6 one stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    inside: list[_Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    is_isatap = int(address) >> 32 & 0xFFFFFFFF in _ISATAP
    # or "IPv4-compatible" (RFC 4291)
    if is_isatap or address in _NAT64 or int(address) < 1 << 32:
        inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if address.is_site_local:
        inside.append(ipaddress.IPv4Address(0))
    return [each for each in inside if each is not None]
