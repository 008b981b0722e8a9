"""Sending to an address that somebody else named, a company's webhook or a device's push service: the one way out.

As careful as towards a bank, and more: https alone, no redirect, no proxy, one deadline, a bounded answer of which
nothing but the status is read; and to no machine of this network, whatever the name leads to when it is looked up.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from config.hosts import is_loopback
from connectors.errors import BankError, BankUnavailable
from connectors.http import BankSession, Deadline

#: for the whole call, however slowly single bytes drip
DEADLINE_S = 8.0


@dataclass(frozen=True, slots=True)
class Answer:
    """``status``: of HTTP; None: there was none that could be read. ``retry_after_s``: not before that, it said."""

    status: int | None
    retry_after_s: int | None = None

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def may_be_called(url: str, *, demo: bool) -> bool:
    """https to a host that is not this machine; the demo's programs on loopback are the only exception."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username or parts.fragment or port == 0:
        return False
    if demo and is_loopback(host):
        return parts.scheme in ("http", "https")
    return parts.scheme == "https" and not is_loopback(host) and not _is_odd_address(host)


def post(url: str, *, headers: Mapping[str, str], body: bytes, demo: bool) -> Answer:
    """Send it once. Whatever the other side does, it raises nothing; to where it may not go nothing is sent."""
    if not may_be_called(url, demo=demo):
        return Answer(None)
    is_ours = demo and is_loopback(urlsplit(url).hostname or "")
    session = BankSession(allow_http=is_ours, public_only=not is_ours)
    try:
        return Answer(session.call("POST", url, headers=headers, body=body, deadline=Deadline(DEADLINE_S)).status)
    except BankUnavailable as error:
        return Answer(None, error.retry_after_s)
    except (BankError, ValueError):
        return Answer(None)
    finally:
        session.close()


def _is_odd_address(host: str) -> bool:
    """Spellings of this machine that a resolver takes: 0.0.0.0, 127.1, 0x7f.1, 2130706433."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        last = host.removesuffix(".").rpartition(".")[2]
        return last.isdigit() or last.startswith("0x")  # no top-level domain is or does
