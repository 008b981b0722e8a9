"""Which addresses nobody may send us to."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.public_addresses import NotPublic, is_public, public_addresses

#: the registries of special addresses (RFC 6890 and what came after), each with one that is in it
SPECIAL_4 = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24",
    "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32",
    "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
]  # fmt: skip
SPECIAL_6 = [
    "::/128", "::1/128", "64:ff9b:1::/48", "2001:db8::/32", "3fff::/20", "fc00::/7", "fe80::/10", "fec0::/10",
    "ff00::/8",
]  # fmt: skip


@pytest.mark.parametrize("network", [*SPECIAL_4, *SPECIAL_6])
@given(data=st.data())
def test_no_special_address_is_public(network: str, data: st.DataObject) -> None:
    block = ipaddress.ip_network(network)
    assert not is_public(str(block[data.draw(st.integers(0, block.num_addresses - 1))]))


@pytest.mark.parametrize("network", SPECIAL_4)
@given(data=st.data())
def test_nor_is_one_of_ipv6_that_stands_for_it(network: str, data: st.DataObject) -> None:
    block = ipaddress.IPv4Network(network)
    inside = int(block[data.draw(st.integers(0, block.num_addresses - 1))])
    for spelling in (
        ipaddress.IPv6Address((0xFFFF << 32) | inside),  # mapped
        ipaddress.IPv6Address(inside),  # "compatible"
        ipaddress.IPv6Address((0x2002 << 112) | (inside << 80)),  # 6to4
        ipaddress.IPv6Address((0x64FF9B << 96) | inside),  # NAT64
        ipaddress.IPv6Address((0x64FF9B0001 << 80) | inside),
        ipaddress.IPv6Address((0x2A001450 << 96) | (0x5EFE << 32) | inside),  # ISATAP
        ipaddress.IPv6Address((0x2A001450 << 96) | (0x02005EFE << 32) | inside),
        ipaddress.IPv6Address((0x20010000 << 96) | (inside ^ 0xFFFFFFFF)),  # Teredo
    ):
        assert not is_public(str(spelling)), spelling
        assert not is_public(f"{spelling}%eth0")


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "142.250.180.10",
        "2606:4700:4700::1111",
        "2a00:1450:4007:80c::200a",
        "2a00:1450::5efe:808:808",
    ],
)
def test_those_of_push_services_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("nothing", ["", "push.example", "127.1", "0x7f.1", "1.1.1.1.1", "1.1.1.1/24", "::g"])
def test_what_is_no_address_is_not(nothing: str) -> None:
    assert not is_public(nothing)


def test_a_name_of_this_machine_leads_to_nothing_public() -> None:
    with pytest.raises(NotPublic):
        public_addresses("localhost", 443)
