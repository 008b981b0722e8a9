"""What a European bank is told of the customer's browser, in headers of the same names in NextGenPSD2 and STET."""

from __future__ import annotations

import ipaddress

from connectors.contract import PsuContext

USER_AGENT_CHARACTERS_MAX = 500


def psu_headers(psu: PsuContext) -> dict[str, str]:
    """PSU-IP-Address (mandatory) and PSU-User-Agent, freed of what could break out of a header."""
    headers = {"PSU-IP-Address": _ip_address(psu.ip_address)}
    user_agent = "".join(c for c in psu.user_agent if c.isascii() and c.isprintable()).strip()
    if user_agent:
        headers["PSU-User-Agent"] = user_agent[:USER_AGENT_CHARACTERS_MAX].strip()
    return headers


def _ip_address(text: str) -> str:
    """The Berlin Group's file knows IPv4 only. IPv6 goes out as it is: there is no truer one to put instead."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.is_loopback:  # the demo in a browser that prefers ::1
            return "127.0.0.1"
        return str(address.ipv4_mapped or address)
    return str(address)
